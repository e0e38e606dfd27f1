import type { RedemptionFacts } from '../modules/coupon/contract.ts';
import type { ReservationFacts } from '../modules/inventory/contract.ts';
import type { OrderFacts } from '../modules/order/contract.ts';
import type { PaymentSums } from '../modules/payment/contract.ts';
import type { Invariant } from '../shared/audit.ts';

/** What all modules say of one order. What one does not know of it is undefined. */
export interface OrderTruth {
  orderId: string;
  order?: OrderFacts | undefined;
  payment?: PaymentSums | undefined;
  reservation?: ReservationFacts | undefined;
  redemptions?: RedemptionFacts | undefined;
}

/** Something that modules tell differently. Events are on their way for a while: `since` is the instant from which on it should have agreed. */
export interface Disagreement {
  invariant: Invariant;
  since: Date;
  message: string;
}

/** Long ago: what no event will mend. */
const ALWAYS = new Date(0);

type Told = OrderTruth & { order: OrderFacts };

/** Everything on which the modules do not agree about one order. Sums are whole minor units. */
export function* disagreements(truth: OrderTruth, now: Date): Generator<Disagreement> {
  yield* judgeProvider(truth, now);
  if (isTold(truth)) yield* judgeOrder(truth, now);
  else yield* judgeOrphan(truth, now);
}

function* judgeOrder(truth: Told, now: Date): Generator<Disagreement> {
  const { order: { state, since, placedAt }, orderId } = truth;
  if (state === 'placing') yield disagree('ending', since, `Order ${orderId} is still being placed.`);
  else if (state === 'pending') yield* judgePending(truth, now);
  else if (state === 'placed' || state === 'completed') yield* judgeSold(truth, now);
  else yield* judgeUndone(truth, now);
  if (placedAt) yield* judgeBelief(truth);
}

const isTold = (truth: OrderTruth): truth is Told => truth.order !== undefined;

function* judgeProvider({ orderId, payment }: OrderTruth, now: Date): Generator<Disagreement> {
  if (payment?.overdueAt && new Date(payment.overdueAt) <= now) {
    yield disagree('ending', payment.overdueAt, `The payment of order ${orderId} is ${payment.state}, and the provider has not been asked since it was due.`);
  }
}

/** Orders are never deleted, and are there before anything is done for them. */
function* judgeOrphan(truth: OrderTruth, now: Date): Generator<Disagreement> {
  const { orderId, payment, reservation } = truth;
  for (const { promotionId, state } of usesOf(truth, now)) {
    yield disagree('coupon', ALWAYS, `Promotion ${promotionId} is ${state} for order ${orderId}, which does not exist.`);
  }
  if (reservation && (reservation.state === 'committed' || isLive(reservation, now))) {
    yield disagree('stock', ALWAYS, `Stock is ${reservation.state} for order ${orderId}, which does not exist.`);
  }
  if (payment?.amount) yield disagree('money', ALWAYS, `There is a payment, ${payment.state}, for order ${orderId}, which does not exist.`);
}

function* judgePending(truth: Told, now: Date): Generator<Disagreement> {
  const { order, orderId, payment, reservation } = truth;
  if (order.expiresAt && new Date(order.expiresAt) <= now) {
    yield disagree('ending', order.expiresAt, `Order ${orderId} waits for its payment, and its time is over.`);
  }
  yield* judgeTerms(truth, order.since);
  if (payment && ['captured', 'authorized', 'declined', 'cancelled'].includes(payment.state)) {
    yield disagree('ending', later(order.since, payment.since), `Order ${orderId} waits for its payment, which is ${payment.state}.`);
  }
  if (now >= new Date(order.holdsUntil)) return;
  if (reservation?.state !== 'held' || !sameLines(truth)) {
    yield disagree('stock', order.since, `Order ${orderId} is pending, and the stock that is held for it is ${described(reservation)}.`);
  }
  yield* judgeDiscounts(truth, 'reserved', order.since, now);
}

function* judgeSold(truth: Told, now: Date): Generator<Disagreement> {
  const { order, orderId, payment, reservation } = truth;
  const since = order.placedAt ?? order.since;
  if (reservation?.state !== 'committed' || !sameLines(truth)) {
    yield disagree('stock', since, `Order ${orderId} is ${order.state}, and its stock is ${described(reservation)}.`);
  } else {
    for (const { variantId, quantity, sold } of reservation.lines.filter((line) => line.sold !== line.quantity)) {
      yield disagree('stock', since, `Order ${orderId} was sold ${quantity} pieces of variant ${variantId}, and ${sold} were there.`);
    }
  }
  yield* judgeDiscounts(truth, 'consumed', since, now);
  yield* judgeTerms(truth, since);
  const paid = payment?.state === 'authorized' ? payment.authorized : (payment?.captured ?? 0);
  if (paid !== order.total) {
    yield disagree('money', later(since, payment?.since), `Order ${orderId} comes to ${order.total} ${order.currency}, and ${paid} ${payment?.state === 'authorized' ? 'are held' : 'were taken'} for it.`);
  }
}

