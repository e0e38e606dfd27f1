import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Database, poolOf, rows, transaction } from '../../src/shared/database.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

type Opened = Awaited<ReturnType<typeof openTestDatabase>>;

let [here, there]: [Opened, Opened] = [] as never;
let db: Database;
let look: () => Promise<void>;
const url = ({ database }: { database: TestDatabase }) => database.url('edge');

beforeEach(async () => {
  [here, there] = [await openTestDatabase(), await openTestDatabase()];
  look = async () => undefined;
  db = connect({ url: url(here), applicationName: 'test', poolSize: 3, look: () => look() });
});
afterEach(async () => {
  await db.destroy();
  await here.close();
  await there.close();
});

const insert = async (key: string, into: Parameters<typeof rows>[0] = db) => into('rate_limits').insert({ key, points: 1 });
const keys = async ({ admin }: Opened) => (await admin.query<{ key: string }>('select key from edge.rate_limits order by key')).rows.map(({ key }) => key);
const fence = ({ admin }: Opened) => admin.query('revoke all on all tables in schema edge from kerf_edge');
const moveThere = async () => poolOf(db).letGo(url(there));

describe('a pool that moves', () => {
  it('says how many waited for it, ran again and failed', async () => {
    expect(poolOf(db).met()).toEqual({ held: 0, again: 0, failed: 0, pause: 0 });
    await poolOf(db).hold();
    const waiting = [insert('one'), transaction(db, (trx) => insert('two', trx))];
    await expect.poll(() => poolOf(db).met().held).toBe(2);
    poolOf(db).letGo(url(here));
    await Promise.all(waiting);
    const { pause, ...held } = poolOf(db).met();
    expect(held).toEqual({ held: 2, again: 0, failed: 0 });
    expect(pause).toBeGreaterThan(0);
    await fence(here);
    await expect(insert('three')).rejects.toThrow('permission denied');
    look = moveThere;
    await Promise.all([insert('four'), transaction(db, (trx) => insert('five', trx))]);
    expect(poolOf(db).met()).toEqual({ held: 2, again: 2, failed: 1, pause });
  });
});

describe('a pool that is held', () => {
  it('is waited for until it is let go, and is then where it points', async () => {
    await insert('before');
    await poolOf(db).hold();
    const waiting = [insert('statement'), transaction(db, (trx) => insert('transaction', trx))];
    poolOf(db).letGo(url(there));
    await Promise.all(waiting);
    expect([await keys(here), await keys(there)]).toEqual([['before'], ['statement', 'transaction']]);
  });

  it('lets a transaction that is open finish where it began, and is drained then', async () => {
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const open = transaction(db, async (trx) => {
      await insert('first', trx);
      begun.resolve();
      await go.promise;
      await insert('second', trx);
    });
    await begun.promise;
    let isDrained = false;
    const drained = poolOf(db).hold().then(() => (isDrained = true));
    const next = insert('next');
    await here.admin.query('select');
    expect(isDrained).toBe(false);
    go.resolve();
    await Promise.all([open, drained]);
    await moveThere();
    await next;
    expect([await keys(here), await keys(there)]).toEqual([['first', 'second'], ['next']]);
  });

  it('counts nobody twice and forgets nobody, also when a connection fails', async () => {
    poolOf(db).letGo(url(here).replace(/:\w+@/, ':wrong@'));
    await expect(insert('nobody')).rejects.toMatchObject({ code: '28P01' });
    await poolOf(db).hold();
    poolOf(db).letGo(url(here));
    await insert('somebody');
    expect(await keys(here)).toEqual(['somebody']);
  });
});

describe('a database that refuses', () => {
  it.each([
    ['a statement', () => insert('one')],
    ['a transaction', () => transaction(db, (trx) => insert('one', trx))],
  ])('has %s run again where the module is now', async (_, write) => {
    await rows(db, 'select 1');
    await fence(here);
    look = moveThere;
    await write();
    expect([await keys(here), await keys(there)]).toEqual([[], ['one']]);
  });

  it('has a statement run again also when the data is gone', async () => {
    await here.admin.query('drop table edge.rate_limits');
    look = moveThere;
    await insert('one');
    expect(await keys(there)).toEqual(['one']);
  });

  it('has it wait while the module is on its way', async () => {
    await fence(here);
    const held = Promise.withResolvers<void>();
    look = async () => {
      void poolOf(db).hold();
      held.resolve();
    };
    const written = insert('one');
    await held.promise;
    poolOf(db).letGo(url(there));
    await written;
    expect(await keys(there)).toEqual(['one']);
  });

  it('and ends an open transaction, has all of it run again, once in effect', async () => {
    let runs = 0;
    look = moveThere;
    await transaction(db, async (trx) => {
      runs += 1;
      await insert('one', trx);
      const [{ pid }] = (await rows<{ pid: number }>(trx, 'select pg_backend_pid() as pid')) as [{ pid: number }];
      if (runs === 1) await here.admin.query('select pg_terminate_backend($1, 5000)', [pid]);
      await insert('two', trx);
    });
    expect([runs, await keys(here), await keys(there)]).toEqual([2, [], ['one', 'two']]);
  });

  it('and ends a read and a write by themselves, has the read run again and nobody guess about the write', async () => {
    look = moveThere;
    await there.admin.query(`insert into edge.rate_limits (key, points) values ('there', 1)`);
    await here.admin.query('begin; lock table edge.rate_limits');
    const both = Promise.allSettled([db('rate_limits').pluck('key'), insert('one')]);
    const waiting = `from pg_locks where relation = 'edge.rate_limits'::regclass and not granted`;
    await expect.poll(async () => (await here.admin.query(`select pid ${waiting}`)).rowCount).toBe(2);
    await here.admin.query(`select pg_terminate_backend(pid, 5000) ${waiting}; commit`);
    expect(await both).toMatchObject([{ value: ['there'] }, { reason: { code: '57P01' } }]);
  });

  it('and refuses a script in the middle of its transaction, leaves nobody that connection', async () => {
    await fence(here);
    await expect(rows(db, 'begin; select * from rate_limits; commit')).rejects.toMatchObject({ code: '42501' });
    await here.admin.query('grant all on all tables in schema edge to kerf_edge');
    await insert('one');
    expect(await keys(here)).toEqual(['one']);
  });

  it('is believed when nothing has moved', async () => {
    await fence(here);
    await expect(insert('one')).rejects.toMatchObject({ code: '42501' });
    await expect(transaction(db, (trx) => insert('one', trx))).rejects.toMatchObject({ code: '42501' });
  });
});
