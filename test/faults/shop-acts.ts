import fc from 'fast-check';
import { expect } from 'vitest';
import { catalogContract } from '../../src/modules/catalog/contract.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { paymentContract } from '../../src/modules/payment/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { type Act, act, type Basket, type Bought, type Counter, expectCart, type Expectation, giveBack, lastOrder, PRICES, refusalOf, SHOPPERS, take, type Token, totalsOf } from './shop-model.ts';
import type { Told } from './shopping.ts';

const pathOf = ({ id }: Basket) => `/carts/${id}`;

/** Something that a shopper does with the cart; the answer is the cart as it is then. */
const withCart = (kind: string, who: number, details: string, check: (basket: Basket) => boolean, run: (basket: Basket, real: Counter) => Promise<Told>) =>
  act(kind, `${details} (${who})`, ({ shoppers }) => shoppers[who]!.basket !== undefined && check(shoppers[who]!.basket!), async (model, real) => {
    const basket = model.shoppers[who]!.basket!;
    expectCart(model, basket, real, await run(basket, real));
  });

/** A cart with something in it, perhaps with the code and an address. */
const open = (who: number, pieces: number[], email: string | undefined, withCode: boolean) =>
  act('open a cart', `with ${pieces.join(' and ')}, ${withCode ? 'the code' : 'no code'}, ${email ?? 'no address'} (${who})`, ({ shoppers }) => !shoppers[who]!.basket, async (model, real) => {
    const { at, variantIds, code } = real;
    const basket: Basket = { id: await at.fill(), pieces, code: withCode, email, seen: 0 };
    for (const [product, quantity] of pieces.entries()) if (quantity > 0) await at.ask('POST', `${pathOf(basket)}/items`, { key: newId(), body: { variantId: variantIds[product], quantity } });
    if (withCode) await at.ask('POST', `${pathOf(basket)}/coupons`, { body: { code } });
    if (email) await at.ask('PATCH', pathOf(basket), { body: { email } });
    expectCart(model, basket, real, await at.ask('GET', pathOf(basket)));
    model.shoppers[who]!.basket = basket;
  });

const add = (who: number, product: number, quantity: number) =>
  withCart('add', who, `${quantity} of ${product}`, () => true, (basket, { at, variantIds }) => {
    basket.pieces[product]! += quantity;
    return at.ask('POST', `${pathOf(basket)}/items`, { key: newId(), body: { variantId: variantIds[product], quantity } });
  });

const change = (who: number, product: number, quantity: number) =>
  withCart('change', who, `${product} to ${quantity}`, ({ pieces }) => pieces[product]! > 0, async (basket, { at, variantIds }) => {
    const { body } = await at.ask('GET', pathOf(basket));
    const item = `${pathOf(basket)}/items/${body.lines.find((line) => line.variantId === variantIds[product])!.id}`;
    basket.pieces[product] = quantity;
    return quantity === 0 ? at.ask('DELETE', item) : at.ask('PATCH', item, { body: { quantity } });
  });

const look = (who: number) => withCart('look', who, '', () => true, (basket, { at }) => at.ask('GET', pathOf(basket)));

const enter = (who: number) =>
  withCart('enter the code', who, '', ({ code }) => !code, (basket, { at, code }) => {
    basket.code = true;
    return at.ask('POST', `${pathOf(basket)}/coupons`, { body: { code: code.toLowerCase() } });
  });

const takeOff = (who: number) =>
  withCart('take the code off', who, '', ({ code }) => code, (basket, { at, code }) => {
    basket.code = false;
    return at.ask('DELETE', `${pathOf(basket)}/coupons/${code}`);
  });

const giveEmail = (who: number, email: string) =>
  withCart('give an e-mail address', who, email, (basket) => basket.email !== email, (basket, { at }) => {
    basket.email = email;
    return at.ask('PATCH', pathOf(basket), { body: { email } });
  });

const FIRST: Record<Exclude<Token, 'sandbox_declined'>, Pick<Bought, 'state' | 'payment'>> = {
  sandbox_ok: { state: 'placed', payment: ['paid'] },
  sandbox_action: { state: 'pending', payment: ['requires_action'] },
  sandbox_late: { state: 'pending', payment: ['pending'] },
  sandbox_late_decline: { state: 'pending', payment: ['pending'] },
};
const LOST_A_RACE = ['out_of_stock', 'total_changed', 'coupon_not_applicable'];

