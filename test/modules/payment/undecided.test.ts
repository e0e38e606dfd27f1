import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Charge, Reading } from '../../../src/modules/payment/provider.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestPayments, order, scripted, type TestPayments } from './support.ts';

/** A company whose charges we see from both sides: it can take effect and fail to say so. */
const books = { charges: new Map<string, Charge>(), asked: [] as { key: string; token: string }[], behaviour: 'answers' as 'answers' | 'throws' | 'loses' | 'hangs' | 'forgets' };
const company = scripted({
  name: 'company',
  async authorize({ paymentId, operationId, amount: { amount }, token }, { idempotencyKey }): Promise<Answer> {
    books.asked.push({ key: idempotencyKey, token });
    if (books.behaviour === 'loses') return { outcome: 'unknown' };
    const reference = `co_${paymentId}`;
    const at = subject.context.clock.now;
    const fact = { outcome: 'succeeded' as const, amount, reference, operationId, reason: '', at };
    const charge = books.charges.get(paymentId) ?? { reference, at, nextActionUrl: null, facts: [{ ...fact, kind: 'authorization' as const }, { ...fact, kind: 'capture' as const }] };
    books.charges.set(paymentId, charge);
    if (books.behaviour === 'throws') throw new Error('socket hang up');
    if (books.behaviour === 'hangs') return new Promise(() => undefined);
    return { outcome: 'known', charge };
  },
  async refund({ reference, operationId, amount: { amount } }): Promise<Answer> {
    const [paymentId, charge] = [...books.charges].find(([, { reference: own }]) => own === reference)!;
    if (books.behaviour === 'forgets') return { outcome: 'unknown' };
    const refunded = charge.facts.some((fact) => fact.operationId === operationId)
      ? charge
      : { ...charge, facts: [...charge.facts, { kind: 'refund' as const, outcome: 'succeeded' as const, amount, reference: `re_${operationId}`, operationId, reason: '', at: subject.context.clock.now }] };
    books.charges.set(paymentId, refunded);
    if (books.behaviour === 'throws') throw new Error('socket hang up');
    return { outcome: 'known', charge: refunded };
  },
  async readState({ paymentId }): Promise<Reading> {
    const charge = books.charges.get(paymentId);
    return charge ? { outcome: 'known', charge: { ...charge, at: subject.context.clock.now } } : { outcome: 'absent' };
  },
});

let subject: TestPayments;
beforeAll(async () => {
  subject = await createTestPayments({ providers: [company] });
});
afterAll(() => subject.context.close());

async function paidBy(behaviour: typeof books.behaviour, change: Parameters<typeof order>[0] = {}) {
  books.behaviour = behaviour;
  const request = order({ provider: 'company', ...change });
  const payment = await subject.payments.pay(request);
  books.behaviour = 'answers';
  return { orderId: request.orderId, payment };
}
const stateOf = async (orderId: string) => (await subject.payments.getPayment({ orderId })).state;

describe('an answer that was lost', () => {
  it('is unknown, asked for by a job, and published when it is known', async () => {
    const request = order({ token: 'sandbox_timeout' });
    const payment = await subject.payments.pay(request);
    expect(payment.state).toBe('processing');
    await subject.work();
    expect(await subject.payments.getPayment(request)).toMatchObject({ state: 'captured', captured: 12_900 });
    expect(subject.newsOf(request.orderId)).toEqual(['payment.captured']);
    await subject.work();
    await subject.payments.refresh(request);
    expect(subject.newsOf(request.orderId)).toEqual(['payment.captured']);
    expect(await subject.charges(payment.id)).toBe(1);
  });

  it.each(['throws', 'hangs'] as const)('when the provider %s after it took effect, the charge is found and not repeated', async (behaviour) => {
    const { orderId, payment } = await paidBy(behaviour);
    expect(payment.state).toBe('processing');
    const asked = books.asked.length;
    await subject.work();
    expect(await stateOf(orderId)).toBe('captured');
    expect(books.asked).toHaveLength(asked);
  });

  it('when the request never arrived, it is repeated with the same key and token, but not while it may be on its way', async () => {
    const { orderId } = await paidBy('loses', { token: 'tok_of_the_shopper' });
    const [first] = books.asked.slice(-1);
    const asked = books.asked.length;
    await subject.work();
    expect(await stateOf(orderId)).toBe('processing');
    expect(books.asked).toHaveLength(asked);
    subject.after(16);
    await subject.work();
    expect(await stateOf(orderId)).toBe('captured');
    expect(books.asked.slice(asked)).toEqual([first]);
    expect(first).toMatchObject({ token: 'tok_of_the_shopper' });
  });

  it('is asked for in one chain of jobs, however often it is looked at', async () => {
    const { orderId } = await paidBy('loses');
    await subject.payments.refresh({ orderId });
    const jobs = subject.context.enqueued.filter(({ data }) => 'checks' in data);
    expect(jobs.length).toBeGreaterThan(0);
    subject.context.enqueued.push(...jobs, ...jobs);
    await subject.work();
    expect(subject.context.enqueued.length).toBe(jobs.length);
  });
});

