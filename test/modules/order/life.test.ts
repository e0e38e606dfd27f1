import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createShop, customer, GUEST, lines, placement, type Shop, STAFF } from './support.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());

const refusal = (reason: string) => expect.objectContaining({ reason });
const published = (orderId: string) => shop.context.published.filter(({ data }) => data['orderId'] === orderId).map(({ type }) => type);

async function waiting(token = 'sandbox_action') {
  const variantId = shop.sell({ stock: 1 });
  const cartId = await shop.openCart(GUEST, [variantId, 1]);
  const input = placement({ source: { kind: 'cart', cartId }, token });
  const { order, secret } = await shop.orders.placeOrder(input);
  expect(order.state).toBe('pending');
  return { variantId, cartId, orderId: order.id, input, viewer: { kind: 'guest' as const, secret } };
}

describe('an order that waits for its payment', () => {
  it('is placed when the provider says so, once', async () => {
    const { orderId, variantId, viewer } = await waiting();
    shop.payments.decide(orderId);
    const [event] = shop.payments.published.slice(-1);
    const id = newId();
    await Promise.all([shop.hear(event!.type, event!.data, id), shop.hear(event!.type, event!.data, id), shop.orders.confirmPayment({ orderId, viewer })]);
    expect(await shop.order(orderId)).toMatchObject({ state: 'placed', paymentStatus: 'paid', nextAction: null, expiresAt: null });
    expect(published(orderId)).toEqual(['order.placed']);
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 0, reserved: 0 });
  });

  it('is placed when the shopper comes back before the webhook', async () => {
    const { orderId, viewer } = await waiting();
    expect(await shop.orders.confirmPayment({ orderId, viewer })).toMatchObject({ state: 'pending', nextAction: { kind: 'redirect' } });
    shop.payments.decide(orderId);
    expect(await shop.orders.confirmPayment({ orderId, viewer })).toMatchObject({ state: 'placed', paymentStatus: 'paid' });
    await shop.deliver();
    expect(await shop.orders.confirmPayment({ orderId, viewer })).toMatchObject({ state: 'placed' });
    expect(published(orderId)).toEqual(['order.placed']);
  });

  it('tells where to go, also when that was not known when it was placed', async () => {
    const { orderId, viewer } = await waiting('sandbox_late');
    expect(await shop.order(orderId)).toMatchObject({ paymentStatus: 'pending', nextAction: null });
    await shop.hear('payment.action_required', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW', url: 'https://bank.example/step' });
    const told = { state: 'pending', paymentStatus: 'requires_action', nextAction: { url: 'https://bank.example/step' } };
    expect(await shop.order(orderId)).toMatchObject(told);
    expect(await shop.orders.confirmPayment({ orderId, viewer }), 'a reading from before').toMatchObject(told);
  });

  it('is placed when the money is held and not taken yet', async () => {
    const { orderId } = await waiting();
    await shop.hear('payment.authorized', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW' });
    expect(await shop.order(orderId)).toMatchObject({ state: 'placed', paymentStatus: 'authorized' });
    await expect(shop.orders.completeOrder({ orderId, viewer: STAFF })).rejects.toEqual(refusal('not_completable'));
    await shop.hear('payment.captured', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW', captured: 60_000 });
    expect(await shop.orders.completeOrder({ orderId, viewer: STAFF })).toMatchObject({ state: 'completed', paymentStatus: 'paid' });
  });

  it('is refused when the provider refuses, and gives everything back', async () => {
    const { orderId, cartId, variantId, input } = await waiting();
    shop.payments.decide(orderId, false);
    await shop.deliver();
    expect(await shop.order(orderId)).toMatchObject({ state: 'refused', reason: 'payment_declined', paymentStatus: 'failed' });
    await shop.work();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
    expect((await shop.orders.getCart({ cartId, viewer: GUEST })).state).toBe('active');
    expect(await shop.orders.placeOrder(input)).toMatchObject({ replayed: true, order: { state: 'refused' } });
    expect((await shop.place({ source: input.source })).order.state).toBe('placed');
  });

  it('expires when its time is over, whatever becomes of another one', async () => {
    const [broken, sound] = [await waiting(), await waiting()];
    await shop.rows(`update orders set version = 2147483647 where id = ?`, [broken.orderId]);
    shop.pass({ minutes: 30 });
    await shop.expire();
    expect((await shop.order(broken.orderId)).state).toBe('pending');
    expect((await shop.order(sound.orderId)).state).toBe('expired');
    await shop.rows(`update orders set version = 1 where id = ?`, [broken.orderId]);
    await shop.expire();
    expect((await shop.order(broken.orderId)).state).toBe('expired');
  });

  it('gives up for one sweep when none of a whole batch can be expired', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => waiting()));
    await shop.rows(`update orders set version = 2147483647 where state = 'pending'`);
    shop.pass({ minutes: 30 });
    await shop.expire();
    expect((await shop.order(all[0]!.orderId)).state).toBe('pending');
    await shop.rows(`update orders set version = 1 where state = 'pending'`);
    await shop.expire();
    for (const { orderId } of all) expect((await shop.order(orderId)).state).toBe('expired');
  });

  it('is placed, not expired, when it was paid and nobody said so, however many sweep at once', async () => {
    const { orderId } = await waiting();
    shop.payments.decide(orderId);
    shop.pass({ minutes: 31 });
    await Promise.all([shop.expire(), shop.expire(), shop.expire()]);
    expect(await shop.order(orderId)).toMatchObject({ state: 'placed', paymentStatus: 'paid' });
    expect(published(orderId)).toEqual(['order.placed']);
    await shop.deliver();
    expect((await shop.order(orderId)).state).toBe('placed');
  });

  it('expires when payments cannot be asked, and late money goes back', async () => {
    const { orderId, variantId } = await waiting();
    shop.payments.decide(orderId);
    shop.pass({ minutes: 31 });
    void shop.break('payments.refresh', 'fails before');
    await shop.expire();
    shop.repair();
    expect((await shop.order(orderId)).state).toBe('expired');
    await shop.deliver();
    expect(await shop.payments.getPayment({ orderId })).toMatchObject({ captured: 60_000, refunded: 60_000 });
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
  });

  it('expires when its time is over, and its cart can be ordered again', async () => {
    const { orderId, cartId, variantId, input } = await waiting();
    shop.pass({ minutes: 29 });
    await shop.expire();
    expect((await shop.order(orderId)).state).toBe('pending');
    shop.pass({ minutes: 1 });
    await Promise.all([shop.expire(), shop.expire()]);
    expect(await shop.order(orderId)).toMatchObject({ state: 'expired', reason: 'payment_not_received', paymentStatus: 'none', nextAction: null });
    expect(published(orderId)).toEqual(['order.expired']);
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
    expect((await shop.orders.getCart({ cartId, viewer: GUEST })).state).toBe('active');
    expect((await shop.place({ source: input.source })).order.state).toBe('placed');
  });

  it('stays expired when the money comes after all; only the sums change', async () => {
    const { orderId } = await waiting();
    shop.pass({ minutes: 30 });
    await shop.expire();
    await shop.hear('payment.captured', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW', captured: 60_000 });
    expect(await shop.order(orderId)).toMatchObject({ state: 'expired', paymentStatus: 'paid' });
    await shop.hear('payment.refunded', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW', captured: 60_000, refunded: 60_000 });
    expect(await shop.order(orderId)).toMatchObject({ state: 'expired', paymentStatus: 'refunded' });
    expect(shop.context.enqueued).toEqual([]);
  });

  it('is either placed or expired when both happen at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { orderId } = await waiting();
      shop.pass({ minutes: 30 });
      await Promise.all([shop.expire(), shop.hear('payment.captured', { orderId, paymentId: newId(), amount: 60_000, currency: 'KRW', captured: 60_000 })]);
      const { state, history } = await shop.order(orderId);
      expect(['placed', 'expired']).toContain(state);
      expect(history).toHaveLength(3);
      expect(published(orderId)).toEqual([`order.${state}`]);
    }
  });

  it('can be cancelled by its shopper', async () => {
    const { orderId, viewer, variantId } = await waiting();
    expect(await shop.orders.cancelOrder({ orderId, viewer, reason: 'changed my mind' })).toMatchObject({ state: 'cancelled', reason: 'changed my mind', paymentStatus: 'none' });
    expect(shop.context.published.at(-1)).toMatchObject({ type: 'order.cancelled', data: { orderId, wasPlaced: false } });
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
  });
});

