import { type Transaction, transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { type Fact, type Ledger, ledgerOf, type Operation } from './money-facts.ts';
import { learn, overdueFrom, type PaymentRecord } from './payment.ts';
import { closePayment, findEvents, lockPayment, updatePayment } from './payment-repository.ts';
import type { ProviderFlow } from './provider-flow.ts';
import { heardBy, type Settled, type SettleFlow } from './settle-flow.ts';

export type Wanted = Pick<Operation, 'kind' | 'operationId' | 'amount' | 'reason'>;

/** Decides under the payment's lock what to ask the provider for; throws to refuse. */
export type Decide = (payment: PaymentRecord, ledger: Ledger, events: readonly Fact[]) => Wanted[];

export type OperationFlow = ReturnType<typeof createOperationFlow>;

/**
 * What is asked of a provider, in its two steps: recorded as pending in a transaction of its own, where it counts against
 * every limit at once; then, with no lock held, performed and settled. Who dies in between is followed by the sweep.
 */
export function createOperationFlow({ db, queue, now }: ModuleContext, { providers, settle }: { providers: ProviderFlow } & SettleFlow) {
  return {
    ask: (paymentId: string, decide: Decide): Promise<{ payment: PaymentRecord; operations: Operation[] }> =>
      transaction(db, async (trx) => {
        const payment = await lockPayment(trx, paymentId);
        if (!payment) throw notFound('payment');
        const events = await findEvents(trx, paymentId);
        const operations = decide(payment, ledgerOf(events), events).map((wanted) => toOperation(wanted, now()));
        if (operations.length === 0) return { payment, operations };
        const learnt = learn(payment, ledgerOf([...events, ...operations]), null);
        const asking = { ...learnt, overdueAt: payment.overdueAt ?? overdueFrom(now()), version: payment.version + 1 };
        await updatePayment(trx, asking, { facts: operations, recordedAt: now() });
        return { payment: asking, operations };
      }),

    async run(payment: PaymentRecord, operation: Operation, options?: { toldDirectly: boolean }): Promise<Settled> {
      const answer = await providers.perform(payment, operation);
      return settle(payment.id, heardBy(answer, operation, now()), options);
    },

    /** Inside the caller's transaction: marks the order's payment, or its place, and has the rest done in the background. */
    async cancel(trx: Transaction, orderId: string): Promise<void> {
      const closed = await closePayment(trx, { orderId, now: now(), overdueAt: overdueFrom(now()) });
      if (closed) await queue.enqueue(trx, 'undo-payment', { paymentId: closed.id, checks: closed.checks });
    },
  };
}

export const toOperation = ({ kind, operationId, amount, reason }: Wanted, at: Date): Operation => ({
  kind,
  operationId,
  amount,
  reason,
  outcome: 'pending',
  reference: operationId,
  at,
});
