import type fc from 'fast-check';
import { expect } from 'vitest';
import { couponContract, type Promotion } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import type { openShop, Told } from './shopping.ts';

type At = Awaited<ReturnType<typeof openShop>>;
export type Token = 'sandbox_ok' | 'sandbox_declined' | 'sandbox_action' | 'sandbox_late' | 'sandbox_late_decline';

export const SHOPPERS = 3;
export const PRICES = [20_000, 30_000];
const STOCK = 8;
const USES = 2;
const USES_EACH = 1;

export interface Basket {
  id: string;
  /** pieces of each product */
  pieces: number[];
  code: boolean;
  email: string | undefined;
  /** the total that the shopper saw last */
  seen: number;
}

export interface Bought {
  told: Told;
  token: Token;
  basket: Basket;
  email: string;
  discounted: boolean;
  state: 'pending' | 'placed' | 'cancelled' | 'refused' | 'expired';
  /** what shoppers are told of their payment */
  payment: string[];
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
  /** uses of the code by each person, as the mailbox tells them apart */
  usesBy: Record<string, number>;
  shoppers: { basket: Basket | undefined; orders: Bought[] }[];
}

/** The same products, code and shoppers as the shop knows them. */
export interface Counter {
  at: At;
  variantIds: string[];
  promotion: Promotion;
  code: string;
  /** how often each kind of thing really happened */
  happened: Map<string, number>;
}

export type Act = fc.AsyncCommand<Expectation, Counter>;

export async function begin(at: At, alone: boolean, happened: Map<string, number>): Promise<{ model: Expectation; real: Counter }> {
  const code = `MODEL${newId().slice(-8)}`;
  const variantIds = await Promise.all(PRICES.map((price) => at.shop.sell({ price, stock: STOCK })));
  const promotion = await at.shop.promote({ codes: [code], totalLimit: USES, perCustomerLimit: USES_EACH });
  const shoppers = Array.from({ length: SHOPPERS }, () => ({ basket: undefined, orders: [] }));
  const model = { alone, prices: [...PRICES], available: PRICES.map(() => STOCK), paused: false, usesLeft: USES, usesBy: {}, shoppers };
  return { model, real: { at, variantIds, promotion, code, happened } };
}

/** `run` may say what came of it: then that is counted, and not only that it happened. */
export const act = (kind: string, details: string, check: Act['check'], run: (model: Expectation, real: Counter) => Promise<string | void>): Act => ({
  check,
  toString: () => `${kind} ${details}`,
  async run(model, real) {
    const outcome = await run(model, real);
    count(real, outcome ? `${kind}: ${outcome}` : kind);
    if (model.alone) await agree(model, real);
  },
});

const count = ({ happened }: Counter, what: string) => void happened.set(what, (happened.get(what) ?? 0) + 1);

/** What can be bought and used now is what was expected, and every order and its payment are as its shopper was told. */
export async function agree({ available, usesLeft, usesBy, shoppers }: Expectation, { at, variantIds, promotion }: Counter): Promise<void> {
  const [inventory, coupon] = [at.shop.kerf.service(inventoryContract), at.shop.kerf.service(couponContract)];
  const orders = shoppers.flatMap((shopper) => shopper.orders);
  const seen = async () => ({
    available: (await inventory.getLevels({ variantIds })).levels.map((level) => level.available),
    usesLeft: USES - (await coupon.getPromotion({ id: promotion.id })).used,
    orders: await Promise.all(orders.map(async ({ told }) => (await at.read(told)).body)),
  });
  await expect.poll(seen, { timeout: 30_000, interval: 20 }).toEqual({ available, usesLeft, orders: orders.map(expectOrder) });
  expect(Math.max(0, ...Object.values(usesBy))).toBeLessThanOrEqual(USES_EACH);
}

/** A late payment may have come by now, or not. */
function expectOrder({ token, state, payment }: Bought) {
  const mayHaveCome = token === 'sandbox_late' && state === 'pending';
  const [states, statuses] = mayHaveCome ? [['pending', 'placed'], ['pending', 'paid']] : [[state], payment];
  return expect.objectContaining({ state: expect.toBeOneOf(states), paymentStatus: expect.toBeOneOf(statuses) });
}

export function expectCart(model: Expectation, basket: Basket, real: Counter, { status, body }: Told): void {
  expect(status).toBeLessThan(300);
  const pieces = real.variantIds.map((variantId) => body.lines.find((line) => line.variantId === variantId)?.quantity ?? 0);
  expect(pieces).toEqual(basket.pieces);
  basket.seen = body.totals.total;
  if (!model.alone) return;
  expect(body.totals).toMatchObject(totalsOf(model, basket, basket.email));
  if (basket.code && basket.email && !model.paused && model.usesLeft > 0 && usesOf(model, basket.email) >= USES_EACH) count(real, 'a person has no use left');
}

/** 10 % off with the code, for a person who is known; shipping is free from 50,000 won. */
export function totalsOf(model: Expectation, { pieces, code }: Basket, email: string | undefined) {
  const { prices, paused, usesLeft } = model;
  const subtotal = pieces.reduce((sum, quantity, product) => sum + quantity * prices[product]!, 0);
  const discount = code && !paused && usesLeft > 0 && usesOf(model, email) < USES_EACH ? subtotal / 10 : 0;
  const shipping = subtotal === 0 || subtotal >= 50_000 ? 0 : 3_000;
  return { subtotal, discount, total: subtotal - discount + shipping };
}

/** Whoever is not known yet has no use. */
const usesOf = ({ usesBy }: Expectation, email: string | undefined) => (email === undefined ? USES_EACH : (usesBy[mailbox(email)] ?? 0));
const mailbox = (email: string) => email.toLowerCase().replace(/\+.*@/, '@');

export function refusalOf(model: Expectation, basket: Basket, { token, email }: { token: Token; email: string | undefined }): string | undefined {
  const { pieces, seen } = basket;
  if (pieces.every((quantity) => quantity === 0)) return 'cart_empty';
  if (!email) return 'email_required';
  if (model.alone && totalsOf(model, basket, email).total !== seen) return 'total_changed';
  if (pieces.some((quantity, product) => quantity > 0 && quantity > model.available[product]!)) return 'out_of_stock';
  return token === 'sandbox_declined' ? 'payment_declined' : undefined;
}

export function take(model: Expectation, { basket, email, discounted }: Pick<Bought, 'basket' | 'email' | 'discounted'>, sign: 1 | -1): void {
  basket.pieces.forEach((quantity, product) => void (model.available[product]! -= sign * quantity));
  if (!discounted) return;
  model.usesLeft -= sign;
  model.usesBy[mailbox(email)] = (model.usesBy[mailbox(email)] ?? 0) + sign;
}

/** What the order had can be bought again; its cart is the shopper's again, if no other is. */
export function giveBack(model: Expectation, who: number, order: Bought, state: 'cancelled' | 'refused' | 'expired'): void {
  order.state = state;
  take(model, order, -1);
  if (state !== 'cancelled') model.shoppers[who]!.basket ??= { ...order.basket, pieces: [...order.basket.pieces] };
}

export const lastOrder = ({ shoppers }: Readonly<Expectation>, who: number, ...states: string[]) =>
  shoppers[who]!.orders.findLast(({ state }) => states.includes(state));
