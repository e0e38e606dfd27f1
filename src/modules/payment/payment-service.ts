import { z } from 'zod';
import { type Transaction, transaction } from '../../shared/database.ts';
import type { Input } from '../../shared/contract.ts';
import { notFound } from '../../shared/errors.ts';
import { encodeCursor, readCursor } from '../../shared/http.ts';
import { Id, newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Seal } from '../../shared/seal.ts';
import { createAuditService } from './audit-service.ts';
import type { Payment, paymentContract, Payments } from './contract.ts';
import { type Ledger, ledgerOf, type Operation } from './money-facts.ts';
import { type OperationFlow, toOperation, type Wanted } from './operation-flow.ts';
import { checkCapture, checkRefund, checkTerms, isFirstRound, overdueFrom, type PaymentRecord, toMoneyEvents, toPayment } from './payment.ts';
import { findEvents, findPayment, findPaymentOfOrder, insertEvents, insertPayment, listPayments, updatePayment } from './payment-repository.ts';
import { type ProviderFlow, unknownProvider } from './provider-flow.ts';
import type { Sandbox } from './sandbox/sandbox-provider.ts';
import type { SettleFlow } from './settle-flow.ts';
import type { WebhookService } from './webhook-service.ts';

type PayInput = Input<typeof paymentContract, 'pay'>;

export interface PaymentParts extends SettleFlow {
  providers: ProviderFlow;
  operations: OperationFlow;
  webhooks: WebhookService;
  seal: Seal;
  /** absent: not offered */
  sandbox: Sandbox | undefined;
}

export function createPaymentService(context: ModuleContext, { providers, operations, settle, webhooks, seal, sandbox }: PaymentParts): Payments {
  const { db, now } = context;
  return {
    ...createAuditService(context),

    listProviders: async () => ({
      providers: providers.all.map(({ name, description, testTokens }) => ({ name, description, testTokens: [...testTokens] })),
    }),

    async pay(input) {
      if (!providers.find(input.provider)) throw unknownProvider();
      const { payment, authorization } = await transaction(db, (trx) => begin(trx, input));
      if (!authorization) return toPayment(payment);
      const settled = await operations.run(payment, authorization, { toldDirectly: true });
      return toPayment(settled.payment);
    },

    async refresh({ orderId }) {
      const payment = await ofOrder(orderId);
      const reading = await providers.read(payment);
      if (reading.outcome !== 'known') return toPayment(payment);
      const settled = await settle(payment.id, { charge: reading.charge, facts: reading.charge.facts });
      return toPayment(settled.payment);
    },

    getPayment: async ({ orderId }) => toPayment(await ofOrder(orderId)),

    async cancel({ orderId }) {
      await transaction(db, (trx) => operations.cancel(trx, orderId));
      return {};
    },

    capture: ({ captureId, paymentId, amount }) =>
      operate(paymentId, { kind: 'capture', operationId: captureId, amount, reason: '' }, (payment, ledger) => checkCapture(payment, ledger, amount)),

    refund: ({ refundId, paymentId, amount, reason }) =>
      operate(paymentId, { kind: 'refund', operationId: refundId, amount, reason }, (_, ledger) => checkRefund(ledger, amount)),

    async getDetails({ paymentId }) {
      const payment = await findPayment(db, paymentId);
      if (!payment) throw notFound('payment');
      const events = await findEvents(db, paymentId);
      return { payment: toPayment(payment), events: toMoneyEvents(paymentId, events, ledgerOf(events)) };
    },

    async listPayments({ cursor, limit, orderId, state }) {
      const before = cursor === undefined ? undefined : idIn(cursor);
      const found = await listPayments(db, { orderId, state, before, limit: limit + 1 });
      const items = found.slice(0, limit).map(toPayment);
      return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
    },

    receiveWebhook: (webhook) => webhooks.receive(webhook),

    async getSandboxAction({ reference }) {
      const action = await sandbox?.findAction(reference);
      if (!action) throw notFound('sandbox action');
      return action;
    },

    async completeSandboxAction({ reference, approve }) {
      const completed = await sandbox?.completeAction(reference, approve);
      if (!completed) throw notFound('sandbox action');
      return completed;
    },
  };

  /**
   * The order's payment, and the authorization to ask for when it is new. The order's id being unique decides who asks. A
   * repeat that is answered `processing` counts as a round: whoever asks has to publish what comes of it.
   */
  async function begin(trx: Transaction, input: PayInput): Promise<{ payment: PaymentRecord; authorization?: Operation }> {
    const { token, ...terms } = input;
    const [id, at] = [newId(), now()];
    const free = terms.amount.amount === 0;
    const start = free
      ? { state: 'captured' as const, sealedToken: null, overdueAt: null }
      : { state: 'processing' as const, sealedToken: seal.seal(token, id), overdueAt: overdueFrom(at) };
    const inserted = await insertPayment(trx, { ...terms, ...start, id, createdAt: at });
    if (!inserted) {
      const known = (await findPaymentOfOrder(trx, terms.orderId))!;
      checkTerms(known, terms);
      if (isFirstRound(known)) await updatePayment(trx, { ...known, checks: 1 });
      return { payment: known };
    }
    if (free || inserted.closedAs) return { payment: inserted };
    const authorization = toOperation({ kind: 'authorization', operationId: id, amount: terms.amount.amount, reason: '' }, at);
    await insertEvents(trx, id, [authorization], at);
    return { payment: inserted, authorization };
  }

  /** Staff's capture or refund; a repeat finds it asked for already and changes nothing. */
  async function operate(paymentId: string, wanted: Wanted, check: (payment: PaymentRecord, ledger: Ledger) => void): Promise<Payment> {
    const { payment, operations: [asked] } = await operations.ask(paymentId, (current, ledger, events) => {
      if (events.some(({ kind, operationId }) => kind === wanted.kind && operationId === wanted.operationId)) return [];
      check(current, ledger);
      return [wanted];
    });
    return toPayment(asked ? (await operations.run(payment, asked)).payment : payment);
  }

  async function ofOrder(orderId: string): Promise<PaymentRecord> {
    const payment = await findPaymentOfOrder(db, orderId);
    if (!payment) throw notFound('payment');
    return payment;
  }
}

const idIn = (cursor: string) => readCursor(z.tuple([Id]), cursor)[0];
