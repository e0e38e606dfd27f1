import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Basket } from '../../../src/modules/coupon/contract.ts';
import { type Candidate, quoteBasket } from '../../../src/modules/coupon/coupon.ts';
import { benefitOf } from '../../../src/modules/coupon/discounting.ts';
import type { Terms } from '../../../src/modules/coupon/promotion.ts';
import { allocate } from '../../../src/shared/money.ts';
import { ANY_SCOPE, basketOf, byCode, FREE_SHIPPING, id, NOW } from './support.ts';

/** 100,000 cases of money: KERF_PROPERTY_RUNS=100000. */
const numRuns = Number(process.env['KERF_PROPERTY_RUNS'] ?? 1_000);
const hold = <T extends unknown[]>(property: fc.IProperty<T>) => fc.assert(property, { numRuns });

const CLASSES = ['item', 'order', 'shipping'] as const;
const products = fc.subarray([1, 2, 3, 4].map(id));

const merchandiseBenefit: fc.Arbitrary<Terms['benefit']> = fc.oneof(
  fc.record({
    kind: fc.constant('percent' as const),
    basisPoints: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constant(10_000)),
    cap: fc.option(fc.nat(20_000)),
    roundTo: fc.constantFrom(1 as const, 10 as const, 100 as const),
    rounding: fc.constantFrom('half_up' as const, 'floor' as const),
  }),
  fc.record({ kind: fc.constant('fixed' as const), amount: fc.integer({ min: 1, max: 30_000 }) }),
);

const candidate = (number: number, scope: fc.Arbitrary<Terms['scope']>): fc.Arbitrary<Candidate> =>
  fc.constantFrom(...CLASSES).chain((own) =>
    fc.record({
      class: fc.constant(own),
      benefit: own === 'shipping' ? fc.constant(FREE_SHIPPING) : merchandiseBenefit,
      scope,
      minimumSpend: fc.oneof(fc.constant(0), fc.nat(40_000)),
      combinesWith: fc.subarray([...CLASSES]),
      exclusive: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
      priority: fc.integer({ min: -1, max: 1 }),
    }),
  ).chain((more) => fc.boolean().map((isAutomatic) => byCode(number, more, isAutomatic ? { codes: [] } : {})));

const someScope = fc
  .record({ productIds: products, excludedProductIds: fc.subarray([1, 2].map(id)) })
  .map((scope): Terms['scope'] => ({ ...ANY_SCOPE, ...scope }));
const onlyItemsAreScoped = ({ terms, ...uses }: Candidate): Candidate => ({ ...uses, terms: terms.class === 'item' ? terms : { ...terms, scope: ANY_SCOPE } });

const candidates = (most: number) =>
  fc.integer({ min: 0, max: most }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => candidate(index + 1, someScope))));

const basket = (offers: Candidate[]): fc.Arbitrary<Basket> =>
  fc.record({
    lines: fc.array(fc.record({ price: fc.oneof(fc.nat(30_000), fc.constantFrom(0, 1, 1_000)), quantity: fc.integer({ min: 1, max: 5 }), product: fc.integer({ min: 1, max: 4 }) }), { maxLength: 6 }),
    shipping: fc.constantFrom(0, 2_500, 3_000),
  }).map(({ lines, shipping }) => basketOf(lines, { shipping, codes: offers.flatMap(({ codes }) => codes) }));

const situation = (most = 5) => candidates(most).chain((offers) => fc.record({ offers: fc.constant(offers), basket: basket(offers) }));

const total = ({ discounts }: ReturnType<typeof quoteBasket>) => discounts.reduce((all, { amount }) => all + amount, 0);
const sum = (parts: number[]) => parts.reduce((all, part) => all + part, 0);
const sorted = ({ discounts, codes }: ReturnType<typeof quoteBasket>) => ({
  discounts, codes: codes.toSorted((a, b) => (a.code < b.code ? -1 : 1)),
});

