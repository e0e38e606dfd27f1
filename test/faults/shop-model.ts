import fc from 'fast-check';
import { expect } from 'vitest';
import { catalogContract } from '../../src/modules/catalog/contract.ts';
import { couponContract, type Promotion } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { openShop, Told } from './shopping.ts';

type At = Awaited<ReturnType<typeof openShop>>;
type Token = 'sandbox_ok' | 'sandbox_declined' | 'sandbox_action' | 'sandbox_late';

const SHOPPERS = 3;
const USES = 3;
const PRICES = [20_000, 30_000];
const STOCK = 6;

interface Basket {
  id: string;
  /** pieces of each product */
  pieces: number[];
  code: boolean;
  email: boolean;
}

interface Bought extends Basket {
  told: Told;
  token: Token;
  discounted: boolean;
  state: 'pending' | 'placed' | 'cancelled' | 'refused' | 'expired';
}

/** What shoppers and staff may expect, and nothing of how it is done. */
export interface Expectation {
  /** nobody acts at the same time: every answer is foreseen, not only what it leads to */
  alone: boolean;
  prices: number[];
  /** pieces that can be bought */
  available: number[];
  paused: boolean;
  usesLeft: number;
  shoppers: { basket: Basket | undefined; orders: Bought[] }[];
}

/** The same products, code and shoppers as the shop knows them. */
export interface Counter {
  at: At;
  variantIds: string[];
  promotion: Promotion;
  code: string;
}

type Act = fc.AsyncCommand<Expectation, Counter>;

export async function begin(at: At, alone: boolean): Promise<{ model: Expectation; real: Counter }> {
  const code = `MODEL${newId().slice(-8)}`;
  const variantIds = await Promise.all(PRICES.map((price) => at.shop.sell({ price, stock: STOCK })));
  const promotion = await at.shop.promote({ codes: [code], totalLimit: USES });
  const shoppers = Array.from({ length: SHOPPERS }, () => ({ basket: undefined, orders: [] }));
  const model = { alone, prices: [...PRICES], available: PRICES.map(() => STOCK), paused: false, usesLeft: USES, shoppers };
  return { model, real: { at, variantIds, promotion, code } };
}

/** What can be bought and used now is what was expected, and every order is as its shopper was told. */
export async function agree({ available, usesLeft, shoppers }: Expectation, { at, variantIds, promotion }: Counter): Promise<void> {
  const [inventory, coupon] = [at.shop.kerf.service(inventoryContract), at.shop.kerf.service(couponContract)];
  const seen = async () => ({
    available: (await inventory.getLevels({ variantIds })).levels.map((level) => level.available),
    usesLeft: USES - (await coupon.getPromotion({ id: promotion.id })).used,
  });
  await expect.poll(seen, { timeout: 10_000, interval: 20 }).toEqual({ available, usesLeft });
  for (const order of shoppers.flatMap(({ orders }) => orders)) {
    const state = order.token === 'sandbox_late' && order.state === 'pending' ? expect.toBeOneOf(['pending', 'placed']) : order.state;
    expect((await at.read(order.told)).body).toMatchObject({ state });
  }
}

const act = (name: string, check: Act['check'], run: Act['run']): Act => ({
  check,
  toString: () => name,
  async run(model, real) {
    await run(model, real);
    if (model.alone) await agree(model, real);
  },
});

/** Something that a shopper does with the cart; the answer is the cart as it is then. */
const withCart = (name: string, who: number, check: (basket: Basket) => boolean, run: (basket: Basket, real: Counter) => Promise<Told>) =>
  act(`${name} (${who})`, ({ shoppers }) => shoppers[who]!.basket !== undefined && check(shoppers[who]!.basket!), async (model, real) => {
    const basket = model.shoppers[who]!.basket!;
    expectCart(model, basket, real, await run(basket, real));
  });

function expectCart(model: Expectation, basket: Basket, { variantIds }: Counter, { status, body }: Told): void {
  expect(status).toBeLessThan(300);
  const pieces = variantIds.map((variantId) => body.lines.find((line) => line.variantId === variantId)?.quantity ?? 0);
  expect(pieces).toEqual(basket.pieces);
  if (model.alone) expect(body.totals).toMatchObject(totalsOf(model, basket));
}

/** 10 % off with the code; shipping is free from 50,000 won. */
function totalsOf({ prices, paused, usesLeft }: Expectation, { pieces, code }: Basket) {
  const subtotal = pieces.reduce((sum, count, product) => sum + count * prices[product]!, 0);
  const discount = code && !paused && usesLeft > 0 ? subtotal / 10 : 0;
  const shipping = subtotal === 0 || subtotal >= 50_000 ? 0 : 3_000;
  return { subtotal, discount, total: subtotal - discount + shipping };
}

const pathOf = ({ id }: Basket) => `/carts/${id}`;

