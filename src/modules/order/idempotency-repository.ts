import { type Database, deleteInBatches, rows, type Transaction } from '../../shared/database.ts';
import type { IdempotencyClaim } from '../../shared/http.ts';

/**
 * Takes the key for an attempt: for a new order, or for another one (`retryOrderId`) when an earlier attempt was undone
 * without an answer. Undefined when the key has an order, or another fingerprint.
 */
export async function takeKey(
  trx: Transaction,
  { scope, key, fingerprint }: IdempotencyClaim,
  attempt: { orderId: string; retryOrderId: string; at: Date },
): Promise<string | undefined> {
  const [mine] = await rows<{ order_id: string }>(
    trx,
    `insert into idempotency_keys as k (scope, key, fingerprint, order_id, created_at)
     values (:scope, :key, :fingerprint, :orderId, :at)
     on conflict (scope, key) do update set order_id = :retryOrderId, created_at = excluded.created_at
     where k.order_id is null and k.fingerprint = excluded.fingerprint
     returning order_id`,
    { scope, key, fingerprint, ...attempt },
  );
  return mine?.order_id;
}

export async function findKey(trx: Transaction, { scope, key }: IdempotencyClaim): Promise<{ fingerprint: string; orderId: string | null } | undefined> {
  const found = await trx('idempotency_keys').where({ scope, key }).first<{ fingerprint: string; order_id: string | null }>();
  return found && { fingerprint: found.fingerprint, orderId: found.order_id };
}

/** The key stands for an order that is there already. */
export const pointKey = (trx: Transaction, { scope, key }: IdempotencyClaim, orderId: string) =>
  trx('idempotency_keys').where({ scope, key }).update({ order_id: orderId });

/** The attempt was undone and nobody was answered: its keys may be used again. */
export const freeKeys = (trx: Transaction, orderId: string) => trx('idempotency_keys').where({ order_id: orderId }).update({ order_id: null });

/** Deletes keys from before; not that of an order that is being placed, whose repeats still have to find it. */
export const deleteOldKeys = (db: Database, createdBefore: Date) =>
  deleteInBatches(
    db,
    `delete from idempotency_keys where (scope, key) in
       (select k.scope, k.key from idempotency_keys k where k.created_at < :createdBefore
          and not exists (select 1 from orders o where o.id = k.order_id and o.state = 'placing')
        limit :limit for update of k skip locked)`,
    { createdBefore },
  );