describe('a placed order', () => {
  it('is cancelled once, and everything comes back', async () => {
    const variantId = shop.sell({ stock: 3 });
    await shop.coupon.arrange({ codes: ['GIVEBACK'], totalLimit: 1 });
    const { order, secret } = await shop.place({ source: lines(variantId, 2, ['GIVEBACK']), expectedTotal: 108_000 });
    const orderId = order.id;
    await shop.deliver();
    const cancelled = await Promise.all(Array.from({ length: 5 }, () => shop.orders.cancelOrder({ orderId, viewer: { kind: 'guest', secret }, reason: 'too many' })));
    expect(new Set(cancelled.map(({ state, version }) => `${state} ${version}`)).size).toBe(1);
    expect(published(orderId)).toEqual(['order.placed', 'order.cancelled']);
    await shop.deliver();
    await shop.deliver();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 3, reserved: 0 });
    expect(shop.coupon.redemptionsOf(orderId)).toMatchObject([{ state: 'returned' }]);
    expect(await shop.order(orderId)).toMatchObject({ state: 'cancelled', paymentStatus: 'refunded' });
  });

  it('is completed by staff only, and cannot be cancelled after that', async () => {
    const { order, secret } = await shop.place({ source: lines(shop.sell()) });
    const orderId = order.id;
    await expect(shop.orders.completeOrder({ orderId, viewer: { kind: 'guest', secret } })).rejects.toEqual(refusal('not_found'));
    const completed = await shop.orders.completeOrder({ orderId, viewer: STAFF });
    expect(completed.history.at(-1)).toMatchObject({ state: 'completed', by: `staff:${STAFF.kind === 'staff' && STAFF.userId}` });
    expect(await shop.orders.completeOrder({ orderId, viewer: STAFF })).toEqual(completed);
    await expect(shop.orders.cancelOrder({ orderId, viewer: STAFF, reason: '' })).rejects.toEqual(refusal('not_cancellable'));
    expect((await shop.orders.getOrder({ orderId, viewer: { kind: 'guest', secret } })).history.at(-1)).toMatchObject({ by: 'staff' });
  });

  it('shows what was given back of its payment', async () => {
    const { order } = await shop.place({ source: lines(shop.sell()) });
    const { id: paymentId } = await shop.payments.getPayment({ orderId: order.id });
    await shop.payments.refund({ refundId: newId(), paymentId, amount: 10_000, reason: 'a scratch' });
    await shop.deliver();
    expect(await shop.order(order.id)).toMatchObject({ state: 'placed', paymentStatus: 'partially_refunded' });
  });

  it('is opened by its secret for half a year', async () => {
    const { order, secret } = await shop.place({ source: lines(shop.sell()) });
    const read = () => shop.orders.getOrder({ orderId: order.id.toUpperCase(), viewer: { kind: 'guest', secret } });
    shop.pass({ minutes: 179 * 24 * 60 });
    expect((await read()).id).toBe(order.id);
    shop.pass({ minutes: 24 * 60 });
    await expect(read()).rejects.toEqual(refusal('not_found'));
  });

  it('is never changed in its lines, discounts and history', async () => {
    for (const table of ['order_lines', 'order_discounts', 'order_history']) {
      await expect(shop.rows(`delete from ${table}`)).rejects.toMatchObject({ code: '42501' });
      await expect(shop.rows(`update ${table} set order_id = order_id`)).rejects.toMatchObject({ code: '42501' });
    }
  });
});

