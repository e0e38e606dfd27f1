import { on, type Subscription } from '../../shared/events.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { orderContract } from '../order/contract.ts';
import { cancel, commit, type Reservation, release, sumPerVariant } from './inventory.ts';
import type { StockFlow } from './stock-flow.ts';

/** Whether an order was placed is read from its own reservation: what was sold is what comes back. */
export function createInventorySubscriptions({ log }: ModuleContext, flow: StockFlow): Subscription[] {
  return [
    on(orderContract.events.placed, async (trx, { data: { orderId, lines } }) => {
      const demand = sumPerVariant(lines);
      const variantIds = demand.map(({ variantId }) => variantId);
      const sold = await flow.changeReservation(trx, orderId, variantIds, (books) => commit(books, demand));
      const missing = missingIn(sold);
      if (missing.length > 0) log.warn({ orderId, missing }, 'an order was placed after its hold ran out, and not all of it was there any more');
    }),
    on(orderContract.events.cancelled, async (trx, { data: { orderId } }) => {
      await flow.changeReservation(trx, orderId, [], cancel);
    }),
    on(orderContract.events.expired, async (trx, { data: { orderId } }) => {
      await flow.changeReservation(trx, orderId, [], release);
    }),
  ];
}

const missingIn = (sold: Reservation | undefined) =>
  (sold?.lines ?? []).filter((line) => line.sold < line.quantity).map(({ variantId, quantity, sold }) => ({ variantId, quantity, sold }));
