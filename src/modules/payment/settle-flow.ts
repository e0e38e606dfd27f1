import { type Transaction, transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { paymentContract } from './contract.ts';
import { type Fact, type Ledger, ledgerOf, type Operation, unknownOf } from './money-facts.ts';
import { isFirstRound, isWaitedFor, learn, type News, newsOf, nextLook, type PaymentRecord, toPayment } from './payment.ts';
import { findEvents, lockPayment, updatePayment } from './payment-repository.ts';
import type { Answer, Charge, Reading } from './provider.ts';

/** What was heard of a payment. */
export interface Heard {
  charge: Charge | null;
  facts: readonly Fact[];
}

export interface Settled {
  payment: PaymentRecord;
  ledger: Ledger;
}

export const NOTHING_HEARD: Heard = { charge: null, facts: [] };

export type SettleFlow = ReturnType<typeof createSettleFlow>;

/**
 * The one way in which anything heard of a payment takes effect: answers of the provider, webhooks, later readings. Locks
 * the payment, adds the facts that are new, sums again, and in the same transaction tells others and plans the next look.
 */
export function createSettleFlow({ db, publish, queue, now }: ModuleContext) {
  return {
    /**
     * `toldDirectly`: the caller answers the outcome to whoever asked, so that it needs not be published, unless somebody
     * was answered `processing` meanwhile: whoever asked may have lost the connection, and asked again.
     */
    settle: (paymentId: string, heard: Heard, { toldDirectly = false } = {}): Promise<Settled> =>
      transaction(db, async (trx) => {
        const before = await lockPayment(trx, paymentId);
        if (!before) throw notFound('payment');
        const known = await findEvents(trx, paymentId);
        const fresh = unknownOf(known, heard.facts);
        const ledger = ledgerOf([...known, ...fresh]);
        const learnt = learn(before, ledger, heard.charge);
        const { after, ...look } = nextLook(learnt, ledger, now());
        const changed = fresh.length > 0 || JSON.stringify(toPayment(learnt)) !== JSON.stringify(toPayment(before));
        const payment = { ...learnt, ...look, version: before.version + (changed ? 1 : 0) };
        await updatePayment(trx, payment, { facts: fresh, recordedAt: now() });
        const isHeard = toldDirectly && isFirstRound(before) && isWaitedFor(before, now());
        if (!isHeard) await tell(trx, newsOf(before, payment), payment);
        if (after !== null) await queue.enqueue(trx, 'check-payment', { paymentId, checks: payment.checks }, { startAfter: after });
        return { payment, ledger };
      }),
  };

  async function tell(trx: Transaction, news: readonly News[], payment: PaymentRecord): Promise<void> {
    const { actionRequired, authorized, captured, declined, refunded } = paymentContract.events;
    const { orderId, id: paymentId, amount } = payment;
    const happened = { orderId, paymentId, ...amount };
    if (news.includes('actionRequired')) await publish(trx, actionRequired, { ...happened, url: payment.nextActionUrl! });
    if (news.includes('authorized')) await publish(trx, authorized, happened);
    if (news.includes('captured')) await publish(trx, captured, { ...happened, captured: payment.captured });
    if (news.includes('declined')) await publish(trx, declined, { ...happened, reason: payment.declineReason ?? '' });
    if (news.includes('refunded')) await publish(trx, refunded, { ...happened, refunded: payment.refunded, captured: payment.captured });
  }
}

export const heardBy = (answer: Answer | Reading, operation: Operation, now: Date): Heard => {
  if (answer.outcome === 'known') return { charge: answer.charge, facts: answer.charge.facts };
  return answer.outcome === 'declined' ? failed(operation, answer.reason, now) : NOTHING_HEARD;
};

/** The operation came to nothing, and there is nothing at the provider that says so. */
export const failed = (operation: Operation, reason: string, now: Date): Heard => ({
  charge: null,
  facts: [{ ...operation, outcome: 'failed', reason, at: now }],
});
