import { expect, it } from 'vitest';
import { rows } from '../../src/shared/database.ts';
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
  expect(await figures()).toEqual(expect.arrayContaining([
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