/** For the total that the shopper saw last. Twice with the same key: the second time says the same and does nothing. */
const place = (who: number, token: Token, given: string | undefined) =>
  act('place', `with ${token}${given ? ` as ${given}` : ''} (${who})`, ({ shoppers }) => shoppers[who]!.basket !== undefined, async (model, { at }) => {
    const shopper = model.shoppers[who]!;
    const basket = shopper.basket!;
    const key = newId();
    const what = { cartId: basket.id, email: given, expectedTotal: basket.seen };
    const [told, again] = [await at.order(what, { token, key }), await at.order(what, { token, key })];
    const email = given ?? basket.email;
    const refusal = told.status === 201 ? undefined : told.body.reason!;
    if (model.alone) {
      expect(refusal).toBe(refusalOf(model, basket, { token, email }));
      expect([again.status, again.body.id]).toEqual([told.status, told.body.id]);
    } else if (refusal) expect([...LOST_A_RACE, refusalOf({ ...model, available: basket.pieces }, basket, { token, email })]).toContain(refusal);
    if (refusal === 'total_changed') basket.seen = told.body.total;
    if (refusal || token === 'sandbox_declined') return refusal;
    const { totals } = told.body;
    expect(totals.total).toBe(basket.seen);
    if (model.alone) expect(totals).toMatchObject(totalsOf(model, basket, email));
    const order = { told, token, basket, email: email!, discounted: totals.discount > 0, ...FIRST[token] };
    expect(told.body.state).toBe(order.state);
    shopper.orders.push(order);
    shopper.basket = undefined;
    take(model, order, 1);
    if (token === 'sandbox_late_decline') return refusedLater(model, who, order, at);
    return order.discounted ? `${order.state}, with the discount` : order.state;
  });

async function refusedLater(model: Expectation, who: number, order: Bought, at: Counter['at']): Promise<string> {
  letTimePass(model, at);
  await becomes(at, order, 'refused');
  giveBack(model, who, order, 'refused');
  order.payment = ['failed'];
  return 'refused later';
}

/** Others who are placing orders meanwhile would not know how late it is. */
function letTimePass({ alone }: Expectation, { shop }: Counter['at']): void {
  if (alone) shop.clock.ahead += 3_000;
}

async function becomes(at: Counter['at'], { told }: Bought, state: string, ask = () => at.read(told)): Promise<void> {
  await expect.poll(async () => (await ask()).body.state, { timeout: 30_000, interval: 50 }).toBe(state);
}

/** Who has to decide decides, what comes late has come; then the shopper comes back, or the provider tells the shop by itself. */
const pay = (who: number, approve: boolean, comesBack: boolean) =>
  act(approve ? 'approve' : 'refuse', `${comesBack ? 'and come back' : 'and stay away'} (${who})`, (model) => lastOrder(model, who, 'pending') !== undefined, async (model, { at }) => {
    const order = lastOrder(model, who, 'pending')!;
    const { id, secret, nextAction } = order.told.body;
    const state = nextAction && !approve ? 'refused' : 'placed';
    if (nextAction) await at.ask('POST', new URL(nextAction.url).pathname.replace('/v1', ''), { body: { approve } });
    else letTimePass(model, at);
    const confirm = () => at.ask('POST', `/orders/${id}/confirm-payment`, { headers: { 'x-order-secret': secret } });
    await becomes(at, order, state, comesBack ? confirm : undefined);
    if (state === 'refused') giveBack(model, who, order, 'refused');
    order.state = state;
    order.payment = [state === 'refused' ? 'failed' : 'paid'];
    return `${state}, ${comesBack ? 'the shopper came back' : 'the provider told'}`;
  });

const cancel = (who: number) =>
  act('cancel', `(${who})`, (model) => lastOrder(model, who, 'pending', 'placed') !== undefined, async (model, { at }) => {
    const order = lastOrder(model, who, 'pending', 'placed')!;
    const before = order.state;
    expect((await at.cancel(order.told)).body).toMatchObject({ state: 'cancelled' });
    giveBack(model, who, order, 'cancelled');
    order.payment = before === 'placed' ? ['refunded'] : ['none', ...(order.token === 'sandbox_late' ? ['refunded'] : [])];
    return before;
  });

/** Half an hour passes: who was to approve a payment did not; what came late has come. It takes long: only where a discount waits. */
export const expire = (mayWait: () => boolean) =>
  act('half an hour passes', '', (model) => model.shoppers.some(({ orders }) => orders.some(isForgotten)) && mayWait(), async (model, { at }) => {
    at.shop.clock.ahead += 31 * 60_000;
    for (const [who, { orders }] of model.shoppers.entries()) {
      for (const order of orders.filter(({ state }) => state === 'pending')) {
        const state = order.token === 'sandbox_late' ? 'placed' : 'expired';
        await becomes(at, order, state);
        if (state === 'expired') giveBack(model, who, order, 'expired');
        order.state = state;
        order.payment = [state === 'expired' ? 'none' : 'paid'];
      }
    }
  });

const isForgotten = ({ state, token, discounted }: Bought) => state === 'pending' && token === 'sandbox_action' && discounted;

