import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Comparison, compareNext } from '../../src/move/compare.ts';
import { advanceSequences, caughtUp, fence, giveRights, mark, readRights, type Right } from '../../src/move/fence.ts';
import { rows, type Site } from '../../src/move/site.ts';
import { copyProgress, endStream, follow, lag, publish, type Stream } from '../../src/move/stream.ts';
import { dropData, prepareTarget } from '../../src/move/target.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { IN_ENGLISH, makePair, type Pair, type Server, startServer } from './two-servers.ts';
import { makePromotion, redeem, startWriters, type Writers } from './writers.ts';

let home: Server;
let apart: Server;
let pair: Pair;
let promotion: string;
beforeAll(async () => {
  [home, apart] = await Promise.all([startServer(), startServer()]);
});
afterAll(() => Promise.all([home.stop(), apart.stop()]));
beforeEach(async () => {
  pair = await makePair(home, apart, 'coupon');
  promotion = await makePromotion(pair.roleUrl(pair.source), 2_000);
});
afterEach(async () => {
  await writing?.stop();
  await Promise.all(opened.splice(0).map((client) => client.end()));
  await endStream({ from: pair.source, to: pair.target });
  await endStream({ from: pair.target, to: pair.source });
  await pair.close();
});

const opened: Client[] = [];
let writing: Writers | undefined;
const sixteen = () => (writing = startWriters(16, pair.roleUrl(pair.source), promotion));

const there = (): Stream => ({ from: pair.source, to: pair.target });
const back = (): Stream => ({ from: pair.target, to: pair.source });

/** Rights of the role at the source, and its target follows. */
async function startCopy(): Promise<Right[]> {
  const rights = await readRights(pair.source);
  await prepareTarget(pair.target, TEST_SECRET);
  await publish(pair.source);
  await follow(there(), { copy: true });
  return rights;
}

async function copied(): Promise<void> {
  await expect.poll(async () => (await copyProgress(there())).done, { timeout: 20_000 }).toBe(true);
}

/** Holds up the copy of one table, so that it is in the middle until `holding` ends. */
async function startHalfACopy(): Promise<Client> {
  await prepareTarget(pair.target, TEST_SECRET);
  const holding = await open(pair.target.url);
  await holding.query('begin; lock table coupon.redemptions in share mode');
  await publish(pair.source);
  await follow(there(), { copy: true });
  const done = async () => (await copyProgress(there())).tables.filter(({ state }) => state === 'copied').map(({ name }) => name);
  await expect.poll(done, { timeout: 10_000 }).toEqual(expect.arrayContaining(['coupon.promotions', 'coupon_jobs.kerf_mark']));
  return holding;
}

async function startWayBack(): Promise<void> {
  await publish(pair.target);
  await follow(back(), { copy: false });
}

/** Fence, catch up and open: from here on the role works at the other site. */
async function goOver({ from, to }: Stream, rights: Right[]): Promise<{ fenced: number; all: number; ended: number }> {
  const start = performance.now();
  const { milliseconds, ended } = await fence(from);
  expect(await caughtUp(to, await mark(from), 5_000)).toBe(true);
  await advanceSequences(from, to);
  await giveRights(to, rights);
  return { fenced: milliseconds, all: performance.now() - start, ended };
}

async function compareAll(stream: Stream, rowsAtOnce?: number): Promise<Comparison> {
  let comparison: Comparison | undefined;
  do comparison = JSON.parse(JSON.stringify(await compareNext(stream, comparison, rowsAtOnce))) as Comparison;
  while (!comparison.done);
  return comparison;
}

const differences = ({ tables }: Comparison) => tables.flatMap(({ name, different }) => different.map((key) => `${name} ${key.join()}`));

const asRole = (site: Site) => open(pair.roleUrl(site));

async function open(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  opened.push(client);
  return client;
}

const count = async (site: Site, what: string) => Number((await rows<{ count: string }>(site, `select count(*) from ${what}`))[0]!.count);
const orders = async (site: Site) => new Set((await rows<{ order_id: string }>(site, 'select order_id from coupon.redemptions')).map(({ order_id }) => order_id));

