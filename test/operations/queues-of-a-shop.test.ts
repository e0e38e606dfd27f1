import { expect, it } from 'vitest';
import { orderContract } from '../../src/modules/order/contract.ts';
import { poolUse, rows, transaction } from '../../src/shared/database.ts';
import { createPublish } from '../../src/shared/events.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue } from '../../src/shared/queue.ts';
import { drop, findEntries } from '../../src/shared/queue-view.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { startTestKerf } from '../support/kerf.ts';

it('metrics tell what waits, is tried again and is dead in each module, and go on without a database that is away', async () => {
  const { kerf, stop } = await startTestKerf();
  const figures = async () => (await kerf.metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('kerf_queue_'));
  await rows(
    kerf.databases.get('order')!,
    `insert into order_jobs.job (name, policy, singleton_key, state, created_on) values
      ('events', 'key_strict_fifo', 'a', 'failed', now()), ('events', 'key_strict_fifo', 'b', 'retry', now() - interval '1 hour'),
      ('jobs', 'standard', null, 'failed', now()) returning 1`,
  );
  await rows(kerf.databases.get('order')!, `update order_jobs.job set start_after = now() + interval '1 day' where state = 'retry' returning 1`);
  await expect.poll(figures, { timeout: 10_000 }).toEqual(expect.arrayContaining([
    'kerf_queue_entries{module="order",queue="events",state="dead"} 1',
    'kerf_queue_entries{module="order",queue="events",state="retrying"} 1',
    'kerf_queue_entries{module="order",queue="events",state="waiting"} 0',
    'kerf_queue_entries{module="order",queue="jobs",state="dead"} 1',
    'kerf_queue_entries{module="payment",queue="events",state="dead"} 0',
    expect.stringMatching(/^kerf_queue_oldest_seconds\{module="order",queue="events"\} 36\d\d/),
    'kerf_queue_oldest_seconds{module="payment",queue="events"} 0',
  ]));
  await kerf.databases.get('catalog')!.destroy();
  expect((await figures()).filter((line) => line.includes('catalog'))).toEqual([]);
  expect((await figures()).filter((line) => line.includes('order'))).not.toEqual([]);
  await stop();
});

it('metrics do not wait for a pool that is used up: its queues are left out, and the others told', async () => {
  const { kerf, stop } = await startTestKerf();
  const db = kerf.databases.get('order')!;
  const free = Promise.withResolvers<void>();
  const held = Array.from({ length: 10 }, () => transaction(db, async (trx) => {
    await rows(trx, 'select 1');
    await free.promise;
  }));
  await expect.poll(() => poolUse(db).used).toBe(10);
  const gaveUp = rows(db, 'select 1').then(() => 'the pool was not used up', () => 'the pool gave up first');
  const figures = kerf.metrics.registry.metrics();
  expect(await Promise.race([figures.then(() => 'metrics'), gaveUp])).toBe('metrics');
  expect(await figures).not.toMatch(/^kerf_queue_entries\{module="order"/m);
  expect(await figures).toMatch(/^kerf_queue_entries\{module="payment"/m);
  free.resolve();
  await Promise.all([...held, gaveUp]);
  await stop();
});

it('an event for a module that is no more says so, holds back nobody else, and can be dropped', async () => {
  const { kerf, stop } = await startTestKerf();
  const db = kerf.databases.get('order')!;
  const former = createQueue('order', db, createLogger('silent'));
  const orderId = newId();
  await transaction(db, (trx) =>
    createPublish('order', former, () => ['loyalty', 'coupon'], () => new Date())(trx, orderContract.events.expired, { orderId, expiredAt: new Date().toISOString() }),
  );
  const seen = async () => Object.fromEntries((await findEntries({ module: 'order', queue: 'events', db }, {}, 10)).map(({ to, state, error }) => [to, `${state} ${error ?? ''}`]));
  await expect.poll(seen, { timeout: 10_000 }).toEqual({ loyalty: 'retrying There is no module "loyalty".', coupon: 'delivered ' });
  await expect.poll(() => drop({ module: 'order', queue: 'events', db }, { to: 'loyalty' })).toBe(1);
  expect(await seen()).toMatchObject({ loyalty: expect.stringMatching(/^dropped/) });
  await former.stop();
  await stop();
});
