import { conflict } from '../../shared/errors.ts';
import { expire, move, type Order, type Refusal, refuse } from './order.ts';
import { covers, learn, type PaymentFacts } from './payment-facts.ts';

export interface Settling {
  now: Date;
  /** who settles, when it is the one placing the order */
  token: string | null;
  /** how long the shopper may take to pay, from now */
  windowMinutes: number;
}

/**
 * What becomes of an order when there is news of its payment: the one decision for the placing run, for recovery, for
 * events and for the shopper who comes back. While an order is being placed only the holder of its claim moves it;
 * others leave the news for that one. After its end only the sums change.
 */
export function settle(order: Order, news: PaymentFacts, { now, token, windowMinutes }: Settling): Order {
  const payment = learn(order.payment, news);
  const known = payment === order.payment ? order : { ...order, payment };
  if (order.state === 'placing' && order.claim?.token === token) return conclude(known, now, windowMinutes);
  if (order.state === 'pending') return decide(known, now);
  return known;
}

function conclude(order: Order, now: Date, windowMinutes: number): Order {
  if (covers(order.payment, order.totals.total)) return place(order, now);
  if (order.payment.progress === 'declined') return refuse(order, paymentDeclined(order), now);
  const expiresAt = new Date(now.getTime() + windowMinutes * 60_000);
  return move({ ...order, expiresAt }, 'pending', { at: now, by: 'system', reason: '' });
}

/** Paid after everything was let go is too late: the order expires, and the payment is given back on that event. */
function decide(order: Order, now: Date): Order {
  const { payment, holdsUntil } = order;
  if (covers(payment, order.totals.total)) return now < holdsUntil ? place(order, now) : expire(order, now);
  if (payment.progress === 'declined') return move(order, 'refused', { at: now, by: 'payment', reason: 'payment_declined' });
  return order;
}

const place = (order: Order, at: Date) => move(order, 'placed', { at, by: 'payment', reason: '' });

export function paymentDeclined({ id, payment }: Order): Refusal {
  const { code, reason, message, details } = conflict('payment_declined', 'The payment was declined; the cart is free again.', {
    orderId: id,
    declineReason: payment.declineReason,
  });
  return { code: code as 'conflict', reason, message, details };
}

/**
 * Whether something has to be given back behind a refused order: what it holds, unless `undone` says that this was done,
 * and money that came all the same. (Expired and cancelled orders say so by their events.)
 */
export function leavesSomethingToUndo(before: Order, after: Order, undone: boolean): boolean {
  if (after.state !== 'refused') return false;
  const newMoney = moneyOf(after) > (before.state === 'refused' ? moneyOf(before) : 0);
  return newMoney || (before.state !== 'refused' && !undone);
}

const moneyOf = ({ payment: { authorized, captured, refunded } }: Order) => Math.max(authorized, captured) - refunded;
