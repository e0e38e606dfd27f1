import type { Knex } from 'knex';
import { Client } from 'pg';
import { unavailable } from './errors.ts';
import { forgetsStalePlan } from './prepared.ts';

/** Milliseconds that a flow waits for a held pool: longer than a move holds one, shorter than anybody waits for an answer. */
const PATIENCE = 10_000;

/**
 * The pool of a module that can move while it is used: docs/decisions/0014. Statements and local transactions are the
 * units: one that has its connection finishes with it, the next gets one to where the module is by then.
 */
export interface MovablePool {
  /** nobody gets a connection any more; resolves when everybody who had one has given it back */
  hold(): Promise<void>;
  /** connections are given again, and are to `url` from now on */
  letGo(url: string): void;
  isHeld(): boolean;
  met(): Met;
  /** grows whenever the pool is held or let go */
  generation(): number;
  /**
   * Whether a failure is that of a place the module has left, or is leaving. If so, and if what failed had no effect, it
   * can be run again: it will wait for the new place. `since`: the generation when it began.
   */
  hasMoved(error: unknown, since: number): Promise<boolean>;
}

/** What statements and transactions met in moves, since the process started. */
export interface Met {
  /** waited for their connection */
  held: number;
  /** were refused, or ended, and ran again */
  again: number;
  /** waited in vain, or were refused although the module had not moved */
  failed: number;
  /** milliseconds of the last hold */
  pause: number;
}

interface Pooled {
  acquireConnection(): Promise<unknown>;
  releaseConnection(connection: unknown): Promise<void>;
  runner(builder: unknown): { run(): Promise<unknown> };
}

/** Refused for want of rights, or of the table, where the data was dropped. */
const REFUSED = new Set(['42501', '42P01']);
/** Ended by an administrator; connection lost, for which the driver has no code. */
const ENDED = new Set(['57P01', 'ECONNRESET', 'EPIPE']);
const LOST = /(Connection terminated( unexpectedly)?|is not queryable)$/;
const isRefused = (error: unknown) => REFUSED.has((error as { code?: string })?.code ?? '');
const isOfAPlace = (error: unknown) => isRefused(error) || ENDED.has((error as { code?: string })?.code ?? '') || LOST.test((error as Error)?.message ?? '');

/** As far as its words say: a read that was ended may be asked again, and whether a write was is not known. */
function isRead(builder: unknown): boolean {
  const { sql } = (builder as Knex.Raw).toSQL();
  return /^\s*(select|with)\b/i.test(sql) && !/\b(insert|update|delete|merge|nextval|setval|pg_\w+)\b/i.test(sql);
}

/** What knex is told of a pool whose address may change: idle connections to another place are given up when they are met. */
export function movableAddress(first: string) {
  let url = first;
  let there = placeOf(first);
  return {
    point(to: string) {
      url = to;
      there = placeOf(to);
    },
    provider(settings: object) {
      return () => {
        const given = url;
        return { ...settings, connectionString: given, expirationChecker: () => given !== url };
      };
    },
    /**
     * a script that failed may have left its transaction open, which would spoil it for whoever gets the connection next; what
     * has not said yet how it is after a failure may be such a one
     */
    isGood: (connection: Client & { readyForQuery?: boolean }) => connection.readyForQuery === true && there === `${connection.host}:${connection.port}/${connection.database}` && ['I', null].includes(connection.getTransactionStatus()),
  };
}

/** As the driver reads an address, which need not name all of it. */
function placeOf(url: string): string {
  const { host, port, database } = new Client({ connectionString: url });
  return `${host}:${port}/${database}`;
}

/** Puts a gate before the connections of `db`. `look`: finds out where the module is, and holds or lets go as it should be. */
export function movable(db: Knex, point: (url: string) => void, look: () => Promise<void>): MovablePool {
  const client = db.client as Pooled;
  const acquire = client.acquireConnection.bind(client);
  const release = client.releaseConnection.bind(client);
  const runner = client.runner.bind(client);
  let inside = 0;
  let generation = 0;
  let held: PromiseWithResolvers<void> | undefined;
  let heldSince = 0;
  const met: Met = { held: 0, again: 0, failed: 0, pause: 0 };
  let drained: PromiseWithResolvers<void> | undefined;

  const left = () => {
    inside -= 1;
    if (inside === 0) drained?.resolve();
  };
  const pool: MovablePool = {
    hold() {
      generation += 1;
      if (!held) heldSince = performance.now();
      held ??= Promise.withResolvers();
      drained ??= Promise.withResolvers();
      if (inside === 0) drained.resolve();
      return drained.promise;
    },
    letGo(url) {
      generation += 1;
      point(url);
      if (held) met.pause = Math.ceil(performance.now() - heldSince);
      held?.resolve();
      held = drained = undefined;
    },
    isHeld: () => held !== undefined,
    met: () => ({ ...met }),
    generation: () => generation,
    async hasMoved(error, since) {
      if (!isOfAPlace(error)) return false;
      try {
        await look();
      } catch {
        // Whether it has moved cannot be found out: it counts as not moved.
      }
      const hasMoved = generation !== since;
      if (hasMoved) met.again += 1;
      else if (isRefused(error)) met.failed += 1;
      return hasMoved;
    },
  };

  client.acquireConnection = async () => {
    if (held) met.held += 1;
    while (held) {
      await within(PATIENCE, held.promise).catch((error: unknown) => {
        met.failed += 1;
        throw error;
      });
    }
    inside += 1;
    return acquire().catch((error: unknown) => {
      left();
      throw error;
    });
  };
  client.releaseConnection = (connection) => release(connection).finally(left);
  // Of statements by themselves only: those of a transaction have a client of their own, and are run again as a whole.
  client.runner = (builder) => {
    const one = runner(builder);
    const run = one.run.bind(one);
    one.run = async () => {
      const since = generation;
      try {
        return await run();
      } catch (error) {
        const hadNoEffect = isRefused(error) || (isOfAPlace(error) && isRead(builder));
        if (forgetsStalePlan(error) || (hadNoEffect && (await pool.hasMoved(error, since)))) return client.runner(builder).run();
        throw error;
      }
    };
    return one;
  };
  return pool;
}

async function within(milliseconds: number, event: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(unavailable('The module is being moved.')), milliseconds);
  await Promise.race([event, late.promise]).finally(() => clearTimeout(timer));
}
