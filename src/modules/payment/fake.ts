import { toAuditPage } from '../../shared/audit.ts';
import { AppError, conflict, invalid, notFound } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor } from '../../shared/http.ts';
import { newId } from '../../shared/ids.ts';
import { paymentContract, type Payments, type PaymentSums } from './contract.ts';
import { type Fact, type Ledger, ledgerOf, unknownOf } from './money-facts.ts';
import { checkCapture, checkRefund, checkTerms, learn, newsOf, type PaymentRecord, toGiveBack, toMoneyEvents, toPayment } from './payment.ts';
import { approved, declined, factsOf, judge, phaseOf, type SandboxCharge, type SandboxOperation, TEST_TOKENS, verdictOn } from './sandbox/sandbox-charge.ts';

export interface FakePayments extends Payments {
  /** what the module's events would have said, oldest first */
  readonly published: { type: string; data: Record<string, unknown> }[];
  /** The provider, or its shopper, decides what is undecided; the payment hears of it as by a webhook. */
  decide(orderId: string, approve?: boolean): void;
}

interface Account {
  payment: PaymentRecord;
  facts: (Fact & { id: string })[];
  charge: SandboxCharge;
  operations: SandboxOperation[];
}

const LATE = 2_000;

/**
 * Payments in memory, with the real rules and the tokens of the sandbox. What goes on in the background happens at once,
 * except that nobody asks again by itself: late verdicts and lost answers are learnt by `refresh` or `decide`.
 */
