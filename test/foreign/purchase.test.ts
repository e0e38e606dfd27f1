import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { type CouponProcess, startCoupon } from './coupon-process.ts';

const address = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

describe('a shop whose coupons are kept by the module in Python', () => {
  let python: CouponProcess;
  let shop: TestKerf;
  let staff: { authorization: string };
  beforeAll(async () => {
    python = await startCoupon();
    shop = await startTestKerf({ elsewhere: { coupon: python.address } });
    staff = (await shop.as('staff')).headers;
  });
  afterAll(async () => {
    await shop.stop();
    await python.stop();
  });

  const api = () => request(shop.app);

  /** Half off an order, as staff put it up. */
  async function offer(more: object = {}): Promise<{ id: string; code: string }> {
    const code = `HALF${newId().slice(-8)}`;
    const draft = { name: '반값', class: 'order', benefit: { kind: 'percent', basisPoints: 5_000 }, currency: 'KRW', codes: [code], ...more };
    const { body } = await api().post('/v1/admin/promotions').set(staff).set('idempotency-key', newId()).send(draft).expect(201);
    return { id: body.id as string, code };
  }
  const used = async (code: string) => (await api().get(`/v1/admin/promotions?code=${code}`).set(staff).expect(200)).body.items[0].used as number;

  /** A guest's cart of goods for 60,000 won, with the code entered in small letters. */
  async function cartWith(code: string) {
    const variantId = await shop.sell({ price: 60_000 });
    const { body: cart } = await api().post('/v1/carts').send({ currency: 'KRW' }).expect(201);
    await api().post(`/v1/carts/${cart.id}/items`).send({ variantId, quantity: 1 }).expect((answer) => expect(answer.status).toBeLessThan(300));
    const { body } = await api().post(`/v1/carts/${cart.id}/coupons`).send({ code: code.toLowerCase() });
    return body as { id: string; totals: { total: number; discount: number }; codes: { applied: boolean; reason: string | null }[] };
  }
  const buy = (cartId: string, expectedTotal: number, email = 'guest@example.com') =>
    api()
      .post('/v1/orders')
      .set('idempotency-key', newId())
      .send({ cartId, email, shippingAddress: address, expectedTotal, payment: { provider: 'sandbox', token: 'sandbox_ok' } });

  async function stateOf(orderId: string): Promise<string | undefined> {
    const { items } = await shop.kerf.service(couponContract).audit({ from: orderId, limit: 1 });
    return items.find((facts) => facts.orderId === orderId)?.redemptions[0]?.state;
  }

  it('sells with a discount, counts its use, and gives it back when the order is cancelled', async () => {
    const { code } = await offer({ totalLimit: 1 });
    const cart = await cartWith(code);
    expect(cart.totals).toMatchObject({ discount: 30_000, total: 30_000 });
    expect(cart.codes).toMatchObject([{ applied: true }]);
    const { body: placed } = await buy(cart.id, 30_000).expect(201);
    expect(placed).toMatchObject({ state: 'placed', paymentStatus: 'paid', totals: { total: 30_000 } });
    await expect.poll(() => stateOf(placed.id)).toBe('consumed');

    const late = await cartWith(code);
    expect(late.codes).toMatchObject([{ applied: false, reason: 'limit_reached' }]);
    expect((await buy(late.id, 30_000).expect(409)).body.reason).toBe('total_changed');

    await api().post(`/v1/orders/${placed.id}/cancel`).set('x-order-secret', placed.secret).send({ reason: 'no' }).expect(200);
    await expect.poll(() => stateOf(placed.id)).toBe('returned');
    await buy(late.id, 30_000, 'other@example.com').expect(201);
    await expect.poll(() => used(code)).toBe(1);
  });

  it('answers staff with the reasons of the contract', async () => {
    const { id, code } = await offer();
    const draft = { name: 'Again', class: 'order', benefit: { kind: 'fixed', amount: 1 }, currency: 'KRW', codes: [code.toLowerCase()] };
    const create = (body: object) => api().post('/v1/admin/promotions').set(staff).set('idempotency-key', newId()).send(body);
    expect((await create(draft).expect(409)).body).toMatchObject({ reason: 'code_taken', codes: [code.toLowerCase()] });
    expect((await create({ ...draft, codes: [], currency: null }).expect(400)).body.reason).toBe('promotion_inconsistent');
    expect((await api().get(`/v1/admin/promotions/${newId()}`).set(staff).expect(404)).body.reason).toBe('not_found');
    expect((await api().get(`/v1/admin/promotions/${id}`).set(staff).expect(200)).headers['etag']).toBe('"1"');
  });

  it('loses nothing when the process is killed, and hears of the order as soon as it is back', async () => {
    const { id, code } = await offer({ totalLimit: 1 });
    const cart = await cartWith(code);
    const { body: placed } = await buy(cart.id, 30_000).expect(201);
    await python.crash();
    await expect.poll(() => stateOf(placed.id), { timeout: 15_000 }).toBe('consumed');
    expect(await shop.kerf.service(couponContract).getPromotion({ id })).toMatchObject({ codes: [code], used: 1, totalLimit: 1 });
    expect((await cartWith(code)).codes).toMatchObject([{ applied: false, reason: 'limit_reached' }]);
  });

  it('never grants more than a limit, although the process is killed while many ask and ask again', async () => {
    const coupon = shop.kerf.service(couponContract);
    const { id, code } = await offer({ totalLimit: 5 });
    const basket = {
      customerId: null, email: null, currency: 'KRW' as const, shipping: 0, codes: [code],
      lines: [{ lineId: 'L1', productId: newId(), categoryIds: [], quantity: 1, unitPrice: 10_000 }],
    };
    const { discounts } = await coupon.quote(basket);
    const expiresAt = new Date(Date.now() + 600_000).toISOString();
    const attempt = (orderId: string): Promise<string> =>
      coupon.reserve({ orderId, basket, discounts, expiresAt }).then(() => 'reserved', ({ reason }: { reason: string }) => reason);
    const ask = (orderId: string) =>
      vi.waitUntil(async () => {
        const outcome = await attempt(orderId);
        return outcome !== 'unavailable' && outcome;
      }, { timeout: 15_000 });
    const asking = Promise.all(Array.from({ length: 30 }, () => ask(newId())));
    await python.crash();
    const outcomes = await asking;
    expect(outcomes.filter((outcome) => outcome === 'reserved')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'discount_changed')).toHaveLength(25);
    expect((await coupon.getPromotion({ id })).used).toBe(5);
  });
});
