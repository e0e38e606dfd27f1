import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { ADDRESS, createShop, customer, GUEST, lines, outcomes, placement, type PlacementInput, type Shop, STAFF } from './support.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());

const refusal = (reason: string, details?: object) => expect.objectContaining({ reason, ...(details && { details: expect.objectContaining(details) }) });
const times = <T>(count: number, one: (index: number) => T) => Array.from({ length: count }, (_, index) => one(index));
const ofCart = (cartId: string): PlacementInput['source'] => ({ kind: 'cart', cartId });

describe('placing an order', () => {
  it('takes the cart, the stock, the coupon and the money, and tells the others', async () => {
    const variantId = shop.sell({ price: 20_000, stock: 5 });
    await shop.coupon.arrange({ codes: ['TEN'] });
    const { id: userId, email } = shop.users.addUser();
    const viewer = customer(userId);
    const cartId = await shop.openCart(viewer, [variantId, 2]);
    const cart = await shop.orders.addCode({ cartId, viewer, code: 'ten' });
    expect(cart.totals).toEqual({ subtotal: 40_000, discount: 4_000, shipping: 3_000, shippingDiscount: 0, taxIncluded: 3_273 + 273, total: 39_000 });

    const input = placement({ viewer, source: ofCart(cartId), email: 'ignored@example.com', expectedTotal: 39_000 });
    const { order, replayed } = await shop.orders.placeOrder(input);
    expect(replayed).toBe(false);
    expect(order).toMatchObject({
      id: input.orderId, customerId: userId, email, state: 'placed', paymentStatus: 'paid', totals: cart.totals, shippingAddress: ADDRESS,
      lines: [{ variantId, quantity: 2, unitPrice: 20_000, discount: 4_000, total: 36_000, taxIncluded: 3_273 }],
      discounts: [{ name: '10 % off', code: 'TEN', amount: 4_000 }], nextAction: null, reason: null, expiresAt: null,
    });
    expect(order.number).toMatch(/^K-26\d{7}$/);
    expect(order.history.map(({ state, by }) => `${state} by ${by}`)).toEqual(['placing by customer', 'placed by payment']);
    expect(await shop.orders.getOrder({ orderId: order.id, viewer })).toEqual(order);
    expect((await shop.orders.getCart({ cartId, viewer })).state).toBe('ordered');
    expect(shop.context.published.filter(({ data }) => data['orderId'] === order.id)).toMatchObject([{ type: 'order.placed', data: { total: 39_000, lines: [{ variantId, quantity: 2 }] } }]);
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 3, reserved: 0 });
    expect(shop.coupon.redemptionsOf(order.id)).toMatchObject([{ state: 'consumed', amount: 4_000 }]);
    expect(await shop.payments.getPayment({ orderId: order.id })).toMatchObject({ state: 'captured', captured: 39_000 });
  });

  it('works for a guest without a cart, who reads it with its secret and nobody does without', async () => {
    const { order, secret } = await shop.place({ source: lines(shop.sell()) });
    const orderId = order.id;
    expect(await shop.orders.getOrder({ orderId, viewer: { kind: 'guest', secret } })).toEqual(order);
    expect(await shop.orders.getOrder({ orderId, viewer: { ...customer(newId()), secret } as never })).toEqual(order);
    for (const viewer of [GUEST, { kind: 'guest' as const, secret: 'x' }, customer(newId())]) {
      await expect(shop.orders.getOrder({ orderId, viewer })).rejects.toEqual(refusal('not_found'));
      await expect(shop.orders.cancelOrder({ orderId, viewer, reason: '' })).rejects.toEqual(refusal('not_found'));
      await expect(shop.orders.confirmPayment({ orderId, viewer })).rejects.toEqual(refusal('not_found'));
    }
    expect((await shop.rows<{ found: number }>('select count(*)::int as found from orders o where to_jsonb(o)::text like ?', [`%${secret}%`]))[0]!.found).toBe(0);
  });

  it('stores what each line bears of each discount', async () => {
    const [dear, cheap] = [shop.sell({ price: 40_000 }), shop.sell({ price: 10_001 })];
    await shop.coupon.arrange({ codes: ['SHARE'], benefit: { kind: 'fixed', amount: 10_000 } });
    const source = { ...lines(dear, 1, ['SHARE']), lines: [{ variantId: dear, quantity: 1 }, { variantId: cheap, quantity: 3 }] };
    const { order } = await shop.place({ source, expectedTotal: 60_003 });
    const [{ shares }] = (await shop.rows<{ shares: { amount: number }[] }>('select shares from order_discounts where order_id = ?', [order.id])) as [{ shares: { amount: number }[] }];
    expect(shares.reduce((all, { amount }) => all + amount, 0)).toBe(10_000);
    expect(order.lines.map(({ discount }) => discount)).toEqual(shares.map(({ amount }) => amount));
  });

  it('asks for no payment when there is nothing to pay', async () => {
    await shop.coupon.arrange({ codes: ['ALLOFIT'], benefit: { kind: 'percent', basisPoints: 10_000 } });
    const before = shop.calls.length;
    const { order } = await shop.place({ source: lines(shop.sell(), 1, ['ALLOFIT']), expectedTotal: 0 });
    expect(order).toMatchObject({ state: 'placed', paymentStatus: 'none', totals: { total: 0, taxIncluded: 0 } });
    expect(shop.calls.slice(before).filter((call) => call.startsWith('payments'))).toEqual([]);
    expect(await shop.orders.completeOrder({ orderId: order.id, viewer: STAFF })).toMatchObject({ state: 'completed' });
  });

  it('takes an address from the account', async () => {
    const { id: userId } = shop.users.addUser();
    const viewer = customer(userId);
    const { id: addressId } = await shop.users.addAddress({ userId, id: newId(), address: { ...ADDRESS, name: '한바다' }, isDefault: true });
    const change = { viewer, source: lines(shop.sell()), shippingAddress: undefined };
    expect((await shop.place({ ...change, addressId: addressId.toUpperCase() })).order.shippingAddress.name).toBe('한바다');
    await expect(shop.place({ ...change, addressId: newId() })).rejects.toEqual(refusal('not_found'));
  });

  it('waits for a payment that needs the shopper or the provider', async () => {
    const variantId = shop.sell({ stock: 2 });
    const { order } = await shop.place({ source: lines(variantId), token: 'sandbox_action' });
    expect(order).toMatchObject({ state: 'pending', paymentStatus: 'requires_action', nextAction: { kind: 'redirect' }, expiresAt: '2026-03-02T03:30:00.000Z' });
    const late = await shop.place({ source: lines(variantId), token: 'sandbox_late' });
    expect(late.order).toMatchObject({ state: 'pending', paymentStatus: 'pending', nextAction: null });
    expect(await shop.level(variantId)).toMatchObject({ reserved: 2, available: 0 });
  });

  it('spends few statements', async () => {
    const variantId = shop.sell({ price: 20_000 });
    await shop.coupon.arrange({ codes: ['COUNT'] });
    const cartId = await shop.openCart(GUEST, [variantId, 2]);
    await shop.orders.addCode({ cartId, viewer: GUEST, code: 'COUNT' });
    const statements: string[] = [];
    const count = ({ sql }: { sql: string }) => statements.push(sql);
    shop.context.db.on('query', count);
    await shop.place({ source: ofCart(cartId), expectedTotal: 39_000 });
    shop.context.db.removeListener('query', count);
    const own = statements.map((sql) => sql.split(/\s+/)[0]!.replace(';', ''));
    const [before, claim, settle] = own.join(' ').split(/BEGIN/i).map((part) => part.trim().split(' '));
    expect(before).toHaveLength(1);
    expect(claim!.slice(0, claim!.indexOf('COMMIT')).length).toBeLessThanOrEqual(7);
    expect(settle!.slice(0, settle!.indexOf('COMMIT')).length).toBeLessThanOrEqual(3);
  });
});

