import type { Transaction } from '../../shared/database.ts';
import { consume, type Redemption } from './redemption.ts';
import { consumeReserved, lockRedemptions, saveRedemptions } from './redemption-repository.ts';

/** One step of each of an order's redemptions. Two statements, or one when there is nothing to change. */
export async function stepRedemptions(trx: Transaction, orderId: string, step: (redemption: Redemption) => Redemption): Promise<void> {
  const steps = (await lockRedemptions(trx, orderId)).map((from) => ({ from, to: step(from) }));
  const changes = steps.filter(({ from, to }) => to !== from);
  if (changes.length > 0) await saveRedemptions(trx, changes);
}

/** The order is placed: one statement, or three when its reservation had run out. */
export async function consumeRedemptions(trx: Transaction, orderId: string, at: Date): Promise<void> {
  if (await consumeReserved(trx, orderId, at)) await stepRedemptions(trx, orderId, (redemption) => consume(redemption, at));
}
