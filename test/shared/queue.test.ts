import { afterAll, beforeAll, expect, it } from 'vitest';
import { transaction } from '../../src/shared/database.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { type EntryState, findEntries } from '../../src/shared/queue-view.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

const ORDERS = Array.from({ length: 60 }, () => newId());
const STEPS = [1, 2, 3];

let context: TestContext;
let queue: Queue;
let other: Queue;
const awake = Promise.withResolvers<void>();
/** `<listener> <order> <step>`, by the process that delivered it */
const delivered: Record<'one' | 'other', string[]> = { one: [], other: [] };

const deliver = (process: 'one' | 'other') => async ({ data }: { data: unknown }) => {
  const { to, order, step } = data as { to: string; order: string; step: number };
  if (to === 'silent') await awake.promise;
  delivered[process].push(`${to} ${order} ${step}`);
};
const publish = (to: string, order: string, step: number) => ({ to, key: order, data: { to, order, step } });
const add = (entries: ReturnType<typeof publish>[]) => transaction(context.db, (trx) => queue.addEvents(trx, entries));
const count = async (to: string, states: EntryState[]) => (await findEntries({ module: 'order', queue: 'events', db: context.db }, { to, states }, 1_000)).length;

beforeAll(async () => {
  context = await createTestContext('order');
  queue = createQueue('order', context.db, context.log);
  other = createQueue('order', context.elsewhere, context.log);
  await queue.start({ events: deliver('one') });
});
afterAll(async () => {
  awake.resolve();
  await Promise.all([queue.stop(), other.stop()]);
  await context.close();
});

it('a listener that does not answer delays no other, not even within an aggregate, and holds no more than its share', async () => {
  for (const step of STEPS) await add(ORDERS.flatMap((order) => [publish('silent', order, step), publish('quick', order, step)]));
  await expect.poll(() => delivered.one.length, { timeout: 60_000 }).toBe(ORDERS.length * STEPS.length);
  // Nothing of the silent one has been given up yet: the others did not wait for that.
  expect(await count('silent', ['retrying', 'delivered'])).toBe(0);
  expect(await count('silent', ['delivering'])).toBe(40);
  for (const order of ORDERS) expect(delivered.one.filter((entry) => entry.startsWith(`quick ${order}`))).toEqual(STEPS.map((step) => `quick ${order} ${step}`));
}, 90_000);

it('rests once what it has in hand has ended, and leaves the rest to whoever works', async () => {
  const resting = queue.rest();
  awake.resolve();
  await resting;
  expect(await count('silent', ['delivering'])).toBe(0);
  const before = delivered.one.length;
  await other.start({ events: deliver('other') });
  await add([publish('quick', newId(), 1)]);
  await expect.poll(() => delivered.other.some((entry) => entry.startsWith('quick')), { timeout: 60_000 }).toBe(true);
  expect(delivered.one.length).toBe(before);
}, 90_000);
