import { describe, expect, it } from 'vitest';
import { benefitOf } from '../../../src/modules/coupon/discounting.ts';
import { ANY_SCOPE, amounts, basketOf, byCode, fixed, FREE_SHIPPING, id, percent, quoteAll, reasons } from './support.ts';

describe('a benefit', () => {
  it.each([
    ['rounds half up', percent(1_000), 12_345, 1_235],
    ['rounds down when told to', percent(1_000, { rounding: 'floor' }), 12_345, 1_234],
    ['rounds to ten won', percent(1_000, { roundTo: 10 }), 12_345, 1_230],
    ['rounds half of ten won up', percent(1_000, { roundTo: 10 }), 12_350, 1_240],
    ['rounds down to a hundred won', percent(1_000, { roundTo: 100, rounding: 'floor' }), 12_999, 1_200],
    ['stops at its cap', percent(1_000, { cap: 1_000 }), 12_345, 1_000],
    ['stays below its cap', percent(1_000, { cap: 5_000 }), 12_345, 1_235],
    ['never rounds up past what is there', percent(9_999, { roundTo: 100 }), 60, 60],
    ['never rounds up past what is there, below its cap', percent(9_999, { roundTo: 100, cap: 5_000 }), 60, 60],
    ['takes the whole of it at 100 %, to the last won', percent(10_000, { roundTo: 100 }), 12_345, 12_345],
    ['takes the whole up to the cap', percent(10_000, { cap: 10_000 }), 12_345, 10_000],
    ['takes nothing of nothing', percent(1_000), 0, 0],
    ['is exact for sums beyond 2^53 in between', percent(3_333), 999_999_999_999, 333_300_000_000],
    ['takes a fixed sum', fixed(5_000), 12_345, 5_000],
    ['takes no more than is there of a fixed sum', fixed(5_000), 1_234, 1_234],
    ['takes the whole fee', FREE_SHIPPING, 3_000, 3_000],
  ])('%s', (_, benefit, base, amount) => {
    expect(benefitOf(benefit, base)).toBe(amount);
  });
});

describe('what is eligible', () => {
  const [kitchen, cups, pets] = [101, 102, 103];
  const basket = basketOf([
    { price: 10_000, categories: [kitchen, cups] },
    { price: 20_000, categories: [kitchen] },
    { price: 40_000, categories: [pets] },
  ]);

  it.each([
    ['everything, without a scope', {}, 7_000],
    ['what is below the category, as lines name all ancestors', { categoryIds: [id(kitchen)] }, 3_000],
    ['the product', { productIds: [id(3)] }, 4_000],
    ['the product or the category', { productIds: [id(3)], categoryIds: [id(cups)] }, 5_000],
    ['not an excluded category', { categoryIds: [id(kitchen)], excludedCategoryIds: [id(cups)] }, 2_000],
    ['not an excluded product, even when it is named', { productIds: [id(1), id(2)], excludedProductIds: [id(2)] }, 1_000],
    ['everything but the exclusion', { excludedCategoryIds: [id(pets)] }, 3_000],
  ])('is %s', (_, scope, amount) => {
    for (const own of ['item', 'order'] as const) {
      expect(amounts(quoteAll(basket, [byCode(1, { class: own, scope: { ...ANY_SCOPE, ...scope } })]))).toEqual({ 1: amount });
    }
  });

  it('is nothing when no line is in the scope', () => {
    const quote = quoteAll(basket, [byCode(1, { scope: { ...ANY_SCOPE, productIds: [id(50)] } })]);
    expect(quote.discounts).toEqual([]);
    expect(reasons(quote)).toEqual({ C1: 'no_eligible_items' });
  });

  it('decides for free shipping whether there is any', () => {
    const only = (product: number) => [byCode(1, { class: 'shipping', benefit: FREE_SHIPPING, scope: { ...ANY_SCOPE, productIds: [id(product)] } })];
    expect(quoteAll(basket, only(1)).discounts).toMatchObject([{ amount: 3_000, lines: [] }]);
    expect(reasons(quoteAll(basket, only(50)))).toEqual({ C1: 'no_eligible_items' });
  });
});

describe('the shares of lines', () => {
  it('follow the lines, by largest remainder, ties to the earlier line', () => {
    const { discounts } = quoteAll(basketOf([{ price: 100 }, { price: 100 }, { price: 100 }]), [byCode(1, { benefit: fixed(100) })]);
    expect(discounts[0]!.lines).toEqual([{ lineId: 'L1', amount: 34 }, { lineId: 'L2', amount: 33 }, { lineId: 'L3', amount: 33 }]);
  });

  it('of an order discount are taken from what item discounts left', () => {
    const half = byCode(1, { class: 'item', benefit: percent(5_000), scope: { ...ANY_SCOPE, productIds: [id(1)] }, combinesWith: ['order'] });
    const order = byCode(2, { benefit: fixed(3_000), combinesWith: ['item'] });
    const { discounts } = quoteAll(basketOf([{ price: 10_000 }, { price: 10_000 }]), [half, order]);
    expect(discounts.map(({ lines }) => lines)).toEqual([
      [{ lineId: 'L1', amount: 5_000 }],
      [{ lineId: 'L1', amount: 1_000 }, { lineId: 'L2', amount: 2_000 }],
    ]);
  });

  it('leave out lines that cost nothing', () => {
    const { discounts } = quoteAll(basketOf([{ price: 0 }, { price: 1_000, quantity: 3 }]), [byCode(1)]);
    expect(discounts[0]!.lines).toEqual([{ lineId: 'L2', amount: 300 }]);
  });
});
