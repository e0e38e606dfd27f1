import request from 'supertest';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { userContract } from '../../src/modules/user/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { GROUPINGS } from './groupings.ts';

const address = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

describe.concurrent.each(GROUPINGS)('around a purchase, $placement', (grouping) => {
  let shop: TestKerf;
  beforeAll(async () => {
    shop = await startTestKerf(grouping);
  });
  afterAll(() => shop.stop());

  const api = () => request(shop.app);
  const order = (body: object) => api().post('/v1/orders').set('idempotency-key', newId()).send({ shippingAddress: address, email: 'guest@example.com', ...body });
  const refused = async (sent: request.Test) => {
    const { status, body } = await sent;
    return [status, body.reason];
  };

  describe('step by step', { concurrent: false }, () => {
    it('a session goes on by its refresh token, and ends at the logout or when a token is used by another', async ({ expect }) => {
      const account = { email: `${newId()}@example.com`, password: 'a-long-quiet-walk' };
      await shop.kerf.service(userContract).ensureUser({ ...account, name: '한바다', role: 'customer' });
      const login = async () => (await api().post('/v1/auth/login').send(account).expect(200)).body;
      const refresh = (refreshToken: string, device = 'mine') => api().post('/v1/auth/refresh').set('user-agent', device).send({ refreshToken });
      expect(await refused(api().post('/v1/auth/login').send({ ...account, password: 'not-mine' }))).toEqual([401, 'login_failed']);

      const first = await login();
      const { body: second } = await refresh(first.refreshToken).expect(200);
      await api().get('/v1/me').set('authorization', `Bearer ${second.accessToken}`).expect(200);
      await api().post('/v1/auth/logout').send({ refreshToken: second.refreshToken }).expect(204);
      expect(await refused(refresh(second.refreshToken))).toEqual([401, 'refresh_token_invalid']);

      const stolen = await login();
      const { body: mine } = await refresh(stolen.refreshToken).expect(200);
      expect(await refused(refresh(stolen.refreshToken, 'of a thief'))).toEqual([401, 'refresh_token_invalid']);
      expect(await refused(refresh(mine.refreshToken))).toEqual([401, 'refresh_token_invalid']);
    });

    it('staff change prices and stock, and shoppers meet both at once', async ({ expect }) => {
      const { headers: staff } = await shop.as('staff');
      const variantId = await shop.sell({ price: 60_000, stock: 5 });
      const { body: cart } = await api().post('/v1/carts').send({ currency: 'KRW' }).expect(201);
      const { body: filled } = await api().post(`/v1/carts/${cart.id}/items`).send({ variantId, quantity: 2 }).expect(200);
      const { productId } = filled.lines[0];
      const { body: product, headers } = await api().get(`/v1/admin/products/${productId}`).set(staff).expect(200);
      const [{ sku }] = product.variants;
      await api().put(`/v1/admin/products/${productId}/variants/${variantId}`).set(staff).set('if-match', headers['etag']!).send({ sku, prices: { KRW: 70_000 } }).expect(200);
      expect((await api().get(`/v1/carts/${cart.id}`).expect(200)).body.totals.total).toBe(140_000);
      const purchase = { cartId: cart.id, expectedTotal: 140_000, payment: { provider: 'sandbox', token: 'sandbox_ok' } };
      expect(await refused(order({ ...purchase, expectedTotal: 120_000 }))).toEqual([409, 'total_changed']);

      const adjust = (delta: number) =>
        api().post('/v1/admin/inventory/adjustments').set(staff).set('idempotency-key', newId()).send({ adjustments: [{ variantId, kind: 'correction', delta, note: '' }] });
      await adjust(-4).expect(200);
      expect(await refused(order(purchase))).toEqual([409, 'out_of_stock']);
      expect(await refused(adjust(-2))).toEqual([409, 'below_reserved']);
      await adjust(1).expect(200);
      await order(purchase).expect(201);
      await expect.poll(() => shop.level(variantId), { timeout: 5_000 }).toMatchObject({ onHand: 0, reserved: 0 });
    });

    it('a coupon whose limit is reached says so, and takes nothing off', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000 });
      const code = `LAST${newId().slice(-6)}`;
      await shop.promote({ codes: [code], totalLimit: 1 });
      const purchase = { currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes: [code], expectedTotal: 54_000, payment: { provider: 'sandbox', token: 'sandbox_ok' } };
      await order(purchase).expect(201);
      expect(await refused(order(purchase))).toEqual([409, 'coupon_not_applicable']);
      const { body: cart } = await api().post('/v1/carts').send({ currency: 'KRW' }).expect(201);
      await api().post(`/v1/carts/${cart.id}/items`).send({ variantId, quantity: 1 }).expect(200);
      const { body: priced } = await api().post(`/v1/carts/${cart.id}/coupons`).send({ code }).expect(200);
      expect(priced.codes).toEqual([expect.objectContaining({ code, applied: false, reason: 'limit_reached' })]);
      expect(priced.totals.total).toBe(60_000);
    });

    it('an approval that comes after the order has expired takes no money', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000, stock: 1 });
      const { body: waiting } = await order({ currency: 'KRW', lines: [{ variantId, quantity: 1 }], expectedTotal: 60_000, payment: { provider: 'sandbox', token: 'sandbox_action' } }).expect(201);
      shop.clock.ahead += 45 * 60_000;
      const state = async () => (await api().get(`/v1/orders/${waiting.id}`).set('x-order-secret', waiting.secret)).body.state;
      await expect.poll(state, { timeout: 18_000, interval: 200 }).toBe('expired');
      const action = () => request(waiting.nextAction.url);
      await expect.poll(async () => (await action().get('')).text, { timeout: 10_000, interval: 200 }).toContain('is decided');
      expect((await action().post('').send({ approve: true }).expect(200)).body).toEqual({ approved: false });
      expect(await state()).toBe('expired');
      expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
    });
  });
});