describe('a move there and back, while sixteen write', () => {
  it('loses nothing, doubles nothing and refuses nobody who goes on at the other side', async () => {
    const writers = sixteen();
    const rights = await startCopy();
    await copied();
    await startWayBack();
    const compared = await compareAll(there());
    expect(differences(compared)).toEqual([]);

    const away = await goOver(there(), rights);
    writers.goTo(pair.roleUrl(pair.target));
    const atMove = writers.acknowledged.length;
    await expect.poll(() => writers.acknowledged.length).toBeGreaterThan(atMove + 200);
    await endStream(there());

    const home = await goOver(back(), rights);
    writers.goTo(pair.roleUrl(pair.source));
    const atReturn = writers.acknowledged.length;
    await expect.poll(() => writers.acknowledged.length).toBeGreaterThan(atReturn + 200);
    await writers.stop();

    expect(writers.failed).toEqual([]);
    const present = await orders(pair.source);
    expect(writers.acknowledged.filter((order) => !present.has(order))).toEqual([]);
    expect(await rows(pair.source, 'select used from coupon.uses')).toEqual([{ used: present.size - 2_000 }]);
    expect(await count(pair.source, 'coupon_jobs.job')).toBe(present.size - 2_000);
    const figures = { rowsCompared: compared.rows, rowsPerSecond: Math.round((compared.rows * 1_000) / compared.milliseconds), away, home, refused: writers.refused, longest: writers.longest, acknowledged: writers.acknowledged.length };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  });
});

describe('the stream', () => {
  it('carries every job as it is, and fires no trigger again', async () => {
    await pair.source.client.query(`
      insert into coupon_jobs.job (name, data, state, retry_count, start_after) select 'jobs', '{}', state, 2, now() + interval '1 day' from unnest(enum_range(null::coupon_jobs.job_state)) as state;
      update coupon_jobs.job set created_on = '2020-01-01', deletion_seconds = 7 where state in ('created', 'failed');`);
    await startCopy();
    await copied();
    await pair.source.client.query(`
      insert into coupon_jobs.job (name, data, state) select 'jobs', '{}', state from unnest(enum_range(null::coupon_jobs.job_state)) as state;
      update coupon_jobs.job set created_on = '2021-01-01', deletion_seconds = 8 where state in ('created', 'failed') and deletion_seconds <> 7;`);
    expect(await caughtUp(pair.target, await mark(pair.source), 5_000)).toBe(true);
    const jobs = (site: Site) => rows(site, 'select * from coupon_jobs.job order by id');
    expect(await jobs(pair.target)).toHaveLength(12);
    expect(await jobs(pair.target)).toEqual(await jobs(pair.source));
  });

  it('brings back what is written over there, and sends nothing in circles', async () => {
    const rights = await startCopy();
    await copied();
    await startWayBack();
    await goOver(there(), rights);
    const client = await asRole(pair.target);
    const order = randomUUID();
    await redeem(client, promotion, order);
    expect(await caughtUp(pair.source, await mark(pair.target), 5_000)).toBe(true);
    expect(await orders(pair.source)).toContain(order);
    expect(await caughtUp(pair.target, await mark(pair.source), 5_000)).toBe(true);
    expect(differences(await compareAll(back()))).toEqual([]);
    expect((await lag(there()))?.errors).toBe(0);
    expect((await lag(back()))?.errors).toBe(0);
  });

  it('never gives a number out twice', async () => {
    await pair.close();
    pair = await makePair(home, apart, 'order');
    await rows(pair.source, `select setval('"order".order_numbers', 4711)`);
    await startCopy();
    await advanceSequences(pair.source, pair.target);
    await advanceSequences(pair.source, pair.target);
    expect(await rows(pair.target, `select nextval('"order".order_numbers')::int as next`)).toEqual([{ next: 4712 }]);
    await advanceSequences(pair.source, pair.target);
    expect(await rows(pair.target, `select nextval('"order".order_numbers')::int as next`)).toEqual([{ next: 4713 }]);
    await expect.poll(async () => (await copyProgress(there())).done).toBe(true);
  });

  it('says how far it is', async () => {
    await startCopy();
    await copied();
    const progress = await copyProgress(there());
    expect(progress.tables).toContainEqual(expect.objectContaining({ name: 'coupon.redemptions', state: 'copied' }));
    expect(progress.tables.map(({ name }) => name)).not.toContain('coupon.migrations');
    await expect.poll(() => lag(there())).toMatchObject({ connected: true, lost: false, errors: 0, seconds: expect.any(Number) });
    await redeem(await asRole(pair.source), promotion, randomUUID());
    await expect.poll(async () => (await lag(there()))?.bytes).toBe(0);
  });

  it('works between two databases of one server', async () => {
    await pair.close();
    pair = await makePair(home, home, 'coupon');
    promotion = await makePromotion(pair.roleUrl(pair.source), 100);
    const rights = await startCopy();
    await copied();
    await startWayBack();
    await goOver(there(), rights);
    await redeem(await asRole(pair.target), promotion, randomUUID());
    expect(await caughtUp(pair.source, await mark(pair.target), 5_000)).toBe(true);
    expect(differences(await compareAll(back()))).toEqual([]);
  });
});

