import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createShop, customer, GUEST, placement, type PlacementInput, type Shop } from './support.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());

const refusal = (reason: string) => expect.objectContaining({ reason });
const add = (cartId: string, variantId: string, change: object = {}) => shop.orders.addItem({ cartId, viewer: GUEST, operationId: newId(), variantId, quantity: 1, ...change });
const times = <T>(count: number, one: (index: number) => T) => Array.from({ length: count }, (_, index) => one(index));

describe('a cart', () => {
  it('is opened once under its id, and a customer has one', async () => {
    const cartId = newId();
    const cart = await shop.orders.createCart({ cartId, viewer: GUEST, currency: 'KRW' });
    expect(cart).toMatchObject({ id: cartId, customerId: null, state: 'active', version: 1, lines: [], problems: [], totals: { total: 0, shipping: 0 } });
    expect(await shop.orders.createCart({ cartId, viewer: GUEST, currency: 'KRW' })).toEqual(cart);
    const viewer = customer(newId());
    const opened = await Promise.all(times(8, () => shop.orders.createCart({ cartId: newId(), viewer, currency: 'KRW' })));
    expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
    await expect(shop.orders.createCart({ cartId: opened[0]!.id, viewer: GUEST, currency: 'KRW' })).rejects.toEqual(refusal('not_found'));
    await expect(shop.orders.createCart({ cartId: newId(), viewer: GUEST, currency: 'EUR' })).rejects.toEqual(refusal('currency_not_offered'));
  });

  it('of a customer changes its currency while it is empty, and not any more after that', async () => {
    const viewer = customer(newId());
    const open = (currency: 'KRW' | 'USD') => shop.orders.createCart({ cartId: newId(), viewer, currency });
    const { id: cartId } = await open('KRW');
    const again = () => shop.orders.createCart({ cartId, viewer, currency: 'KRW' });
    expect(await open('USD')).toMatchObject({ id: cartId, currency: 'USD', version: 2 });
    const filled = await add(cartId, shop.sell({ prices: { USD: 990 } }), { viewer });
    expect(filled).toMatchObject({ currency: 'USD', totals: { shipping: 800, total: 1_790 } });
    await expect(open('KRW')).rejects.toMatchObject({ code: 'conflict', reason: 'currency_mismatch', details: { currency: 'USD' } });
    expect([await open('USD'), await again()]).toEqual([filled, filled]);
    await shop.orders.setItemQuantity({ cartId, viewer, itemId: filled.lines[0]!.id, quantity: 0 });
    expect(await Promise.all(times(4, () => open('KRW')))).toMatchObject(times(4, () => ({ id: cartId, currency: 'KRW', version: 5 })));
  });

  it('shows what it costs now, in its currency', async () => {
    const variantId = shop.sell({ prices: { KRW: 12_900, USD: 990 } });
    const { id: cartId } = await shop.orders.createCart({ cartId: newId(), viewer: GUEST, currency: 'USD' });
    const cart = await add(cartId, variantId.toUpperCase(), { quantity: 3 });
    expect(cart).toMatchObject({ version: 2, lines: [{ variantId, quantity: 3, unitPrice: 990, total: 2_970, taxIncluded: 0 }], totals: { subtotal: 2_970, shipping: 800, total: 3_770 } });
    const dear = await shop.orders.setItemQuantity({ cartId, viewer: GUEST, itemId: cart.lines[0]!.id.toUpperCase(), quantity: 9 });
    expect(dear.totals).toMatchObject({ subtotal: 8_910, shipping: 0, total: 8_910 });
    expect(await shop.orders.getCart({ cartId: cartId.toUpperCase(), viewer: GUEST })).toEqual(dear);
  });

  it('prices a code that each customer has once, as soon as it knows the guest, and is ordered under that address', async () => {
    const cartId = await shop.openCart(GUEST, [shop.sell({ prices: { KRW: 20_000 } }), 1]);
    await shop.coupon.arrange({ codes: ['HELLO'], perCustomerLimit: 1 });
    const shown = await shop.orders.addCode({ cartId, viewer: GUEST, code: 'HELLO' });
    expect(shown).toMatchObject({ hasEmail: false, codes: [{ applied: false, reason: 'customer_required' }], totals: { discount: 0 } });
    const known = await shop.orders.setEmail({ cartId, viewer: GUEST, email: 'guest@example.com' });
    expect(known).toMatchObject({ hasEmail: true, codes: [{ applied: true }], totals: { discount: 2_000, total: 21_000 } });
    const { email: _, ...anonymous } = placement({ source: { kind: 'cart', cartId }, expectedTotal: 21_000 });
    const { order } = await shop.orders.placeOrder(anonymous);
    expect(order).toMatchObject({ email: 'guest@example.com', totals: known.totals });
  });

  it('charges shipping again when item discounts bring it below the free sum, and not for order discounts', async () => {
    const { variantId, productId } = shop.catalog.addProduct({ prices: { KRW: 50_000 } });
    shop.inventory.arrange(variantId, 5);
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    await shop.coupon.arrange({ codes: ['ORDERTEN'] });
    await shop.coupon.arrange({ codes: ['ITEMTEN'], class: 'item', scope: { productIds: [productId] } });
    expect((await shop.orders.addCode({ cartId, viewer: GUEST, code: 'ORDERTEN' })).totals).toMatchObject({ discount: 5_000, shipping: 0, total: 45_000 });
    await shop.orders.removeCode({ cartId, viewer: GUEST, code: 'orderten' });
    const shown = await shop.orders.addCode({ cartId, viewer: GUEST, code: 'ITEMTEN' });
    expect(shown.totals).toMatchObject({ discount: 5_000, shipping: 3_000, total: 48_000 });
    const { order } = await shop.orders.placeOrder(placement({ source: { kind: 'cart', cartId }, expectedTotal: 48_000 }));
    expect(order.totals).toEqual(shown.totals);
  });

  it('agrees with its order when free shipping competes with what brings the fee about', async () => {
    const { variantId, productId } = shop.catalog.addProduct({ prices: { KRW: 50_000 } });
    shop.inventory.arrange(variantId, 5);
    await shop.coupon.arrange({ codes: ['SMALL'], class: 'item', scope: { productIds: [productId] }, benefit: { kind: 'fixed', amount: 1_000 } });
    await shop.coupon.arrange({ codes: ['SHIPFREE'], class: 'shipping', benefit: { kind: 'free_shipping' }, exclusive: true });
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    for (const code of ['SMALL', 'SHIPFREE']) await shop.orders.addCode({ cartId, viewer: GUEST, code });
    const { totals } = await shop.orders.getCart({ cartId, viewer: GUEST });
    expect(totals).toMatchObject({ subtotal: 50_000, shipping: 3_000, shippingDiscount: 3_000, total: 50_000 });
    expect((await shop.orders.placeOrder(placement({ source: { kind: 'cart', cartId }, expectedTotal: 50_000 }))).order.totals).toEqual(totals);
  });

  it('lists what stands in the way instead of failing', async () => {
    const [scarce, unpublished] = [shop.sell({ price: 10_000, stock: 1 }), shop.catalog.addProduct({ prices: { KRW: 5_000 } })];
    const cartId = await shop.openCart(GUEST, [scarce, 2], [unpublished.variantId, 1]);
    const { version } = await shop.catalog.getProduct({ idOrSlug: unpublished.productId });
    await shop.catalog.setProductState({ id: unpublished.productId, version, state: 'archived' });
    const cart = await shop.orders.getCart({ cartId, viewer: GUEST });
    expect(cart.problems).toEqual([
      { lineId: cart.lines[0]!.id, reason: 'out_of_stock', available: 1 },
      { lineId: cart.lines[1]!.id, reason: 'not_published', available: null },
    ]);
    expect(cart).toMatchObject({ lines: [{ total: 20_000 }, { unitPrice: 0, total: 0 }], totals: { subtotal: 20_000, total: 23_000 } });
    await expect(shop.place({ source: { kind: 'cart', cartId }, expectedTotal: 23_000 })).rejects.toEqual(refusal('item_unavailable'));
    shop.inventory.arrange(scarce, 0, { backorder: true });
    expect((await shop.orders.getCart({ cartId, viewer: GUEST })).problems).toHaveLength(1);
  });

  it('takes only what can be bought, and only so much', async () => {
    const cartId = await shop.openCart(GUEST);
    await expect(add(cartId, newId())).rejects.toEqual(refusal('item_unavailable'));
    await expect(add(cartId, shop.sell({ prices: { USD: 100 } }))).rejects.toEqual(refusal('item_unavailable'));
    const variantId = shop.sell();
    await add(cartId, variantId, { quantity: 999 });
    await expect(add(cartId, variantId)).rejects.toEqual(refusal('cart_full'));
  });

  it('loses nothing when many add at once, and adds nothing for a repeat', async () => {
    const [variantId, another] = [shop.sell(), shop.sell()];
    const cartId = await shop.openCart(GUEST);
    const operationId = newId();
    await Promise.all([...times(20, () => add(cartId, variantId)), ...times(5, () => add(cartId, another, { operationId, quantity: 2 }))]);
    const cart = await shop.orders.getCart({ cartId, viewer: GUEST });
    expect(Object.fromEntries(cart.lines.map((line) => [line.variantId, line.quantity]))).toEqual({ [variantId]: 20, [another]: 2 });
    expect(cart.version).toBe(22);
  });

  it('answers a repeat with the cart as it is, whatever became of cart and item since', async () => {
    const { productId, variantId } = shop.catalog.addProduct({ prices: { KRW: 20_000 } });
    shop.inventory.arrange(variantId, 10);
    const cartId = await shop.openCart(GUEST);
    const [first, refused] = [{ operationId: newId(), version: 1 }, { operationId: newId(), version: 1 }];
    expect(await add(cartId, variantId, first)).toMatchObject({ version: 2 });
    await expect(add(cartId, variantId, refused)).rejects.toEqual(refusal('version_mismatch'));
    expect(await add(cartId, variantId, first)).toMatchObject({ version: 2, lines: [{ quantity: 1 }] });
    expect(await add(cartId, variantId, { ...refused, version: 2 })).toMatchObject({ version: 3, lines: [{ quantity: 2 }] });
    await shop.place({ source: { kind: 'cart', cartId }, expectedTotal: 43_000 });
    await shop.catalog.setProductState({ id: productId, version: 2, state: 'archived' });
    expect(await add(cartId, variantId, first)).toMatchObject({ state: 'ordered', lines: [{ quantity: 2 }] });
    await expect(add(cartId, shop.sell())).rejects.toEqual(refusal('cart_not_active'));
  });

  it('is changed at the expected version only, when one is named', async () => {
    const variantId = shop.sell();
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const changes = await Promise.allSettled(times(5, () => add(cartId, variantId, { version: 2 })));
    expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(changes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { reason: 'version_mismatch', details: { version: 3 } } });
  });

  it('forgets items and codes', async () => {
    const cartId = await shop.openCart(GUEST, [shop.sell(), 2]);
    const { lines: [line] } = await shop.orders.getCart({ cartId, viewer: GUEST });
    const item = { cartId, viewer: GUEST, itemId: line!.id };
    const emptied = await shop.orders.setItemQuantity({ ...item, quantity: 0 });
    expect(emptied).toMatchObject({ lines: [], version: 3 });
    expect(await shop.orders.setItemQuantity({ ...item, quantity: 0 })).toEqual(emptied);
    await expect(shop.orders.setItemQuantity({ ...item, quantity: 1 })).rejects.toEqual(refusal('item_not_found'));
  });

  it('keeps known codes, whether they count or not, and refuses unknown ones', async () => {
    await shop.coupon.arrange({ codes: ['Later'], minimumSpend: 100_000 });
    const cartId = await shop.openCart(GUEST);
    const code = { cartId, viewer: GUEST, code: ' later ' };
    await expect(shop.orders.addCode({ ...code, code: 'NO-SUCH' })).rejects.toEqual(refusal('unknown_code'));
    const first = await shop.orders.addCode(code);
    expect(first.codes).toMatchObject([{ applied: false, reason: expect.any(String), message: expect.stringMatching(/\w/) }]);
    expect((await shop.orders.addCode({ ...code, code: 'LATER' })).version).toBe(first.version);
    await shop.orders.addItem({ cartId, viewer: GUEST, operationId: newId(), variantId: shop.sell({ price: 100_000 }), quantity: 1 });
    expect(await shop.orders.getCart({ cartId, viewer: GUEST })).toMatchObject({ codes: [{ applied: true, reason: null }], totals: { total: 90_000 } });
    expect((await shop.orders.removeCode(code)).codes).toEqual([]);
    for (let index = 0; index < 10; index += 1) {
      await shop.coupon.arrange({ codes: [`N${index}`] });
      await shop.orders.addCode({ ...code, code: `N${index}` });
    }
    await expect(shop.orders.addCode(code)).rejects.toEqual(refusal('too_many_codes'));
  });

  it("of a customer does not exist for others, and takes no changes once it is ordered", async () => {
    const viewer = customer(shop.users.addUser().id);
    const variantId = shop.sell();
    const cartId = await shop.openCart(viewer, [variantId, 1]);
    for (const other of [GUEST, customer(newId())]) {
      await expect(shop.orders.getCart({ cartId, viewer: other })).rejects.toEqual(refusal('not_found'));
      await expect(add(cartId, variantId, { viewer: other })).rejects.toEqual(refusal('not_found'));
      await expect(shop.orders.addCode({ cartId, viewer: other, code: 'X' })).rejects.toEqual(refusal('not_found'));
    }
    await shop.place({ viewer, source: { kind: 'cart', cartId } });
    await expect(add(cartId, variantId, { viewer })).rejects.toEqual(refusal('cart_not_active'));
  });
});