export function createFakePayments(now: () => Date = () => new Date()): FakePayments {
  const accounts = new Map<string, Account>();
  const cancelled = new Set<string>();
  const published: FakePayments['published'] = [];

  const found = (which: (payment: PaymentRecord) => boolean): Account => {
    const account = [...accounts.values()].find(({ payment }) => which(payment));
    if (!account) throw notFound('payment');
    return account;
  };
  const ofOrder = (orderId: string) => found((payment) => payment.orderId === orderId);
  const hear = (account: Account, toldDirectly = false): void => {
    const { payment: before, charge, operations } = account;
    const at = now();
    const fresh = unknownOf(account.facts, factsOf(charge, operations, at));
    account.facts.push(...fresh.map((fact) => ({ ...fact, id: newId() })));
    const nextActionUrl = phaseOf(charge, at) === 'requires_action' ? `http://shop.test/v1/sandbox/actions/${charge.reference}` : null;
    const learnt = learn(before, ledgerOf(account.facts), { reference: charge.reference, at, nextActionUrl, facts: fresh });
    account.payment = { ...learnt, version: before.version + 1 };
    if (!toldDirectly) tell(before, account.payment);
    giveBack(account);
  };
  const tell = (before: PaymentRecord, { id: paymentId, orderId, amount, captured, refunded, ...after }: PaymentRecord): void => {
    for (const name of newsOf(before, { ...after, id: paymentId, orderId, amount, captured, refunded })) {
      const { type, data } = paymentContract.events[name];
      const all = { orderId, paymentId, ...amount, captured, refunded, reason: after.declineReason ?? '', url: after.nextActionUrl };
      published.push({ type, data: data.parse(all) as Record<string, unknown> });
    }
  };
  const giveBack = (account: Account): void => {
    for (const wanted of toGiveBack(account.payment, ledgerOf(account.facts))) operate(account, { ...wanted, operationId: newId() });
  };
  const operate = (account: Account, { kind, operationId, amount }: Pick<SandboxOperation, 'kind' | 'operationId' | 'amount'>): void => {
    const { charge, operations } = account;
    const at = now();
    operations.push({ ...judge(charge, operations, { kind, amount }, at), reference: newId(), kind, operationId, at });
    if (kind === 'void' && charge.verdict === null) account.charge = { ...charge, ...declined('voided', at) };
    hear(account);
  };
  const staff = (paymentId: string, wanted: Pick<SandboxOperation, 'kind' | 'operationId' | 'amount'>, check: (payment: PaymentRecord, ledger: Ledger) => void) => {
    const account = found(({ id }) => id === paymentId);
    if (!account.operations.some(({ operationId }) => operationId === wanted.operationId)) {
      check(account.payment, ledgerOf(account.facts));
      operate(account, wanted);
    }
    return toPayment(account.payment);
  };

  return {
    published,
    decide(orderId, approve = true) {
      const account = ofOrder(orderId);
      if (phaseOf(account.charge, now()) !== 'requires_action') account.charge = { ...account.charge, decidedAt: now() };
      else account.charge = { ...account.charge, ...(approve ? approved(now()) : declined('action_refused', now())) };
      hear(account);
    },
    listProviders: async () => ({
      providers: [{ name: 'sandbox', description: 'A simulated provider.', testTokens: [...TEST_TOKENS] }],
    }),
    async pay({ orderId, amount, provider, token, capture }) {
      if (provider !== 'sandbox') throw conflict('unknown_provider', 'There is no such payment provider.');
      const known = accounts.get(orderId);
      if (known) {
        checkTerms(known.payment, { provider, amount, capture });
        return toPayment(known.payment);
      }
      const account = opened({ orderId, amount, provider, capture }, token, now());
      accounts.set(orderId, account);
      if (cancelled.has(orderId)) account.payment = { ...account.payment, closedAs: 'cancelled', state: 'cancelled' };
      else if (amount.amount === 0) account.payment = { ...account.payment, state: 'captured' };
      else {
        account.facts.push(asked(account.payment));
        if (token !== 'sandbox_timeout') hear(account, true);
      }
      return toPayment(account.payment);
    },
    async refresh({ orderId }) {
      const account = ofOrder(orderId);
      if (account.facts.length > 0) hear(account);
      return toPayment(account.payment);
    },
    getPayment: async ({ orderId }) => toPayment(ofOrder(orderId).payment),
    async cancel({ orderId }) {
      cancelled.add(orderId);
      const account = accounts.get(orderId);
      if (!account || account.payment.closedAs) return {};
      account.payment = learn({ ...account.payment, closedAs: 'cancelled' }, ledgerOf(account.facts), null);
      giveBack(account);
      return {};
    },
    capture: async ({ captureId, paymentId, amount }) =>
      staff(paymentId, { kind: 'capture', operationId: captureId, amount }, (payment, ledger) => checkCapture(payment, ledger, amount)),
    refund: async ({ refundId, paymentId, amount }) =>
      staff(paymentId, { kind: 'refund', operationId: refundId, amount }, (_, ledger) => checkRefund(ledger, amount)),
    async getDetails({ paymentId }) {
      const { payment, facts } = found(({ id }) => id === paymentId);
      return { payment: toPayment(payment), events: toMoneyEvents(paymentId, facts, ledgerOf(facts)) };
    },
    async listPayments({ orderId, state, cursor, limit }) {
      const from = cursor === undefined ? 0 : Number(decodeCursor(cursor)?.[0]);
      if (!Number.isSafeInteger(from)) throw invalid('invalid_cursor', 'The cursor is not one that a list answered.');
      const all = [...accounts.values()].map(({ payment }) => toPayment(payment)).toReversed();
      const wanted = all.filter((payment) => (orderId ?? payment.orderId) === payment.orderId && (state ?? payment.state) === payment.state);
      return { items: wanted.slice(from, from + limit), nextCursor: from + limit < wanted.length ? encodeCursor([from + limit]) : null };
    },
    async receiveWebhook({ provider }) {
      if (provider !== 'sandbox') throw new AppError('not_found', 'unknown_provider', 'There is no such payment provider.');
      return {};
    },
    async getSandboxAction({ reference }) {
      const { charge, payment } = withAction(reference);
      return { amount: payment.amount, decided: charge.verdict !== null };
    },
    async completeSandboxAction({ reference, approve }) {
      const account = withAction(reference);
      if (account.charge.verdict === null) {
        account.charge = { ...account.charge, ...(approve ? approved(now()) : declined('action_refused', now())) };
        hear(account);
      }
      return { approved: account.charge.verdict === 'approved' };
    },
    async audit({ from, limit }) {
      const sums = [...accounts.values()].map(({ payment, facts }): PaymentSums => {
        const { orderId, state, amount, authorized, captured, refunded, refundPending, overdueAt, createdAt } = payment;
        const since = facts.at(-1)?.at ?? createdAt;
        return { orderId, state, amount, authorized, captured, refunded, refundPending, overdueAt: overdueAt?.toISOString() ?? null, since: since.toISOString() };
      });
      const inOrder = sums.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1));
      return toAuditPage(inOrder.filter(({ orderId }) => from === null || orderId >= from), limit);
    },
    auditOwn: async () => ({ violations: [] }),
  };

  function withAction(reference: string): Account {
    const account = [...accounts.values()].find(({ charge }) => charge.reference === reference);
    if (!account) throw notFound('sandbox action');
    return account;
  }
}

function opened(terms: Pick<PaymentRecord, 'orderId' | 'amount' | 'provider' | 'capture'>, token: string, at: Date): Account {
  const id = newId();
  const payment: PaymentRecord = {
    ...terms,
    id,
    state: 'processing',
    closedAs: null,
    reference: null,
    readAt: null,
    nextActionUrl: null,
    declineReason: null,
    authorized: 0,
    captured: 0,
    refunded: 0,
    refundPending: 0,
    sealedToken: null,
    checks: 0,
    overdueAt: null,
    version: 1,
    createdAt: at,
  };
  const verdict = verdictOn(token, at, new Date(at.getTime() + LATE));
  const charge = { reference: `fake_${id}`, paymentId: id, operationId: id, amount: terms.amount.amount, capture: terms.capture === 'automatic', ...verdict };
  return { payment, facts: [], charge, operations: [] };
}

const asked = ({ id, amount: { amount }, createdAt }: PaymentRecord): Fact & { id: string } => ({
  id: newId(),
  kind: 'authorization',
  outcome: 'pending',
  amount,
  reference: id,
  operationId: id,
  reason: '',
  at: createdAt,
});