describe('a placement is refused, leaving nothing behind,', () => {
  it.each([
    ['without an e-mail address', { email: undefined }, 'email_required', undefined],
    ['without an address', { shippingAddress: undefined }, 'address_required', undefined],
    ['with a saved address of a guest', { shippingAddress: undefined, addressId: newId() }, 'address_required', undefined],
    ['when the total is another one', { expectedTotal: 59_999 }, 'total_changed', { expected: 59_999, total: 60_000 }],
    ['with an unknown cart', { source: ofCart(newId()) }, 'not_found', undefined],
    ['with a provider that nobody knows', { payment: { provider: 'nobody', token: 'x' } }, 'unknown_provider', undefined],
    ['with a declined card', { token: 'sandbox_declined' }, 'payment_declined', { declineReason: 'card_declined' }],
  ] as const)('%s', async (_, change, reason, details) => {
    const variantId = shop.sell({ stock: 1 });
    await expect(shop.place({ source: lines(variantId), ...change } as never)).rejects.toEqual(refusal(reason, details));
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
    await expect(shop.place({ source: lines(variantId) })).resolves.toMatchObject({ order: { state: 'placed' } });
  });

  it('when there is not enough, or nothing that could be bought', async () => {
    const variantId = shop.sell({ stock: 1 });
    await expect(shop.place({ source: lines(variantId, 2), expectedTotal: 120_000 })).rejects.toEqual(refusal('out_of_stock', { lines: [{ variantId, requested: 2, available: 1 }] }));
    const gone = newId();
    await expect(shop.place({ source: lines(gone) })).rejects.toEqual(refusal('item_unavailable', { lines: [{ variantId: gone, problem: 'unknown_variant' }] }));
    await expect(shop.place({ source: { ...lines(variantId), currency: 'USD' } })).rejects.toEqual(refusal('item_unavailable', { lines: [{ variantId, problem: 'no_price' }] }));
    await expect(shop.place({ source: { ...lines(variantId), currency: 'EUR' } })).rejects.toEqual(refusal('currency_not_offered'));
    await expect(shop.place({ source: ofCart(await shop.openCart(GUEST)) })).rejects.toEqual(refusal('cart_empty'));
  });

  it('when a code that comes with lines takes nothing off; in a cart it may stay', async () => {
    const variantId = shop.sell();
    await shop.coupon.arrange({ codes: ['BIGSPENDER'], minimumSpend: 1_000_000 });
    await expect(shop.place({ source: lines(variantId, 1, ['BIGSPENDER']) })).rejects.toEqual(
      refusal('coupon_not_applicable', { codes: [expect.objectContaining({ code: 'BIGSPENDER', reason: 'minimum_not_reached' })] }),
    );
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    expect(await shop.orders.addCode({ cartId, viewer: GUEST, code: 'BIGSPENDER' })).toMatchObject({ codes: [{ applied: false }], totals: { total: 60_000 } });
    expect((await shop.place({ source: ofCart(cartId) })).order.discounts).toEqual([]);
  });

  it('when the last use of a coupon goes to somebody else at the last moment', async () => {
    const variantId = shop.sell({ stock: 9 });
    await shop.coupon.arrange({ codes: ['LASTONE'], totalLimit: 1 });
    const placements = times(3, () => shop.place({ source: lines(variantId, 1, ['LASTONE']), expectedTotal: 54_000 }));
    const { placed, reasons } = await outcomes(placements);
    expect({ placed, reasons }).toEqual({ placed: 1, reasons: ['coupon_not_applicable'] });
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 8, reserved: 0 });
  });

  it('and the cart is free again: declined first, it is paid with a new key', async () => {
    const variantId = shop.sell({ stock: 1 });
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const declined = placement({ source: ofCart(cartId), token: 'sandbox_declined' });
    await expect(shop.orders.placeOrder(declined)).rejects.toEqual(refusal('payment_declined', { orderId: declined.orderId, declineReason: 'card_declined' }));
    expect(await shop.orders.getCart({ cartId, viewer: GUEST })).toMatchObject({ state: 'active', lines: [{ variantId }], problems: [] });
    expect(await shop.order(declined.orderId)).toMatchObject({ state: 'refused', reason: 'payment_declined', paymentStatus: 'none' });
    expect(shop.context.enqueued).toEqual([]);
    const { order } = await shop.place({ source: ofCart(cartId) });
    expect(order).toMatchObject({ state: 'placed' });
    await expect(shop.orders.placeOrder(declined)).rejects.toEqual(refusal('payment_declined', { orderId: declined.orderId }));
  });
});