describe('any quote', () => {
  it('keeps Σ shares = discount, and no line and no fee below nothing', () => {
    hold(
      fc.property(situation(), ({ offers, basket }) => {
        const { discounts } = quoteBasket(basket, offers, NOW);
        for (const { class: own, amount, lines } of discounts) {
          expect(amount).toBeGreaterThan(0);
          expect(sum(lines.map((line) => line.amount))).toBe(own === 'shipping' ? 0 : amount);
        }
        for (const { lineId, unitPrice, quantity } of basket.lines) {
          const shares = discounts.flatMap(({ lines }) => lines).filter((line) => line.lineId === lineId).map(({ amount }) => amount);
          expect(sum(shares)).toBeLessThanOrEqual(unitPrice * quantity);
        }
        expect(sum(discounts.filter((discount) => discount.class === 'shipping').map(({ amount }) => amount))).toBeLessThanOrEqual(basket.shipping);
      }),
    );
  });

  it('does not depend on the order of codes and promotions', () => {
    const shuffled = situation().chain(({ offers, basket }) =>
      fc.record({
        offers: fc.constant(offers),
        basket: fc.constant(basket),
        otherOffers: fc.shuffledSubarray(offers, { minLength: offers.length }),
        otherCodes: fc.shuffledSubarray(basket.codes, { minLength: basket.codes.length }),
      }),
    );
    hold(
      fc.property(shuffled, ({ offers, basket, otherOffers, otherCodes }) => {
        expect(sorted(quoteBasket({ ...basket, codes: otherCodes }, otherOffers, NOW))).toEqual(sorted(quoteBasket(basket, offers, NOW)));
      }),
    );
  });

  it('does not depend on the order of lines, but for the odd won between equals', () => {
    const shuffled = situation().chain(({ offers, basket }) =>
      fc.record({
        offers: fc.constant(offers.map(onlyItemsAreScoped)),
        basket: fc.constant(basket),
        lines: fc.shuffledSubarray(basket.lines, { minLength: basket.lines.length }),
      }),
    );
    const without = ({ discounts, codes }: ReturnType<typeof quoteBasket>) => ({ codes, discounts: discounts.map((discount) => ({ ...discount, lines: [] })) });
    hold(
      fc.property(shuffled, ({ offers, basket, lines }) => {
        expect(without(quoteBasket({ ...basket, lines }, offers, NOW))).toEqual(without(quoteBasket(basket, offers, NOW)));
      }),
    );
  });

  it('gives the most that any allowed set of promotions gives', () => {
    hold(
      fc.property(situation(), ({ offers, basket }) => {
        const most = Math.max(...subsets(offers.map(({ terms }) => terms)).map((set) => worth(set, basket)));
        expect(total(quoteBasket(basket, offers, NOW))).toBe(most);
      }),
    );
  });

  it('combines only what both sides allow, and one of a kind for order and shipping', () => {
    hold(
      fc.property(situation(), ({ offers, basket }) => {
        const granted = quoteBasket(basket, offers, NOW).discounts.map(({ promotionId }) => offers.find(({ terms }) => terms.id === promotionId)!.terms);
        for (const [index, one] of granted.entries()) {
          for (const other of granted.slice(index + 1)) {
            expect(one.exclusive || other.exclusive).toBe(false);
            expect(one.combinesWith.includes(other.class) && other.combinesWith.includes(one.class)).toBe(true);
            expect(one.class === other.class && one.class !== 'item').toBe(false);
          }
        }
      }),
    );
  });

  it('gives every entered code one status, applied exactly when it brought a discount', () => {
    hold(
      fc.property(situation(), ({ offers, basket }) => {
        const { discounts, codes } = quoteBasket(basket, offers, NOW);
        expect(codes.map(({ code }) => code)).toEqual(basket.codes);
        expect(codes.filter(({ applied }) => applied).map(({ code }) => code).toSorted()).toEqual(
          discounts.flatMap(({ code }) => code ?? []).toSorted(),
        );
        for (const { applied, reason, message } of codes) expect([reason === null, message === '']).toEqual([applied, applied]);
      }),
    );
  });

  it('of 100 % leaves exactly nothing', () => {
    const whole = byCode(1, { benefit: { kind: 'percent', basisPoints: 10_000, cap: null, roundTo: 100, rounding: 'floor' } });
    hold(
      fc.property(basket([whole]), (basket) => {
        expect(total(quoteBasket(basket, [whole], NOW))).toBe(sum(basket.lines.map(({ unitPrice, quantity }) => unitPrice * quantity)));
      }),
    );
  });
});