const adjust = (product: number, delta: number) =>
  act(`staff ${delta > 0 ? 'receives' : 'writes off'}`, `${Math.abs(delta)} of ${product}`, () => true, async (model, { at, variantIds }) => {
    const adjusting = at.shop.kerf.service(inventoryContract).adjust({
      adjustmentId: newId(),
      adjustments: [{ variantId: variantIds[product]!, kind: delta > 0 ? 'received' : 'damaged', delta }],
    });
    const refusal = await reasonOf(adjusting);
    if (model.alone) expect(refusal).toBe(model.available[product]! + delta < 0 ? 'below_reserved' : undefined);
    else expect([undefined, 'below_reserved']).toContain(refusal);
    if (!refusal) model.available[product]! += delta;
    return refusal;
  });

const reasonOf = (call: Promise<unknown>): Promise<string | undefined> => call.then(() => undefined, ({ reason }: { reason: string }) => reason);

const reprice = (product: number, price: number) =>
  act('staff changes a price', `${product} to ${price}`, ({ prices }) => prices[product] !== price, async (model, { at, variantIds }) => {
    const catalog = at.shop.kerf.service(catalogContract);
    const { variants } = await catalog.priceVariants({ currency: 'KRW', variantIds: [variantIds[product]!] });
    const { version, variants: own } = await catalog.getProduct({ idOrSlug: variants[0]!.productId! });
    const { id, sku, ...rest } = own[0]!;
    await catalog.updateVariant({ id, version, draft: { sku, prices: { ...rest.prices, KRW: price } } });
    model.prices[product] = price;
  });

const pause = (paused: boolean) =>
  act(`staff ${paused ? 'pauses' : 'resumes'} the promotion`, '', (model) => model.paused !== paused, async (model, { at, promotion }) => {
    const coupon = at.shop.kerf.service(couponContract);
    const { id, version, used: _used, createdAt: _createdAt, ...draft } = await coupon.getPromotion({ id: promotion.id });
    await coupon.updatePromotion({ id, version, draft: { ...draft, active: !paused } });
    model.paused = paused;
  });

/** Money for a scratch: the goods stay where they are. Who cancels at the same moment gets everything back. */
const refund = (who: number) =>
  act('staff refunds a part', `(${who})`, (model) => lastOrder(model, who, 'placed') !== undefined, async (model, { at }) => {
    const order = lastOrder(model, who, 'placed')!;
    const payments = at.shop.kerf.service(paymentContract);
    const { id: paymentId } = await payments.getPayment({ orderId: order.told.body.id });
    const refusal = await reasonOf(payments.refund({ refundId: newId(), paymentId, amount: 1_000, reason: 'a scratch' }));
    expect([undefined, ...(model.alone ? [] : ['refund_too_large'])]).toContain(refusal);
    if (!refusal && order.state === 'placed') order.payment = ['partially_refunded'];
  });

const product = fc.nat(PRICES.length - 1);
const token = fc.constantFrom<Token>('sandbox_ok', 'sandbox_ok', 'sandbox_action', 'sandbox_action', 'sandbox_action', 'sandbox_action', 'sandbox_late', 'sandbox_late_decline', 'sandbox_declined');
const mostly = fc.constantFrom(true, true, false);
/** Three people: the last address reaches the first one's mailbox. */
const email = fc.constantFrom('guest@example.com', 'other@example.com', 'third@example.com', 'Guest+again@example.com');

/** What these shoppers may do: what is named more often happens more often. */
export function shopperActs(who: fc.Arbitrary<number>): fc.Arbitrary<Act>[] {
  const opening = fc
    .record({ pieces: fc.array(fc.nat(2), { minLength: PRICES.length, maxLength: PRICES.length }), email: fc.option(email, { nil: undefined }), code: mostly, who })
    .map((args) => open(args.who, args.pieces, args.email, args.code));
  const placing = fc.tuple(who, token, fc.option(email, { nil: undefined, freq: 2 })).map((args) => place(...args));
  const paying = fc.tuple(who, fc.boolean(), fc.boolean()).map((args) => pay(...args));
  return [
    opening, opening, opening, placing, placing, placing, placing, paying, paying, paying, paying, who.map(cancel), who.map(enter), who.map(takeOff), who.map(look),
    fc.tuple(who, email).map((args) => giveEmail(...args)),
    fc.tuple(who, product, fc.integer({ min: 1, max: 2 })).map((args) => add(...args)),
    fc.tuple(who, product, fc.integer({ min: 0, max: 3 })).map((args) => change(...args)),
  ];
}

export const anyShopper = fc.nat(SHOPPERS - 1);

export const staffActs: fc.Arbitrary<Act>[] = [
  fc.tuple(product, fc.constantFrom(-2, -1, 1, 2)).map((args) => adjust(...args)),
  anyShopper.map(refund),
];

/** One at a time: two at once would be told of each other's change. */
export const managerActs: fc.Arbitrary<Act>[] = [
  fc.tuple(product, fc.constantFrom(10_000, 20_000, 40_000)).map((args) => reprice(...args)),
  fc.boolean().map(pause),
];
