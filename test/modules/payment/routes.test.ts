import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { paymentRoutes } from '../../../src/modules/payment/payment-routes.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';
import { createTestPayments, order, type TestPayments } from './support.ts';

let subject: TestPayments;
let front: Awaited<ReturnType<typeof createTestApp>>;
let staff: { authorization: string };
let customer: { authorization: string };
beforeAll(async () => {
  subject = await createTestPayments();
  front = await createTestApp(paymentRoutes(subject.payments), () => subject.context.clock.now);
  staff = await front.as('staff');
  customer = await front.as('customer');
});
afterAll(async () => {
  await front.close();
  await subject.context.close();
});

const api = () => request(front.app);
const paid = async (change: Parameters<typeof order>[0] = {}) => (await subject.payments.pay(order(change))).id;
const refund = (paymentId: string, body: object, key = newId()) =>
  api().post(`/v1/admin/payments/${paymentId}/refunds`).set(staff).set('idempotency-key', key).send(body);

describe('the public routes', () => {
  it('list providers and test tokens to anyone', async () => {
    const { body } = await api().get('/v1/payment-providers').expect(200);
    expect(body.providers).toMatchObject([{ name: 'sandbox', testTokens: expect.arrayContaining([{ token: 'sandbox_ok', effect: expect.any(String) }]) }]);
  });

  it.each(['get', 'post'] as const)('know no sandbox action that is not there (%s)', async (method) => {
    const sent = api()[method](`/v1/sandbox/actions/sbx_action_${newId()}`);
    expect((await (method === 'post' ? sent.send({ approve: true }) : sent).expect(404)).body.reason).toBe('not_found');
  });

  it('offer no page for a charge that asks nothing of the shopper', async () => {
    const paymentId = await paid();
    const { reference } = (await subject.context.db('sandbox_charges').where({ payment_id: paymentId }).first('reference')) as { reference: string };
    expect((await api().get(`/v1/sandbox/actions/${reference}`)).status).toBe(404);
  });
});

describe('the staff routes', () => {
  it('are closed to others', async () => {
    const id = newId();
    const calls = [
      () => api().get('/v1/admin/payments'),
      () => api().get(`/v1/admin/payments/${id}`),
      () => api().post(`/v1/admin/payments/${id}/refunds`).send({ amount: 1 }),
      () => api().post(`/v1/admin/payments/${id}/captures`).send({ amount: 1 }),
    ];
    for (const call of calls) {
      expect((await call()).status).toBe(401);
      expect((await call().set(customer)).status).toBe(403);
    }
  });

  it('list by order and state, and show a payment with its money events', async () => {
    const paymentId = await paid();
    const { body: shown } = await api().get(`/v1/admin/payments/${paymentId}`).set(staff).expect(200);
    expect(shown.events.map(({ kind, outcome, amount }: Record<string, unknown>) => [kind, outcome, amount])).toEqual([
      ['authorization', 'pending', 12_900], ['authorization', 'succeeded', 12_900], ['capture', 'succeeded', 12_900],
    ]);
    const { body: listed } = await api().get(`/v1/admin/payments?orderId=${shown.payment.orderId}&state=captured`).set(staff).expect(200);
    expect(listed).toEqual({ items: [shown.payment], nextCursor: null });
    await api().get('/v1/admin/payments?state=nonsense').set(staff).expect(400);
    expect((await api().get('/v1/admin/payments?cursor=nonsense').set(staff).expect(400)).body.reason).toBe('invalid_cursor');
    expect((await api().get(`/v1/admin/payments/${newId()}`).set(staff).expect(404)).body.reason).toBe('not_found');
  });

  it('refund once per Idempotency-Key, and require one', async () => {
    const paymentId = await paid();
    const key = newId();
    const body = { amount: 900, reason: 'scratch' };
    const first = await refund(paymentId, body, key).expect(200);
    expect(first.body).toMatchObject({ refunded: 900 });
    const again = await refund(paymentId, body, key).expect(200).expect('idempotent-replayed', 'true');
    expect(again.body).toEqual(first.body);
    expect((await refund(paymentId, { amount: 901 }, key).expect(422)).body.reason).toBe('idempotency_key_reused');
    expect((await refund(paymentId, { amount: 12_001 }).expect(409)).body).toMatchObject({ reason: 'refund_too_large', refundable: 12_000 });
    await refund(paymentId, { amount: 0 }).expect(400);
    await refund(newId(), { amount: 1 }).expect(404);
    const without = await api().post(`/v1/admin/payments/${paymentId}/refunds`).set(staff).send(body).expect(400);
    expect(without.body.reason).toBe('idempotency_key_required');
  });

  it('capture what is held', async () => {
    const paymentId = await paid({ capture: 'manual' });
    const capture = (amount: number) => api().post(`/v1/admin/payments/${paymentId}/captures`).set(staff).set('idempotency-key', newId()).send({ amount });
    expect((await capture(12_901).expect(409)).body.reason).toBe('capture_too_large');
    expect((await capture(12_900).expect(200)).body).toMatchObject({ state: 'captured', captured: 12_900 });
    expect((await capture(1).expect(409)).body.reason).toBe('payment_not_capturable');
  });
});
