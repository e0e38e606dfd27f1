import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/shared/telemetry.ts';
import { createSeal } from '../../../src/shared/seal.ts';
import { createTestPayments, order, scripted, type TestPayments } from './support.ts';

const calls: string[] = [];
const counting = scripted({
  name: 'counting',
  async authorize({ token }, { idempotencyKey }) {
    calls.push(`${token} ${idempotencyKey}`);
    return { outcome: 'declined', reason: 'counted' };
  },
});

let subject: TestPayments;
beforeAll(async () => {
  subject = await createTestPayments({ providers: [counting] });
});
afterAll(() => subject.context.close());
const pay = (change: Parameters<typeof order>[0] = {}) => subject.payments.pay(order(change));

describe('pay', () => {
  it.each([
    { token: 'sandbox_ok', answer: { state: 'captured', authorized: 12_900, captured: 12_900, declineReason: null } },
    { token: 'sandbox_declined', answer: { state: 'declined', captured: 0, declineReason: 'card_declined' } },
    { token: 'sandbox_insufficient_funds', answer: { state: 'declined', declineReason: 'insufficient_funds' } },
    { token: 'nobody knows this one', answer: { state: 'declined', declineReason: 'unknown_token' } },
    { token: 'sandbox_late', answer: { state: 'processing', captured: 0, nextAction: null } },
    { token: 'sandbox_timeout', answer: { state: 'processing', captured: 0 } },
    { token: 'sandbox_action', answer: { state: 'requires_action', nextAction: { kind: 'redirect', url: expect.stringContaining('http://shop.test/v1/sandbox/actions/') } } },
  ])('answers $answer.state for $token', async ({ token, answer }) => {
    expect(await pay({ token })).toMatchObject({ ...answer, refunded: 0, refundPending: 0, amount: { amount: 12_900, currency: 'KRW' } });
  });

  it('holds the sum without taking it when captured by hand', async () => {
    expect(await pay({ capture: 'manual' })).toMatchObject({ state: 'authorized', authorized: 12_900, captured: 0 });
  });

  it('asks nobody for a sum of nothing', async () => {
    const free = order({ amount: { amount: 0, currency: 'KRW' } });
    const payment = await subject.payments.pay(free);
    expect(payment).toMatchObject({ state: 'captured', captured: 0 });
    expect(await subject.charges(payment.id)).toBe(0);
    expect(await subject.payments.pay(free)).toEqual(payment);
  });

  it('takes two transactions of at most four statements, and tells nobody else what it answers', async () => {
    const statements: { sql: string; __knexTxId?: string }[] = [];
    const record = (query: { sql: string; __knexTxId?: string }) => void statements.push(query);
    subject.context.db.on('query', record);
    const request = order();
    const { id: paymentId } = await subject.payments.pay(request);
    subject.context.db.off('query', record);
    const transactions = Map.groupBy(statements.filter(({ __knexTxId }) => __knexTxId), ({ __knexTxId }) => __knexTxId);
    const work = [...transactions.values()].map((list) => list.filter(({ sql }) => !/^(begin|commit)/i.test(sql)).length);
    expect(work).toHaveLength(2);
    expect(Math.max(...work)).toBeLessThanOrEqual(4);
    expect(subject.newsOf(request.orderId)).toEqual([]);
    expect(subject.context.enqueued.filter(({ data }) => 'paymentId' in data && data.paymentId === paymentId)).toEqual([]);
  });

  it('charges once when called eight times at once, and once more after', async () => {
    const request = order();
    const answers = await Promise.all(Array.from({ length: 8 }, () => subject.payments.pay(request)));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(answers.map(({ state }) => state)).toContain('captured');
    expect(answers.every(({ state }) => state === 'captured' || state === 'processing')).toBe(true);
    expect(await subject.payments.pay(request)).toMatchObject({ state: 'captured', captured: 12_900 });
    expect(await subject.charges(answers[0]!.id)).toBe(1);
  });

  it('is final when declined: another token for the same order is not tried', async () => {
    const request = order({ token: 'sandbox_declined' });
    await subject.payments.pay(request);
    expect(await subject.payments.pay({ ...request, token: 'sandbox_ok' })).toMatchObject({ state: 'declined' });
  });

  it.each([
    ['another sum', { amount: { amount: 1, currency: 'KRW' as const } }],
    ['another currency', { amount: { amount: 12_900, currency: 'JPY' as const } }],
    ['another way of capture', { capture: 'manual' as const }],
    ['another provider', { provider: 'counting' }],
  ])('refuses a repeat with %s', async (_, change) => {
    const request = order();
    await subject.payments.pay(request);
    await expect(subject.payments.pay({ ...request, ...change })).rejects.toMatchObject({ code: 'conflict', reason: 'payment_mismatch' });
  });

  it('refuses a provider that does not exist, or is switched off', async () => {
    await expect(pay({ provider: 'nobody' })).rejects.toMatchObject({ reason: 'unknown_provider' });
    const production = await createTestPayments({ settings: { sandboxPayments: false } });
    await expect(production.payments.pay(order())).rejects.toMatchObject({ reason: 'unknown_provider' });
    expect(await production.payments.listProviders({})).toEqual({ providers: [] });
    await expect(production.payments.getSandboxAction({ reference: 'x' })).rejects.toMatchObject({ reason: 'not_found' });
    await production.context.close();
  });

  it('lists the providers with what a client has to know', async () => {
    const { providers } = await subject.payments.listProviders({});
    expect(providers.find(({ name }) => name === 'sandbox')!.testTokens.map(({ token }) => token)).toEqual([
      'sandbox_ok', 'sandbox_declined', 'sandbox_insufficient_funds', 'sandbox_action', 'sandbox_timeout', 'sandbox_late', 'sandbox_late_decline',
    ]);
  });

  it('gives each operation of each payment a key of its own', async () => {
    await pay({ provider: 'counting' });
    await pay({ provider: 'counting' });
    expect(new Set(calls).size).toBe(2);
    expect(calls.every((call) => /^sandbox_ok [0-9a-f]{64}$/.test(call))).toBe(true);
  });
});

