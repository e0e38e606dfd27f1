import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { conflict, unavailable } from '../../../src/shared/errors.ts';
import { createShop, customer, type Fault, GUEST, lines, placement, type Shop } from './support.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());
beforeEach(() => shop.repair());

const refusal = (reason: string) => expect.objectContaining({ reason });
const LEASE = { seconds: 16 };

async function buy({ stock = 1, token = 'sandbox_ok' } = {}) {
  const variantId = shop.sell({ price: 66_667, stock });
  const code = `C${variantId.replaceAll('-', '')}`;
  await shop.coupon.arrange({ codes: [code], totalLimit: 1 });
  const cartId = await shop.openCart(GUEST, [variantId, 1]);
  await shop.orders.addCode({ cartId, viewer: GUEST, code });
  return { variantId, cartId, input: placement({ source: { kind: 'cart', cartId }, expectedTotal: 60_000, token }) };
}

/** How things stand once everybody heard of what happened, and what a repeat with the same key is answered then. */
async function aftermath({ variantId, cartId, input }: Awaited<ReturnType<typeof buy>>) {
  await shop.deliver();
  const { state, reason, paymentStatus } = await shop.order(input.orderId);
  const { onHand, reserved } = await shop.level(variantId);
  const { captured = 0, refunded = 0 } = await shop.payments.getPayment({ orderId: input.orderId }).catch(() => ({}) as { captured?: number; refunded?: number });
  const found = {
    order: reason ? `${state}: ${reason}` : state,
    paymentStatus,
    taken: captured - refunded,
    stock: { onHand, reserved },
    coupon: shop.coupon.redemptionsOf(input.orderId).map((redemption) => redemption.state).filter((use) => use !== 'released'),
    cart: (await shop.orders.getCart({ cartId, viewer: GUEST })).state,
  };
  shop.repair();
  const { order, replayed } = await shop.orders.placeOrder(input);
  return { ...found, repeat: `${replayed ? 'the' : 'a'} ${order.id === input.orderId ? 'same' : 'new'} order, ${order.state}` };
}

const UNDONE = { order: 'refused: interrupted', paymentStatus: 'none', taken: 0, stock: { onHand: 1, reserved: 0 }, coupon: [], cart: 'active', repeat: 'a new order, placed' };
const PLACED = { order: 'placed', paymentStatus: 'paid', taken: 60_000, stock: { onHand: 0, reserved: 0 }, coupon: ['consumed'], cart: 'ordered', repeat: 'the same order, placed' };

describe('the process dies while it places an order', () => {
  const dies = async (call: string, fault: Fault, token?: string) => {
    const bought = await buy(token ? { token } : {});
    const met = shop.break(call, fault, 1);
    void shop.orders.placeOrder(bought.input);
    await met;
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('idempotency_key_in_use'));
    await expect(shop.orders.placeOrder(placement({ source: bought.input.source }))).rejects.toEqual(refusal('order_being_placed'));
    await expect(shop.orders.cancelOrder({ orderId: bought.input.orderId, viewer: { kind: 'staff', userId: bought.cartId }, reason: '' })).rejects.toEqual(refusal('order_being_placed'));
    await shop.recover();
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'placing' });
    shop.pass(LEASE);
    await Promise.all([shop.recover(), shop.recover(), shop.recover()]);
    return bought;
  };

  it.each([
    ['inventory.reserve', 'dies before'],
    ['inventory.reserve', 'dies after'],
    ['coupon.reserve', 'dies before'],
    ['coupon.reserve', 'dies after'],
    ['payments.pay', 'dies before'],
  ] as const)('at %s, %s it took effect: the order is undone', async (call, fault) => {
    expect(await aftermath(await dies(call, fault))).toEqual(UNDONE);
  });

  it('when the money was taken: the order is placed', async () => {
    expect(await aftermath(await dies('payments.pay', 'dies after'))).toEqual(PLACED);
  });
  it('when the payment was declined: the refusal is what a repeat is answered', async () => {
    const { input, variantId, cartId } = await dies('payments.pay', 'dies after', 'sandbox_declined');
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('payment_declined'));
    expect(await shop.level(variantId)).toMatchObject({ reserved: 0 });
    expect((await shop.orders.getCart({ cartId, viewer: GUEST })).state).toBe('active');
  });
  it('when the shopper has to approve the payment: the order waits for that', async () => {
    const { input } = await dies('payments.pay', 'dies after', 'sandbox_action');
    expect(await shop.order(input.orderId)).toMatchObject({ state: 'pending', nextAction: { kind: 'redirect' } });
  });
  it.each(['coupon.release', 'inventory.release'])('at %s of an undo: the undo is finished', async (call) => {
    const bought = await buy({ token: 'sandbox_declined' });
    const met = shop.break(call, 'dies before', 1);
    void shop.orders.placeOrder(bought.input);
    await met;
    shop.pass(LEASE);
    await shop.recover();
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('payment_declined'));
    expect(await shop.level(bought.variantId)).toMatchObject({ reserved: 0 });
  });

  it.each([
    ['payments.getPayment', 'dies before'],
    ['inventory.reserve', 'dies after'],
    ['coupon.reserve', 'dies after'],
  ] as const)('and again while it recovers, at %s, %s: the next one places the order', async (call, fault) => {
    const bought = await buy();
    const died = shop.break('payments.pay', 'dies after', 1);
    void shop.orders.placeOrder(bought.input);
    await died;
    shop.pass(LEASE);
    const diedAgain = shop.break(call, fault, 1);
    void shop.recover();
    await diedAgain;
    shop.pass(LEASE);
    await shop.recover();
    expect(await aftermath(bought)).toEqual(PLACED);
  });
  it.each(['payments.cancel', 'coupon.release', 'inventory.release'])('and again while it undoes, after %s: the next one finishes', async (call) => {
    const bought = await buy();
    const died = shop.break('payments.pay', 'dies before', 1);
    void shop.orders.placeOrder(bought.input);
    await died;
    shop.pass(LEASE);
    const diedAgain = shop.break(call, 'dies after', 1);
    void shop.recover();
    await diedAgain;
    shop.pass(LEASE);
    await shop.recover();
    expect(await aftermath(bought)).toEqual(UNDONE);
  });

  it('with nothing to pay: the order is placed', async () => {
    const variantId = shop.sell({ stock: 1 });
    await shop.coupon.arrange({ codes: ['FREE'], benefit: { kind: 'percent', basisPoints: 10_000 } });
    const input = placement({ source: lines(variantId, 1, ['FREE']), expectedTotal: 0 });
    const met = shop.break('coupon.reserve', 'dies before', 1);
    void shop.orders.placeOrder(input);
    await met;
    shop.pass(LEASE);
    await shop.recover();
    expect(await shop.order(input.orderId)).toMatchObject({ state: 'placed', paymentStatus: 'none' });
  });

  it('and stays down until everything it held ran out: what was taken is given back when the goods are gone', async () => {
    const bought = await buy();
    const met = shop.break('payments.pay', 'dies after', 1);
    void shop.orders.placeOrder(bought.input);
    await met;
    shop.pass({ minutes: 60 });
    await shop.place({ source: lines(bought.variantId), expectedTotal: 66_667 });
    await shop.recover();
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'refused', reason: 'out_of_stock' });
    expect(await shop.payments.getPayment({ orderId: bought.input.orderId })).toMatchObject({ captured: 60_000, refunded: 60_000 });
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('out_of_stock'));
    await shop.deliver();
    expect((await shop.order(bought.input.orderId)).paymentStatus).toBe('refunded');
  });
});

