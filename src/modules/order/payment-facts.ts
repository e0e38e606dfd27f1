import type { Order as PublicOrder, OrderState } from './contract.ts';

/** What an order knows of its payment. Sums only grow, so news may come twice and in any order. */
export interface PaymentFacts {
  /** counts only while no sum does; `declined` is final */
  progress: 'none' | 'processing' | 'requires_action' | 'declined';
  authorized: number;
  captured: number;
  refunded: number;
  nextActionUrl: string | null;
  /** the provider's reason when `declined` */
  declineReason: string | null;
}

export const NO_PAYMENT: PaymentFacts = {
  progress: 'none',
  authorized: 0,
  captured: 0,
  refunded: 0,
  nextActionUrl: null,
  declineReason: null,
};

/** The answers of the payment module, as far as an order needs them. */
export interface PaymentAnswer {
  state: 'processing' | 'requires_action' | 'authorized' | 'captured' | 'declined' | 'cancelled';
  authorized: number;
  captured: number;
  refunded: number;
  nextAction: { url: string } | null;
  declineReason: string | null;
}

/** No money is held or taken for this order, or what was is on its way back. */
export const hasFailed = ({ state, authorized, captured }: PaymentAnswer) =>
  state === 'declined' || state === 'cancelled' || (state === 'processing' && authorized + captured > 0);

export function factsOf(payment: PaymentAnswer): PaymentFacts {
  const { authorized, captured, refunded, nextAction, state } = payment;
  const progress = hasFailed(payment) ? 'declined' : state === 'requires_action' ? 'requires_action' : 'processing';
  const declineReason = progress === 'declined' ? (payment.declineReason ?? state) : null;
  return { progress, authorized: hasFailed(payment) ? 0 : authorized, captured, refunded, nextActionUrl: nextAction?.url ?? null, declineReason };
}

/** What is known once `news` came; the same object when it is nothing new. */
export function learn(known: PaymentFacts, news: PaymentFacts): PaymentFacts {
  // A reading from before a step was asked for may come after the news of it, and must not take it back.
  const isOlder = known.progress === 'requires_action' && news.progress === 'processing';
  const stays = known.progress === 'declined' || news.progress === 'none' || isOlder;
  const { progress, nextActionUrl, declineReason } = stays ? known : news;
  const learnt = {
    progress,
    nextActionUrl,
    declineReason,
    authorized: Math.max(known.authorized, news.authorized),
    captured: Math.max(known.captured, news.captured),
    refunded: Math.max(known.refunded, news.refunded),
  };
  const changed = (Object.keys(learnt) as (keyof PaymentFacts)[]).some((fact) => learnt[fact] !== known[fact]);
  return changed ? learnt : known;
}

/** The whole sum is held or taken and not given back. A total of nothing needs no payment. */
export const covers = ({ authorized, captured, refunded }: PaymentFacts, total: number) =>
  Math.max(captured, authorized) - refunded >= total;

/** The whole sum was taken, and not all of it went back since. */
export const isPaid = ({ captured, refunded }: PaymentFacts, total: number) => captured >= total && (total === 0 || refunded < captured);

export function paymentStatus(facts: PaymentFacts, { total, state }: { total: number; state: OrderState }): PublicOrder['paymentStatus'] {
  const { progress, authorized, captured, refunded } = facts;
  if (captured > 0 && refunded >= captured) return 'refunded';
  if (refunded > 0) return 'partially_refunded';
  if (captured > 0 && captured >= total) return 'paid';
  if (progress === 'declined') return 'failed';
  if (total === 0 || ['cancelled', 'expired', 'refused'].includes(state)) return 'none';
  if (authorized > 0) return 'authorized';
  return progress === 'requires_action' ? 'requires_action' : 'pending';
}