describe('the means of payment', () => {
  const stored = async (orderId: string) => (await subject.context.db('payments').where({ order_id: orderId }).first('sealed_token'))!.sealed_token as string | null;

  it('is kept encrypted while the provider may have to be asked again, and then no more', async () => {
    const request = order({ token: 'sandbox_timeout' });
    await subject.payments.pay(request);
    expect(await stored(request.orderId)).not.toContain('sandbox_timeout');
    await subject.payments.refresh({ orderId: request.orderId });
    expect(await stored(request.orderId)).toBeNull();
    const decided = order();
    await subject.payments.pay(decided);
    expect(await stored(decided.orderId)).toBeNull();
  });

  it('is in no log line, whatever goes wrong', async () => {
    let logged = '';
    const log = createLogger('trace', new Writable({ write: (line, _, done) => ((logged += String(line)), done()) }));
    const hangsUp = scripted({ authorize: () => Promise.reject(new Error('socket hang up')) });
    const shop = await createTestPayments({ providers: [hangsUp], log });
    const token = 'tok_4f9a_of_a_real_card';
    await shop.payments.pay(order({ provider: 'scripted', token }));
    await shop.payments.pay(order({ token }));
    shop.after(60);
    await shop.sweep();
    expect(logged).toContain('socket hang up');
    expect(logged).not.toContain(token);
    await shop.context.close();
  });

  it('opens only for the payment it was sealed for, and only untouched', () => {
    const seal = createSeal('a secret of at least thirty-two characters', 'payment tokens');
    const sealed = seal.seal('tok_1', 'payment-1');
    expect(seal.open(sealed, 'payment-1')).toBe('tok_1');
    expect(() => seal.open(sealed, 'payment-2')).toThrow();
    expect(() => seal.open(`${sealed.slice(0, -2)}AA`, 'payment-1')).toThrow();
    expect(() => createSeal('another secret of thirty-two characters', 'payment tokens').open(sealed, 'payment-1')).toThrow();
  });
});
