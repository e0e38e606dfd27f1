import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createTestPayments, order, type TestPayments } from './support.ts';

let subject: TestPayments;
beforeAll(async () => {
  subject = await createTestPayments();
});
afterAll(() => subject.context.close());

const paymentOf = (orderId: string) => subject.payments.getPayment({ orderId });
/** Lets the background do all it can, time passing. */
async function settleDown() {
  for (let round = 0; round < 6; round += 1) {
    await subject.work({ except: ['sandbox-webhook'] });
    subject.after(16);
    await subject.sweep();
  }
}
const GONE = { state: 'cancelled', refundPending: 0, nextAction: null };

describe('cancelling', () => {
  it('gives a captured sum back in full, once, and says so', async () => {
    const request = order();
    await subject.payments.pay(request);
    await subject.payments.cancel(request);
    expect(await paymentOf(request.orderId)).toMatchObject({ state: 'processing', captured: 12_900 });
    await subject.payments.cancel(request);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, captured: 12_900, refunded: 12_900 });
    expect(subject.newsOf(request.orderId)).toEqual(['payment.refunded']);
  });

  it('gives back what staff has not given back already', async () => {
    const request = order();
    const { id: paymentId } = await subject.payments.pay(request);
    await subject.payments.refund({ refundId: newId(), paymentId, amount: 2_900, reason: 'scratch' });
    await subject.payments.cancel(request);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, refunded: 12_900 });
    const { events } = await subject.payments.getDetails({ paymentId });
    expect(events.filter(({ kind, outcome }) => kind === 'refund' && outcome === 'succeeded').map(({ amount }) => amount)).toEqual([2_900, 10_000]);
  });

  it('voids what is held, and refunds what was taken of it', async () => {
    const held = order({ capture: 'manual' });
    await subject.payments.pay(held);
    const partly = order({ capture: 'manual' });
    const { id: paymentId } = await subject.payments.pay(partly);
    await subject.payments.capture({ captureId: newId(), paymentId, amount: 4_000 });
    await subject.payments.cancel(held);
    await subject.payments.cancel(partly);
    await settleDown();
    expect(await paymentOf(held.orderId)).toMatchObject({ ...GONE, authorized: 0, captured: 0, refunded: 0 });
    expect(await paymentOf(partly.orderId)).toMatchObject({ ...GONE, captured: 4_000, refunded: 4_000 });
    const details = await subject.payments.getDetails({ paymentId });
    expect(details.events.filter(({ outcome }) => outcome === 'succeeded').map(({ kind, amount }) => [kind, amount])).toEqual([
      ['authorization', 12_900], ['capture', 4_000], ['refund', 4_000], ['void', 8_900],
    ]);
  });

  it('before any payment leaves a mark, and a payment that comes later charges nothing', async () => {
    const request = order();
    await subject.payments.cancel(request);
    await subject.payments.cancel(request);
    await expect(paymentOf(request.orderId)).rejects.toMatchObject({ reason: 'not_found' });
    const payment = await subject.payments.pay(request);
    expect(payment).toMatchObject({ state: 'cancelled', captured: 0, amount: request.amount });
    expect(await subject.payments.pay(request)).toEqual(payment);
    expect(await subject.charges(payment.id)).toBe(0);
    expect((await subject.payments.listPayments({ orderId: request.orderId, limit: 5 })).items).toEqual([payment]);
  });

  it('while the provider works waits for its verdict and gives a success back', async () => {
    const request = order({ token: 'sandbox_late' });
    await subject.payments.pay(request);
    await subject.payments.cancel(request);
    await subject.work({ except: ['sandbox-webhook'] });
    expect(await paymentOf(request.orderId)).toMatchObject({ state: 'processing', captured: 0 });
    subject.after(3);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, captured: 12_900, refunded: 12_900 });
    expect(subject.newsOf(request.orderId)).toEqual(['payment.captured', 'payment.refunded']);
  });

  it('after a lost answer finds the charge and gives it back', async () => {
    const request = order({ token: 'sandbox_timeout' });
    await subject.payments.pay(request);
    await subject.payments.cancel(request);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, captured: 12_900, refunded: 12_900 });
  });

  it('stops a charge that waits for the shopper; approving it afterwards takes nothing', async () => {
    const request = order({ token: 'sandbox_action' });
    const { nextAction } = await subject.payments.pay(request);
    await subject.payments.cancel(request);
    expect(await paymentOf(request.orderId)).toMatchObject({ state: 'processing', nextAction: null });
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, captured: 0 });
    const reference = nextAction!.url.split('/').at(-1)!;
    expect(await subject.payments.completeSandboxAction({ reference, approve: true })).toEqual({ approved: false });
  });

  it('gives back what the shopper approved while it was being cancelled', async () => {
    const request = order({ token: 'sandbox_action' });
    const { nextAction } = await subject.payments.pay(request);
    await subject.payments.cancel(request);
    await subject.payments.completeSandboxAction({ reference: nextAction!.url.split('/').at(-1)!, approve: true });
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, captured: 12_900, refunded: 12_900 });
  });

  it('changes nothing about a declined payment', async () => {
    const request = order({ token: 'sandbox_declined' });
    const declined = await subject.payments.pay(request);
    await subject.payments.cancel(request);
    expect(await paymentOf(request.orderId)).toEqual(declined);
  });

  it('ends a payment of nothing', async () => {
    const request = order({ amount: { amount: 0, currency: 'KRW' } });
    await subject.payments.pay(request);
    await subject.payments.cancel(request);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject(GONE);
  });

  it('at the same time as paying never leaves money, whoever is first', async () => {
    const requests = Array.from({ length: 12 }, () => order());
    await Promise.all(requests.flatMap((request, index) => {
      const both = [() => subject.payments.pay(request), () => subject.payments.cancel(request)];
      return (index % 2 ? both : both.toReversed()).map((call) => call());
    }));
    await settleDown();
    for (const { orderId } of requests) {
      const { state, captured, refunded } = await paymentOf(orderId);
      expect({ state, left: captured - refunded }).toEqual({ state: 'cancelled', left: 0 });
    }
  });
});

describe('the order', () => {
  it.each(['cancelled', 'expired'] as const)('being %s has its payment given back, once for the same event', async (type) => {
    const request = order();
    await subject.payments.pay(request);
    const eventId = newId();
    await subject.deliver(type, request.orderId, eventId);
    await subject.deliver(type, request.orderId, eventId);
    await subject.deliver(type, request.orderId);
    await settleDown();
    expect(await paymentOf(request.orderId)).toMatchObject({ ...GONE, refunded: 12_900 });
    expect(subject.newsOf(request.orderId)).toEqual(['payment.refunded']);
  });

  it('being cancelled before it was paid leaves the mark too', async () => {
    const request = order();
    await subject.deliver('cancelled', request.orderId);
    expect(await subject.payments.pay(request)).toMatchObject({ state: 'cancelled' });
  });
});