/** Cancelled, expired or refused: everything was let go, and no money is kept. */
function* judgeUndone(truth: Told, now: Date): Generator<Disagreement> {
  const { order, orderId, payment, reservation } = truth;
  const cancelled = order.state === 'cancelled';
  const letGo = cancelled ? reservation?.state === 'cancelled' : reservation?.state !== 'committed' && !isLive(reservation, now);
  if (!letGo) yield disagree('stock', order.since, `Order ${orderId} is ${order.state}, and its stock is ${described(reservation)}.`);
  for (const { promotionId, state } of usesOf(truth, now)) {
    if (state === 'consumed' && cancelled && order.placedAt) continue;
    yield disagree('coupon', order.since, `Order ${orderId} is ${order.state}, and promotion ${promotionId} is ${state} for it.`);
  }
  if (!payment) return;
  const kept = Math.max(payment.authorized, payment.captured) - payment.refunded;
  if (kept > 0 || payment.state === 'authorized' || payment.state === 'requires_action') {
    // As long as the provider is asked, it is on its way: judgeProvider sees when nobody asks.
    const since = payment.overdueAt ?? later(order.since, payment.since);
    yield disagree('money', since, `Order ${orderId} is ${order.state}, and ${kept} ${order.currency} of its payment, ${payment.state}, did not go back.`);
  }
}

/** What the order believes was taken and given back, once its payment counts. */
function* judgeBelief({ order, orderId, payment }: Told): Generator<Disagreement> {
  const [captured, refunded] = [payment?.captured ?? 0, payment?.refunded ?? 0];
  if (order.captured === captured && order.refunded === refunded) return;
  yield disagree(
    'money',
    later(order.since, payment?.since),
    `Order ${orderId} believes that ${order.captured} were taken and ${order.refunded} given back, and its payment says ${captured} and ${refunded}.`,
  );
}

function* judgeTerms({ order, orderId, payment }: Told, since: string): Generator<Disagreement> {
  if (!payment) return;
  const { amount, currency } = payment.amount ?? { amount: 0, currency: order.currency };
  if (amount === order.total && currency === order.currency) return;
  yield disagree('money', since, `Order ${orderId} comes to ${order.total} ${order.currency}, and its payment is over ${amount} ${currency}.`);
}

/** Each discount that the order shows is a use of its promotion, and each use is shown. */
function* judgeDiscounts(truth: Told, state: 'reserved' | 'consumed', since: string, now: Date): Generator<Disagreement> {
  const { order: { discounts }, orderId } = truth;
  const uses = usesOf(truth, now);
  for (const { promotionId, amount } of discounts) {
    const use = uses.find((one) => one.promotionId === promotionId);
    if (use?.state === state && use.amount === amount) continue;
    const told = use ? `${use.state} with ${use.amount}` : 'not there';
    yield disagree('coupon', since, `Order ${orderId} has ${amount} off by promotion ${promotionId}, and its redemption is ${told}.`);
  }
  for (const use of uses.filter(({ promotionId }) => !discounts.some((discount) => discount.promotionId === promotionId))) {
    yield disagree('coupon', since, `Promotion ${use.promotionId} is ${use.state} for order ${orderId}, which does not show it.`);
  }
}

/** The redemptions that count towards limits. */
const usesOf = ({ redemptions }: OrderTruth, now: Date) =>
  (redemptions?.redemptions ?? []).filter(({ state, expiresAt }) => state === 'consumed' || (state === 'reserved' && new Date(expiresAt) > now));

const isLive = (reservation: OrderTruth['reservation'], now: Date) =>
  reservation?.state === 'held' && reservation.expiresAt !== null && new Date(reservation.expiresAt) > now;

function sameLines({ order, reservation }: Told): boolean {
  const held = new Map(reservation?.lines.map(({ variantId, quantity }) => [variantId, quantity]));
  return held.size === order.lines.length && order.lines.every(({ variantId, quantity }) => held.get(variantId) === quantity);
}

const described = (reservation: OrderTruth['reservation']) =>
  reservation ? `${reservation.state} (${reservation.lines.map(({ variantId, quantity }) => `${quantity} of ${variantId}`).join(', ')})` : 'not there';

const later = (one: string, other: string | undefined) => (other !== undefined && new Date(other) > new Date(one) ? other : one);

const disagree = (invariant: Invariant, since: string | Date, message: string): Disagreement => ({ invariant, since: new Date(since), message });
