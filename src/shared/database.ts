import { AsyncLocalStorage } from 'node:async_hooks';
import knex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { unavailable } from './errors.ts';
import { movable, movableAddress, type MovablePool } from './movable-pool.ts';
import { forgetsStalePlan, preparing } from './prepared.ts';

/** A module's own pool. Repositories take this or a transaction as their first argument. */
export type Database = Knex;
export type Transaction = Knex.Transaction;

export interface DatabaseOptions {
  /** postgres:// address with the login role of the module */
  url: string;
  /** shown in pg_stat_activity */
  applicationName: string;
  /** most connections at once; the pool is the module's bulkhead */
  poolSize: number;
  /** schema for unqualified names, when the role's own search path is not the wanted one (migrations) */
  searchPath?: string;
  /** role to act as from the first statement on (migrations run as the schema's owner) */
  actAs?: string;
  /** asked when the database refuses: finds out where the module has moved to, and points `poolOf(db)` there */
  look?: () => Promise<void>;
}

/** knex would print to the console what it throws all the same. */
const SILENT = { warn: () => undefined, error: () => undefined, deprecate: () => undefined, debug: () => undefined };

const afterCreate = (connection: Client, done: (error?: Error) => void) => {
  preparing(connection);
  done();
};

/** Connects lazily: an unreachable server shows at the first statement, as `unavailable` within two seconds. */
export function connect(options: DatabaseOptions): Database {
  const settings = [
    options.searchPath && `-c search_path="${options.searchPath}"`,
    options.actAs && `-c role=${options.actAs}`,
  ].filter(Boolean);
  const address = movableAddress(options.url);
  const db = knex({
    client: 'pg',
    connection: address.provider({
      application_name: options.applicationName,
      connectionTimeoutMillis: 3_000,
      keepAlive: true,
      ...(settings.length > 0 && { options: settings.join(' ') }),
    }),
    pool: { min: 0, max: options.poolSize, idleTimeoutMillis: 30_000, validate: address.isGood, afterCreate },
    acquireConnectionTimeout: 2_000,
    log: SILENT,
  });
  pools.set(db.client as object, movable(db, address.point, options.look ?? (async () => undefined)));
  return db;
}

/** by what a database and all that speaks for it share: whoever stands before it has the same pool */
const pools = new WeakMap<object, MovablePool>();

/** The pool behind a database, for whoever moves the module. */
export const poolOf = (db: Database): MovablePool => pools.get(db.client as object)!;

const openTransaction = new AsyncLocalStorage<object>();
const ATTEMPTS = 4;

/**
 * Runs `work` in one local transaction and answers what it answers; rolls back when it throws.
 *
 * - Deadlocks and serialization failures (40P01, 40001) are run again from the start, at most three times, and so is what
 *   a move of the module or a migration ended before it was committed: keep effects outside the database out of `work`.
 * - Refuses to run inside another transaction: that waits on its own pool, or would span two modules.
 * - A commit that Postgres turned into a rollback (a swallowed SQL error) is an error here, not a success.
 */
export async function transaction<T>(db: Database, work: (trx: Transaction) => Promise<T>): Promise<T> {
  if (openTransaction.getStore()) {
    throw new Error('A transaction was started inside another one: pass the transaction on, or call after it.');
  }
  const pool = poolOf(db);
  for (let attempt = 1; ; attempt += 1) {
    const since = pool.generation();
    let failed: { error: unknown } | undefined;
    const workOrTell = (trx: Transaction) =>
      workUnspoiled(trx, work).catch((error: unknown) => {
        failed = { error };
        throw error;
      });
    try {
      return await openTransaction.run({}, () => db.transaction(workOrTell));
    } catch (thrown) {
      // What ended the work, not what its rollback met on a connection that is gone.
      const error = failed ? failed.error : thrown;
      const again = attempt < ATTEMPTS && (isContention(error) || forgetsStalePlan(error) || (failed && (await pool.hasMoved(error, since))));
      if (!again) throw error;
    }
  }
}

/** True while the current flow is inside `transaction`: what must not be done there can check it. */
export const insideTransaction = (): boolean => currentTransaction() !== undefined;

/** What the open `transaction` of the current flow is known by: another object for each, and good for nothing else. */
export const currentTransaction = (): object | undefined => openTransaction.getStore();

/** Runs `flow` as if no transaction were open; for work that starts now and ends after it, like waking a worker. */
export const outsideTransaction = <T>(flow: () => T): T => openTransaction.exit(flow);

async function workUnspoiled<T>(trx: Transaction, work: (trx: Transaction) => Promise<T>): Promise<T> {
  let failed: unknown;
  trx.on('query-error', (error: unknown) => {
    failed = error;
  });
  const result = await work(trx);
  if (failed) throw failed;
  return result;
}

const isContention = (error: unknown) => ['40001', '40P01'].includes((error as { code?: string })?.code ?? '');

/** Answers when the database does, within the pool's limits, or while it is being moved; throws `unavailable` otherwise. For readiness. */
export async function ping(db: Database): Promise<void> {
  if (poolOf(db).isHeld()) return;
  await db.raw('select 1').catch(() => {
    throw unavailable('The database does not answer.');
  });
}

/** How many connections of the pool are in use, and how many flows wait for one. */
export function poolUse(db: Database): { used: number; waiting: number } {
  const { pool } = db.client as { pool: { numUsed(): number; numPendingAcquires(): number } };
  return { used: pool.numUsed(), waiting: pool.numPendingAcquires() };
}

/** Rows of a raw statement. Bindings are `?`, or `:name` with an object. */
export async function rows<Row>(db: Database | Transaction, sql: string, bindings: Knex.RawBinding[] | Knex.ValueDict = []): Promise<Row[]> {
  const result = await db.raw<{ rows: Row[] }>(sql, bindings as Knex.ValueDict);
  return result.rows;
}

const BATCH = 2_000;

/**
 * Runs a delete that takes at most `:limit` rows until nothing is left for it, so that no statement locks many. It has to
 * choose its rows `for update skip locked`: several processes may delete at once, and a row in use is left for later.
 */
export async function deleteInBatches(db: Database, sql: string, bindings: Record<string, Date | number>): Promise<void> {
  const deleted = await rows(db, `${sql} returning 1`, { ...bindings, limit: BATCH });
  if (deleted.length === BATCH) await deleteInBatches(db, sql, bindings);
}
