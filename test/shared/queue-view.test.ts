import { fromKnex, PgBoss } from 'pg-boss';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { event } from '../../src/shared/contract.ts';
import { type Database, rows, transaction } from '../../src/shared/database.ts';
import { AppError } from '../../src/shared/errors.ts';
import { createPublish, type Event } from '../../src/shared/events.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { countEntries, depths, drop, type EntryFilter, findEntries, type QueueOf, tryAgain } from '../../src/shared/queue-view.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

const happened = event('order.happened', 'orderId', z.object({ orderId: z.string(), step: z.int() }));

let context: TestContext;
let db: Database;
let queue: Queue;
let events: QueueOf;
let jobs: QueueOf;
/** what was delivered, as `<listener> <order> <step>` */
const delivered: string[] = [];
/** why a delivery to `<listener> <order>` fails */
const poison = new Map<string, Error>();

beforeAll(async () => {
  context = await createTestContext('order');
  db = context.db;
  events = { module: 'order', queue: 'events', db };
  jobs = { module: 'order', queue: 'jobs', db };
  queue = createQueue('order', db, context.log);
  await queue.start({
    events: async ({ data }) => {
      const { to, event: arrived } = data as { to: string; event: Event<{ step: number }> };
      const reason = poison.get(`${to} ${arrived.subject}`);
      if (reason) throw reason;
      delivered.push(`${to} ${arrived.subject} ${arrived.data.step}`);
    },
    jobs: async ({ data }) => {
      const reason = poison.get((data as { name: string }).name);
      if (reason) throw reason;
    },
  });
});
afterEach(() => poison.clear());
afterAll(async () => {
  await queue.stop();
  await context.close();
});

const publish = async (orderId: string, steps: number[], listeners = ['coupon']) => {
  for (const step of steps) await transaction(db, (trx) => createPublish('order', queue, () => listeners, () => new Date())(trx, happened, { orderId, step }));
};
/** A commit of this process wakes its worker, which would look only every two seconds else. */
const wake = () => publish(newId(), [0], ['nobody']);
const again = async (source: QueueOf, filter: EntryFilter) => {
  const changed = await tryAgain(source, filter);
  await wake();
  return changed;
};
/** entries of one order, oldest first */
const of = async (orderId: string, filter: EntryFilter = {}) =>
  (await findEntries(events, filter, 1_000)).filter(({ subject }) => subject === orderId).toSorted((a, b) => a.addedAt.getTime() - b.addedAt.getTime());
const statesOf = async (orderId: string) => (await of(orderId)).map(({ to, state }) => `${to} ${state}`);
/** Publishes one event that fails at its first try and has no second one. */
const killed = async (orderId: string, listener = 'coupon') => {
  poison.set(`${listener} ${orderId}`, new Error('no good'));
  await publish(orderId, [1], [listener]);
  await expect.poll(() => statesOf(orderId)).toEqual([`${listener} retrying`]);
  const [entry] = await of(orderId);
  await rows(db, `update order_jobs.job set retry_limit = 1, start_after = now() where id = ? returning 1`, [entry!.id]);
  await wake();
  await expect.poll(() => statesOf(orderId)).toEqual([`${listener} dead`]);
  return entry!;
};
/** What pg-boss deletes once a day, deleted now. */
const dailyTidying = async () => {
  await rows(db, 'update order_jobs.queue set maintain_on = null, monitor_on = null returning 1');
  const boss = new PgBoss({ db: fromKnex(db), schema: 'order_jobs', migrate: false, createSchema: false, schedule: false, supervise: false, reindex: false, monitorVacuum: false });
  await boss.start();
  await boss.supervise();
  await boss.stop({ close: false });
};

