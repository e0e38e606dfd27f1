import { type Currency, includedTax } from '../../shared/money.ts';
import type { PricedLine, Totals } from './contract.ts';

/** What a sale costs beside the goods in one currency; tax is contained in every price. */
export interface SalesTerms {
  currency: Currency;
  shippingFee: number;
  freeShippingFrom: number;
  includedTaxBasisPoints: number;
}

/** What is asked for. Ids of lines are given before prices, so that shares can be told apart. */
export interface WantedLine {
  id: string;
  variantId: string;
  quantity: number;
}

/** A variant as the catalogue describes it now; with a problem it cannot be bought. */
export interface OfferedVariant {
  variantId: string;
  problem: 'unknown_variant' | 'not_published' | 'no_price' | null;
  productId: string | null;
  sku: string;
  name: { ko: string; en: string };
  options: Record<string, string>;
  categoryIds: string[];
  unitPrice: number;
}

/** What one promotion takes off, as the quote gave it and as it is granted with the order. */
export interface GrantedDiscount {
  promotionId: string;
  name: string;
  class: 'item' | 'order' | 'shipping';
  code: string | null;
  amount: number;
  lines: { lineId: string; amount: number }[];
}

export type Problem = Exclude<OfferedVariant['problem'], null>;
/** A line before discounts. One with a problem costs nothing and is not part of the basket. */
export type OfferedLine = Pick<PricedLine, 'id' | 'variantId' | 'productId' | 'sku' | 'name' | 'options' | 'quantity' | 'unitPrice'> & {
  categoryIds: string[];
  problem: Problem | null;
};
export type CheckoutLine = PricedLine & { categoryIds: string[]; problem: Problem | null };

/** Lines with their discounts, and what they come to. */
export interface Bill {
  lines: CheckoutLine[];
  totals: Totals;
}

export function offerLines(wanted: readonly WantedLine[], variants: readonly OfferedVariant[]): OfferedLine[] {
  const byId = new Map(variants.map((variant) => [variant.variantId, variant]));
  return wanted.map((line) => {
    const { problem, unitPrice, ...description } = byId.get(line.variantId) ?? unknownVariant(line.variantId);
    return { ...line, ...description, problem, unitPrice: problem ? 0 : unitPrice };
  });
}

const unknownVariant = (variantId: string): OfferedVariant => ({
  variantId,
  problem: 'unknown_variant',
  productId: null,
  sku: '',
  name: { ko: '', en: '' },
  options: {},
  categoryIds: [],
  unitPrice: 0,
});

/** The lines that can be bought. */
export const buyable = <Line extends { problem: Problem | null }>(lines: readonly Line[]) => lines.filter(({ problem }) => problem === null);

/** The lines as the coupon module sees them. */
export const basketLines = (lines: readonly Omit<OfferedLine, 'problem'>[]) =>
  lines.flatMap(({ id, productId, categoryIds, quantity, unitPrice }) =>
    productId === null ? [] : [{ lineId: id, productId, categoryIds, quantity, unitPrice }],
  );

/**
 * The shipping fee is decided on merchandise after the item discounts that the basket gets without any fee: the base of
 * a coupon's minimum spend, untouched by order discounts (docs/rules.md, Discounts). An empty basket ships for nothing.
 *
 * A quote may depend on the fee in turn (an exclusive free shipping wins only when it gives the most), so the fee is
 * decided once and not again on the quote that includes it: the same basket always gives the same fee.
 */
export function shippingFee(terms: SalesTerms, lines: readonly OfferedLine[], discounts: readonly GrantedDiscount[] = []): number {
  if (buyable(lines).length === 0) return 0;
  const merchandise = subtotalOf(lines) - sum(discounts.filter((discount) => discount.class === 'item'));
  return merchandise >= terms.freeShippingFrom ? 0 : terms.shippingFee;
}

const subtotalOf = (lines: readonly OfferedLine[]) => lines.reduce((all, line) => all + line.unitPrice * line.quantity, 0);
const sum = (parts: readonly { amount: number }[]) => parts.reduce((all, { amount }) => all + amount, 0);

/** Σ line totals + shipping − shippingDiscount = total, and tax rounded per line and summed (docs/rules.md, Money). */
export function bill(terms: SalesTerms, offered: readonly OfferedLine[], discounts: readonly GrantedDiscount[], shipping: number): Bill {
  const tax = (gross: number) => includedTax(gross, terms.includedTaxBasisPoints);
  const lines = offered.map((line) => {
    const discount = sum(discounts.flatMap((granted) => granted.lines.filter(({ lineId }) => lineId === line.id)));
    const total = line.unitPrice * line.quantity - discount;
    return { ...line, discount, total, taxIncluded: tax(total) };
  });
  const shippingDiscount = sum(discounts.filter((discount) => discount.class === 'shipping'));
  const paidShipping = shipping - shippingDiscount;
  const totals = {
    subtotal: subtotalOf(offered),
    discount: sum(discounts),
    shipping,
    shippingDiscount,
    taxIncluded: lines.reduce((all, line) => all + line.taxIncluded, 0) + tax(paidShipping),
    total: lines.reduce((all, line) => all + line.total, 0) + paidShipping,
  };
  return { lines, totals };
}
