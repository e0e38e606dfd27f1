import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createTestPayments, order, scripted, type TestPayments } from './support.ts';

let subject: TestPayments;
beforeAll(async () => {
  const strict = scripted({
    name: 'strict',
    authorize: async (request) => charged(request, subject.context.clock.now),
    refund: async () => ({ outcome: 'declined', reason: 'disputed' }),
  });
  subject = await createTestPayments({ providers: [strict], deadline: 15_000 });
});
afterAll(() => subject.context.close());

const charged = ({ paymentId, operationId, amount: { amount } }: { paymentId: string; operationId: string; amount: { amount: number } }, at: Date) => {
  const fact = { outcome: 'succeeded' as const, amount, reference: paymentId, operationId, reason: '', at };
  const facts = [{ ...fact, kind: 'authorization' as const }, { ...fact, kind: 'capture' as const }];
  return { outcome: 'known' as const, charge: { reference: paymentId, at, nextActionUrl: null, facts } };
};
const paid = async (change: Parameters<typeof order>[0] = {}) => {
  const request = order(change);
  return { orderId: request.orderId, paymentId: (await subject.payments.pay(request)).id };
};
const refund = (paymentId: string, amount: number, refundId = newId()) => subject.payments.refund({ refundId, paymentId, amount, reason: 'scratch' });
const capture = (paymentId: string, amount: number, captureId = newId()) => subject.payments.capture({ captureId, paymentId, amount });

describe('refund', () => {
  it('gives a part back, then the rest, and never more', async () => {
    const { orderId, paymentId } = await paid();
    expect(await refund(paymentId, 5_000)).toMatchObject({ state: 'captured', captured: 12_900, refunded: 5_000, refundPending: 0 });
    expect(await refund(paymentId, 7_900)).toMatchObject({ refunded: 12_900 });
    await expect(refund(paymentId, 1)).rejects.toMatchObject({ code: 'conflict', reason: 'refund_too_large', details: { refundable: 0 } });
    expect(subject.context.published.filter(({ data }) => data['orderId'] === orderId).map(({ type, data }) => [type, data['refunded'], data['amount']])).toEqual([
      ['payment.refunded', 5_000, 12_900],
      ['payment.refunded', 12_900, 12_900],
    ]);
  });

  it('20 at once give back no more than there is', async () => {
    const { paymentId } = await paid({ amount: { amount: 10_000, currency: 'KRW' } });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => refund(paymentId, 1_100)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(9);
    expect(outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.reason] : []))).toEqual(Array.from({ length: 11 }, () => 'refund_too_large'));
    const { payment, events } = await subject.payments.getDetails({ paymentId });
    expect(payment).toMatchObject({ captured: 10_000, refunded: 9_900, refundPending: 0 });
    expect(events.filter(({ kind, outcome }) => kind === 'refund' && outcome === 'succeeded')).toHaveLength(9);
  });

  it('is done once for one id, also by 10 at once', async () => {
    const { paymentId } = await paid();
    const refundId = newId();
    await Promise.all(Array.from({ length: 10 }, () => refund(paymentId, 1_000, refundId)));
    expect(await refund(paymentId, 1_000, refundId)).toMatchObject({ refunded: 1_000, refundPending: 0 });
  });

  it('that the provider refuses leaves the sum refundable, and says why', async () => {
    const { paymentId } = await paid({ provider: 'strict' });
    expect(await refund(paymentId, 12_900)).toMatchObject({ state: 'captured', refunded: 0, refundPending: 0 });
    subject.after(1);
    expect(await refund(paymentId, 12_900)).toMatchObject({ refunded: 0 });
    const { events } = await subject.payments.getDetails({ paymentId });
    expect(events.filter(({ kind }) => kind === 'refund').map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['pending', 'scratch'], ['failed', 'disputed'], ['pending', 'scratch'], ['failed', 'disputed'],
    ]);
  });

  it('that the provider refuses for good is not asked for for ever: a person is told, and what they do at the provider is found', async () => {
    const books = { asked: 0, returned: false };
    const stubborn = scripted({
      authorize: async (request) => charged(request, new Date(0)),
      refund: async () => {
        books.asked += 1;
        return { outcome: 'declined', reason: 'account_closed' };
      },
      readState: async ({ paymentId }) => {
        const { charge } = charged({ paymentId, operationId: paymentId, amount: { amount: 12_900 } }, new Date(0));
        const byHand = { kind: 'refund' as const, outcome: 'succeeded' as const, amount: 12_900, reference: 'by hand', operationId: null, reason: '', at: new Date(1) };
        return { outcome: 'known', charge: { ...charge, at: new Date(), facts: books.returned ? [...charge.facts, byHand] : charge.facts } };
      },
    });
    const other = await createTestPayments({ providers: [stubborn] });
    const request = order({ provider: 'scripted' });
    await other.payments.pay(request);
    await other.payments.cancel(request);
    const goOn = async () => {
      for (let round = 0; round < 20; round += 1) {
        other.after(320);
        await other.work();
      }
    };
    await goOn();
    expect(books.asked).toBe(5);
    expect(await other.payments.getPayment(request)).toMatchObject({ state: 'processing', captured: 12_900, refunded: 0, refundPending: 0 });
    expect((await other.payments.auditOwn({})).violations).toEqual([
      { invariant: 'ending', orderId: request.orderId, message: expect.stringMatching(/refused 5 times to give back .* because: account_closed\. Give it back there by hand/) },
    ]);
    books.returned = true;
    await goOn();
    expect(await other.payments.getPayment(request)).toMatchObject({ state: 'cancelled', refunded: 12_900 });
    expect(books.asked).toBe(5);
    expect((await other.payments.auditOwn({})).violations).toEqual([]);
    await other.context.close();
  });

  it('of a payment that is not there is not found', async () => {
    await expect(refund(newId(), 1)).rejects.toMatchObject({ reason: 'not_found' });
    await expect(capture(newId(), 1)).rejects.toMatchObject({ reason: 'not_found' });
    await expect(subject.payments.getDetails({ paymentId: newId() })).rejects.toMatchObject({ reason: 'not_found' });
  });
});