describe('a delivery that fails', () => {
  it('is seen at once as retrying, with its error and its tries, and holds nobody back but its own aggregate', async () => {
    const [bad, good] = [newId(), newId()];
    poison.set(`coupon ${bad}`, new AppError('unavailable', 'unavailable', 'Please try again in a moment.'));
    await publish(bad, [1, 2], ['coupon', 'inventory']);
    await publish(good, [1]);
    await expect.poll(() => delivered).toEqual(expect.arrayContaining([`coupon ${good} 1`, `inventory ${bad} 1`, `inventory ${bad} 2`]));
    await expect.poll(() => statesOf(bad)).toEqual(['coupon retrying', 'inventory delivered', 'coupon waiting', 'inventory delivered']);
    const [failing, , following] = await of(bad);
    expect(failing).toMatchObject({ module: 'order', type: 'order.happened', to: 'coupon', subject: bad, error: 'unavailable: Please try again in a moment.', behind: null, nextTryAt: expect.any(Date) });
    expect(failing!.failure!.tries.length).toBe(failing!.tries);
    expect(following).toMatchObject({ state: 'waiting', tries: 0, behind: failing!.id, error: null });
    expect(delivered).not.toContain(`coupon ${bad} 2`);
  });

  it('remembers each try, and stays as old as it is', async () => {
    const orderId = newId();
    poison.set(`coupon ${orderId}`, new Error('first'));
    await publish(orderId, [1]);
    await expect.poll(() => statesOf(orderId)).toEqual(['coupon retrying']);
    const [before] = await of(orderId);
    poison.set(`coupon ${orderId}`, new Error('second'));
    await again(events, { ids: [before!.id] });
    await expect.poll(async () => (await of(orderId))[0]!.tries).toBeGreaterThan(1);
    await expect.poll(async () => (await of(orderId))[0]!.error).toBe('second');
    const [after] = await of(orderId);
    expect(after!.failure!.tries.slice(0, 2).map(({ error }) => error)).toEqual(['first', 'second']);
    expect(after!.failure!.where![0]).toMatch(/^at .*queue-view\.test\.ts/);
    expect(after!.addedAt).toEqual(before!.addedAt);
  });

  it('tells what Postgres said without the statement and its values', async () => {
    const orderId = newId();
    poison.set(`coupon ${orderId}`, await db.raw(`select ?::text, 1 / 0`, ['mina@example.com']).then(() => new Error('?'), (error: Error) => error));
    await publish(orderId, [1]);
    await expect.poll(async () => (await of(orderId))[0]?.error).toBe('SQLSTATE 22012: division by zero');
    expect(JSON.stringify((await of(orderId))[0]!.failure)).not.toContain('mina@');
  });
});

describe('a dead delivery', () => {
  it('stays, with what is behind it, whatever is tidied up, until it is redriven in the order of its aggregate', async () => {
    const [orderId, other] = [newId(), newId()];
    const dead = await killed(orderId);
    await publish(orderId, [2, 3]);
    await publish(other, [1]);
    await expect.poll(() => delivered).toContain(`coupon ${other} 1`);
    await rows(db, `update order_jobs.job set completed_on = completed_on - interval '20 days', created_on = created_on - interval '20 days', start_after = start_after - interval '20 days', keep_until = keep_until - interval '20 days' where data->'event'->>'subject' = any(?) returning 1`, [[orderId, other]] as never);
    await dailyTidying();
    expect(await of(other)).toEqual([]);
    expect(await statesOf(orderId)).toEqual(['coupon dead', 'coupon waiting', 'coupon waiting']);
    expect((await of(orderId)).map(({ behind }) => behind)).toEqual([null, dead.id, dead.id]);
    poison.clear();
    expect(await countEntries(events, { ids: [dead.id], states: ['dead', 'retrying'] })).toBe(1);
    expect(await again(events, { ids: [dead.id] })).toBe(1);
    await expect.poll(() => delivered.filter((one) => one.includes(orderId))).toEqual([1, 2, 3].map((step) => `coupon ${orderId} ${step}`));
    await expect.poll(() => statesOf(orderId)).toEqual(['coupon delivered', 'coupon delivered', 'coupon delivered']);
    expect(await tryAgain(events, { ids: [dead.id] })).toBe(0);
    expect(delivered.filter((one) => one.includes(orderId))).toHaveLength(3);
  });

  it('is found by its event, too, and mended by type or listener', async () => {
    const [first, second] = [newId(), newId()];
    const dead = await killed(first, 'coupon');
    await killed(second, 'inventory');
    expect((await findEntries(events, { ids: [dead.eventId!] }, 10)).map(({ id }) => id)).toEqual([dead.id]);
    expect(await tryAgain(events, { type: 'order.other' })).toBe(0);
    poison.clear();
    expect(await again(events, { type: 'order.happened', to: 'inventory' })).toBeGreaterThan(0);
    await expect.poll(() => statesOf(second)).toEqual(['inventory delivered']);
    expect(await statesOf(first)).toEqual(['coupon dead']);
  });

  it('starts anew when it is redriven: another failure is retried, and can end dead again', async () => {
    const orderId = newId();
    const { id } = await killed(orderId);
    await again(events, { ids: [id] });
    await expect.poll(() => statesOf(orderId)).toEqual(['coupon retrying']);
    await rows(db, 'update order_jobs.job set retry_limit = 0, start_after = now() where id = ? returning 1', [id]);
    await wake();
    await expect.poll(() => statesOf(orderId)).toEqual(['coupon dead']);
    expect(await rows(db, 'select deletion_seconds from order_jobs.job where id = ?', [id])).toEqual([{ deletion_seconds: 0 }]);
  });

  it('that is given up on lets the later ones go, and is still seen', async () => {
    const orderId = newId();
    const { id } = await killed(orderId);
    poison.clear();
    await publish(orderId, [2]);
    expect(await drop(events, { ids: [id] })).toBe(1);
    await wake();
    await expect.poll(() => statesOf(orderId)).toEqual(['coupon dropped', 'coupon delivered']);
    expect(delivered).not.toContain(`coupon ${orderId} 1`);
    expect(await drop(events, { ids: [id] })).toBe(0);
    expect(await tryAgain(events, { ids: [id] })).toBe(0);
  });
});