/** Who has no cart opens one first. */
const add = (who: number, product: number, quantity: number) =>
  act(`add ${quantity} of ${product} (${who})`, () => true, async (model, real) => {
    const { at, variantIds } = real;
    const basket = (model.shoppers[who]!.basket ??= { id: await at.fill(), pieces: PRICES.map(() => 0), code: false, email: false });
    basket.pieces[product]! += quantity;
    expectCart(model, basket, real, await at.ask('POST', `${pathOf(basket)}/items`, { key: newId(), body: { variantId: variantIds[product], quantity } }));
  });

const change = (who: number, product: number, quantity: number) =>
  withCart(`change ${product} to ${quantity}`, who, ({ pieces }) => pieces[product]! > 0, async (basket, { at, variantIds }) => {
    const { body } = await at.ask('GET', pathOf(basket));
    const item = `${pathOf(basket)}/items/${body.lines.find((line) => line.variantId === variantIds[product])!.id}`;
    basket.pieces[product] = quantity;
    return quantity === 0 ? at.ask('DELETE', item) : at.ask('PATCH', item, { body: { quantity } });
  });

const enter = (who: number) =>
  withCart('enter the code', who, () => true, (basket, { at, code }) => {
    basket.code = true;
    return at.ask('POST', `${pathOf(basket)}/coupons`, { body: { code: code.toLowerCase() } });
  });

const takeOff = (who: number) =>
  withCart('take the code off', who, () => true, (basket, { at, code }) => {
    basket.code = false;
    return at.ask('DELETE', `${pathOf(basket)}/coupons/${code}`);
  });

const giveEmail = (who: number) =>
  withCart('give an e-mail address', who, () => true, (basket, { at }) => {
    basket.email = true;
    return at.ask('PATCH', pathOf(basket), { body: { email: 'guest@example.com' } });
  });

/** Twice with the same key: the second time says the same and does nothing. */
const place = (who: number, token: Token, email: string | undefined) =>
  act(`place with ${token}${email ? '' : ' and no address'} (${who})`, ({ shoppers }) => shoppers[who]!.basket !== undefined, async (model, { at }) => {
    const shopper = model.shoppers[who]!;
    const basket = shopper.basket!;
    const shown = await at.ask('GET', pathOf(basket));
    const key = newId();
    const what = { cartId: basket.id, email, expectedTotal: shown.body.totals.total };
    const [told, again] = [await at.order(what, { token, key }), await at.order(what, { token, key })];
    const refusal = told.status === 201 ? undefined : told.body.reason;
    if (model.alone) expect(refusal).toBe(refusalOf(model, basket, token, email));
    else if (refusal) expect(['out_of_stock', 'total_changed', 'coupon_not_applicable', refusalOf({ ...model, available: basket.pieces }, basket, token, email)]).toContain(refusal);
    if (model.alone) expect([again.status, again.body.id]).toEqual([told.status, told.body.id]);
    if (refusal) return;
    if (model.alone) expect(told.body.totals).toMatchObject(totalsOf(model, basket));
    const discounted = told.body.totals.discount > 0;
    const state = ['sandbox_action', 'sandbox_late'].includes(token) ? 'pending' : 'placed';
    expect(told.body.state).toBe(state);
    shopper.orders.push({ ...basket, told, token, discounted, state });
    shopper.basket = undefined;
    take(model, basket.pieces, discounted, -1);
  });

function refusalOf({ available }: Expectation, basket: Basket, token: Token, email: string | undefined): string | undefined {
  const { pieces } = basket;
  if (pieces.every((count) => count === 0)) return 'cart_empty';
  if (!basket.email && !email) return 'email_required';
  if (pieces.some((count, product) => count > 0 && count > available[product]!)) return 'out_of_stock';
  return token === 'sandbox_declined' ? 'payment_declined' : undefined;
}

function take(model: Expectation, pieces: readonly number[], discounted: boolean, sign: 1 | -1): void {
  pieces.forEach((count, product) => void (model.available[product]! += sign * count));
  if (discounted) model.usesLeft += sign;
}

/** What the order had can be bought again; its cart is the shopper's again, if no other is. */
function giveBack(model: Expectation, who: number, order: Bought, state: 'cancelled' | 'refused' | 'expired'): void {
  const shopper = model.shoppers[who]!;
  order.state = state;
  take(model, order.pieces, order.discounted, 1);
  const { id, pieces, code, email } = order;
  if (state !== 'cancelled') shopper.basket ??= { id, pieces: [...pieces], code, email };
}

const lastOrder = ({ shoppers }: Readonly<Expectation>, who: number, ...states: string[]) => shoppers[who]!.orders.findLast(({ state }) => states.includes(state));

