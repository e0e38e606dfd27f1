import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cartRoutes } from '../../../src/modules/order/cart-routes.ts';
import { orderContract } from '../../../src/modules/order/contract.ts';
import { orderAdminRoutes } from '../../../src/modules/order/order-admin-routes.ts';
import { orderRoutes } from '../../../src/modules/order/order-routes.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';
import { ADDRESS, createShop, type Shop } from './support.ts';

let shop: Shop;
let site: Awaited<ReturnType<typeof createTestApp>>;
beforeAll(async () => {
  shop = await createShop();
  const orders = overWire(orderContract, shop.orders);
  site = await createTestApp([...cartRoutes(orders), ...orderRoutes(orders), ...orderAdminRoutes(orders)], shop.context.now);
});
afterAll(async () => {
  await site.close();
  await shop.close();
});

const api = () => request(site.app);
const openCart = async (headers = {}) => (await api().post('/v1/carts').set(headers).send({ currency: 'KRW' }).expect(201)).body as { id: string };
const order = (body: object, key: string = newId()) => api().post('/v1/orders').set('idempotency-key', key).send(body);
const guestOrder = (variantId: string) => ({
  currency: 'KRW', lines: [{ variantId, quantity: 1 }], email: 'mina@example.com', shippingAddress: ADDRESS, payment: { provider: 'sandbox', token: 'sandbox_ok' }, expectedTotal: 60_000,
});

describe('carts', () => {
  it('are filled and emptied by a guest', async () => {
    const variantId = shop.sell({ price: 10_000 });
    await shop.coupon.arrange({ codes: ['WELCOME10'] });
    const { id } = await openCart();
    const filled = await api().post(`/v1/carts/${id}/items`).send({ variantId, quantity: 2 }).expect(200);
    expect(filled.headers['etag']).toBe('"2"');
    const item = `/v1/carts/${id}/items/${filled.body.lines[0].id}`;
    expect((await api().patch(item).send({ quantity: 3 }).expect(200)).body.totals.subtotal).toBe(30_000);
    expect((await api().post(`/v1/carts/${id}/coupons`).send({ code: 'welcome10' }).expect(200)).body.totals.discount).toBe(3_000);
    expect((await api().get(`/v1/carts/${id}`).expect(200)).body).toMatchObject({ codes: [{ applied: true }], totals: { total: 30_000 } });
    expect((await api().delete(`/v1/carts/${id}/coupons/welcome10`).expect(200)).body.codes).toEqual([]);
    expect((await api().delete(item).expect(200)).body.lines).toEqual([]);
    expect((await api().post(`/v1/carts/${id}/coupons`).send({ code: 'NOPE' }).expect(400)).body.reason).toBe('unknown_code');
    expect((await api().patch(item).send({ quantity: 3 }).expect(404)).body.reason).toBe('item_not_found');
    expect((await api().post(`/v1/carts/${id}/items`).send({ variantId: newId() }).expect(409)).body.reason).toBe('item_unavailable');
  });

  it('open and fill once per Idempotency-Key', async () => {
    const variantId = shop.sell();
    const [open, fill] = [newId(), newId()];
    const carts = [];
    for (let repeat = 0; repeat < 2; repeat += 1) carts.push(await api().post('/v1/carts').set('idempotency-key', open).send({ currency: 'KRW' }).expect(201));
    expect(carts[1]!.body.id).toBe(carts[0]!.body.id);
    const items = `/v1/carts/${carts[0]!.body.id}/items`;
    for (let repeat = 0; repeat < 3; repeat += 1) await api().post(items).set('idempotency-key', fill).send({ variantId }).expect(200);
    expect((await api().get(`/v1/carts/${carts[0]!.body.id}`)).body.lines).toMatchObject([{ quantity: 1 }]);
  });

  it('change only at the version named by If-Match', async () => {
    const variantId = shop.sell();
    const { id } = await openCart();
    const add = (tag: string) => api().post(`/v1/carts/${id}/items`).set('if-match', tag).send({ variantId });
    await add('"1"').expect(200);
    expect((await add('"1"').expect(412)).body).toMatchObject({ reason: 'version_mismatch', version: 2 });
    expect((await add('W/"2"').expect(400)).body.reason).toBe('invalid_input');
    await api().delete(`/v1/carts/${id}/coupons/X`).set('if-match', '"1"').expect(412);
  });

  it('of an account are its own, and take over what a guest had', async () => {
    const userId = newId();
    const me = await site.as('customer', userId);
    const other = await site.as('customer');
    const { id: guestCart } = await openCart();
    await api().post(`/v1/carts/${guestCart}/items`).send({ variantId: shop.sell() }).expect(200);
    const { id } = await openCart(me);
    expect((await openCart(me)).id).toBe(id);
    await api().get(`/v1/carts/${id}`).expect(404);
    await api().get(`/v1/carts/${id}`).set(other).expect(404);
    await api().post(`/v1/carts/${guestCart}/merge`).expect(401);
    expect((await api().post(`/v1/carts/${guestCart}/merge`).set(me).expect(200)).body).toMatchObject({ id, customerId: userId, lines: [{ quantity: 1 }] });
    expect((await api().post('/v1/carts').set(me).send({ currency: 'USD' }).expect(409)).body).toMatchObject({ reason: 'currency_mismatch', currency: 'KRW' });
  });
});