describe('jobs', () => {
  it('are listed with their name and tried again, and one for later waits without being overdue', async () => {
    poison.set('mail', new Error('no letterbox'));
    await transaction(db, (trx) => queue.enqueue(trx, 'mail', { userId: 'u' }));
    await transaction(db, (trx) => queue.enqueue(trx, 'later', {}, { startAfter: 600 }));
    await expect.poll(async () => (await findEntries(jobs, { states: ['retrying'] }, 10)).map(({ type, error }) => [type, error])).toEqual([['mail', 'no letterbox']]);
    const [later] = await findEntries(jobs, { type: 'later' }, 10);
    expect(later).toMatchObject({ state: 'waiting', subject: null, to: null, behind: null });
    expect(later!.nextTryAt!.getTime()).toBeGreaterThan(Date.now() + 500_000);
    poison.clear();
    await again(jobs, { type: 'mail' });
    await transaction(db, (trx) => queue.enqueue(trx, 'other', {}));
    await expect.poll(async () => (await findEntries(jobs, { type: 'mail' }, 10)).map(({ state }) => state)).toEqual(['done']);
    expect((await depths('order', db)).find((depth) => depth.queue === 'jobs')).toMatchObject({ waiting: 1, oldestSeconds: 0 });
  });
});

it('the depth of a queue counts what waits, is retried and is dead, and how old the oldest of the first two is', async () => {
  const lonely = await createTestContext('payment');
  const silent = createQueue('payment', lonely.db, lonely.log);
  const [dead, retried] = [newId(), newId()];
  await transaction(lonely.db, (trx) => silent.addEvents(trx, [dead, retried, newId(), newId()].map((key) => ({ to: 'coupon', key, data: {} }))));
  await rows(lonely.db, `update payment_jobs.job set state = 'failed', created_on = now() - interval '3 hours' where singleton_key = ? returning 1`, [`coupon/${dead}`]);
  await rows(lonely.db, `update payment_jobs.job set state = 'retry', created_on = now() - interval '1 hour' where singleton_key = ? returning 1`, [`coupon/${retried}`]);
  const [events, jobs] = await depths('payment', lonely.db);
  expect(events).toMatchObject({ queue: 'events', waiting: 2, retrying: 1, dead: 1 });
  expect(Math.round(events!.oldestSeconds / 60)).toBe(60);
  expect(jobs).toEqual({ module: 'payment', queue: 'jobs', waiting: 0, retrying: 0, dead: 0, oldestSeconds: 0 });
  await silent.stop();
  await lonely.close();
});