describe('merging', () => {
  it('moves items and codes into the cart of the account, once', async () => {
    const [shared, extra] = [shop.sell(), shop.sell()];
    await shop.coupon.arrange({ codes: ['MINE'] });
    const customerId = newId();
    const viewer = customer(customerId);
    const own = await shop.openCart(viewer, [shared, 998]);
    const cartId = await shop.openCart(GUEST, [shared, 3], [extra, 2]);
    await shop.orders.addCode({ cartId, viewer: GUEST, code: 'MINE' });
    const merged = await Promise.all(times(4, () => shop.orders.mergeCart({ cartId, customerId })));
    for (const cart of merged) expect(cart).toMatchObject({ id: own, lines: [{ variantId: shared, quantity: 999 }, { variantId: extra, quantity: 2 }], codes: [{ code: 'MINE' }] });
    expect(await shop.orders.getCart({ cartId, viewer: GUEST })).toMatchObject({ state: 'merged' });
    await expect(add(cartId, shared)).rejects.toEqual(refusal('cart_not_active'));
    await expect(shop.orders.mergeCart({ cartId, customerId: newId() })).rejects.toEqual(refusal('not_found'));
  });

  it('makes the guest cart the account cart when there is none', async () => {
    const customerId = newId();
    const cartId = await shop.openCart(GUEST, [shop.sell(), 1]);
    expect(await shop.orders.mergeCart({ cartId, customerId })).toMatchObject({ id: cartId, customerId, state: 'active' });
    expect((await shop.orders.createCart({ cartId: newId(), viewer: customer(customerId), currency: 'KRW' })).id).toBe(cartId);
    await expect(shop.orders.getCart({ cartId, viewer: GUEST })).rejects.toEqual(refusal('not_found'));
    expect(await shop.orders.mergeCart({ cartId: cartId.toUpperCase(), customerId })).toMatchObject({ id: cartId });
    await expect(shop.orders.mergeCart({ cartId, customerId: newId() })).rejects.toEqual(refusal('not_found'));
  });

  it('refuses what cannot be merged', async () => {
    const customerId = newId();
    await shop.openCart(customer(customerId));
    const { id: dollars } = await shop.orders.createCart({ cartId: newId(), viewer: GUEST, currency: 'USD' });
    await expect(shop.orders.mergeCart({ cartId: dollars, customerId })).rejects.toEqual(refusal('currency_mismatch'));
    await expect(shop.orders.mergeCart({ cartId: newId(), customerId })).rejects.toEqual(refusal('not_found'));
    const ordered = await shop.openCart(GUEST, [shop.sell(), 1]);
    await shop.place({ source: { kind: 'cart', cartId: ordered } });
    await expect(shop.orders.mergeCart({ cartId: ordered, customerId })).rejects.toEqual(refusal('cart_not_active'));
  });

  it('happens when the owner logs in, if it can', async () => {
    const variantId = shop.sell();
    const cartId = await shop.openCart(GUEST, [variantId, 1]);
    const userId = newId();
    await shop.hear('user.logged_in', { userId, cartId });
    expect(await shop.orders.getCart({ cartId, viewer: customer(userId) })).toMatchObject({ customerId: userId, lines: [{ variantId }] });
    for (const none of [null, newId(), cartId]) await shop.hear('user.logged_in', { userId: newId(), cartId: none });
    expect((await shop.orders.getCart({ cartId, viewer: customer(userId) })).customerId).toBe(userId);
  });

  it('takes the cart of an undone order into the one that was begun meanwhile', async () => {
    const { id: userId } = shop.users.addUser();
    const viewer = customer(userId);
    const [first, second] = [shop.sell(), shop.sell()];
    const cartId = await shop.openCart(viewer, [first, 1]);
    await shop.place({ viewer, source: { kind: 'cart', cartId }, token: 'sandbox_action' });
    const newer = await shop.openCart(viewer, [second, 1]);
    expect(newer).not.toBe(cartId);
    shop.pass({ minutes: 31 });
    await shop.expire();
    expect((await shop.orders.getCart({ cartId: newer, viewer })).lines.map((line) => line.variantId)).toEqual([second, first]);
    expect((await shop.orders.getCart({ cartId, viewer })).state).toBe('merged');
  });

  it('and new carts never leave a customer with two, whatever happens at once', async () => {
    const { id: userId } = shop.users.addUser();
    const viewer = customer(userId);
    const variantId = shop.sell({ stock: 100 });
    const cartId = await shop.openCart(viewer, [variantId, 1]);
    const guests = await Promise.all(times(4, () => shop.openCart(GUEST, [variantId, 1])));
    await Promise.allSettled([
      ...times(4, () => shop.place({ viewer, source: { kind: 'cart', cartId }, token: 'sandbox_declined' })),
      ...guests.map((guest) => shop.orders.mergeCart({ cartId: guest, customerId: userId })),
      ...times(4, () => shop.orders.createCart({ cartId: newId(), viewer, currency: 'KRW' })),
    ]).then((results) => {
      const odd = results.flatMap((result) => (result.status === 'rejected' ? [String((result.reason as { reason?: string }).reason ?? result.reason)] : []));
      expect(odd.filter((reason) => !['order_being_placed', 'payment_declined', 'total_changed', 'cart_not_active', 'not_found', 'unavailable'].includes(reason))).toEqual([]);
    });
    const active = await shop.orders.createCart({ cartId: newId(), viewer, currency: 'KRW' });
    expect(active.lines).toMatchObject([{ variantId, quantity: 5 }]);
  });
});

