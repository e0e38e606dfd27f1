import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { event } from '../../src/shared/contract.ts';
import { traceId, withTrace } from '../../src/shared/context.ts';
import { type Database, rows, transaction } from '../../src/shared/database.ts';
import { createInbox, createPublish, type Event, on, tidyInbox } from '../../src/shared/events.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

const happened = event('order.happened', 'orderId', z.object({ orderId: z.string(), step: z.int() }));
const now = () => new Date();

let context: TestContext;
let db: Database;
let queue: Queue;
const delivered: { to: string; event: Event; trace: string | undefined }[] = [];
const jobs: unknown[] = [];
const failing = new Set<string>();

beforeAll(async () => {
  context = await createTestContext('order');
  db = context.db;
  queue = createQueue('order', db, context.log);
  await queue.start({
    events: async ({ data }) => {
      const { to, event: arrived } = data as { to: string; event: Event };
      if (failing.delete(arrived.id) || failing.delete(arrived.subject)) throw new Error('not now');
      delivered.push({ to, event: arrived, trace: traceId() });
    },
    jobs: async ({ data }) => void jobs.push(data),
  });
});
afterAll(async () => {
  await queue.stop();
  await context.close();
});

const publisher = (listeners: string[]) => createPublish('order', queue, () => listeners, now);
const stepsOf = (orderId: string, to: string) =>
  delivered.filter((entry) => entry.to === to && entry.event.subject === orderId).map(({ event: { data } }) => (data as { step: number }).step);

describe('publishing', () => {
  it('reaches every subscriber once the transaction commits, in the same trace', async () => {
    const orderId = newId();
    await withTrace('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', () =>
      transaction(db, (trx) => publisher(['coupon', 'inventory'])(trx, happened, { orderId, step: 1 })),
    );
    await expect.poll(() => delivered.filter(({ event: { subject } }) => subject === orderId).map(({ to }) => to).toSorted()).toEqual(['coupon', 'inventory']);
    const [{ event: first, trace }] = delivered.filter(({ event: { subject } }) => subject === orderId) as [(typeof delivered)[0]];
    expect(first).toMatchObject({ specversion: '1.0', source: 'kerf/order', type: 'order.happened', data: { orderId, step: 1 } });
    expect(trace).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  it('tells nothing of what was rolled back', async () => {
    const [lost, kept] = [newId(), newId()];
    await transaction(db, async (trx) => {
      await publisher(['coupon'])(trx, happened, { orderId: lost, step: 1 });
      throw new Error('no');
    }).catch(() => undefined);
    await transaction(db, (trx) => publisher(['coupon'])(trx, happened, { orderId: kept, step: 1 }));
    await expect.poll(() => stepsOf(kept, 'coupon')).toEqual([1]);
    expect(stepsOf(lost, 'coupon')).toEqual([]);
  });

  it('keeps the order of one aggregate, also when the first delivery fails', async () => {
    const orderId = newId();
    failing.add(orderId);
    for (const step of [1, 2, 3]) await transaction(db, (trx) => publisher(['coupon'])(trx, happened, { orderId, step }));
    await expect.poll(() => stepsOf(orderId, 'coupon'), { timeout: 15_000 }).toEqual([1, 2, 3]);
  });

  it('keeps the order in which one aggregate’s events were written, in one transaction and over a waiting one', async () => {
    const [together, crossed] = [newId(), newId()];
    await transaction(db, async (trx) => {
      for (const step of [1, 2, 3, 4, 5]) await publisher(['coupon'])(trx, happened, { orderId: together, step });
    });
    const early = await context.elsewhere.transaction();
    await early.raw('select 1');
    await transaction(db, (trx) => publisher(['coupon'])(trx, happened, { orderId: crossed, step: 1 }));
    await publisher(['coupon'])(early, happened, { orderId: crossed, step: 2 });
    await early.commit();
    await expect.poll(() => stepsOf(together, 'coupon'), { timeout: 15_000 }).toEqual([1, 2, 3, 4, 5]);
    await expect.poll(() => stepsOf(crossed, 'coupon'), { timeout: 15_000 }).toEqual([1, 2]);
  });

  it('refuses data that is not what the contract says', async () => {
    await expect(transaction(db, (trx) => publisher(['coupon'])(trx, happened, { orderId: newId(), step: 'one' } as never))).rejects.toThrow();
  });

  it('costs nothing when nobody listens', async () => {
    const orderId = newId();
    await transaction(db, (trx) => publisher([])(trx, happened, { orderId, step: 1 }));
    expect(await rows(db, `select 1 from order_jobs.job where data->'event'->>'subject' = ?`, [orderId])).toEqual([]);
  });
});

describe('jobs', () => {
  it('run after the commit', async () => {
    await transaction(db, (trx) => queue.enqueue(trx, 'tidy', { what: 'desk' }));
    await expect.poll(() => jobs).toContainEqual(expect.objectContaining({ name: 'tidy', data: { what: 'desk' } }));
  });
});

describe('the inbox', () => {
  it('has each event once in effect, however often and at once it comes', async () => {
    let handled = 0;
    const deliver = createInbox(db, [on(happened, async () => void (handled += 1))]);
    const arrived: Event = {
      specversion: '1.0', id: newId(), source: 'kerf/order', type: happened.type, subject: 'x', time: now().toISOString(),
      datacontenttype: 'application/json', data: { orderId: 'x', step: 1 },
    };
    await Promise.all(Array.from({ length: 8 }, () => deliver(arrived)));
    await deliver(arrived);
    expect(handled).toBe(1);
  });

  it('forgets what was handled long ago, and nothing else', async () => {
    await db('inbox').insert([{ event_id: newId(), handler: 'old', received_at: new Date(Date.now() - 31 * 86_400_000) }, { event_id: newId(), handler: 'young' }]);
    await tidyInbox(db, now());
    expect(await db('inbox').whereIn('handler', ['old', 'young']).pluck('handler')).toEqual(['young']);
  });

  it('forgets an event whose handling failed, so that it can come again', async () => {
    let tries = 0;
    const deliver = createInbox(db, [on(happened, async () => { if ((tries += 1) === 1) throw new Error('not now'); })]);
    const arrived = { id: newId(), type: happened.type, data: { orderId: 'y', step: 1 } } as Event;
    await expect(deliver(arrived)).rejects.toThrow('not now');
    await deliver(arrived);
    expect(tries).toBe(2);
  });
});