describe('orders', () => {
  it('are placed by a guest with one request, and again by the same key', async () => {
    const body = guestOrder(shop.sell());
    const key = newId();
    const placed = await order(body, key).expect(201);
    expect(placed.body).toMatchObject({ state: 'placed', customerId: null, secret: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(placed.headers['idempotent-replayed']).toBeUndefined();
    const again = await order(body, key).expect(201);
    expect(again.body).toEqual(placed.body);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await order({ ...body, email: 'jun@example.com' }, key).expect(422)).body.reason).toBe('idempotency_key_reused');
    expect((await api().post('/v1/orders').send(body).expect(400)).body.reason).toBe('idempotency_key_required');

    const path = `/v1/orders/${placed.body.id}`;
    await api().get(path).expect(404);
    await api().get(path).set('x-order-secret', 'wrong').expect(404);
    const { secret, ...own } = placed.body;
    const read = await api().get(path).set('x-order-secret', secret).expect(200);
    expect(read.body).toEqual(own);
    expect(read.headers['etag']).toBe(`"${own.version}"`);
    expect((await api().post(`${path}/confirm-payment`).set('x-order-secret', secret).expect(200)).body.state).toBe('placed');
    expect((await api().post(`${path}/cancel`).set('x-order-secret', secret).send({}).expect(200)).body.state).toBe('cancelled');
  });

  it('are refused with the status and the facts that help', async () => {
    const variantId = shop.sell({ stock: 1 });
    const body = guestOrder(variantId);
    const refused = async (change: object, status: number, problem: object) => {
      const answer = await order({ ...body, ...change });
      expect([answer.status, answer.body]).toMatchObject([status, problem]);
    };
    await refused({ payment: { provider: 'sandbox', token: 'sandbox_declined' } }, 402, { reason: 'payment_declined', declineReason: 'card_declined' });
    await refused({ expectedTotal: 1 }, 409, { reason: 'total_changed', expected: 1, total: 60_000 });
    await refused({ lines: [{ variantId, quantity: 2 }], expectedTotal: 120_000 }, 409, { reason: 'out_of_stock', lines: [{ variantId, available: 1 }] });
    await refused({ cartId: newId() }, 400, { reason: 'invalid_input' });
    await refused({ addressId: newId() }, 400, { reason: 'invalid_input' });
    await refused({ lines: undefined }, 400, { reason: 'invalid_input' });
    await refused({ expectedTotal: undefined }, 400, { reason: 'invalid_input' });
    await refused({ state: 'placed' }, 400, { reason: 'invalid_input' });
    await refused({ email: undefined }, 400, { reason: 'email_required' });
    await refused({ payment: { provider: 'nobody', token: 'x' } }, 409, { reason: 'unknown_provider' });
  });

  it('meet the strict limit when they come with codes, like a code for a cart', () => {
    const { guarded } = orderRoutes(shop.orders).find(({ operationId }) => operationId === 'placeOrder')!;
    const meets = guarded as (body: object) => boolean;
    expect([meets({ codes: ['GUESS'] }), meets({ codes: [] }), meets({})]).toEqual([true, false, false]);
  });

  it('are refused in the same words by the same key, which is told apart by a header alone', async () => {
    const body = { ...guestOrder(shop.sell()), payment: { provider: 'sandbox', token: 'sandbox_declined' } };
    const key = newId();
    const first = await order(body, key).expect(402);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const again = await order(body, key).expect(402).expect('idempotent-replayed', 'true');
    expect(again.body).toEqual({ ...first.body, traceId: again.body.traceId });
  });

  it('of an account are listed, read and cancelled by it, and by staff', async () => {
    const { id: userId, email } = shop.users.addUser();
    const me = await site.as('customer', userId);
    const other = await site.as('customer');
    const staff = await site.as('staff');
    const { id: cartId } = await openCart(me);
    await api().post(`/v1/carts/${cartId}/items`).set(me).send({ variantId: shop.sell() }).expect(200);
    const { body: placed } = await order({ cartId, shippingAddress: ADDRESS, payment: { provider: 'sandbox', token: 'sandbox_ok' }, expectedTotal: 60_000 }).set(me).expect(201);
    expect(placed).toMatchObject({ customerId: userId, email });

    expect((await api().get('/v1/orders?limit=5').set(me).expect(200)).body.items.map(({ id }: { id: string }) => id)).toEqual([placed.id]);
    expect((await api().get('/v1/orders').set(other).expect(200)).body).toEqual({ items: [], nextCursor: null });
    await api().get('/v1/orders').expect(401);
    await api().get('/v1/orders?cursor=x').set(me).expect(400);
    await api().get(`/v1/orders/${placed.id}`).set(me).expect(200);
    await api().get(`/v1/orders/${placed.id}`).set(other).set('x-order-secret', placed.secret).expect(404);
    await api().get(`/v1/orders/${placed.id}`).set(staff).expect(404);

    expect((await api().get(`/v1/admin/orders?number=${placed.number}`).set(staff).expect(200)).body.items).toMatchObject([{ id: placed.id }]);
    expect((await api().get(`/v1/admin/orders/${placed.id}`).set(staff).expect(200)).body.email).toBe(email);
    await api().get(`/v1/admin/orders/${placed.id}`).set(me).expect(403);
    await api().post(`/v1/admin/orders/${placed.id}/cancel`).set(staff).send({}).expect(400);
    expect((await api().post(`/v1/admin/orders/${placed.id}/complete`).set(staff).expect(200)).body.state).toBe('completed');
    expect((await api().post(`/v1/admin/orders/${placed.id}/cancel`).set(staff).send({ reason: 'no' }).expect(409)).body.reason).toBe('not_cancellable');
    expect((await api().post(`/v1/orders/${placed.id}/cancel`).set(me).send({}).expect(409)).body.reason).toBe('not_cancellable');
  });

  it('are documented with an example that can be sent', async () => {
    const { body } = await api().get('/openapi.json').expect(200);
    const { example } = body.components.schemas.OrderRequest;
    const { status, body: problem } = await order({ ...example, codes: [], lines: [{ variantId: shop.sell({ price: 24_900 }), quantity: 2 }], expectedTotal: 52_800 });
    expect([status, problem.reason]).toEqual([201, null]);
  });
});