describe('a server that is killed', () => {
  it('in the middle of the copy is copied from, and to, to the end', async () => {
    for (const server of [home, apart]) {
      const holding = await startHalfACopy();
      await server.kill();
      await holding.end();
      await pair.reopen();
      await redeem(await asRole(pair.source), promotion, randomUUID());
      await copied();
      expect(differences(await compareAll(there()))).toEqual([]);
      expect(await count(pair.target, 'coupon.redemptions')).toBe(await count(pair.source, 'coupon.redemptions'));
      await endStream(there());
      await dropData(pair.target);
    }
  });

  it('after the copy loses nothing that was acknowledged, in either direction', async () => {
    const rights = await startCopy();
    await copied();
    await startWayBack();
    const before = randomUUID();
    await redeem(await asRole(pair.source), promotion, before);
    await home.kill();
    await pair.reopen();
    const meanwhile = randomUUID();
    await redeem(await asRole(pair.source), promotion, meanwhile);
    await apart.kill();
    await pair.reopen();
    await goOver(there(), rights);
    expect(await orders(pair.target)).toEqual(await orders(pair.source));
    expect([...(await orders(pair.target))]).toEqual(expect.arrayContaining([before, meanwhile]));
    const over = randomUUID();
    await redeem(await asRole(pair.target), promotion, over);
    await home.kill();
    await pair.reopen();
    expect(await caughtUp(pair.source, await mark(pair.target), 10_000)).toBe(true);
    expect(await orders(pair.source)).toContain(over);
  });

  it('has what it had caught up with, although its source is gone', async () => {
    const rights = await startCopy();
    await copied();
    const order = randomUUID();
    await redeem(await asRole(pair.source), promotion, order);
    await fence(pair.source);
    expect(await caughtUp(pair.target, await mark(pair.source), 5_000)).toBe(true);
    const killed = apart.kill();
    await endStream({ from: pair.source });
    await killed;
    await pair.reopen();
    await giveRights(pair.target, rights);
    expect(await orders(pair.target)).toContain(order);
  });

  it('remembers that it was fenced', async () => {
    await fence(pair.source);
    await home.kill();
    await pair.reopen();
    await expect((await asRole(pair.source)).query('select 1 from promotions')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the fence', () => {
  it('refuses every statement of the role, prepared ones too, until the rights are given back', async () => {
    const rights = await readRights(pair.source);
    const client = await asRole(pair.source);
    const prepared = { name: 'known', text: `select count(*)::int from promotions` };
    for (let times = 0; times < 7; times += 1) await client.query(prepared);
    await fence(pair.source);
    const statements = [prepared, 'select from uses', `delete from inbox`, `update uses set used = 7`, 'select from coupon_jobs.job', `insert into coupon_jobs.queue (name) values ('x')`];
    for (const statement of statements) await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    expect(await readRights(pair.source)).toEqual([]);
    await giveRights(pair.source, rights);
    expect(await readRights(pair.source)).toEqual(rights);
    expect((await client.query(prepared)).rows).toEqual([{ count: 1 }]);
    await expect(client.query('delete from promotions')).rejects.toMatchObject({ code: '42501' });
  });

  it('lets what has begun finish, and whoever then asks for the mark has it', async () => {
    await startCopy();
    await copied();
    const client = await asRole(pair.source);
    await client.query('begin');
    await client.query('update uses set used = 5');
    let over = false;
    const fenced = fence(pair.source, 10_000).finally(() => {
      over = true;
    });
    const administrator = await open(pair.source.url);
    await expect.poll(() => readRights({ ...pair.source, client: administrator }).then(({ length }) => length)).toBe(0);
    await client.query('select now()');
    expect(over).toBe(false);
    await client.query('commit');
    expect(await fenced).toMatchObject({ ended: 0 });
    expect(await caughtUp(pair.target, await mark(pair.source), 5_000)).toBe(true);
    expect(await rows(pair.target, 'select used from coupon.uses')).toEqual([{ used: 5 }]);
  });

  it('ends the transaction of a process that does not go on', async () => {
    const [frozen, idle] = [await asRole(pair.source), await asRole(pair.source)];
    await idle.query('select 1');
    await frozen.query('begin');
    await frozen.query('update uses set used = 5');
    expect(await fence(pair.source)).toMatchObject({ ended: 1 });
    await expect(frozen.query('commit')).rejects.toThrow();
    expect(await rows(pair.source, 'select used from coupon.uses')).toEqual([{ used: 0 }]);
    await idle.query('select 1');
    expect(await fence(pair.source)).toMatchObject({ ended: 0 });
  });

  it('says that a follower has not caught up, also one that still copies', async () => {
    const holding = await startHalfACopy();
    const early = await mark(pair.source);
    await expect.poll(() => count(pair.target, `coupon_jobs.kerf_mark where id = '${early}'`)).toBe(1);
    expect(await caughtUp(pair.target, early, 0)).toBe(false);
    await holding.query('commit');
    expect(await caughtUp(pair.target, early, 10_000)).toBe(true);
    await pair.target.client.query('alter subscription kerf_coupon disable');
    expect(await caughtUp(pair.target, await mark(pair.source), 50)).toBe(false);
  });
});

describe('comparing', () => {
  it('finds a row that is missing, one too many and one that is different, and goes on from where it was', async () => {
    await startCopy();
    await copied();
    const [missing, changed] = await rows<{ order_id: string }>(pair.source, 'select order_id from coupon.redemptions order by 1 offset 700 limit 2');
    const extra = randomUUID();
    await pair.target.client.query(`
      delete from coupon.redemptions where order_id = '${missing!.order_id}';
      update coupon.redemptions set amount = 99 where order_id = '${changed!.order_id}';
      insert into coupon.inbox values ('${extra}', 'x')`);
    const compared = await compareAll(there(), 500);
    expect(differences(compared).toSorted()).toEqual([`coupon.inbox ${extra},x`, `coupon.redemptions ${missing!.order_id},${promotion}`, `coupon.redemptions ${changed!.order_id},${promotion}`].toSorted());
    expect(compared.tables.find(({ name }) => name === 'coupon.redemptions')?.rows).toBe(2_000);
  });

  it('finds nothing where only the order of texts differs', async () => {
    await pair.close();
    pair = await makePair(home, apart, 'coupon', IN_ENGLISH);
    promotion = await makePromotion(pair.roleUrl(pair.source), 0);
    await rows(pair.source, `insert into coupon.promotion_codes select chr(n), chr(n), $1, n from generate_series(33, 126) as n`, [promotion]);
    await startCopy();
    await copied();
    expect(differences(await compareAll(there(), 10))).toEqual([]);
    await rows(pair.target, `delete from coupon.promotion_codes where code in ('B', 'a')`);
    expect(differences(await compareAll(there(), 10))).toEqual(['coupon.promotion_codes B', 'coupon.promotion_codes a']);
  });

  it('names the first few rows and stops there', async () => {
    await startCopy();
    await copied();
    await pair.target.client.query('delete from coupon.redemptions');
    const compared = await compareAll(there());
    expect(compared.tables.find(({ name }) => name === 'coupon.redemptions')?.different).toHaveLength(10);
  });
});

describe('the end of a stream', () => {
  const left = async (site: Site) => {
    const [here] = await rows(
      site,
      `select (select count(*)::int from pg_replication_slots where database = current_database()) as slots,
              (select count(*)::int from pg_subscription join pg_database d on d.oid = subdbid where datname = current_database()) as subscriptions,
              (select count(*)::int from pg_publication) as publications, to_regclass('coupon_jobs.kerf_mark') as marks`,
    );
    return here;
  };
  const nothing = { slots: 0, subscriptions: 0, publications: 0, marks: null };

  it('leaves nothing, also in the middle of a copy, and may be asked for again', async () => {
    await startHalfACopy();
    await expect.poll(() => rows(pair.source, `select from pg_replication_slots where slot_name like '%sync%' and database = current_database()`)).toHaveLength(1);
    for (let times = 0; times < 2; times += 1) await endStream(there());
    expect(await left(pair.source)).toEqual(nothing);
    expect(await left(pair.target)).toEqual(nothing);
  });

  it('needs neither side to be there', async () => {
    await startCopy();
    await copied();
    await startWayBack();
    await endStream({ from: pair.source });
    await endStream({ to: pair.source });
    expect(await left(pair.source)).toEqual(nothing);
    await endStream({ to: pair.target });
    await endStream({ from: pair.target });
    expect(await left(pair.target)).toEqual(nothing);
  });

  it('drops the data where the role has no rights, and refuses where it has', async () => {
    const rights = await startCopy();
    await copied();
    await endStream(there());
    await expect(dropData(pair.source)).rejects.toThrow(/so coupon lives here/);
    await dropData(pair.target);
    await dropData(pair.target);
    expect(await rows(pair.target, `select from pg_namespace where nspname like 'coupon%'`)).toEqual([]);
    await startCopy();
    await copied();
    expect(await count(pair.target, 'coupon.redemptions')).toBe(2_000);
    await giveRights(pair.target, rights);
    await expect(dropData(pair.target)).rejects.toThrow(/so coupon lives here/);
  });
});
