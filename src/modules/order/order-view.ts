import { notFound } from '../../shared/errors.ts';
import { presentDiscount, presentLine } from './cart-view.ts';
import type { Order as PublicOrder, Viewer } from './contract.ts';
import type { HistoryEntry, Order } from './order.ts';
import { paymentStatus } from './payment-facts.ts';

/** A guest's order is read with its secret for so long. */
const GUEST_ACCESS_DAYS = 180;

/**
 * An account's order is opened by that account, a guest's by its secret, any of them by staff; to others it does not
 * exist. `isSecret` compares what was given with the secret of this order.
 */
export function assertVisibleTo(order: Order | undefined, viewer: Viewer, isSecret: (given: string) => boolean, now: Date): asserts order is Order {
  if (!order || !isVisible(order, viewer, isSecret, now)) throw notFound('order');
}

function isVisible(order: Order, viewer: Viewer, isSecret: (given: string) => boolean, now: Date): boolean {
  if (viewer.kind === 'staff') return true;
  if (order.customerId !== null) return viewer.kind === 'customer' && viewer.customerId === order.customerId;
  const fresh = now.getTime() - order.createdAt.getTime() < GUEST_ACCESS_DAYS * 86_400_000;
  return fresh && viewer.secret !== undefined && isSecret(viewer.secret);
}

export function presentOrder(order: Order, viewer: Viewer): PublicOrder {
  const { totals, payment, state } = order;
  const waits = state === 'pending' && payment.progress === 'requires_action' && payment.nextActionUrl !== null;
  return {
    id: order.id,
    number: order.number,
    customerId: order.customerId,
    email: order.email,
    state,
    paymentStatus: paymentStatus(payment, { total: totals.total, state }),
    currency: order.currency,
    lines: order.lines.map(presentLine),
    discounts: order.discounts.map(presentDiscount),
    totals,
    shippingAddress: order.shippingAddress,
    nextAction: waits ? { kind: 'redirect', url: payment.nextActionUrl! } : null,
    reason: order.reason,
    history: order.history.map((entry) => presentEntry(entry, viewer)),
    version: order.version,
    createdAt: order.createdAt.toISOString(),
    placedAt: order.placedAt?.toISOString() ?? null,
    expiresAt: order.expiresAt?.toISOString() ?? null,
  };
}

/** Which member of staff it was is for staff. */
const presentEntry = ({ state, at, by, reason }: HistoryEntry, viewer: Viewer) => ({
  state,
  at: at.toISOString(),
  by: viewer.kind === 'staff' ? by : by.replace(/:.*/, ''),
  reason,
});

/** Who did something, as history keeps it. */
export function actorOf(viewer: Viewer): string {
  if (viewer.kind === 'staff') return `staff:${viewer.userId}`;
  return viewer.kind;
}
