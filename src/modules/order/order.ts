import { conflict } from '../../shared/errors.ts';
import type { Currency } from '../../shared/money.ts';
import type { Order as PublicOrder, OrderState, Totals } from './contract.ts';
import { covers, isPaid, NO_PAYMENT, type PaymentFacts } from './payment-facts.ts';
import type { CheckoutLine, GrantedDiscount } from './pricing.ts';

export type OrderLine = Omit<CheckoutLine, 'problem' | 'productId'> & { productId: string };

/** A refusal as the shopper was answered it; a replay of the same key answers it again. */
export interface Refusal {
  code: 'invalid' | 'conflict';
  reason: string;
  message: string;
  details?: Record<string, unknown> | undefined;
}

export interface HistoryEntry {
  state: OrderState;
  at: Date;
  /** `customer`, `guest`, `staff:<user id>`, `payment` or `system` */
  by: string;
  reason: string;
}

/** Who is placing the order, and until when nobody else may. */
export interface PlacingClaim {
  token: string;
  until: Date;
}

export interface Order {
  id: string;
  number: string;
  cartId: string | null;
  customerId: string | null;
  email: string;
  state: OrderState;
  currency: Currency;
  lines: OrderLine[];
  discounts: GrantedDiscount[];
  totals: Totals;
  /** the codes of its basket: with them the same quote is asked for again */
  codes: string[];
  shippingAddress: PublicOrder['shippingAddress'];
  payment: PaymentFacts;
  reason: string | null;
  refusal: Refusal | null;
  /** while `placing` */
  claim: PlacingClaim | null;
  /** until when stock and coupon are held for it */
  holdsUntil: Date;
  history: HistoryEntry[];
  version: number;
  createdAt: Date;
  placedAt: Date | null;
  expiresAt: Date | null;
}

type Beginning = Pick<
  Order,
  'id' | 'cartId' | 'customerId' | 'email' | 'currency' | 'lines' | 'discounts' | 'totals' | 'codes' | 'shippingAddress' | 'holdsUntil'
> & { claim: PlacingClaim; by: string; at: Date };

/** An order as it begins, before it has its number. */
export const begin = ({ by, at, ...order }: Beginning): Omit<Order, 'number'> => ({
  ...order,
  state: 'placing',
  payment: NO_PAYMENT,
  reason: null,
  refusal: null,
  history: [{ state: 'placing', at, by, reason: '' }],
  version: 1,
  createdAt: at,
  placedAt: null,
  expiresAt: null,
});

/** The machine: every order's history is a path of it. States without a way out are final. */
export const TRANSITIONS: Readonly<Record<OrderState, readonly OrderState[]>> = {
  placing: ['pending', 'placed', 'refused'],
  pending: ['placed', 'refused', 'expired', 'cancelled'],
  placed: ['completed', 'cancelled'],
  completed: [],
  cancelled: [],
  expired: [],
  refused: [],
};

/** The only way from one state to another. A step that the machine does not have is our mistake, not the shopper's. */
export function move(order: Order, to: OrderState, note: Omit<HistoryEntry, 'state'>): Order {
  if (!TRANSITIONS[order.state].includes(to)) throw new Error(`An order does not go from ${order.state} to ${to}.`);
  return {
    ...order,
    state: to,
    claim: null,
    reason: note.reason || null,
    expiresAt: to === 'pending' ? order.expiresAt : null,
    placedAt: to === 'placed' ? note.at : order.placedAt,
    history: [...order.history, { state: to, ...note }],
  };
}

/** Why an order was undone that nobody was answered about. */
export const INTERRUPTED = 'interrupted';

/** Undone while it was being placed. Without a refusal nobody was answered: the key may be used again. */
export function refuse(order: Order, refusal: Refusal | null, at: Date): Order {
  const refused = move(order, 'refused', { at, by: 'system', reason: refusal?.reason ?? INTERRUPTED });
  return { ...refused, refusal };
}

/** It was not undone: its cart has an order. */
export const isLive = ({ state }: Order) => !['refused', 'expired', 'cancelled'].includes(state);

/** Its payment did not come in time. */
export const isOverdue = (order: Order, now: Date) =>
  order.state === 'pending' && order.expiresAt !== null && order.expiresAt <= now && !covers(order.payment, order.totals.total);

export const expire = (order: Order, at: Date) => move(order, 'expired', { at, by: 'system', reason: 'payment_not_received' });

/** Cancelling what is cancelled changes nothing. */
export function cancel(order: Order, note: Omit<HistoryEntry, 'state'>): Order {
  switch (order.state) {
    case 'cancelled':
      return order;
    case 'placing':
      throw beingPlaced();
    case 'pending':
    case 'placed':
      return move(order, 'cancelled', note);
    default:
      throw conflict('not_cancellable', `An order that is ${order.state} cannot be cancelled.`, { state: order.state });
  }
}

export const beingPlaced = () => conflict('order_being_placed', 'The order is being placed right now; try again in a moment.');

/** Handed over to the shopper: only when it is placed and its whole sum was taken. */
export function complete(order: Order, note: Omit<HistoryEntry, 'state'>): Order {
  if (order.state === 'completed') return order;
  if (order.state !== 'placed' || !isPaid(order.payment, order.totals.total)) {
    throw conflict('not_completable', 'Only an order that is placed and paid can be completed.', { state: order.state });
  }
  return move(order, 'completed', note);
}