describe('a caller who lost the connection, while the provider has not answered yet,', () => {
  const fact = { outcome: 'succeeded' as const, amount: 12_900, reason: '' };
  const verdicts = {
    captured: (operationId: string): Answer => {
      const at = subject.context.clock.now;
      const [authorization, capture] = (['authorization', 'capture'] as const).map((kind) => ({ ...fact, kind, operationId, reference: `sl_${operationId}`, at }));
      return { outcome: 'known', charge: { reference: `sl_${operationId}`, at, nextActionUrl: null, facts: [authorization!, capture!] } };
    },
    declined: (): Answer => ({ outcome: 'declined', reason: 'card_declined' }),
    action_required: (operationId: string): Answer => ({ outcome: 'known', charge: { reference: `sl_${operationId}`, at: subject.context.clock.now, nextActionUrl: 'https://bank.test/1', facts: [] } }),
  };

  async function paysSlowly(verdict: keyof typeof verdicts, meanwhile: (request: ReturnType<typeof order>) => Promise<void>) {
    const { authorize } = company;
    const asked = Promise.withResolvers<string>();
    const answer = Promise.withResolvers<Answer>();
    company.authorize = ({ operationId }) => (asked.resolve(operationId), answer.promise);
    const request = order({ provider: 'company' });
    const first = subject.payments.pay(request);
    const operationId = await asked.promise.finally(() => (company.authorize = authorize));
    await meanwhile(request);
    answer.resolve(verdicts[verdict](operationId));
    await first;
    return request.orderId;
  }

  it.each(Object.keys(verdicts) as (keyof typeof verdicts)[])('and was answered `processing` when it asked again, hears %s as an event, once', async (verdict) => {
    const orderId = await paysSlowly(verdict, async (request) => {
      const again = [await subject.payments.pay(request), await subject.payments.pay(request)];
      expect(again).toMatchObject([{ state: 'processing' }, { state: 'processing' }]);
    });
    expect(subject.newsOf(orderId)).toEqual([`payment.${verdict}`]);
  });

  it('and looked how the payment stands when `pay` should have answered, hears of it as an event', async () => {
    const orderId = await paysSlowly('captured', async () => subject.after(10));
    expect(subject.newsOf(orderId)).toEqual(['payment.captured']);
  });

  it('and asks again after the outcome is known, is answered it, and nothing is published', async () => {
    const orderId = await paysSlowly('captured', async () => undefined);
    expect(await stateOf(orderId)).toBe('captured');
    expect(subject.newsOf(orderId)).toEqual([]);
  });
});

