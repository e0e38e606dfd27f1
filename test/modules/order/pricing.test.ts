import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { basketLines, bill, buyable, type GrantedDiscount, type OfferedLine, type OfferedVariant, offerLines, type SalesTerms, shippingFee } from '../../../src/modules/order/pricing.ts';
import { allocate, perUnit } from '../../../src/shared/money.ts';

const runs = { numRuns: Number(process.env['KERF_PROPERTY_RUNS'] ?? 2_000) };

const KRW: SalesTerms = { currency: 'KRW', shippingFee: 3_000, freeShippingFrom: 50_000, includedTaxBasisPoints: 1_000 };
const USD: SalesTerms = { currency: 'USD', shippingFee: 800, freeShippingFrom: 8_000, includedTaxBasisPoints: 0 };

const line = (id: string, unitPrice: number, quantity = 1, problem: OfferedLine['problem'] = null): OfferedLine => ({
  id, variantId: `variant ${id}`, productId: `product ${id}`, sku: id, name: { ko: id, en: '' }, options: {}, categoryIds: [], quantity, unitPrice, problem,
});
const discount = (kind: GrantedDiscount['class'], amount: number, lines: GrantedDiscount['lines'] = []): GrantedDiscount => ({
  promotionId: `${kind} ${amount}`, name: kind, class: kind, code: null, amount, lines,
});

describe('the shipping fee', () => {
  it.each([
    ['below the threshold', KRW, [line('a', 49_999)], [], 3_000],
    ['at the threshold', KRW, [line('a', 50_000)], [], 0],
    ['in dollars', USD, [line('a', 7_999)], [], 800],
    ['in dollars at the threshold', USD, [line('a', 2_000, 4)], [], 0],
    ['after item discounts', KRW, [line('a', 50_000)], [discount('item', 1, [{ lineId: 'a', amount: 1 }])], 3_000],
    ['before order discounts', KRW, [line('a', 50_000)], [discount('order', 40_000, [{ lineId: 'a', amount: 40_000 }])], 0],
    ['for an empty basket', KRW, [], [], 0],
    ['for goods that cost nothing', KRW, [line('a', 0)], [], 3_000],
    ['when nothing in it can be bought', KRW, [line('a', 0, 1, 'not_published')], [], 0],
  ] satisfies [string, SalesTerms, OfferedLine[], GrantedDiscount[], number][])('is right %s', (_, terms, lines, discounts, fee) => {
    expect(shippingFee(terms, lines, discounts)).toBe(fee);
  });
});

describe('lines', () => {
  const variant: OfferedVariant = {
    variantId: 'v', problem: null, productId: 'p', sku: 'S', name: { ko: '컵', en: 'Cup' }, options: { color: 'Ivory' }, categoryIds: ['c'], unitPrice: 900,
  };
  it('take what the catalogue says', () => {
    expect(offerLines([{ id: 'l', variantId: 'v', quantity: 2 }], [variant])).toEqual([{ ...variant, id: 'l', quantity: 2 }]);
  });
  it('cost nothing when they cannot be bought', () => {
    const offered = offerLines([{ id: 'l', variantId: 'v', quantity: 2 }, { id: 'm', variantId: 'gone', quantity: 1 }], [{ ...variant, problem: 'not_published' }]);
    expect(offered.map(({ problem, unitPrice }) => ({ problem, unitPrice }))).toEqual([
      { problem: 'not_published', unitPrice: 0 },
      { problem: 'unknown_variant', unitPrice: 0 },
    ]);
    expect(basketLines(buyable(offered))).toEqual([]);
  });
});

describe('the bill', () => {
  it('contains the VAT that Korean receipts show', () => {
    const { totals, lines } = bill(KRW, [line('a', 9_026), line('b', 30_000)], [], 0);
    expect(lines.map(({ taxIncluded }) => taxIncluded)).toEqual([821, 2_727]);
    expect(totals.taxIncluded).toBe(3_548);
  });
  it('taxes what is left of the shipping fee', () => {
    expect(bill(KRW, [line('a', 11_000)], [], 3_000).totals).toMatchObject({ taxIncluded: 1_000 + 273, total: 14_000 });
    expect(bill(KRW, [line('a', 11_000)], [discount('shipping', 3_000)], 3_000).totals).toMatchObject({ taxIncluded: 1_000, total: 11_000, discount: 3_000 });
  });
  it('comes to nothing at 100 %', () => {
    const all = [discount('order', 20_000, [{ lineId: 'a', amount: 20_000 }]), discount('shipping', 3_000)];
    const { totals, lines } = bill(KRW, [line('a', 10_000, 2)], all, 3_000);
    expect(totals).toEqual({ subtotal: 20_000, discount: 23_000, shipping: 3_000, shippingDiscount: 3_000, taxIncluded: 0, total: 0 });
    expect(lines).toMatchObject([{ discount: 20_000, total: 0, taxIncluded: 0 }]);
  });

  /** Lines, and discounts that are spread over them as the coupon module does. */
  const bills = fc
    .record({
      prices: fc.array(fc.record({ price: fc.integer({ min: 0, max: 10_000_000 }), quantity: fc.integer({ min: 1, max: 999 }) }), { minLength: 1, maxLength: 12 }),
      item: fc.double({ min: 0, max: 1, noNaN: true }),
      order: fc.double({ min: 0, max: 1, noNaN: true }),
      shipping: fc.double({ min: 0, max: 1, noNaN: true }),
      terms: fc.constantFrom(KRW, USD),
    })
    .map(({ prices, item, order, shipping, terms }) => {
      const lines = prices.map(({ price, quantity }, index) => line(String(index), price, quantity));
      const spread = (kind: 'item' | 'order', part: number, rest: number[]) => {
        const amount = Math.floor(rest.reduce((all, one) => all + one, 0) * part);
        const shares = allocate(amount, rest);
        return { discount: discount(kind, amount, shares.map((share, index) => ({ lineId: String(index), amount: share }))), rest: rest.map((one, index) => one - shares[index]!) };
      };
      const first = spread('item', item, lines.map(({ unitPrice, quantity }) => unitPrice * quantity));
      const second = spread('order', order, first.rest);
      const fee = shippingFee(terms, lines, [first.discount]);
      return { terms, lines, fee, discounts: [first.discount, second.discount, discount('shipping', Math.floor(fee * shipping))] };
    });

  it('adds up exactly, whatever is taken off', () => {
    fc.assert(
      fc.property(bills, ({ terms, lines, fee, discounts }) => {
        const { lines: billed, totals } = bill(terms, lines, discounts, fee);
        const sum = (parts: number[]) => parts.reduce((all, part) => all + part, 0);
        expect(sum(billed.map(({ total }) => total)) + totals.shipping - totals.shippingDiscount).toBe(totals.total);
        expect(totals.subtotal - totals.discount + totals.shipping).toBe(totals.total);
        expect(sum(billed.map((one) => one.discount)) + totals.shippingDiscount).toBe(totals.discount);
        expect(Math.min(totals.total, totals.taxIncluded, ...billed.flatMap(({ total, taxIncluded }) => [total, taxIncluded, total - taxIncluded]))).toBeGreaterThanOrEqual(0);
        for (const { total, quantity } of billed) {
          const units = perUnit(total, quantity);
          expect(sum(units)).toBe(total);
          expect(Math.max(...units) - Math.min(...units)).toBeLessThanOrEqual(1);
        }
      }),
      runs,
    );
  });
});