it('what nobody comes back for is forgotten; what was ordered is kept', async () => {
  const variantId = shop.sell({ stock: 50 });
  const [left, ordered, refused] = [await shop.openCart(GUEST, [variantId, 1]), await shop.openCart(GUEST, [variantId, 1]), await shop.openCart(GUEST, [variantId, 1])];
  await shop.place({ source: { kind: 'cart', cartId: ordered } });
  await expect(shop.place({ source: { kind: 'cart', cartId: refused }, token: 'sandbox_declined' })).rejects.toEqual(refusal('payment_declined'));
  shop.pass({ minutes: 91 * 24 * 60 });
  await shop.tidy();
  await expect(shop.orders.getCart({ cartId: left, viewer: GUEST })).rejects.toEqual(refusal('not_found'));
  expect((await shop.orders.getCart({ cartId: ordered, viewer: GUEST })).state).toBe('ordered');
  expect((await shop.orders.getCart({ cartId: refused, viewer: GUEST })).state).toBe('active');
  expect(await shop.rows('select id from cart_operations')).toEqual([]);
});

it('what is forgotten goes in batches, all of it', async () => {
  await shop.rows(`insert into carts (id, state, currency, created_at, updated_at) select gen_random_uuid(), 'active', 'KRW', '2020-01-01', '2020-01-01' from generate_series(1, 2001)`);
  await shop.rows(`insert into cart_operations (id, cart_id, done_at) select gen_random_uuid(), (select id from carts limit 1), '2020-01-01' from generate_series(1, 2001)`);
  await shop.rows(`insert into idempotency_keys (scope, key, fingerprint, created_at) select 'many', n::text, '', '2020-01-01' from generate_series(1, 4001) n`);
  await Promise.all([shop.tidy(), shop.tidy()]);
  expect(await shop.rows(`select id from carts where created_at < '2021-01-01'`)).toEqual([]);
  expect(await shop.rows(`select id from cart_operations where done_at < '2021-01-01'`)).toEqual([]);
  expect(await shop.rows(`select key from idempotency_keys where scope = 'many'`)).toEqual([]);
});

it('the key of an order is forgotten after a day, unless the order is still being placed', async () => {
  const keys = async ({ idempotency }: PlacementInput) => (await shop.rows('select key from idempotency_keys where key = ?', [idempotency.key])).length;
  const [placed, stuck] = [shop.sell(), shop.sell()].map((variantId) => placement({ source: { kind: 'lines', currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes: [] } })) as [PlacementInput, PlacementInput];
  await shop.orders.placeOrder(placed);
  const met = shop.break('payments.pay', 'dies before', 1);
  void shop.orders.placeOrder(stuck);
  await met;
  shop.pass({ minutes: 23 * 60 });
  await shop.tidy();
  expect(await shop.orders.placeOrder(placed)).toMatchObject({ replayed: true, order: { id: placed.orderId } });
  shop.pass({ minutes: 61 });
  await shop.tidy();
  expect([await keys(placed), await keys(stuck)]).toEqual([0, 1]);
  await shop.recover();
  await shop.tidy();
  expect(await keys(stuck)).toBe(0);
  expect((await shop.order(stuck.orderId)).state).toBe('refused');
});