describe('a module is unavailable while an order is placed', () => {
  it.each([
    ['inventory.reserve', 'fails before'],
    ['inventory.reserve', 'fails after'],
    ['coupon.reserve', 'fails before'],
    ['coupon.reserve', 'fails after'],
  ] as const)('%s %s: undone at once, and the key is free', async (call, fault) => {
    const bought = await buy();
    void shop.break(call, fault);
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    expect(await aftermath(bought)).toEqual(UNDONE);
  });

  it('inventory.reserve, and it arrives after the release that undid it: given back once more', async () => {
    const bought = await buy();
    const { reserve } = shop.inventory;
    let late = async () => {};
    shop.inventory.reserve = async (input) => {
      shop.inventory.reserve = reserve;
      late = async () => void (await reserve(input));
      throw unavailable();
    };
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    await late();
    expect(await shop.level(bought.variantId)).toMatchObject({ reserved: 1 });
    await shop.work();
    expect(await shop.level(bought.variantId)).toMatchObject({ reserved: 0 });
  });

  it.each(['catalog.priceVariants', 'coupon.quote', 'users.getProfile'])('%s: nothing has begun', async (call) => {
    const bought = await buy();
    const viewer = customer(shop.users.addUser().id);
    void shop.break(call, 'fails before');
    const input = { ...bought.input, viewer };
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('unavailable'));
    shop.repair();
    await expect(shop.orders.placeOrder(input)).resolves.toMatchObject({ replayed: false, order: { state: 'placed' } });
  });

  it('payments.pay, and the charge was made: the order is placed by recovery', async () => {
    const bought = await buy();
    void shop.break('payments.pay', 'fails after');
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    shop.repair();
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('idempotency_key_in_use'));
    shop.pass(LEASE);
    await shop.recover();
    expect(await aftermath(bought)).toEqual(PLACED);
  });
  it('payments.pay, and it was not: the order is undone by recovery, once payments can be asked', async () => {
    const bought = await buy();
    void shop.break('payments.pay', 'fails before');
    void shop.break('payments.getPayment', 'fails before');
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    shop.pass(LEASE);
    await shop.recover();
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'placing' });
    shop.repair();
    shop.pass(LEASE);
    await shop.recover();
    expect(await aftermath(bought)).toEqual(UNDONE);
  });
  it('what cannot be undone is undone by recovery', async () => {
    const bought = await buy();
    void shop.break('coupon.reserve', 'fails after');
    void shop.break('coupon.release', 'fails before');
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'placing' });
    shop.repair();
    shop.pass(LEASE);
    await shop.recover();
    expect(await aftermath(bought)).toEqual(UNDONE);
  });
});

