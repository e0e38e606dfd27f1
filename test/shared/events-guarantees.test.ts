import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { event } from '../../src/shared/contract.ts';
import { transaction } from '../../src/shared/database.ts';
import { createInbox, createPublish, type Deliver, type Event, on } from '../../src/shared/events.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { countEntries } from '../../src/shared/queue-view.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

/** `KERF_FAULTS=all` is the long form. */
const EVENTS = process.env['KERF_FAULTS'] === 'all' ? 10_000 : 1_000;
const AGGREGATES = Math.ceil(EVENTS / 5);
const TOGETHER = 50;

const moved = event('order.moved', 'orderId', z.object({ orderId: z.string(), step: z.int() }));

let publisher: TestContext;
let listener: TestContext;
let processes: Queue[];
/** steps that took effect, by aggregate, in the order in which they did */
const effects = new Map<string, number[]>();
let inbox: Deliver;
/** how an event is to be delivered: by its id, once decided */
const fates = new Map<string, 'once' | 'answer lost' | 'twice at once' | 'fails first'>();
const sometimes = fc.sample(fc.constantFrom(...(['answer lost', 'twice at once', 'fails first'] as const)), { numRuns: EVENTS, seed: 11 });

/** Two processes of the publisher, each with its worker, and a listener on a database of its own. */
beforeAll(async () => {
  publisher = await createTestContext('order');
  listener = await createTestContext('coupon');
  inbox = createInbox(listener.db, [
    on(moved, async (trx, { data: { orderId, step } }) => {
      await trx.raw('select 1');
      void trx.executionPromise.then(() => effects.set(orderId, [...(effects.get(orderId) ?? []), step]), () => undefined);
      if (fates.get(`${orderId} ${step}`) === 'fails first') {
        fates.delete(`${orderId} ${step}`);
        throw new Error('not now');
      }
    }),
  ]);
  processes = [publisher.db, publisher.elsewhere].map((db) => createQueue('order', db, publisher.log));
  for (const queue of processes) await queue.start({ events: async ({ data }) => deliver((data as { event: Event<{ orderId: string; step: number }> }).event) });
});
afterAll(async () => {
  await Promise.all(processes.map((queue) => queue.stop()));
  await publisher.close();
  await listener.close();
});

async function deliver(arrived: Event<{ orderId: string; step: number }>): Promise<void> {
  const name = `${arrived.data.orderId} ${arrived.data.step}`;
  const fate = fates.get(name);
  if (fate === 'twice at once') await Promise.all([inbox(arrived), inbox(arrived)]);
  else await inbox(arrived);
  if (fate === 'answer lost') {
    fates.delete(name);
    throw new Error('the answer was lost');
  }
}

it(`${EVENTS} events, shuffled across aggregates, one in ten doubled, have each one effect, in the order of their aggregate`, async () => {
  const orders = Array.from({ length: AGGREGATES }, () => newId());
  const [shuffled] = fc.sample(fc.shuffledSubarray(Array.from({ length: EVENTS }, (_, index) => index), { minLength: EVENTS }), { numRuns: 1, seed: 7 });
  const steps = new Map<string, number>();
  const published = shuffled!.map((index) => {
    const orderId = orders[index % AGGREGATES]!;
    const step = (steps.get(orderId) ?? 0) + 1;
    steps.set(orderId, step);
    if (index % 10 === 0) fates.set(`${orderId} ${step}`, sometimes[index]!);
    return { orderId, step };
  });
  const publish = processes.map((queue) => createPublish('order', queue, () => ['coupon'], () => new Date()));
  for (let start = 0; start < EVENTS; start += TOGETHER) {
    const turn = (start / TOGETHER) % 2;
    const db = [publisher.db, publisher.elsewhere][turn]!;
    await transaction(db, (trx) => publish[turn]!(trx, moved, published.slice(start, start + TOGETHER)));
    await transaction(db, async (trx) => {
      await publish[turn]!(trx, moved, { orderId: orders[0]!, step: -1 });
      throw new Error('rolled back');
    }).catch(() => undefined);
  }
  await expect.poll(() => countEntries({ module: 'order', queue: 'events', db: publisher.db }, { states: ['waiting', 'delivering', 'retrying', 'dead'] }), { timeout: 240_000, interval: 200 }).toBe(0);
  const wanted = new Map(orders.map((orderId) => [orderId, Array.from({ length: steps.get(orderId)! }, (_, step) => step + 1)]));
  expect(effects).toEqual(wanted);
  expect(await listener.db('inbox').count()).toEqual([{ count: String(EVENTS) }]);
}, 300_000);