describe('the same key', () => {
  it('answers the same order, as it stands', async () => {
    const input = placement({ source: lines(shop.sell()) });
    const first = await shop.orders.placeOrder(input);
    const again = await shop.orders.placeOrder({ ...input, orderId: newId() });
    expect(again).toEqual({ ...first, replayed: true });
    await shop.orders.cancelOrder({ orderId: first.order.id, viewer: STAFF, reason: 'no' });
    expect(await shop.orders.placeOrder(input)).toMatchObject({ replayed: true, order: { id: first.order.id, state: 'cancelled' } });
  });

  it('answers the same order even when prices, stock and everything else are gone', async () => {
    const input = placement({ source: lines(shop.sell()) });
    const { order } = await shop.orders.placeOrder(input);
    void shop.break('catalog.priceVariants', 'fails before');
    expect(await shop.orders.placeOrder(input)).toMatchObject({ replayed: true, order: { id: order.id } });
    shop.repair();
  });

  it('answers the same refusal', async () => {
    const variantId = shop.sell({ stock: 0 });
    const input = placement({ source: lines(variantId) });
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('out_of_stock'));
    shop.inventory.arrange(variantId, 5);
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('out_of_stock', { lines: [{ variantId, requested: 1, available: 0 }] }));
  });

  it('may be used again after a refusal before anything was done', async () => {
    const input = placement({ source: lines(shop.sell()), expectedTotal: 1 });
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('total_changed'));
    await expect(shop.orders.placeOrder({ ...input, expectedTotal: 60_000 })).resolves.toMatchObject({ replayed: false });
  });

  it('is refused for another body, and is another key for another account', async () => {
    const input = placement({ source: lines(shop.sell()) });
    const { order } = await shop.orders.placeOrder(input);
    await expect(shop.orders.placeOrder({ ...input, idempotency: { ...input.idempotency, fingerprint: 'another body' } })).rejects.toEqual(refusal('idempotency_key_reused'));
    const other = { ...input, orderId: newId(), idempotency: { ...input.idempotency, scope: 'user:jun' } };
    expect((await shop.orders.placeOrder(other)).order.id).not.toBe(order.id);
  });

  it('fifty times at once is one order; the others are answered with it or told to wait', async () => {
    const variantId = shop.sell({ stock: 60 });
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const key = newId();
    const { orders, reasons } = await outcomes(times(50, () => shop.place({ key, source: ofCart(cartId) })));
    expect(orders).toHaveLength(1);
    expect(['idempotency_key_in_use', undefined]).toContain(reasons[0]);
    expect(reasons.length).toBeLessThanOrEqual(1);
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 59, reserved: 0 });
    expect((await shop.payments.listPayments({ orderId: orders[0]!, limit: 10 })).items).toHaveLength(1);
  });
});

