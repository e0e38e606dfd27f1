import { allocate, type Currency, percentOf } from '../../shared/money.ts';
import type { Benefit, Scope } from './contract.ts';
import type { Terms } from './promotion.ts';
import { minimumNotReached, type Refusal, refused } from './refusal.ts';

/** What can be discounted: merchandise line by line, as far as earlier discounts have left it, and the shipping fee. */
export interface Goods {
  currency: Currency;
  lines: readonly GoodsLine[];
  shipping: number;
}

export interface GoodsLine {
  lineId: string;
  productId: string;
  categoryIds: readonly string[];
  amount: number;
}

/** A promotion at work. `bases`: what it is taken from, one sum per line of the goods; nothing for shipping. */
export interface Applied {
  terms: Terms;
  amount: number;
  bases: readonly number[];
}

export const isApplied = (outcome: Applied | Refusal): outcome is Applied => 'terms' in outcome;

/** What a promotion takes off these goods, or why nothing. */
export function apply(terms: Terms, goods: Goods): Applied | Refusal {
  const eligible = goods.lines.map((line) => isEligible(line, terms.scope));
  if (!eligible.includes(true)) return refused('no_eligible_items');
  const missing = terms.minimumSpend - merchandise(goods);
  if (missing > 0) return minimumNotReached(missing, goods.currency);
  const isShipping = terms.class === 'shipping';
  const bases = isShipping ? [] : goods.lines.map(({ amount }, index) => (eligible[index] ? amount : 0));
  const amount = benefitOf(terms.benefit, isShipping ? goods.shipping : sum(bases));
  return amount > 0 ? { terms, amount, bases } : refused('nothing_to_discount');
}

/** Empty lists mean every item; exclusions win. */
function isEligible({ productId, categoryIds }: GoodsLine, scope: Scope): boolean {
  const isIn = (productIds: readonly string[], categories: readonly string[]) =>
    productIds.includes(productId) || categories.some((id) => categoryIds.includes(id));
  if (isIn(scope.excludedProductIds, scope.excludedCategoryIds)) return false;
  return scope.productIds.length + scope.categoryIds.length === 0 || isIn(scope.productIds, scope.categoryIds);
}

/** Off the base as a whole, rounded once, never more than is there. The whole is the whole, however it is to be rounded. */
export function benefitOf(benefit: Benefit, base: number): number {
  if (benefit.kind === 'free_shipping') return base;
  if (benefit.kind === 'fixed') return Math.min(benefit.amount, base);
  const { basisPoints, cap, roundTo: unit, rounding: mode } = benefit;
  const share = basisPoints === 10_000 ? base : percentOf(base, basisPoints, { unit, mode });
  return Math.min(share, cap ?? base, base);
}

/** The part of each line, by largest remainder: Σ = amount, and no line gives more than its base. */
export const sharesOf = ({ amount, bases }: Applied): number[] => allocate(amount, bases);

/** The goods with these discounts taken off their lines. */
export function reduce(goods: Goods, discounts: readonly Applied[]): Goods {
  const shares = discounts.map(sharesOf);
  const lines = goods.lines.map((line, index) => ({ ...line, amount: line.amount - sum(shares.map((share) => share[index]!)) }));
  return { ...goods, lines };
}

export const merchandise = ({ lines }: Goods): number => sum(lines.map(({ amount }) => amount));

export const sum = (parts: readonly number[]): number => parts.reduce((all, part) => all + part, 0);
