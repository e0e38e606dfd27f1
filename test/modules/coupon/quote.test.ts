import { describe, expect, it } from 'vitest';
import { customerKey, quoteBasket } from '../../../src/modules/coupon/coupon.ts';
import { ANY_SCOPE, amounts, automatic, basketOf, byCode, fixed, FREE_SHIPPING, id, NOW, percent, quoteAll, reasons } from './support.ts';

const scoped = (...products: number[]) => ({ ...ANY_SCOPE, productIds: products.map(id) });
const basket = basketOf([{ price: 30_000 }, { price: 20_000 }]);
const later = (milliseconds: number) => new Date(NOW.getTime() + milliseconds);

describe('a code', () => {
  it('is found however it is spelled, and shown as it was created', () => {
    const welcome = byCode(1, {}, { codes: ['Welcome10'] });
    const quote = quoteBasket({ ...basket, codes: [' ｗｅｌｃｏｍｅ10 '] }, [welcome], NOW);
    expect(quote.discounts).toMatchObject([{ code: 'Welcome10', amount: 5_000 }]);
    expect(quote.codes).toEqual([{ code: ' ｗｅｌｃｏｍｅ10 ', applied: true, reason: null, message: '' }]);
  });

  it.each([
    ['paused', { active: false }, {}],
    ['not_started', { startsAt: later(1) }, {}],
    ['ended', { endsAt: NOW }, {}],
    ['currency_mismatch', { currency: 'USD' }, {}],
    ['no_eligible_items', { scope: scoped(9) }, {}],
    ['minimum_not_reached', { minimumSpend: 50_001 }, {}],
    ['limit_reached', { totalLimit: 5 }, { used: 5 }],
    ['customer_limit_reached', { perCustomerLimit: 1 }, { usedByCustomer: 1 }],
  ] as const)('takes nothing off when it is %s, and says so', (reason, more, uses) => {
    const quote = quoteAll(basket, [byCode(1, more, uses)]);
    expect(quote.discounts).toEqual([]);
    expect(quote.codes).toEqual([{ code: 'C1', applied: false, reason, message: expect.stringMatching(/^[A-Z].*\.$/) }]);
  });

  it.each([
    ['from its first instant', { startsAt: NOW }, {}],
    ['until just before its end', { endsAt: later(1) }, {}],
    ['at exactly the minimum spend', { minimumSpend: 50_000 }, {}],
    ['in every currency when it names none', { currency: null }, {}],
    ['for the last use', { totalLimit: 5, perCustomerLimit: 2 }, { used: 4, usedByCustomer: 1 }],
  ] as const)('applies %s', (_, more, uses) => {
    expect(amounts(quoteAll(basket, [byCode(1, more, uses)]))).toEqual({ 1: 5_000 });
  });

  it('that nobody made is unknown', () => {
    expect(reasons(quoteBasket({ ...basket, codes: ['NOPE'] }, [], NOW))).toEqual({ NOPE: 'unknown_code' });
  });

  it('tells how much is missing to its minimum', () => {
    const { codes } = quoteAll(basket, [byCode(1, { minimumSpend: 60_000 })]);
    expect(codes[0]!.message).toBe('Add goods for 10000 KRW more to use this code.');
  });

  it('with a limit per customer needs to know who it is', () => {
    const once = byCode(1, { perCustomerLimit: 1 });
    const nobody = { ...basket, customerId: null };
    expect(reasons(quoteAll(nobody, [once]))).toEqual({ C1: 'customer_required' });
    expect(amounts(quoteAll({ ...nobody, email: 'mina@example.com' }, [once]))).toEqual({ 1: 5_000 });
    expect(amounts(quoteAll(nobody, [byCode(1, { totalLimit: 5 })]))).toEqual({ 1: 5_000 });
  });

  it('finds nothing to take off free goods or free shipping', () => {
    expect(reasons(quoteAll(basketOf([{ price: 0 }]), [byCode(1)]))).toEqual({ C1: 'nothing_to_discount' });
    expect(reasons(quoteAll({ ...basket, shipping: 0 }, [byCode(1, { class: 'shipping', benefit: FREE_SHIPPING })]))).toEqual({ C1: 'nothing_to_discount' });
    expect(reasons(quoteAll(basketOf([]), [byCode(1)]))).toEqual({ C1: 'no_eligible_items' });
  });

  it('beside another of the same promotion brings it once', () => {
    const twice = byCode(1, {}, { codes: ['SECOND', 'FIRST'] });
    for (const codes of [['FIRST', 'SECOND'], ['SECOND', 'FIRST']]) {
      const quote = quoteBasket({ ...basket, codes }, [twice], NOW);
      expect(quote.discounts).toMatchObject([{ code: 'FIRST', amount: 5_000 }]);
      expect(reasons(quote)).toEqual({ FIRST: null, SECOND: 'not_combinable' });
    }
  });

  it('entered twice is one code', () => {
    const quote = quoteBasket({ ...basket, codes: ['C1', 'c1'] }, [byCode(1)], NOW);
    expect(amounts(quote)).toEqual({ 1: 5_000 });
    expect(quote.codes.map(({ applied }) => applied)).toEqual([true, true]);
  });
});

