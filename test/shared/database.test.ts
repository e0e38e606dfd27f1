import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Database, rows, type Transaction, transaction } from '../../src/shared/database.ts';
import { toAppError } from '../../src/shared/errors.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

let context: TestContext;
let db: Database;
beforeAll(async () => {
  context = await createTestContext('edge');
  db = context.db;
});
afterAll(() => context.close());

const record = (key: string) => ({ key, points: 1 });
const points = async (key: string) => (await db('rate_limits').where({ key }).first<{ points: number } | undefined>())?.points;

describe('transaction', () => {
  it('keeps everything or nothing', async () => {
    await transaction(db, async (trx) => void (await trx('rate_limits').insert(record('kept'))));
    await expect(
      transaction(db, async (trx) => {
        await trx('rate_limits').insert(record('lost'));
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect([await points('kept'), await points('lost')]).toEqual([1, undefined]);
  });

  it('refuses to start inside another one', async () => {
    await expect(transaction(db, () => transaction(db, async () => undefined))).rejects.toThrow(/inside another/);
  });

  it('does not call a swallowed SQL error a success', async () => {
    const swallowing = transaction(db, async (trx) => {
      await trx('rate_limits').insert(record('swallowed'));
      await trx.raw('select 1 / 0').catch(() => undefined);
      return 'fine';
    });
    await expect(swallowing).rejects.toThrow(/division by zero/);
    expect(await points('swallowed')).toBeUndefined();
  });

  it('runs again after a deadlock, so that both get through', async () => {
    await db('rate_limits').insert([record('left'), record('right')]);
    const bump = (trx: Parameters<Parameters<typeof transaction>[1]>[0], key: string) => trx('rate_limits').where({ key }).increment('points', 1);
    let waiting = 2;
    let open: () => void;
    const both = new Promise<void>((resolve) => { open = resolve; });
    const cross = (first: string, second: string) =>
      transaction(db, async (trx) => {
        await bump(trx, first);
        if ((waiting -= 1) === 0) open();
        await both;
        await bump(trx, second);
      });
    await Promise.all([cross('left', 'right'), cross('right', 'left')]);
    expect([await points('left'), await points('right')]).toEqual([3, 3]);
  });
});

describe('a statement with parameters', () => {
  const find = (on: Database | Transaction) => rows<{ points: number }>(on, 'select * from rate_limits where key = ?', ['planned']);

  it('is planned once for each connection', async () => {
    await db('rate_limits').insert(record('planned'));
    const uses = await transaction(db, async (trx) => {
      for (let use = 0; use < 3; use += 1) await find(trx);
      return rows(trx, `select calls::int from (select generic_plans + custom_plans as calls from pg_prepared_statements where statement like 'select * from rate_limits where key%') as kept`);
    });
    expect(uses).toEqual([{ calls: expect.any(Number) as number }]);
    expect((uses[0] as { calls: number }).calls).toBeGreaterThanOrEqual(3);
  });

  it('is planned anew when a migration has added a column, by itself and in a transaction', async () => {
    await Promise.all(Array.from({ length: 10 }, () => find(db)));
    await context.administer('alter table edge.rate_limits add column added_later integer');
    expect(await Promise.all(Array.from({ length: 10 }, () => find(db)))).toHaveLength(10);
    await context.administer('alter table edge.rate_limits drop column added_later');
    expect(await transaction(db, find)).toHaveLength(1);
  });
});

describe('a connection that is lost', () => {
  it('is unavailable to every statement after it, too', async () => {
    const told: string[] = [];
    const onLost = async (trx: Transaction, sql: string) => void (await trx.raw(sql).catch((error: unknown) => told.push(toAppError(error).reason)));
    await transaction(db, async (trx) => {
      await onLost(trx, 'select pg_terminate_backend(pg_backend_pid())');
      await onLost(trx, 'select 1');
      await onLost(trx, 'select 1');
    }).catch((error: unknown) => told.push(toAppError(error).reason));
    expect(told).toEqual(Array(4).fill('unavailable'));
  });
});

describe('a module’s role', () => {
  const denied = (sql: string) => expect(rows(context.elsewhere, sql)).rejects.toMatchObject({ code: '42501' });

  it('may not see or change another module’s tables', async () => {
    await denied('select * from "order".migrations');
    await denied('select * from coupon_jobs.job');
    await denied('delete from "user".migrations');
  });

  it('may not create anything anywhere', async () => {
    for (const schema of ['public', 'edge', 'coupon']) await denied(`create table ${schema}.mine (id int)`);
    await denied('create schema mine');
    await denied('create role mine');
  });

  it('finds its own tables', async () => {
    expect(await rows(db, 'show search_path')).toEqual([{ search_path: 'edge' }]);
  });
});

describe('a server that is not there', () => {
  it('is unavailable also where it takes a connection and then says nothing', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const client = new Client({ connectionString: `postgres://a:b@127.0.0.1:${(silent.address() as AddressInfo).port}/kerf`, connectionTimeoutMillis: 100 });
    expect(toAppError(await client.connect().catch((thrown: unknown) => thrown))).toMatchObject({ code: 'unavailable' });
    silent.close();
  });

  it('is unavailable, and nothing of it is told', async () => {
    const nowhere = connect({ url: 'postgres://who:secret@127.0.0.1:1/kerf', applicationName: 'test', poolSize: 1 });
    const error = await transaction(nowhere, async (trx) => trx.raw('select 1')).then(() => undefined, toAppError);
    expect(error).toMatchObject({ code: 'unavailable', reason: 'unavailable' });
    expect(error?.message).not.toMatch(/127|secret/);
    await nowhere.destroy();
  });
});