/** The provider has decided by now, or the shopper does. */
const confirm = (who: number, approve: boolean) =>
  act(`${approve ? 'approve' : 'refuse'} and confirm (${who})`, (model) => lastOrder(model, who, 'pending') !== undefined, async (model, { at }) => {
    const order = lastOrder(model, who, 'pending')!;
    const { id, secret, nextAction } = order.told.body;
    if (nextAction) await at.ask('POST', new URL(nextAction.url).pathname.replace('/v1', ''), { body: { approve } });
    else at.shop.clock.ahead += 3_000;
    const { body } = await at.ask('POST', `/orders/${id}/confirm-payment`, { headers: { 'x-order-secret': secret } });
    expect(body.state).toBe(nextAction && !approve ? 'refused' : 'placed');
    if (body.state === 'refused') giveBack(model, who, order, 'refused');
    else order.state = 'placed';
  });

const cancel = (who: number) =>
  act(`cancel (${who})`, (model) => lastOrder(model, who, 'pending', 'placed') !== undefined, async (model, { at }) => {
    const order = lastOrder(model, who, 'pending', 'placed')!;
    expect((await at.cancel(order.told)).body).toMatchObject({ state: 'cancelled' });
    giveBack(model, who, order, 'cancelled');
  });

/** Half an hour passes: who was to approve a payment did not; what came late has come. */
export const expire = (mayWait: () => boolean) =>
  act('half an hour passes', (model) => model.alone && model.shoppers.some((_, who) => lastOrder(model, who, 'pending')) && mayWait(), async (model, { at }) => {
    at.shop.clock.ahead += 31 * 60_000;
    for (const [who, { orders }] of model.shoppers.entries()) {
      for (const order of orders.filter(({ state }) => state === 'pending')) {
        const state = order.token === 'sandbox_late' ? 'placed' : 'expired';
        await expect.poll(async () => (await at.read(order.told)).body.state, { timeout: 30_000, interval: 100 }).toBe(state);
        if (state === 'expired') giveBack(model, who, order, 'expired');
        else order.state = 'placed';
      }
    }
  });

const adjust = (product: number, delta: number) =>
  act(`staff ${delta > 0 ? 'receives' : 'writes off'} ${Math.abs(delta)} of ${product}`, () => true, async (model, { at, variantIds }) => {
    const adjusting = at.shop.kerf.service(inventoryContract).adjust({
      adjustmentId: newId(),
      adjustments: [{ variantId: variantIds[product]!, kind: delta > 0 ? 'received' : 'damaged', delta }],
    });
    const refused = await adjusting.then(() => false, (error: unknown) => {
      expect(error).toMatchObject({ reason: 'below_reserved' });
      return true;
    });
    if (model.alone) expect(refused).toBe(model.available[product]! + delta < 0);
    if (!refused) model.available[product]! += delta;
  });

const reprice = (product: number, price: number) =>
  act(`staff asks ${price} for ${product}`, () => true, async (model, { at, variantIds }) => {
    const catalog = at.shop.kerf.service(catalogContract);
    const { variants } = await catalog.priceVariants({ currency: 'KRW', variantIds: [variantIds[product]!] });
    const { version, variants: own } = await catalog.getProduct({ idOrSlug: variants[0]!.productId! });
    const { id, sku, ...rest } = own[0]!;
    await catalog.updateVariant({ id, version, draft: { sku, prices: { ...rest.prices, KRW: price } } });
    model.prices[product] = price;
  });

const pause = (paused: boolean) =>
  act(`staff ${paused ? 'pauses' : 'resumes'} the promotion`, (model) => model.paused !== paused, async (model, { at, promotion }) => {
    const coupon = at.shop.kerf.service(couponContract);
    const { id, version, used: _used, createdAt: _createdAt, ...draft } = await coupon.getPromotion({ id: promotion.id });
    await coupon.updatePromotion({ id, version, draft: { ...draft, active: !paused } });
    model.paused = paused;
  });

const product = fc.nat(PRICES.length - 1);
const token = fc.constantFrom<Token>('sandbox_ok', 'sandbox_ok', 'sandbox_action', 'sandbox_action', 'sandbox_late', 'sandbox_declined');

/** What these shoppers may do: what is named more often happens more often. */
export function shopperActs(who: fc.Arbitrary<number>): fc.Arbitrary<Act>[] {
  const adding = fc.tuple(who, product, fc.integer({ min: 1, max: 2 })).map((args) => add(...args));
  const placing = fc.tuple(who, token, fc.constantFrom('guest@example.com', 'other@example.com', undefined)).map((args) => place(...args));
  const confirming = fc.tuple(who, fc.boolean()).map((args) => confirm(...args));
  return [
    adding, adding, adding, placing, placing, placing, confirming, confirming, confirming, who.map(giveEmail), who.map(enter), who.map(enter), who.map(cancel), who.map(takeOff),
    fc.tuple(who, product, fc.integer({ min: 0, max: 3 })).map((args) => change(...args)),
  ];
}

export const anyShopper = fc.nat(SHOPPERS - 1);

export const staffActs: fc.Arbitrary<Act>[] = [
  fc.tuple(product, fc.constantFrom(-2, -1, 1, 2)).map((args) => adjust(...args)),
  fc.tuple(product, fc.constantFrom(10_000, 20_000, 40_000)).map((args) => reprice(...args)),
  fc.boolean().map(pause),
];
