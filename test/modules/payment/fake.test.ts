import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Payment, paymentContract, type Payments } from '../../../src/modules/payment/contract.ts';
import { createFakePayments } from '../../../src/modules/payment/fake.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestPayments, order } from './support.ts';

/** What a caller may rely on, of the module and of its fake alike; both behind the encoding of the wire. */
interface Subject {
  payments: Payments;
  published: { type: string; data: Record<string, unknown> }[];
  /** what goes on in the background has gone on, time having passed */
  settleDown(orderId: string): Promise<void>;
  close(): Promise<void>;
}

const subjects: { name: string; create: () => Promise<Subject> }[] = [
  {
    name: 'the module',
    async create() {
      const { payments, context, work, sweep, after } = await createTestPayments();
      return {
        payments: overWire(paymentContract, payments),
        published: context.published,
        close: context.close,
        async settleDown() {
          for (let round = 0; round < 4; round += 1) {
            await work({ except: ['sandbox-webhook'] });
            after(16);
            await sweep();
          }
        },
      };
    },
  },
  {
    name: 'its fake',
    async create() {
      const fake = createFakePayments();
      return {
        payments: overWire(paymentContract, fake),
        published: fake.published,
        close: async () => undefined,
        settleDown: async (orderId) => fake.decide(orderId),
      };
    },
  },
];

