import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { rows, transaction } from '../../src/shared/database.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { drop } from '../../src/shared/queue-view.ts';
import { neglected } from '../../src/verify/verify-events.ts';
import { createTestContext, type TestContext } from '../support/module-context.ts';

let context: TestContext;
let queue: Queue;
beforeAll(async () => {
  context = await createTestContext('order');
  queue = createQueue('order', context.db, context.log);
});
beforeEach(() => context.db.raw('delete from order_jobs.job'));
afterAll(async () => {
  await queue.stop();
  await context.close();
});

/** Adds deliveries for one listener and aggregate, the first first, and lets them be as told. */
async function delivered(...states: string[]): Promise<void> {
  const key = newId();
  for (const state of states) {
    await transaction(context.db, (trx) => queue.addEvents(trx, [{ to: 'coupon', key, data: { state } }]));
    await rows(context.db, `update order_jobs.job set ${state} where data->>'state' = ? and singleton_key = ? returning 1`, [state, `coupon/${key}`]);
  }
}
const sentences = async () => (await neglected(new Map([['order', context.db]]), 60_000)).map(({ message }) => message);

const AGO = "now() - interval '10 minutes'";
const WAITING = `start_after = ${AGO}`;
const RETRIED = `state = 'retry', ${WAITING}`;

it.each([
  ['just added', ["state = 'created'"]],
  ['old, and its next try is to come', [`state = 'retry', created_on = ${AGO}, start_after = now() + interval '5 minutes'`]],
  ['dead, with others behind it', [`state = 'failed', completed_on = ${AGO}`, WAITING]],
  ['in hand, with others behind it', ["state = 'active', heartbeat_on = now()", WAITING]],
  ['behind one whose next try is to come', ["state = 'retry', start_after = now() + interval '5 minutes'", WAITING]],
])('no delivery is neglected that is %s', async (_, states) => {
  await delivered(...states);
  expect(await sentences()).toEqual([]);
});

it.each([
  ['waits', [WAITING]],
  ['waits for its next try', [RETRIED]],
  ['was in hand of somebody who is gone', [`state = 'active', heartbeat_on = ${AGO}`]],
])('a delivery that is due for long and %s is neglected, whatever else is retried or was done before', async (_, states) => {
  await delivered(...states);
  await delivered("state = 'retry', start_after = now() + interval '5 minutes'");
  await delivered(`state = 'completed', completed_on = ${AGO}`);
  expect(await sentences()).toEqual(['1 deliveries of events from order wait to be tried, the first for 600 s, and nobody does: no process works for order.']);
});

it.each([
  ['is in hand', "state = 'active', heartbeat_on = now()"],
  ['was just delivered', "state = 'completed', completed_on = now()"],
])('a backlog is worked off while something %s', async (_, moving) => {
  await delivered(WAITING);
  await delivered(RETRIED);
  expect(await sentences()).toHaveLength(1);
  await delivered(moving);
  expect(await sentences()).toEqual([]);
});

it('what is freed by giving up on another has its time', async () => {
  await delivered(`state = 'failed', completed_on = ${AGO}`, WAITING);
  expect(await drop({ module: 'order', queue: 'events', db: context.db }, {})).toBe(1);
  expect(await sentences()).toEqual([]);
});
