import request from 'supertest';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { calls } from '../../src/calls.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { transaction } from '../../src/shared/database.ts';
import { newId } from '../../src/shared/ids.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { GROUPINGS } from './groupings.ts';

const address = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const payment = (token = 'sandbox_ok') => ({ provider: 'sandbox', token });

describe.concurrent.each(GROUPINGS)('a purchase, $placement', (grouping) => {
  let shop: TestKerf;
  beforeAll(async () => {
    shop = await startTestKerf(grouping);
  });
  afterAll(() => shop.stop());

  const api = () => request(shop.app);
  const order = (body: object, key = newId()) => api().post('/v1/orders').set('idempotency-key', key).send(body);
  const lines = (variantId: string, quantity = 1) => ({ currency: 'KRW', lines: [{ variantId, quantity }], codes: [], email: 'guest@example.com', shippingAddress: address });
  const used = async (code: string, staff: { authorization: string }) =>
    (await api().get(`/v1/admin/promotions?code=${code}`).set(staff).expect(200)).body.items[0].used as number;

  describe('step by step', { concurrent: false }, () => {
    it('goes from registration to a paid order, with a coupon and a declined card on the way', async ({ expect }) => {
      const variantId = await shop.sell({ price: 20_000, stock: 5 });
      const code = `WELCOME${newId().slice(-6)}`;
      await shop.promote({ codes: [code], perCustomerLimit: 1 });
      const account = { email: `${newId()}@example.com`, password: 'a-long-quiet-walk' };
      await api().post('/v1/auth/register').send({ ...account, name: '한바다' }).expect(202);
      await expect.poll(() => shop.mails.some(({ to }) => to === account.email)).toBe(true);
      const { text } = shop.mails.find(({ to }) => to === account.email)!;
      const token = /"token":\s*"([^"]+)"/.exec(text)?.[1] ?? /[\w-]{43}/.exec(text)?.[0];
      await api().post('/v1/auth/verify').send({ token }).expect((answer) => expect(answer.status).toBeLessThan(300));
      const { body: session } = await api().post('/v1/auth/login').send(account).expect(200);
      const me = { authorization: `Bearer ${session.accessToken}` };
      expect((await api().get('/v1/me').set(me).expect(200)).body).toMatchObject({ email: account.email, emailVerified: true });

      const { body: cart } = await api().post('/v1/carts').set(me).send({ currency: 'KRW' }).expect(201);
      await api().post(`/v1/carts/${cart.id}/items`).set(me).send({ variantId, quantity: 2 }).expect((answer) => expect(answer.status).toBeLessThan(300));
      const { body: priced } = await api().post(`/v1/carts/${cart.id}/coupons`).set(me).send({ code: code.toLowerCase() });
      expect(priced.totals).toEqual({ subtotal: 40_000, discount: 4_000, shipping: 3_000, shippingDiscount: 0, taxIncluded: expect.any(Number), total: 39_000 });

      const body = { cartId: cart.id, shippingAddress: address, expectedTotal: 39_000 };
      const declined = await order({ ...body, payment: payment('sandbox_declined') }).set(me).expect(402);
      expect(declined.body.reason).toBe('payment_declined');
      expect(await shop.level(variantId)).toMatchObject({ onHand: 5, reserved: 0 });

      const { body: placed } = await order({ ...body, payment: payment() }).set(me).expect(201);
      expect(placed).toMatchObject({ state: 'placed', paymentStatus: 'paid', totals: { total: 39_000 } });
      await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 3, reserved: 0 });
      expect((await api().get('/v1/orders').set(me).expect(200)).body.items.map(({ id }: { id: string }) => id)).toEqual([placed.id]);
      const other = await shop.as('customer');
      expect((await api().get(`/v1/orders/${placed.id}`).set(other.headers).expect(404)).body.reason).toBe('not_found');
      const staff = await shop.as('staff');
      await expect.poll(() => used(code, staff.headers)).toBe(1);
    });

    it('works in one request for a guest, who reads it with its secret', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000 });
      const { body: placed } = await order({ ...lines(variantId), expectedTotal: 60_000, payment: payment() }).expect(201);
      expect(placed).toMatchObject({ state: 'placed', email: 'guest@example.com', customerId: null });
      await api().get(`/v1/orders/${placed.id}`).expect(404);
      await api().get(`/v1/orders/${placed.id}`).set('x-order-secret', 'wrong').expect(404);
      expect((await api().get(`/v1/orders/${placed.id}`).set('x-order-secret', placed.secret).expect(200)).body.number).toBe(placed.number);
    });

    it('is undone by cancelling: stock, coupon and money come back', async ({ expect }) => {
      const variantId = await shop.sell({ price: 30_000, stock: 4 });
      const code = `BACK${newId().slice(-6)}`;
      await shop.promote({ codes: [code], totalLimit: 5 });
      const staff = await shop.as('staff');
      const { body: placed } = await order({ ...lines(variantId, 2), codes: [code], expectedTotal: 54_000, payment: payment() }).expect(201);
      await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 2 });
      await expect.poll(() => used(code, staff.headers)).toBe(1);
      await api().post(`/v1/orders/${placed.id}/cancel`).set('x-order-secret', placed.secret).send({ reason: 'no' }).expect(200);
      await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 4, reserved: 0 });
      await expect.poll(() => used(code, staff.headers)).toBe(0);
      await expect
        .poll(async () => (await api().get(`/v1/orders/${placed.id}`).set('x-order-secret', placed.secret)).body.paymentStatus, { timeout: 10_000 })
        .toBe('refunded');
    });

    it('waits for a shopper who must do something first, and goes on when that is done', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000, stock: 1 });
      const { body: waiting } = await order({ ...lines(variantId), expectedTotal: 60_000, payment: payment('sandbox_action') }).expect(201);
      expect(waiting).toMatchObject({ state: 'pending', paymentStatus: 'requires_action', nextAction: { kind: 'redirect' } });
      expect(await shop.level(variantId)).toMatchObject({ reserved: 1, available: 0 });
      await request(waiting.nextAction.url).get('').expect(200).expect('content-type', /html/);
      await request(waiting.nextAction.url).post('').send({ approve: true }).expect(200);
      const read = () => api().get(`/v1/orders/${waiting.id}`).set('x-order-secret', waiting.secret);
      await expect.poll(async () => (await read()).body.state, { timeout: 15_000 }).toBe('placed');
      await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 0, reserved: 0 });
    });

    it.for([
      { token: 'sandbox_late', state: 'placed', left: 0 },
      { token: 'sandbox_late_decline', state: 'refused', left: 1 },
      { token: 'sandbox_timeout', state: 'placed', left: 0 },
    ])('ends as $state when the provider answers by $token', async ({ token, state, left }, { expect }) => {
      const variantId = await shop.sell({ price: 60_000, stock: 1 });
      const { body } = await order({ ...lines(variantId), expectedTotal: 60_000, payment: payment(token) }).expect(201);
      const read = () => api().get(`/v1/orders/${body.id}`).set('x-order-secret', body.secret);
      await expect.poll(async () => (await read()).body.state, { timeout: 18_000, interval: 100 }).toBe(state);
      await expect.poll(() => shop.level(variantId), { timeout: 5_000 }).toMatchObject({ onHand: left, reserved: 0 });
    });

    it('refuses with a reason and leaves nothing behind', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000, stock: 1 });
      const body = { ...lines(variantId), expectedTotal: 60_000, payment: payment() };
      const refusal = async (change: object, status: number, reason: string) => {
        const answer = await order({ ...body, ...change });
        expect([answer.status, answer.body.reason]).toEqual([status, reason]);
      };
      await refusal({ expectedTotal: 59_999 }, 409, 'total_changed');
      await refusal({ lines: [{ variantId, quantity: 2 }], expectedTotal: 120_000 }, 409, 'out_of_stock');
      await refusal({ lines: [{ variantId: newId(), quantity: 1 }] }, 409, 'item_unavailable');
      await refusal({ codes: ['NO-SUCH-CODE'] }, 409, 'coupon_not_applicable');
      await refusal({ payment: { provider: 'nobody', token: 'x' } }, 409, 'unknown_provider');
      await refusal({ email: undefined }, 400, 'email_required');
      await refusal({ shippingAddress: undefined }, 400, 'address_required');
      await refusal({ lines: [] }, 400, 'invalid_input');
      await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
      await order(body).expect(201);
    });

    it('expires when nobody pays in time, and the goods can be bought again', async ({ expect }) => {
      const variantId = await shop.sell({ price: 60_000, stock: 1 });
      const body = { ...lines(variantId), expectedTotal: 60_000 };
      const { body: waiting } = await order({ ...body, payment: payment('sandbox_action') }).expect(201);
      shop.clock.ahead += 45 * 60_000;
      const read = () => api().get(`/v1/orders/${waiting.id}`).set('x-order-secret', waiting.secret);
      await expect.poll(async () => (await read()).body.state, { timeout: 18_000, interval: 200 }).toBe('expired');
      await expect.poll(() => shop.level(variantId), { timeout: 5_000 }).toMatchObject({ onHand: 1, reserved: 0 });
      await order({ ...body, payment: payment() }).expect(201);
    });

    describe('at the same time', () => {
      it('two tabs with one cart make one order', async ({ expect }) => {
        const variantId = await shop.sell({ price: 60_000, stock: 10 });
        const me = await shop.as('customer');
        const { body: cart } = await api().post('/v1/carts').set(me.headers).send({ currency: 'KRW' }).expect(201);
        await api().post(`/v1/carts/${cart.id}/items`).set(me.headers).send({ variantId, quantity: 1 });
        const body = { cartId: cart.id, shippingAddress: address, expectedTotal: 60_000, payment: payment() };
        const answers = await Promise.all(Array.from({ length: 8 }, () => order(body).set(me.headers)));
        expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
        expect(new Set(answers.filter(({ status }) => status === 201).map((answer) => answer.body.id)).size).toBe(1);
        expect((await api().get('/v1/orders').set(me.headers)).body.items).toHaveLength(1);
        await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 9, reserved: 0 });
      });

      it('the last unit goes to exactly one buyer', async ({ expect }) => {
        const variantId = await shop.sell({ price: 60_000, stock: 1 });
        const body = { ...lines(variantId), expectedTotal: 60_000, payment: payment() };
        const answers = await Promise.all(Array.from({ length: 12 }, () => order(body)));
        expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array.from({ length: 11 }, () => 409)]);
        await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 0, reserved: 0 });
      });

      it('a coupon of one use goes to exactly one order', async ({ expect }) => {
        const variantId = await shop.sell({ price: 60_000, stock: 50 });
        const code = `ONCE${newId().slice(-6)}`;
        await shop.promote({ codes: [code], totalLimit: 1 });
        const body = { ...lines(variantId), codes: [code], expectedTotal: 54_000, payment: payment() };
        const answers = await Promise.all(Array.from({ length: 12 }, () => order(body)));
        expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
        expect(answers.filter(({ status }) => status !== 201).every(({ body: { reason } }) => ['coupon_not_applicable', 'total_changed'].includes(reason))).toBe(true);
        await expect.poll(() => shop.level(variantId), { timeout: 10_000 }).toMatchObject({ onHand: 49, reserved: 0 });
      });

      it('parallel adds to one cart lose nothing', async ({ expect }) => {
        const variantId = await shop.sell({ stock: 100 });
        const { body: cart } = await api().post('/v1/carts').send({ currency: 'KRW' }).expect(201);
        await Promise.all(Array.from({ length: 20 }, () => api().post(`/v1/carts/${cart.id}/items`).send({ variantId, quantity: 1 })));
        const { body } = await api().get(`/v1/carts/${cart.id}`).expect(200);
        expect(body.lines).toMatchObject([{ quantity: 20 }]);
      });

      it('the same key fifty times is one order', async ({ expect }) => {
        const variantId = await shop.sell({ price: 60_000, stock: 60 });
        const body = { ...lines(variantId), expectedTotal: 60_000, payment: payment() };
        const key = newId();
        const answers = await Promise.all(Array.from({ length: 50 }, () => order(body, key)));
        const placed = answers.filter(({ status }) => status === 201);
        expect(placed.length).toBeGreaterThan(0);
        expect(new Set(placed.map((answer) => answer.body.id)).size).toBe(1);
        expect(answers.filter(({ status }) => ![201, 409].includes(status))).toEqual([]);
        const again = await order(body, key).expect(201).expect('idempotent-replayed', 'true');
        expect(again.body).toEqual({ ...placed[0]!.body, ...again.body });
        expect((await order({ ...body, email: 'other@example.com' }, key).expect(422)).body.reason).toBe('idempotency_key_reused');
        await expect.poll(() => shop.level(variantId)).toMatchObject({ onHand: 59, reserved: 0 });
      });
    });

    it('crosses its boundaries by agreed calls and declared events alone', ({ expect }) => {
      const { calls: called, events, foreignStatements } = shop.observed();
      const edges = new Set(called.filter(({ from }) => from !== 'edge').map(({ from, to }) => `${from} → ${to}`));
      expect([...edges].toSorted()).toEqual(Object.entries(calls).flatMap(([from, callees]) => callees.map((to) => `${from} → ${to}`)).toSorted());
      expect(events).toContainEqual({ type: 'order.placed', from: 'order', to: 'coupon', count: expect.any(Number) });
      expect(foreignStatements).toEqual([]);
    });

    it('refuses a call to a module from inside a transaction', async ({ expect }) => {
      const held = transaction(shop.databases.get('order')!, () => shop.kerf.service(couponContract).listPromotions({ limit: 1 }));
      await expect(held).rejects.toThrow('edge called coupon.listPromotions inside a transaction');
    });
  });
});