describe.each(subjects)('$name', ({ create }) => {
  let subject: Subject;
  let payments: Payments;
  beforeAll(async () => {
    subject = await create();
    payments = subject.payments;
  });
  afterAll(() => subject.close());
  const paymentOf = (orderId: string) => payments.getPayment({ orderId });
  const newsOf = (orderId: string) => subject.published.filter(({ data }) => data['orderId'] === orderId).map(({ type }) => type);
  const sums = ({ state, authorized, captured, refunded, refundPending }: Payment) => ({ state, authorized, captured, refunded, refundPending });

  it.each([
    { token: 'sandbox_ok', state: 'captured' },
    { token: 'sandbox_declined', state: 'declined' },
    { token: 'sandbox_insufficient_funds', state: 'declined' },
    { token: 'sandbox_action', state: 'requires_action' },
    { token: 'sandbox_timeout', state: 'processing' },
    { token: 'sandbox_late', state: 'processing' },
  ])('answers $token with $state, also the second time, and publishes nothing', async ({ token, state }) => {
    const request = order({ token });
    const payment = await payments.pay(request);
    expect(payment.state).toBe(state);
    expect(await payments.pay(request)).toEqual(payment);
    expect(await paymentOf(request.orderId)).toEqual(payment);
    expect(newsOf(request.orderId)).toEqual([]);
  });

  it.each([
    { token: 'sandbox_late', state: 'captured', news: 'payment.captured' },
    { token: 'sandbox_late_decline', state: 'declined', news: 'payment.declined' },
  ])('learns later what came of $token', async ({ token, state, news }) => {
    const request = order({ token });
    await payments.pay(request);
    await subject.settleDown(request.orderId);
    expect((await paymentOf(request.orderId)).state).toBe(state);
    expect(newsOf(request.orderId)).toEqual([news]);
  });

  it('learns of a charge whose answer was lost by refreshing', async () => {
    const request = order({ token: 'sandbox_timeout' });
    await payments.pay(request);
    expect((await payments.refresh(request)).state).toBe('captured');
    expect(newsOf(request.orderId)).toEqual(['payment.captured']);
  });

  it('goes on when the shopper approved, and ends when they refused', async () => {
    for (const approve of [true, false]) {
      const request = order({ token: 'sandbox_action' });
      const reference = (await payments.pay(request)).nextAction!.url.split('/').at(-1)!;
      expect(await payments.getSandboxAction({ reference })).toEqual({ amount: request.amount, decided: false });
      expect(await payments.completeSandboxAction({ reference, approve })).toEqual({ approved: approve });
      expect((await payments.refresh(request)).state).toBe(approve ? 'captured' : 'declined');
    }
    await expect(payments.getSandboxAction({ reference: 'x' })).rejects.toMatchObject({ reason: 'not_found' });
  });

  it.each([
    { capture: 'automatic' as const, end: { authorized: 12_900, captured: 12_900, refunded: 12_900 }, news: ['payment.refunded'] },
    { capture: 'manual' as const, end: { authorized: 0, captured: 0, refunded: 0 }, news: [] },
  ])('undoes a payment with $capture capture', async ({ capture, end, news }) => {
    const request = order({ capture });
    await payments.pay(request);
    await payments.cancel(request);
    await subject.settleDown(request.orderId);
    expect(sums(await paymentOf(request.orderId))).toEqual({ state: 'cancelled', ...end, refundPending: 0 });
    expect(newsOf(request.orderId)).toEqual(news);
  });

  it('gives back what succeeds after it was cancelled', async () => {
    const request = order({ token: 'sandbox_late' });
    await payments.pay(request);
    await payments.cancel(request);
    expect((await paymentOf(request.orderId)).state).toBe('processing');
    await subject.settleDown(request.orderId);
    expect(await paymentOf(request.orderId)).toMatchObject({ state: 'cancelled', captured: 12_900, refunded: 12_900 });
  });

  it('charges nothing for an order that was cancelled before', async () => {
    const request = order();
    await payments.cancel(request);
    await expect(paymentOf(request.orderId)).rejects.toMatchObject({ reason: 'not_found' });
    expect(await payments.pay(request)).toMatchObject({ state: 'cancelled', captured: 0 });
  });

  it('captures and refunds within what there is, once for each id', async () => {
    const { id: paymentId, orderId } = await payments.pay(order({ capture: 'manual' }));
    const captured = { captureId: newId(), paymentId, amount: 10_000 };
    await expect(payments.capture({ ...captured, amount: 12_901 })).rejects.toMatchObject({ reason: 'capture_too_large' });
    await payments.capture(captured);
    expect((await payments.capture(captured)).captured).toBe(10_000);
    const refunded = { refundId: newId(), paymentId, amount: 6_000, reason: '' };
    await payments.refund(refunded);
    expect((await payments.refund(refunded)).refunded).toBe(6_000);
    await expect(payments.refund({ ...refunded, refundId: newId() })).rejects.toMatchObject({ reason: 'refund_too_large' });
    expect(newsOf(orderId)).toEqual(['payment.captured', 'payment.refunded']);
    const { events } = await payments.getDetails({ paymentId });
    expect(events.filter(({ outcome }) => outcome === 'succeeded').map(({ kind, amount }) => [kind, amount])).toEqual([
      ['authorization', 12_900], ['capture', 10_000], ['refund', 6_000],
    ]);
  });

  it('refuses with the reasons of the contract', async () => {
    const request = order();
    await payments.pay(request);
    await expect(payments.pay({ ...request, amount: { amount: 1, currency: 'KRW' } })).rejects.toMatchObject({ reason: 'payment_mismatch' });
    await expect(payments.pay(order({ provider: 'nobody' }))).rejects.toMatchObject({ code: 'conflict', reason: 'unknown_provider' });
    await expect(payments.refresh({ orderId: newId() })).rejects.toMatchObject({ reason: 'not_found' });
    await expect(payments.receiveWebhook({ provider: 'nobody', headers: {}, rawBody: '' })).rejects.toMatchObject({ reason: 'unknown_provider' });
  });

  it('lists newest first, in pages', async () => {
    const { items, nextCursor } = await payments.listPayments({ limit: 3 });
    expect(items).toHaveLength(3);
    const rest = await payments.listPayments({ limit: 100, cursor: nextCursor! });
    expect(rest.items.map(({ id }) => id)).not.toContain(items[2]!.id);
    expect((await payments.listPayments({ limit: 5, state: 'captured' })).items.every(({ state }) => state === 'captured')).toBe(true);
    await expect(payments.listPayments({ limit: 5, cursor: 'nonsense' })).rejects.toMatchObject({ reason: 'invalid_cursor' });
  });
});
