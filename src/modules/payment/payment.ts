import { conflict } from '../../shared/errors.ts';
import type { Money } from '../../shared/money.ts';
import type { MoneyEvent, Payment, PaymentState } from './contract.ts';
import type { Fact, Ledger } from './money-facts.ts';
import type { Charge } from './provider.ts';

/** What the order asked for. */
export interface Terms {
  provider: string;
  amount: Money;
  capture: 'automatic' | 'manual';
}

export interface PaymentRecord extends Terms {
  id: string;
  orderId: string;
  state: PaymentState;
  /** nothing is to be held or taken any more: what comes all the same goes back by itself */
  closedAs: 'declined' | 'cancelled' | null;
  /** the provider's name for the charge; null until it was heard */
  reference: string | null;
  /** provider time of the newest reading */
  readAt: Date | null;
  nextActionUrl: string | null;
  declineReason: string | null;
  /** authorizations less voids */
  authorized: number;
  captured: number;
  refunded: number;
  refundPending: number;
  /** the shopper's means of payment, encrypted; null once the provider has it for sure */
  sealedToken: string | null;
  /** how often in a row it was left undecided */
  checks: number;
  /** when the sweep steps in; null: nothing is left to be done */
  overdueAt: Date | null;
  version: number;
  createdAt: Date;
}

/** A call is over, one way or the other, when its operation is older: whoever made it has died or lost the answer. */
const STALE_AFTER = 15_000;
/** So long does the caller of `pay` wait. */
const PAY_ANSWERS_WITHIN = 10_000;
/** seconds */
const LONGEST_PAUSE = 300;

/** The payment after hearing this: `ledger` of all facts, the new ones included, and the provider's reading, if any. */
export function learn(payment: PaymentRecord, ledger: Ledger, charge: Charge | null): PaymentRecord {
  const closedAs = payment.closedAs ?? closing(ledger);
  const isNews = charge !== null && charge.at.getTime() >= (payment.readAt?.getTime() ?? 0);
  const { nextActionUrl, at: readAt } = isNews ? charge : { nextActionUrl: payment.nextActionUrl, at: payment.readAt };
  const reference = payment.reference ?? charge?.reference ?? null;
  return {
    ...payment,
    closedAs,
    state: stateOf({ closedAs, nextActionUrl, free: payment.amount.amount === 0 }, ledger),
    reference,
    readAt,
    nextActionUrl,
    declineReason: closedAs === 'declined' ? (payment.declineReason ?? ledger.refusal) : null,
    authorized: Math.max(0, ledger.authorized - ledger.voided),
    captured: ledger.captured,
    refunded: ledger.refunded,
    refundPending: ledger.refundPending,
    sealedToken: reference === null && isOpen(ledger) ? payment.sealedToken : null,
  };
}

/** Closed while money is still to go back is `processing`: neither final nor something to deliver for. */
export function stateOf(
  { closedAs, nextActionUrl, free }: { closedAs: PaymentRecord['closedAs']; nextActionUrl: string | null; free: boolean },
  ledger: Ledger,
): PaymentState {
  if (closedAs) return isUndone(ledger) ? closedAs : 'processing';
  if (ledger.captured > 0 || free) return 'captured';
  if (heldOf(ledger) > 0) return 'authorized';
  return nextActionUrl ? 'requires_action' : 'processing';
}

/** What the provider decided for good, when that leaves no money. */
function closing(ledger: Ledger): PaymentRecord['closedAs'] {
  if (isOpen(ledger) || ledger.captured > 0 || heldOf(ledger) > 0) return null;
  if (ledger.authorized > 0) return 'cancelled';
  return ledger.refusal === null ? null : 'declined';
}

/** The provider has not decided whether there is money at all. */
export const isOpen = ({ pending }: Ledger): boolean => pending.some(({ kind }) => kind === 'authorization');

const heldOf = ({ authorized, voided, captured }: Ledger) => authorized - voided - captured;
const isUndone = (ledger: Ledger) => ledger.pending.length === 0 && heldOf(ledger) <= 0 && ledger.captured <= ledger.refunded;

/** When to look at it again: soon and by a job, at the latest by the sweep, or not at all. `after`: seconds. */
export function nextLook(payment: PaymentRecord, ledger: Ledger, now: Date): { checks: number; after: number | null; overdueAt: Date | null } {
  const isWaitingForShopper = payment.state === 'requires_action';
  if (payment.state === 'processing') {
    const after = Math.min(2 ** payment.checks, LONGEST_PAUSE);
    return { checks: payment.checks + 1, after, overdueAt: later(now, after * 1_000 + STALE_AFTER) };
  }
  const isOwed = ledger.pending.length > 0 && !isWaitingForShopper;
  return { checks: 0, after: null, overdueAt: isOwed ? overdueFrom(now) : null };
}