describe('capture', () => {
  it('takes what is held in parts, and no more', async () => {
    const { orderId, paymentId } = await paid({ capture: 'manual' });
    expect(await capture(paymentId, 4_000)).toMatchObject({ state: 'captured', authorized: 12_900, captured: 4_000 });
    await expect(capture(paymentId, 8_901)).rejects.toMatchObject({ reason: 'capture_too_large', details: { capturable: 8_900 } });
    expect(await capture(paymentId, 8_900)).toMatchObject({ captured: 12_900 });
    await expect(capture(paymentId, 1)).rejects.toMatchObject({ reason: 'payment_not_capturable' });
    expect(subject.newsOf(orderId)).toEqual(['payment.captured', 'payment.captured']);
  });

  it('20 at once take no more than is held', async () => {
    const { paymentId } = await paid({ capture: 'manual' });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => capture(paymentId, 1_000)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(12);
    expect((await subject.payments.getDetails({ paymentId })).payment).toMatchObject({ captured: 12_000 });
  });

  it('is not possible when the money was taken at once, or the payment is undone', async () => {
    const { paymentId } = await paid();
    await expect(capture(paymentId, 1)).rejects.toMatchObject({ reason: 'payment_not_capturable' });
    const held = await paid({ capture: 'manual' });
    await subject.payments.cancel(held);
    await expect(capture(held.paymentId, 1)).rejects.toMatchObject({ reason: 'payment_not_capturable' });
  });
});

