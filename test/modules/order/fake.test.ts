import { describe, expect, it } from 'vitest';
import { orderContract } from '../../../src/modules/order/contract.ts';
import { createFakeOrders } from '../../../src/modules/order/fake.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { customer, GUEST, lines, placement, STAFF } from './support.ts';

const refusal = (reason: string) => expect.objectContaining({ reason });

/** The fake keeps the promises of the contract that callers lean on. */
describe('the fake of order', () => {
  const open = () => {
    const fake = createFakeOrders();
    const variantId = newId();
    fake.offer(variantId, 60_000);
    return { fake, variantId, orders: overWire(orderContract, fake) };
  };

  it('fills, merges and orders carts', async () => {
    const { fake, orders, variantId } = open();
    fake.know('TEN');
    const customerId = newId();
    const viewer = customer(customerId);
    const [own, guest] = [newId(), newId()];
    await orders.createCart({ cartId: own, viewer, currency: 'KRW' });
    expect((await orders.createCart({ cartId: newId(), viewer, currency: 'KRW' })).id).toBe(own);
    expect(await orders.createCart({ cartId: newId(), viewer, currency: 'USD' })).toMatchObject({ id: own, currency: 'USD' });
    expect(await orders.createCart({ cartId: newId(), viewer, currency: 'KRW' })).toMatchObject({ id: own, currency: 'KRW' });
    await orders.createCart({ cartId: guest, viewer: GUEST, currency: 'KRW' });
    const operationId = newId();
    for (const _ of [1, 2]) await orders.addItem({ cartId: guest, viewer: GUEST, operationId, variantId, quantity: 1, version: 1 });
    await orders.addCode({ cartId: guest, viewer: GUEST, code: 'ten' });
    await expect(orders.addCode({ cartId: guest, viewer: GUEST, code: 'NOPE' })).rejects.toEqual(refusal('unknown_code'));
    for (const _ of [1, 2]) expect(await orders.mergeCart({ cartId: guest, customerId })).toMatchObject({ id: own, lines: [{ quantity: 1 }], codes: [{ applied: false }] });
    await expect(orders.createCart({ cartId: newId(), viewer, currency: 'USD' })).rejects.toEqual(refusal('currency_mismatch'));
    await expect(orders.getCart({ cartId: own, viewer: GUEST })).rejects.toEqual(refusal('not_found'));
    const source = { kind: 'cart' as const, cartId: own };
    await expect(orders.placeOrder(placement({ viewer, source, token: 'sandbox_declined' }))).rejects.toEqual(refusal('payment_declined'));
    const { order } = await orders.placeOrder(placement({ viewer, source }));
    expect(await orders.placeOrder(placement({ viewer, source }))).toMatchObject({ replayed: true, order: { id: order.id } });
    await expect(orders.addItem({ cartId: own, viewer, operationId: newId(), variantId, quantity: 1 })).rejects.toEqual(refusal('cart_not_active'));
    expect((await orders.listOrders({ viewer, limit: 10 })).items).toMatchObject([{ id: order.id }]);
    expect((await orders.listOrders({ viewer: STAFF, state: 'refused', limit: 10 })).items).toHaveLength(1);
  });

  it('places, refuses, settles, cancels and completes', async () => {
    const { fake, orders, variantId } = open();
    const input = placement({ source: lines(variantId) });
    const { order, secret } = await orders.placeOrder(input);
    expect(order).toMatchObject({ state: 'placed', paymentStatus: 'paid' });
    expect(await orders.placeOrder(input)).toEqual({ order, secret, replayed: true });
    await expect(orders.placeOrder({ ...input, idempotency: { ...input.idempotency, fingerprint: 'x' } })).rejects.toEqual(refusal('idempotency_key_reused'));
    await expect(orders.placeOrder(placement({ source: lines(variantId), expectedTotal: 1 }))).rejects.toEqual(refusal('total_changed'));
    await expect(orders.placeOrder(placement({ source: lines(newId()) }))).rejects.toEqual(refusal('item_unavailable'));
    await expect(orders.getOrder({ orderId: order.id, viewer: GUEST })).rejects.toEqual(refusal('not_found'));
    const viewer = { kind: 'guest' as const, secret };
    const cancelled = await orders.cancelOrder({ orderId: order.id, viewer, reason: 'no' });
    expect(await orders.cancelOrder({ orderId: order.id, viewer, reason: 'no' })).toEqual(cancelled);

    const { order: waiting } = await orders.placeOrder(placement({ source: lines(variantId), token: 'sandbox_action' }));
    expect(waiting).toMatchObject({ state: 'pending', nextAction: { kind: 'redirect' } });
    fake.decide(waiting.id);
    expect(await orders.completeOrder({ orderId: waiting.id, viewer: STAFF })).toMatchObject({ state: 'completed' });
    expect(fake.published.map(({ type }) => type)).toEqual(['order.placed', 'order.cancelled', 'order.placed']);
  });
});