const subsets = <T>(list: readonly T[]): T[][] => list.reduce<T[][]>((sets, member) => [...sets, ...sets.map((set) => [...set, member])], [[]]);

/** What a set takes off when exactly its members apply, written down as plainly as possible; 0 for sets that may not be. */
function worth(set: readonly Terms[], { lines, shipping }: Basket): number {
  const pairs = set.flatMap((one, index) => set.slice(index + 1).map((other) => [one, other] as const));
  const allowed = pairs.every(
    ([one, other]) =>
      !one.exclusive && !other.exclusive && one.combinesWith.includes(other.class) && other.combinesWith.includes(one.class) &&
      (one.class === 'item' || one.class !== other.class),
  );
  if (!allowed) return 0;
  const left = lines.map(({ unitPrice, quantity }) => unitPrice * quantity);
  const covers = ({ scope }: Terms, line: number) =>
    (scope.productIds.length === 0 || scope.productIds.includes(lines[line]!.productId)) && !scope.excludedProductIds.includes(lines[line]!.productId);
  const bases = (terms: Terms) => left.map((amount, line) => (covers(terms, line) ? amount : 0));
  const rate = new Map(set.map((terms) => [terms, benefitOf(terms.benefit, sum(bases(terms))) / Math.max(1, sum(bases(terms)))]));

  const items = set.filter((terms) => terms.class === 'item');
  const winners = lines.map((_, line) =>
    items.filter((terms) => covers(terms, line)).toSorted((a, b) => rate.get(b)! - rate.get(a)! || b.priority - a.priority || (a.id < b.id ? -1 : 1))[0],
  );
  const taken = items.map((terms) => {
    const own = left.map((amount, line) => (winners[line] === terms ? amount : 0));
    const amount = benefitOf(terms.benefit, sum(own));
    return { terms, amount, shares: allocate(amount, own) };
  });
  const itemsTogether = sum(taken.map(({ amount }) => amount));
  const spent = sum(left) - itemsTogether;
  if (taken.some(({ terms, amount }) => amount === 0 || spent + amount < terms.minimumSpend)) return 0;
  for (const { shares } of taken) for (const [line, share] of shares.entries()) left[line]! -= share;

  const rest = set.filter((terms) => terms.class !== 'item');
  const amounts = rest.map((terms) => {
    const anything = lines.some((_, line) => covers(terms, line)) && spent >= terms.minimumSpend;
    return anything ? benefitOf(terms.benefit, terms.class === 'shipping' ? shipping : sum(bases(terms))) : 0;
  });
  return amounts.includes(0) ? 0 : itemsTogether + sum(amounts);
}

it('stays bounded with ten codes, forty automatic promotions and a hundred lines', () => {
  const offers = Array.from({ length: 50 }, (_, index) => {
    const own = index % 3 === 0 ? 'order' : 'item';
    const scope = { ...ANY_SCOPE, productIds: Array.from({ length: 20 }, (_, product) => id(2 * index + product)) };
    return byCode(index + 1, { class: own, benefit: { kind: 'fixed', amount: 1_000 + index }, scope, combinesWith: [...CLASSES] }, index < 10 ? {} : { codes: [] });
  });
  const wide = basketOf(Array.from({ length: 100 }, () => ({ price: 10_000 })), { codes: offers.flatMap(({ codes }) => codes) });
  const { discounts } = quoteBasket(wide, offers, NOW);
  expect(discounts.map(({ class: own }) => own)).toEqual([...Array.from({ length: 8 }, () => 'item'), 'order']);
});