describe('the customer that limits count', () => {
  it.each([
    ['the account', { customerId: id(1), email: 'mina@example.com' }, id(1)],
    ['a guest’s address in lower case', { customerId: null, email: 'Mina@Example.com' }, 'guest:mina@example.com'],
    ['a guest’s address without its tag', { customerId: null, email: 'mina+shop+2@example.com' }, 'guest:mina@example.com'],
    ['a guest’s address with its dots', { customerId: null, email: 'mi.na@example.com' }, 'guest:mi.na@example.com'],
    ['a guest’s address that is nothing but a tag', { customerId: null, email: '+shop@example.com' }, 'guest:+shop@example.com'],
    ['nobody', { customerId: null, email: null }, null],
  ])('is %s', (_, buyer, key) => {
    expect(customerKey(buyer)).toBe(key);
  });
});

describe('classes', () => {
  const item = (more = {}) => byCode(1, { class: 'item', combinesWith: ['order', 'shipping'], ...more });
  const order = (more = {}) => byCode(2, { combinesWith: ['item', 'shipping'], ...more });
  const shipping = (more = {}) => byCode(3, { class: 'shipping', benefit: FREE_SHIPPING, combinesWith: ['item', 'order'], ...more });

  it('are taken off one after the other: items, the rest of the order, shipping', () => {
    const quote = quoteAll(basket, [shipping(), order(), item()]);
    expect(quote.discounts.map(({ class: own, amount }) => [own, amount])).toEqual([['item', 5_000], ['order', 4_500], ['shipping', 3_000]]);
  });

  it.each([
    ['the item promotion does not allow it', { combinesWith: ['shipping'] as ('shipping')[] }, {}],
    ['the order promotion does not allow it', {}, { combinesWith: ['shipping'] as ('shipping')[] }],
  ])('do not stand together when %s', (_, one, other) => {
    const quote = quoteAll(basket, [item({ benefit: percent(2_000), ...one }), order(other)]);
    expect(amounts(quote)).toEqual({ 1: 10_000 });
    expect(reasons(quote)).toEqual({ C1: null, C2: 'not_combinable' });
  });

  it('let the larger sum win: two small ones together against one', () => {
    const lone = byCode(4, { benefit: fixed(9_000) });
    expect(amounts(quoteAll(basket, [item(), order(), lone]))).toEqual({ 1: 5_000, 2: 4_500 });
    expect(amounts(quoteAll(basket, [item(), lone]))).toEqual({ 4: 9_000 });
  });

  it('give one order discount, the largest', () => {
    const both = { combinesWith: ['order' as const] };
    const quote = quoteAll(basket, [byCode(1, both), byCode(2, { benefit: fixed(6_000), ...both })]);
    expect(amounts(quote)).toEqual({ 2: 6_000 });
    expect(reasons(quote)).toEqual({ C1: 'not_combinable', C2: null });
  });

  it('give a tie to the higher priority, then to the lower id', () => {
    expect(amounts(quoteAll(basket, [byCode(1), byCode(2, { priority: 1 }), byCode(3)]))).toEqual({ 2: 5_000 });
    expect(amounts(quoteAll(basket, [byCode(3), byCode(1), byCode(2)]))).toEqual({ 1: 5_000 });
  });

  it('do not use up a promotion that adds nothing', () => {
    const all = byCode(1, { class: 'item', benefit: percent(10_000), combinesWith: ['order'] });
    const quote = quoteAll(basket, [all, byCode(2, { combinesWith: ['item'] })]);
    expect(amounts(quote)).toEqual({ 1: 50_000 });
    expect(reasons(quote)).toEqual({ C1: null, C2: 'nothing_to_discount' });
  });
});

