import type { Transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { orderContract } from './contract.ts';
import { freeKeys } from './idempotency-repository.ts';
import { reopenCart } from './merge-cart-flow.ts';
import type { Order } from './order.ts';
import { lockOrder, saveOrder } from './order-repository.ts';
import { leavesSomethingToUndo } from './settlement.ts';

/** The job that gives back what an order holds: stock, coupon and money. */
export const UNDO_JOB = 'undo-order';

export type ChangeOrder = (
  trx: Transaction,
  orderId: string,
  decide: (order: Order) => Order,
  options?: { undone: boolean; undoAfter?: number },
) => Promise<Order>;

/**
 * The one way an order changes: locked, decided, saved, and all that follows from it in the same transaction. `undone`:
 * what the order held was given back already; else it is in `undoAfter` seconds.
 */
export function createChangeOrder({ publish, queue, now }: Pick<ModuleContext, 'publish' | 'queue' | 'now'>): ChangeOrder {
  return async (trx, orderId, decide, { undone, undoAfter = 0 } = { undone: false }) => {
    const before = await lockOrder(trx, orderId);
    if (!before) throw notFound('order');
    const after = decide(before);
    if (after === before) return before;
    const saved = await saveOrder(trx, before, after);
    if (saved.state !== before.state) await follow(trx, before, saved);
    if (leavesSomethingToUndo(before, saved, undone)) await queue.enqueue(trx, UNDO_JOB, { orderId }, { startAfter: undoAfter });
    return saved;
  };

  async function follow(trx: Transaction, before: Order, order: Order): Promise<void> {
    const at = order.history.at(-1)!.at.toISOString();
    const { placed, cancelled, expired } = orderContract.events;
    switch (order.state) {
      case 'placed':
        return publish(trx, placed, placedEvent(order, at));
      case 'cancelled':
        return publish(trx, cancelled, { orderId: order.id, wasPlaced: before.state === 'placed', cancelledAt: at, reason: order.reason ?? '' });
      case 'expired':
        await publish(trx, expired, { orderId: order.id, expiredAt: at });
        return giveCartBack(trx, order);
      case 'refused':
        if (order.refusal === null && before.state === 'placing') await freeKeys(trx, order.id);
        return giveCartBack(trx, order);
      default:
    }
  }

  async function giveCartBack(trx: Transaction, { cartId, id }: Order): Promise<void> {
    if (cartId) await reopenCart(trx, { cartId, orderId: id }, now());
  }
}

const placedEvent = ({ id, number, customerId, email, currency, totals, lines }: Order, placedAt: string) => ({
  orderId: id,
  number,
  customerId,
  email,
  currency,
  total: totals.total,
  lines: lines.map((line) => ({ lineId: line.id, variantId: line.variantId, productId: line.productId, quantity: line.quantity, total: line.total })),
  placedAt,
});
