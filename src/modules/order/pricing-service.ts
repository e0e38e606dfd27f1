import type { Catalog } from '../catalog/contract.ts';
import type { Basket, Coupon, Quote } from '../coupon/contract.ts';
import { basketLines, type Bill, bill, buyable, offerLines, type OfferedLine, type SalesTerms, shippingFee, type WantedLine } from './pricing.ts';

export interface Wanted {
  terms: SalesTerms;
  lines: readonly WantedLine[];
  codes: string[];
  customerId: string | null;
  /** a guest's, once it is known: limits per customer count by it */
  email: string | null;
}

export interface Priced extends Bill {
  discounts: Quote['discounts'];
  codes: Quote['codes'];
}

export type Price = (wanted: Wanted) => Promise<Priced>;

const NOTHING: Quote = { discounts: [], codes: [] };

/** Prices a cart as it is shown and as it is ordered: one way for both, so that the totals agree. Never in a transaction. */
export function createPricing({ catalog, coupon }: { catalog: Catalog; coupon: Coupon }): Price {
  return async ({ terms, lines: wanted, codes, customerId, email }) => {
    const lines = await offered(wanted, terms);
    const { discounts, codes: statuses, shipping } = await quoted(terms, lines, (fee) =>
      basketOf({ customerId, email, currency: terms.currency, lines: buyable(lines), shipping: fee, codes }),
    );
    return { ...bill(terms, lines, discounts, shipping), discounts, codes: statuses };
  };

  async function offered(wanted: readonly WantedLine[], { currency }: SalesTerms): Promise<OfferedLine[]> {
    if (wanted.length === 0) return [];
    const variantIds = [...new Set(wanted.map(({ variantId }) => variantId))];
    const { variants } = await catalog.priceVariants({ currency, variantIds });
    return offerLines(wanted, variants);
  }

  /** Asks once, or twice when the item discounts bring the goods below the sum from which shipping is free. */
  async function quoted(terms: SalesTerms, lines: readonly OfferedLine[], basket: (shipping: number) => Basket) {
    const fee = shippingFee(terms, lines);
    const quote = await ask(basket(fee));
    const shipping = shippingFee(terms, lines, quote.discounts);
    return shipping === fee ? { ...quote, shipping } : { ...(await ask(basket(shipping))), shipping };
  }

  async function ask(basket: Basket): Promise<Quote> {
    return basket.lines.length + basket.codes.length === 0 ? NOTHING : coupon.quote(basket);
  }
}

type BasketOf = Omit<Basket, 'lines'> & { lines: readonly Omit<OfferedLine, 'problem'>[] };

/** What the coupon module is asked about: the same when a cart is shown, when it is ordered, and when uses are taken. */
export const basketOf = ({ customerId, email, currency, lines, shipping, codes }: BasketOf): Basket => ({
  customerId,
  email: customerId ? null : email,
  currency,
  lines: basketLines(lines),
  shipping,
  codes,
});
