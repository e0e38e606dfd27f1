import type { Basket } from '../../../src/modules/coupon/contract.ts';
import { type Candidate, quoteBasket } from '../../../src/modules/coupon/coupon.ts';
import type { Terms } from '../../../src/modules/coupon/promotion.ts';

export const NOW = new Date('2026-03-02T03:00:00.000Z');

/** A readable UUID: `id(7)` ends in 7. */
export const id = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;

export const ANY_SCOPE: Terms['scope'] = { productIds: [], categoryIds: [], excludedProductIds: [], excludedCategoryIds: [] };

export const percent = (basisPoints: number, more: Partial<Extract<Terms['benefit'], { kind: 'percent' }>> = {}): Terms['benefit'] => ({
  kind: 'percent', basisPoints, cap: null, roundTo: 1, rounding: 'half_up', ...more,
});
export const fixed = (amount: number): Terms['benefit'] => ({ kind: 'fixed', amount });
export const FREE_SHIPPING: Terms['benefit'] = { kind: 'free_shipping' };

/** 10 % off the order for everybody, unless said otherwise. */
export const terms = (number: number, more: Partial<Terms> = {}): Terms => ({
  id: id(number),
  name: `Promotion ${number}`,
  class: 'order',
  benefit: percent(1_000),
  currency: 'KRW',
  scope: ANY_SCOPE,
  minimumSpend: 0,
  startsAt: null,
  endsAt: null,
  totalLimit: null,
  perCustomerLimit: null,
  combinesWith: [],
  exclusive: false,
  priority: 0,
  active: true,
  ...more,
});

/** Brought by the code `C<number>`, unless it is automatic. */
export const byCode = (number: number, more: Partial<Terms> = {}, uses: Partial<Candidate> = {}): Candidate => ({
  terms: terms(number, more), codes: [`C${number}`], used: 0, usedByCustomer: 0, ...uses,
});
export const automatic = (number: number, more: Partial<Terms> = {}): Candidate => ({ ...byCode(number, more), codes: [] });

interface Line {
  price: number;
  quantity?: number;
  product?: number;
  categories?: number[];
}

/** Lines `L1`, `L2` … of products 1, 2 … in no category. */
export const basketOf = (lines: Line[], more: Partial<Basket> = {}): Basket => ({
  customerId: id(900),
  email: null,
  currency: 'KRW',
  lines: lines.map(({ price, quantity = 1, product, categories = [] }, index) => ({
    lineId: `L${index + 1}`, productId: id(product ?? index + 1), categoryIds: categories.map(id), quantity, unitPrice: price,
  })),
  shipping: 3_000,
  codes: [],
  ...more,
});

/** The quote of a basket into which every code of the candidates was entered. */
export const quoteAll = (basket: Basket, candidates: Candidate[], now = NOW) =>
  quoteBasket({ ...basket, codes: candidates.flatMap(({ codes }) => codes) }, candidates, now);

/** Amounts by promotion number: `{ 1: 3000 }`. */
export const amounts = ({ discounts }: ReturnType<typeof quoteBasket>) =>
  Object.fromEntries(discounts.map(({ promotionId, amount }) => [Number(promotionId.slice(-12)), amount]));

export const reasons = ({ codes }: ReturnType<typeof quoteBasket>) => Object.fromEntries(codes.map(({ code, reason }) => [code, reason]));