describe('orders', () => {
  it('are listed newest first, page by page, to their customer and to staff', async () => {
    const { id: userId, email } = shop.users.addUser();
    const viewer = customer(userId);
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      ids.unshift((await shop.place({ viewer, source: lines(shop.sell()) })).order.id);
      if (index % 2 === 0) shop.pass({ seconds: 1 });
    }
    await expect(shop.place({ viewer, source: lines(shop.sell()), token: 'sandbox_declined' })).rejects.toEqual(refusal('payment_declined'));
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await shop.orders.listOrders({ viewer, limit: 2, ...(cursor !== undefined && { cursor }) });
      pages.push(page.items.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(ids);

    const found = async (filter: object, by = STAFF) => (await shop.orders.listOrders({ viewer: by, limit: 50, ...filter })).items.map(({ id }) => id);
    expect(await found({ email: email.toUpperCase() })).toEqual(ids);
    expect(await found({ email, state: 'refused' })).toHaveLength(1);
    expect(await found({ number: (await shop.order(ids[2]!)).number })).toEqual([ids[2]]);
    expect(await found({}, customer(newId()))).toEqual([]);
    expect(await found({}, GUEST)).toEqual([]);
    for (const nonsense of ['x', 'WzFd', Buffer.from('["2026-01-01","no"]').toString('base64url')]) {
      await expect(found({ cursor: nonsense })).rejects.toEqual(refusal('invalid_cursor'));
    }
  });

  it('have numbers of their own, with the year of the shop', async () => {
    shop.context.clock.now = new Date('2026-12-31T15:00:00.000Z');
    const placed = await Promise.all(Array.from({ length: 5 }, () => shop.place({ source: lines(shop.sell()) })));
    const numbers = placed.map(({ order }) => order.number);
    expect(new Set(numbers).size).toBe(5);
    for (const number of numbers) expect(number).toMatch(/^K-27\d{7}$/);
  });

  it('add up, and have histories that are paths of the machine, all of them', async () => {
    expect(
      await shop.rows(`select o.id from orders o where total <> (select sum(l.total) from order_lines l where l.order_id = o.id) + shipping - shipping_discount
        or discount <> (select coalesce(sum(amount), 0) from order_discounts d where d.order_id = o.id)
        or exists (select 1 from order_discounts d where d.order_id = o.id and class <> 'shipping' and amount <> (select sum((share ->> 'amount')::int) from jsonb_array_elements(shares) share))
        or state <> (select h.state from order_history h where h.order_id = o.id order by position desc limit 1)
        or (state in ('placed', 'completed') and captured < total)`),
    ).toEqual([]);
  });
});
