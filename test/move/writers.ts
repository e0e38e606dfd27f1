import { randomUUID } from 'node:crypto';
import { Client, type DatabaseError } from 'pg';

/** Writers in the role of the module `coupon`, who keep a ledger of what the database acknowledged. */
export interface Writers {
  acknowledged: string[];
  /** how often somebody met the fence, or was ended by it */
  refused: number;
  /** other errors, of which there should be none */
  failed: unknown[];
  /** the longest that one of them waited for a row to be taken, in milliseconds */
  longest: number;
  /** they go there when they meet the fence */
  goTo(url: string): void;
  stop(): Promise<void>;
}

export function startWriters(count: number, url: string, promotion: string): Writers {
  let [place, moved, stopped] = [url, Promise.withResolvers<void>(), false];
  const writers: Writers = {
    acknowledged: [],
    refused: 0,
    failed: [],
    longest: 0,
    goTo(url) {
      place = url;
      moved.resolve();
      moved = Promise.withResolvers();
    },
    async stop() {
      stopped = true;
      moved.resolve();
      await all;
    },
  };
  const write = async () => {
    let at = place;
    let client = await connected(at);
    while (!stopped) {
      const [order, start] = [randomUUID(), performance.now()];
      for (let done = false; !done && !stopped; ) {
        const turn = moved.promise;
        try {
          await redeem(client, promotion, order);
          writers.acknowledged.push(order);
          writers.longest = Math.max(writers.longest, performance.now() - start);
          done = true;
        } catch (error) {
          if (isFence(error) || ended.has(client)) writers.refused += 1;
          else writers.failed.push(error);
          await client.query('rollback').catch(() => undefined);
          if (at === place) await turn;
          await client.end().catch(() => undefined);
          at = place;
          client = await connected(at);
        }
      }
    }
    await client.end();
  };
  const all = Promise.all(Array.from({ length: count }, write));
  return writers;
}

const isFence = (error: unknown) => ['42501', '57P01'].includes((error as DatabaseError).code ?? '');

/** Who was ended between two statements hears of it there, and not from the next one. */
const ended = new WeakSet<Client>();

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', (error) => isFence(error) && ended.add(client));
  await client.connect();
  return client;
}

/** Inserts, updates and deletes, in one transaction, as an order that redeems a coupon does. */
export async function redeem(client: Client, promotion: string, order: string): Promise<void> {
  await client.query('begin');
  await client.query(`insert into redemptions (order_id, promotion_id, amount, lines, state, expires_at) values ($1, $2, 100, '[]', 'reserved', now())`, [order, promotion]);
  await client.query('insert into inbox (event_id, handler) values ($1, $2)', [order, 'test']);
  await client.query(`update redemptions set state = 'consumed', consumed_at = now() where order_id = $1`, [order]);
  await client.query(`insert into coupon_jobs.job (name, data, policy) values ('jobs', jsonb_build_object('order', $1::text), 'standard')`, [order]);
  await client.query('delete from inbox where event_id = $1', [order]);
  await client.query(`update uses set used = used + 1 where promotion_id = $1 and counted_for = 'everyone'`, [promotion]);
  await client.query('commit');
}

/** A promotion, its counter, a queue, and as many redemptions as wanted, which are not in the counter. */
export async function makePromotion(url: string, redemptions: number): Promise<string> {
  const client = await connected(url);
  const id = randomUUID();
  await client.query(
    `insert into promotions (id, name, class, benefit, scope, minimum_spend, combines_with, exclusive, priority, automatic, active, created_at)
     values ($1, 'Ten off', 'order', '{"kind":"percent"}', '{}', 0, '{}', false, 0, false, true, now())`,
    [id],
  );
  await client.query(`insert into uses values ($1, 'everyone', 0)`, [id]);
  await client.query(
    `insert into coupon_jobs.queue (name, policy, retry_limit, retry_delay, retry_backoff, expire_seconds, retention_seconds, deletion_seconds, partition, table_name)
     values ('jobs', 'standard', 3, 1, true, 60, 1000, 1000, false, 'job_common')`,
  );
  await client.query(
    `insert into redemptions (order_id, promotion_id, amount, lines, state, expires_at)
     select gen_random_uuid(), $1, 100, '[]', 'reserved', now() from generate_series(1, $2)`,
    [id, redemptions],
  );
  await client.end();
  return id;
}