describe('staff', () => {
  it('lists payments newest first, page by page, by order and by state', async () => {
    const own = [await paid(), await paid(), await paid({ token: 'sandbox_declined' })].map(({ paymentId }) => paymentId).toReversed();
    const first = await subject.payments.listPayments({ limit: 2 });
    const second = await subject.payments.listPayments({ limit: 2, cursor: first.nextCursor! });
    expect([...first.items, ...second.items].slice(0, 3).map(({ id }) => id)).toEqual(own);
    const [declined] = (await subject.payments.listPayments({ limit: 100, state: 'declined' })).items;
    expect(declined!.id).toBe(own[0]);
    expect((await subject.payments.listPayments({ limit: 5, orderId: declined!.orderId })).items).toEqual([declined]);
    for (const cursor of ['nonsense', 'WzFd', 'WyJ4Il0']) {
      await expect(subject.payments.listPayments({ limit: 5, cursor })).rejects.toMatchObject({ reason: 'invalid_cursor' });
    }
  });

  it('sees a conflict: another amount for a reference that was told before counts for nothing', async () => {
    const amounts = [700, 800];
    const other = await createTestPayments({
      providers: [scripted({ authorize: async (request) => charged(request, new Date(0)), readState: async ({ paymentId }) => {
        const { charge } = charged({ paymentId, operationId: paymentId, amount: { amount: 12_900 } }, new Date(0));
        const refunded = { kind: 'refund' as const, outcome: 'succeeded' as const, amount: amounts.shift() ?? 700, reference: 'dashboard', operationId: null, reason: '', at: new Date(1) };
        return { outcome: 'known', charge: { ...charge, at: new Date(), facts: [...charge.facts, refunded] } };
      } })],
    });
    const request = order({ provider: 'scripted' });
    const { id: paymentId } = await other.payments.pay(request);
    for (let reading = 0; reading < 3; reading += 1) await other.payments.refresh(request);
    const { payment, events } = await other.payments.getDetails({ paymentId });
    expect(payment).toMatchObject({ captured: 12_900, refunded: 700 });
    expect(events.filter(({ kind }) => kind === 'refund').map(({ amount, conflicting }) => [amount, conflicting])).toEqual([[700, false], [800, true]]);
    expect(other.newsOf(request.orderId)).toEqual(['payment.refunded']);
    await other.context.close();
  });
});

describe('the database', () => {
  it('keeps money events as they are, whatever the code does', async () => {
    const { paymentId } = await paid();
    const { db } = subject.context;
    await expect(db('money_events').where({ payment_id: paymentId }).update({ amount: 1 })).rejects.toMatchObject({ code: '42501' });
    await expect(db('money_events').where({ payment_id: paymentId }).delete()).rejects.toMatchObject({ code: '42501' });
  });

  it.each([
    ['a second payment for an order', (id: string) => subject.context.db.raw(`insert into payments (id, order_id, state, closed_as, created_at) select ?, order_id, 'cancelled', 'cancelled', now() from payments where id = ?`, [newId(), id])],
    ['asking for more back than was taken', (id: string) => subject.context.db('payments').where({ id }).update({ refund_pending: 12_901 })],
    ['a final state that is not closed', (id: string) => subject.context.db('payments').where({ id }).update({ state: 'declined' })],
    ['a closed payment that goes on', (id: string) => subject.context.db('payments').where({ id }).update({ closed_as: 'cancelled' })],
    ['a means of payment that is not needed', (id: string) => subject.context.db('payments').where({ id }).update({ sealed_token: 'x' })],
    ['the same operation asked for twice', async (id: string) => {
      const asked = () => ({ id: newId(), payment_id: id, kind: 'refund', outcome: 'pending', amount: 1, reference: newId(), operation_id: 'same', reason: '', at: new Date(), recorded_at: new Date() });
      await subject.context.db('money_events').insert([asked(), asked()]);
    }],
  ])('refuses %s', async (_, change) => {
    const { paymentId } = await paid();
    await expect(change(paymentId)).rejects.toMatchObject({ code: expect.stringMatching(/^23/) });
  });
});