/** Nobody was left with an answer of `processing` so far. */
export const isFirstRound = ({ state, checks }: PaymentRecord): boolean => state === 'processing' && checks === 0;

/** Whoever pays still waits for the answer; after that others may have been told how the payment stood. */
export const isWaitedFor = ({ createdAt }: PaymentRecord, now: Date): boolean => now < later(createdAt, PAY_ANSWERS_WITHIN);

export const overdueFrom = (now: Date): Date => later(now, STALE_AFTER);
export const isStale = ({ at }: { at: Date }, now: Date): boolean => overdueFrom(at) <= now;
const later = (from: Date, milliseconds: number) => new Date(from.getTime() + milliseconds);

/** A provider that refused so often to give money back refuses for good: a person has to see to it, and `kerf verify` says so. */
export const MOST_REFUSALS = 5;
export const isStuck = (payment: PaymentRecord, ledger: Ledger): boolean => payment.state === 'processing' && payment.closedAs !== null && ledger.refusedReturns >= MOST_REFUSALS;

/** What to ask for so that a closed payment ends without money; nothing while the outcome of an operation is not known, or once it is stuck. */
export function toGiveBack(payment: PaymentRecord, ledger: Ledger): { kind: 'void' | 'refund'; amount: number }[] {
  if (!payment.closedAs || isStuck(payment, ledger) || ledger.pending.some(({ kind }) => kind !== 'authorization')) return [];
  if (isOpen(ledger)) return payment.nextActionUrl ? [{ kind: 'void', amount: payment.amount.amount }] : [];
  return [
    { kind: 'void' as const, amount: heldOf(ledger) },
    { kind: 'refund' as const, amount: ledger.captured - ledger.refunded },
  ].filter(({ amount }) => amount > 0);
}

/** Throws `payment_not_capturable` or `capture_too_large`; captures that are under way count. */
export function checkCapture(payment: PaymentRecord, ledger: Ledger, amount: number): void {
  const held = heldOf(ledger);
  if (payment.closedAs || held <= 0) throw conflict('payment_not_capturable', 'Nothing is held that could be captured.');
  const capturable = held - ledger.capturePending;
  if (amount > capturable) throw conflict('capture_too_large', 'More is to be captured than is held.', { capturable });
}

/** Throws `refund_too_large`; refunds that are under way count. */
export function checkRefund(ledger: Ledger, amount: number): void {
  const refundable = Math.max(0, ledger.captured - ledger.refunded - ledger.refundPending);
  if (amount > refundable) throw conflict('refund_too_large', 'More is to be refunded than was captured and is left.', { refundable });
}

/** Throws `payment_mismatch` when an order asks for a second time and for something else. */
export function checkTerms(payment: PaymentRecord, { provider, amount, capture }: Terms): void {
  const same =
    payment.provider === provider &&
    payment.capture === capture &&
    payment.amount.amount === amount.amount &&
    payment.amount.currency === amount.currency;
  if (!same) throw conflict('payment_mismatch', 'The order has a payment on other terms.');
}

export type News = 'actionRequired' | 'authorized' | 'captured' | 'declined' | 'refunded';

/** What others should hear of the step from one state to the next. */
export function newsOf(before: PaymentRecord, after: PaymentRecord): News[] {
  const news: Record<News, boolean> = {
    actionRequired: after.state === 'requires_action' && before.state !== 'requires_action',
    authorized: after.state === 'authorized' && before.state !== 'authorized',
    captured: after.captured > before.captured,
    declined: after.state === 'declined' && before.closedAs === null,
    refunded: after.refunded > before.refunded,
  };
  return (Object.keys(news) as News[]).filter((name) => news[name]);
}

export function toPayment(payment: PaymentRecord): Payment {
  const { id, orderId, provider, state, amount, authorized, captured, refunded, refundPending, nextActionUrl, declineReason, version } = payment;
  return {
    id,
    orderId,
    provider,
    state,
    amount,
    authorized,
    captured,
    refunded,
    refundPending,
    nextAction: state === 'requires_action' && nextActionUrl ? { kind: 'redirect', url: nextActionUrl } : null,
    declineReason,
    version,
    createdAt: payment.createdAt.toISOString(),
  };
}

export function toMoneyEvents(paymentId: string, facts: readonly (Fact & { id: string })[], { conflicts }: Ledger): MoneyEvent[] {
  return facts.map((fact) => {
    const { id, kind, outcome, amount, reference, reason, at } = fact;
    return { id, paymentId, kind, outcome, amount, reference, reason, at: at.toISOString(), conflicting: conflicts.includes(fact) };
  });
}