describe('item promotions', () => {
  const mixes = { class: 'item' as const, combinesWith: ['item' as const] };

  it('share the lines when both allow it: each line goes to the larger discount', () => {
    const quote = quoteAll(basket, [byCode(1, { ...mixes, benefit: percent(1_000) }), byCode(2, { ...mixes, benefit: percent(2_000), scope: scoped(2) })]);
    expect(amounts(quote)).toEqual({ 1: 3_000, 2: 4_000 });
    expect(quote.discounts.map(({ lines }) => lines.map(({ lineId }) => lineId))).toEqual([['L2'], ['L1']]);
  });

  it('do not stand together otherwise, on whatever lines', () => {
    const quote = quoteAll(basket, [byCode(1, { ...mixes, scope: scoped(1) }), byCode(2, { class: 'item', scope: scoped(2) })]);
    expect(amounts(quote)).toEqual({ 1: 3_000 });
    expect(reasons(quote)).toEqual({ C1: null, C2: 'not_combinable' });
  });

  it('are chosen so that the customer gets the most, not one by one', () => {
    const everywhere = byCode(1, { ...mixes, benefit: fixed(10_000) });
    const [first, second] = [1, 2].map((product) => byCode(product + 1, { ...mixes, benefit: percent(3_000), scope: scoped(product) }));
    const equal = basketOf([{ price: 20_000 }, { price: 20_000 }]);
    expect(amounts(quoteAll(equal, [everywhere, first!, second!]))).toEqual({ 2: 6_000, 1: 10_000 });
  });

  it('beyond eight that mix leave the weakest out', () => {
    const many = Array.from({ length: 10 }, (_, index) => byCode(index + 1, { ...mixes, benefit: fixed(100 + index), scope: scoped(index + 1) }));
    const wide = basketOf(many.map(() => ({ price: 1_000 })));
    expect(Object.keys(amounts(quoteAll(wide, many))).map(Number)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('the minimum spend', () => {
  const item = (amount: number) => byCode(1, { class: 'item', benefit: fixed(amount), combinesWith: ['order', 'shipping'] });

  it('is measured after item discounts', () => {
    const order = byCode(2, { benefit: fixed(1_000), minimumSpend: 45_000, combinesWith: ['item'] });
    expect(amounts(quoteAll(basket, [item(5_000), order]))).toEqual({ 1: 5_000, 2: 1_000 });
    const quote = quoteAll(basket, [item(5_001), order]);
    expect(amounts(quote)).toEqual({ 1: 5_001 });
    expect(quote.codes).toContainEqual({ code: 'C2', applied: false, reason: 'minimum_not_reached', message: 'Add goods for 1 KRW more to use this code.' });
  });

  it('is measured before order discounts and without shipping', () => {
    const order = byCode(2, { benefit: fixed(40_000), combinesWith: ['shipping'] });
    const free = byCode(3, { class: 'shipping', benefit: FREE_SHIPPING, minimumSpend: 50_000, combinesWith: ['order'] });
    expect(amounts(quoteAll(basket, [order, free]))).toEqual({ 2: 40_000, 3: 3_000 });
    expect(reasons(quoteAll(basket, [byCode(3, { ...free.terms, minimumSpend: 50_001 })]))).toEqual({ C3: 'minimum_not_reached' });
  });

  it('of an item promotion is measured after the others, not after itself', () => {
    const mixes = { class: 'item' as const, combinesWith: ['item' as const] };
    const half = byCode(2, { ...mixes, benefit: percent(5_000), scope: scoped(1), minimumSpend: 50_000 });
    expect(amounts(quoteAll(basket, [half]))).toEqual({ 2: 15_000 });
    expect(amounts(quoteAll(basket, [half, byCode(3, { ...mixes, benefit: fixed(1), scope: scoped(2) })]))).toEqual({ 2: 15_000 });
  });
});

describe('an exclusive promotion', () => {
  const others = [byCode(1, { class: 'item', combinesWith: ['order'] }), byCode(2, { combinesWith: ['item'] })];
  const exclusive = (amount: number) => byCode(3, { exclusive: true, benefit: fixed(amount), combinesWith: ['item', 'order', 'shipping'] });

  it('wins alone when it gives more than everything else together', () => {
    const quote = quoteAll(basket, [...others, exclusive(9_501)]);
    expect(amounts(quote)).toEqual({ 3: 9_501 });
    expect(reasons(quote)).toEqual({ C1: 'not_combinable', C2: 'not_combinable', C3: null });
  });

  it('gives way when it does not', () => {
    const quote = quoteAll(basket, [...others, exclusive(9_500)]);
    expect(amounts(quote)).toEqual({ 1: 5_000, 2: 4_500 });
    expect(reasons(quote)).toEqual({ C1: null, C2: null, C3: 'not_combinable' });
  });
});

describe('automatic promotions', () => {
  it('apply without a code, under the same rules', () => {
    const quote = quoteAll(basket, [automatic(1, { class: 'item', benefit: percent(300), combinesWith: ['order'] }), byCode(2, { combinesWith: ['item'] })]);
    expect(quote.discounts).toMatchObject([{ code: null, amount: 1_500 }, { code: 'C2', amount: 4_850 }]);
    expect(quote.codes).toHaveLength(1);
  });

  it('give way to a code that takes more and does not combine', () => {
    expect(amounts(quoteAll(basket, [automatic(1, { benefit: fixed(100) }), byCode(2)]))).toEqual({ 2: 5_000 });
    expect(amounts(quoteAll(basket, [automatic(1, { benefit: fixed(6_000) }), byCode(2)]))).toEqual({ 1: 6_000 });
  });
});

it('takes 100 % down to exactly nothing', () => {
  const odd = basketOf([{ price: 3_333, quantity: 7 }, { price: 1 }, { price: 0 }]);
  const [discount] = quoteAll(odd, [byCode(1, { benefit: percent(10_000, { roundTo: 100 }) })]).discounts;
  expect(discount).toMatchObject({ amount: 23_332, lines: [{ lineId: 'L1', amount: 23_331 }, { lineId: 'L2', amount: 1 }] });
});