describe('one cart', () => {
  it('makes one order, however many tabs order it at once', async () => {
    const variantId = shop.sell({ stock: 60 });
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const tabs = times(20, () => placement({ source: ofCart(cartId) }));
    const { orders, reasons } = await outcomes(tabs.map((tab) => shop.orders.placeOrder(tab)));
    expect(orders).toHaveLength(1);
    expect(reasons.filter((reason) => reason !== 'order_being_placed')).toEqual([]);
    expect(await shop.rows('select state from orders where cart_id = ?', [cartId])).toEqual([{ state: 'placed' }]);
    for (const tab of tabs) expect((await shop.orders.placeOrder(tab)).order.id).toBe(orders[0]);
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 59, reserved: 0 });
  });

  it('shows its order to nobody but the shopper who placed it', async () => {
    const cartId = await shop.openCart(GUEST, [shop.sell(), 1]);
    const { order } = await shop.place({ source: ofCart(cartId) });
    expect(await shop.place({ source: ofCart(cartId), email: 'MINA@example.com' })).toMatchObject({ replayed: true, order: { id: order.id } });
    await expect(shop.place({ source: ofCart(cartId), email: 'jun@example.com' })).rejects.toEqual(refusal('cart_not_active'));

    const known = await shop.openCart(GUEST, [shop.sell(), 1]);
    await shop.orders.setEmail({ cartId: known, viewer: GUEST, email: 'mina@example.com' });
    await shop.place({ source: ofCart(known) });
    expect(JSON.stringify(await shop.orders.getCart({ cartId: known, viewer: GUEST }))).not.toContain('mina@example.com');
    await expect(shop.place({ source: ofCart(known), email: undefined })).rejects.toEqual(refusal('cart_not_active'));

    const { id: userId } = shop.users.addUser();
    const guestCart = await shop.openCart(GUEST, [shop.sell(), 1]);
    await shop.place({ source: ofCart(guestCart), viewer: customer(userId) });
    await expect(shop.place({ source: ofCart(guestCart) })).rejects.toEqual(refusal('cart_not_active'));
    await expect(shop.place({ source: ofCart(guestCart), viewer: customer(userId) })).resolves.toMatchObject({ replayed: true });
  });

  it("of a customer is ordered by nobody else, and stays ordered when its order is cancelled", async () => {
    const viewer = customer(shop.users.addUser().id);
    const cartId = await shop.openCart(viewer, [shop.sell(), 1]);
    await expect(shop.place({ source: ofCart(cartId) })).rejects.toEqual(refusal('not_found'));
    await expect(shop.place({ source: ofCart(cartId), viewer: customer(newId()) })).rejects.toEqual(refusal('not_found'));
    const { order } = await shop.place({ source: ofCart(cartId), viewer });
    await shop.orders.cancelOrder({ orderId: order.id, viewer, reason: '' });
    await expect(shop.place({ source: ofCart(cartId), viewer })).rejects.toEqual(refusal('cart_not_active'));
  });

  it('is priced again when it is changed while it is being ordered', async () => {
    const variantId = shop.sell({ stock: 100 });
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const priced = shop.coupon.quote;
    let changes = 0;
    shop.coupon.quote = async (basket) => {
      if (basket.email && changes === 0) {
        changes += 1;
        await shop.orders.addItem({ cartId, viewer: GUEST, operationId: newId(), variantId, quantity: 1 });
      }
      return priced(basket);
    };
    await expect(shop.place({ source: ofCart(cartId) })).rejects.toEqual(refusal('total_changed', { expected: 60_000, total: 120_000 }));
    changes = 0;
    expect((await shop.place({ source: ofCart(cartId), expectedTotal: 180_000 })).order.lines).toMatchObject([{ quantity: 3 }]);
    shop.coupon.quote = priced;
  });
});