describe('a process that dies', () => {
  async function diesInPay(behaviour: 'answers' | 'loses') {
    books.behaviour = behaviour;
    const request = order({ provider: 'company' });
    await subject.killedAfter(1, () => subject.payments.pay(request));
    books.behaviour = 'answers';
    return request.orderId;
  }

  it.each(['answers', 'loses'] as const)('between the charge (which the provider %s) and its settlement is followed by the sweep', async (behaviour) => {
    const orderId = await diesInPay(behaviour);
    await subject.sweep();
    expect(await stateOf(orderId)).toBe('processing');
    subject.after(16);
    await subject.sweep();
    expect(await stateOf(orderId)).toBe('captured');
    expect(subject.newsOf(orderId)).toEqual(['payment.captured']);
    await subject.sweep();
    expect(subject.newsOf(orderId)).toEqual(['payment.captured']);
  });

  it('before the shopper was told where to go has it published, once', async () => {
    const request = order({ token: 'sandbox_action' });
    await subject.killedAfter(1, () => subject.payments.pay(request));
    subject.after(16);
    await subject.sweep();
    expect(await stateOf(request.orderId)).toBe('requires_action');
    expect(subject.newsOf(request.orderId)).toEqual(['payment.action_required']);
    await subject.payments.refresh(request);
    expect(subject.newsOf(request.orderId)).toEqual(['payment.action_required']);
  });

  it('and was cancelled before the provider heard of it, never charges', async () => {
    const orderId = await diesInPay('loses');
    const asked = books.asked.length;
    await subject.payments.cancel({ orderId });
    subject.after(16);
    await subject.work();
    expect(await stateOf(orderId)).toBe('cancelled');
    expect(books.asked).toHaveLength(asked);
  });

  it('during a refund is followed by the sweep, under the same key', async () => {
    const { orderId, payment } = await paidBy('answers');
    books.behaviour = 'throws';
    const pending = await subject.payments.refund({ refundId: newId(), paymentId: payment.id, amount: 900, reason: '' });
    expect(pending).toMatchObject({ refunded: 0, refundPending: 900 });
    books.behaviour = 'answers';
    subject.after(16);
    await Promise.all([subject.sweep(), subject.sweep()]);
    expect(await subject.payments.getPayment({ orderId })).toMatchObject({ refunded: 900, refundPending: 0 });
    expect(subject.newsOf(orderId)).toEqual(['payment.refunded']);
  });

  it('leaves a refund pending, and counted, as long as nobody knows', async () => {
    const { orderId, payment } = await paidBy('answers');
    books.behaviour = 'forgets';
    await subject.payments.refund({ refundId: newId(), paymentId: payment.id, amount: 12_000, reason: '' });
    subject.after(16);
    await subject.sweep();
    const again = subject.payments.refund({ refundId: newId(), paymentId: payment.id, amount: 901, reason: '' });
    await expect(again).rejects.toMatchObject({ reason: 'refund_too_large', details: { refundable: 900 } });
    books.behaviour = 'answers';
    subject.after(60);
    await subject.sweep();
    expect(await subject.payments.getPayment({ orderId })).toMatchObject({ refunded: 12_000, refundPending: 0 });
  });
});

it('a success after it was told as declined is given back, and the payment stays declined', async () => {
  const request = order({ provider: 'company', token: 'tok' });
  const { authorize } = company;
  company.authorize = async () => ({ outcome: 'declined', reason: 'issuer_down' });
  const { id } = await subject.payments.pay(request);
  company.authorize = authorize;
  await company.authorize({ paymentId: id, operationId: id, amount: request.amount, token: '', capture: true }, { signal: AbortSignal.timeout(1_000), idempotencyKey: '' });
  expect((await subject.payments.refresh(request)).state).toBe('processing');
  await subject.work();
  expect(await subject.payments.getPayment(request)).toMatchObject({ state: 'declined', declineReason: 'issuer_down', captured: 12_900, refunded: 12_900 });
  expect(subject.newsOf(request.orderId)).toEqual(['payment.captured', 'payment.refunded']);
});

describe('a verdict that comes late', () => {
  it.each([
    { token: 'sandbox_late', state: 'captured', news: ['payment.captured'] },
    { token: 'sandbox_late_decline', state: 'declined', news: ['payment.declined'] },
  ])('$token is $state when its time has come', async ({ token, state, news }) => {
    const request = order({ token });
    expect((await subject.payments.pay(request)).state).toBe('processing');
    expect((await subject.payments.refresh(request)).state).toBe('processing');
    subject.after(2);
    expect((await subject.payments.refresh(request)).state).toBe(state);
    expect(subject.newsOf(request.orderId)).toEqual(news);
  });
});