describe('a run that is slower than its lease', () => {
  it('begins no payment any more', async () => {
    const bought = await buy();
    const reserve = shop.coupon.reserve;
    shop.coupon.reserve = async (input) => {
      const answer = await reserve(input);
      shop.pass({ seconds: 5 });
      return answer;
    };
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    shop.coupon.reserve = reserve;
    await expect(shop.payments.getPayment({ orderId: bought.input.orderId })).rejects.toEqual(refusal('not_found'));
    expect(await aftermath(bought)).toEqual(UNDONE);
  });

  it('undoes nothing that recovery has taken over', async () => {
    const bought = await buy();
    const reserve = shop.coupon.reserve;
    shop.coupon.reserve = async (input) => {
      shop.coupon.reserve = reserve;
      await reserve(input);
      shop.pass(LEASE);
      await shop.payments.pay({ orderId: input.orderId, amount: { amount: 60_000, currency: 'KRW' }, provider: 'sandbox', token: 'sandbox_ok', capture: 'automatic' });
      await shop.recover();
      return {};
    };
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    expect(await aftermath(bought)).toEqual(PLACED);
  });

  it.each(['fails after', 'answers'])('gives back what it came to hold after recovery refused the order (its reservation %s)', async (answer) => {
    const variantId = shop.sell({ stock: 1 });
    const { reserve } = shop.inventory;
    shop.inventory.reserve = async (input) => {
      shop.inventory.reserve = reserve;
      shop.pass(LEASE);
      await shop.recover();
      await shop.work();
      await reserve(input);
      if (answer === 'fails after') throw unavailable();
      return {};
    };
    const input = placement({ source: lines(variantId) });
    await expect(shop.orders.placeOrder(input)).rejects.toEqual(refusal('unavailable'));
    expect(await shop.order(input.orderId)).toMatchObject({ state: 'refused', reason: 'interrupted' });
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
  });

  it('also when it is a recovery itself, and the next one refused the order meanwhile', async () => {
    const bought = await buy();
    const met = shop.break('payments.pay', 'dies after');
    void shop.orders.placeOrder(bought.input);
    await met;
    shop.pass(LEASE);
    const { reserve } = shop.inventory;
    const soldOut = async () => {
      throw conflict('out_of_stock', 'Somebody else has the last piece.');
    };
    shop.inventory.reserve = async (input) => {
      shop.inventory.reserve = soldOut;
      shop.pass(LEASE);
      await shop.recover();
      await shop.work();
      shop.inventory.reserve = reserve;
      return reserve(input);
    };
    await shop.recover();
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'refused', reason: 'out_of_stock' });
    expect(await shop.level(bought.variantId)).toMatchObject({ onHand: 1, reserved: 0 });
    expect(shop.coupon.redemptionsOf(bought.input.orderId)).toMatchObject([{ state: 'released' }]);
    expect(await shop.payments.getPayment({ orderId: bought.input.orderId })).toMatchObject({ captured: 60_000, refunded: 60_000 });
  });

  it('gives back by a job what it came to hold while recovery refused the order', async () => {
    const variantId = shop.sell({ stock: 1 });
    const input = placement({ source: lines(variantId) });
    const { reserve, release } = shop.inventory;
    let recovered: Promise<void> | undefined;
    const late = new Promise<void>((resolve) => {
      shop.inventory.release = async (order) => {
        shop.inventory.release = release;
        await release(order);
        resolve();
        await expect(placing).rejects.toEqual(refusal('unavailable'));
        return {};
      };
    });
    shop.inventory.reserve = async (order) => {
      shop.inventory.reserve = reserve;
      shop.pass(LEASE);
      recovered = shop.recover();
      await late;
      return reserve(order);
    };
    const placing = shop.orders.placeOrder(input);
    await expect(placing).rejects.toEqual(refusal('unavailable'));
    await recovered;
    expect((await shop.order(input.orderId)).state).toBe('refused');
    await shop.work();
    expect(await shop.level(variantId)).toMatchObject({ onHand: 1, reserved: 0 });
  });

  it('gives the money back when its charge comes after recovery undid the order', async () => {
    const bought = await buy();
    const { pay } = shop.payments;
    shop.payments.pay = async (input) => {
      shop.payments.pay = pay;
      shop.pass(LEASE);
      const { cancel } = shop.payments;
      shop.payments.cancel = async () => ({});
      await shop.recover();
      await shop.work();
      shop.payments.cancel = cancel;
      return pay(input);
    };
    await expect(shop.orders.placeOrder(bought.input)).rejects.toEqual(refusal('unavailable'));
    expect(shop.context.enqueued).toEqual([{ name: 'undo-order', data: { orderId: bought.input.orderId } }]);
    await shop.work();
    expect(await shop.payments.getPayment({ orderId: bought.input.orderId })).toMatchObject({ state: 'cancelled', captured: 60_000, refunded: 60_000 });
    await shop.deliver();
    expect(await shop.order(bought.input.orderId)).toMatchObject({ state: 'refused', paymentStatus: 'refunded' });
  });
});
