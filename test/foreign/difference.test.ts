import * as fc from 'fast-check';
import type { z } from 'zod';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Basket, Coupon, PromotionDraft } from '../../src/modules/coupon/contract.ts';
import { createFakeCoupon } from '../../src/modules/coupon/fake.ts';
import { newId } from '../../src/shared/ids.ts';
import { callerOf, type CouponProcess, startCoupon } from './coupon-process.ts';

/** Sets of offers, each with several baskets. More of them: KERF_PROPERTY_RUNS=10000. */
const numRuns = Number(process.env['KERF_PROPERTY_RUNS'] ?? 100);

let python: CouponProcess;
let caller: ReturnType<typeof callerOf>;
beforeAll(async () => {
  python = await startCoupon();
  caller = callerOf(python, 'edge');
});
afterAll(async () => {
  await caller.close();
  await python.stop();
});

it('gives every basket what the module in TypeScript gives it', async () => {
  const ours = createFakeCoupon();
  await fc.assert(
    fc.asyncProperty(situation, async ({ offers, baskets }) => {
      const run = newId().slice(-12);
      const drafts = offers.map((offer) => ({ ...offer, id: newId(), codes: offer.codes.map((code) => `${code}-${run}`) }));
      await Promise.all([putUp(ours, drafts), putUp(caller.service, drafts)]);
      try {
        for (const { codes, ...basket } of baskets) {
          const entered = { ...basket, codes: codes.map((code) => `${code}-${run}`) };
          expect(await caller.service.quote(entered)).toEqual(await ours.quote(entered));
        }
      } finally {
        const automatic = drafts.filter(({ codes }) => codes.length === 0);
        await Promise.all([pause(ours, automatic), pause(caller.service, automatic)]);
      }
    }),
    { numRuns },
  );
}, 60_000 + numRuns * 100);

it('measures the minimum of an item promotion after what the others take off', async () => {
  const shared = { name: 'One of two', class: 'item' as const, currency: 'KRW' as const, combinesWith: ['item' as const] };
  const half: Draft = { ...shared, benefit: { kind: 'fixed', amount: 5_000 }, scope: { productIds: [PRODUCTS[0]!] }, codes: [newId()] };
  const tenth: Draft = { ...shared, benefit: { kind: 'fixed', amount: 1_000 }, scope: { productIds: [PRODUCTS[1]!] }, minimumSpend: 18_000, codes: [newId()] };
  for (const draft of [half, tenth]) await caller.service.createPromotion({ id: newId(), draft });
  const lines = [0, 1].map((product) => ({ lineId: `L${product}`, productId: PRODUCTS[product]!, categoryIds: [], quantity: 1, unitPrice: 10_000 }));
  const { discounts, codes } = await caller.service.quote({ customerId: null, email: null, currency: 'KRW', shipping: 0, lines, codes: [...half.codes!, ...tenth.codes!] });
  expect(discounts).toMatchObject([{ amount: 5_000 }]);
  expect(codes).toMatchObject([{ applied: true }, { applied: false, reason: 'minimum_not_reached' }]);
});

type Draft = z.input<typeof PromotionDraft>;
type Offer = Draft & { codes: string[] };
type Placed = Offer & { id: string };

async function putUp(coupon: Coupon, drafts: readonly Placed[]): Promise<void> {
  await Promise.all(drafts.map(({ id, ...draft }) => coupon.createPromotion({ id, draft })));
}

/** The next basket is to find its own promotions only. */
async function pause(coupon: Coupon, drafts: readonly Placed[]): Promise<void> {
  await Promise.all(drafts.map(({ id, ...draft }) => coupon.updatePromotion({ id, version: 1, draft: { ...draft, active: false } })));
}

const CLASSES: Draft['class'][] = ['item', 'order', 'shipping'];
const PRODUCTS = [newId(), newId(), newId()];
const CATEGORIES = [newId(), newId()];

const merchandise: fc.Arbitrary<Draft['benefit']> = fc.oneof(
  fc.record({
    kind: fc.constant('percent' as const),
    basisPoints: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(1_000, 5_000, 10_000)),
    cap: fc.option(fc.nat(20_000)),
    roundTo: fc.constantFrom(1 as const, 10 as const, 100 as const),
    rounding: fc.constantFrom('half_up' as const, 'floor' as const),
  }),
  fc.record({ kind: fc.constant('fixed' as const), amount: fc.integer({ min: 1, max: 30_000 }) }),
);

const seldom = <T>(usual: T, other: fc.Arbitrary<T>) => fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

/** Offered by no code, by one, or by two. */
const offer = (number: number): fc.Arbitrary<Offer> =>
  fc.constantFrom<Draft['class']>('item', 'item', 'order', 'shipping').chain((own) =>
    fc.record({
      name: fc.constant(`Offer ${number}`),
      class: fc.constant(own),
      benefit: own === 'shipping' ? fc.constant({ kind: 'free_shipping' as const }) : merchandise,
      currency: seldom<Draft['currency']>('KRW', fc.constant('USD')),
      scope: seldom<Draft['scope']>({}, fc.record({
        productIds: fc.subarray(PRODUCTS), categoryIds: fc.subarray(CATEGORIES), excludedProductIds: seldom<string[]>([], fc.subarray(PRODUCTS)), excludedCategoryIds: seldom<string[]>([], fc.subarray(CATEGORIES)),
      })),
      minimumSpend: fc.oneof(fc.constant(0), fc.nat(40_000)),
      startsAt: seldom<string | null>(null, fc.constantFrom('2020-01-01', '2099-01-01', '2020-01-01T00:00:00.5+09:00')),
      endsAt: seldom<string | null>(null, fc.constantFrom('2099-12-31', '2099-12-31T12:00:00Z', '9999-12-31')),
      perCustomerLimit: seldom<number | null>(null, fc.constant(1)),
      combinesWith: fc.oneof(fc.constant(CLASSES), fc.subarray(CLASSES)),
      exclusive: seldom(false, fc.constant(true)),
      priority: fc.integer({ min: -1, max: 1 }),
      active: seldom(true, fc.constant(false)),
      codes: fc.constantFrom<string[]>([], [`C${number}`], [`C${number}`], [`Ｚ${number}`, `straße ${number}`]),
    }),
  );

const basketOf = (offers: readonly Offer[]): fc.Arbitrary<Basket> =>
  fc.record({
    customerId: fc.option(fc.constant(newId())),
    email: fc.option(fc.constantFrom('Mina@example.com', 'mina+shop@example.com')),
    currency: seldom<Basket['currency']>('KRW', fc.constant('USD')),
    lines: fc.array(
      fc.record({ productId: fc.constantFrom(...PRODUCTS), categoryIds: fc.subarray(CATEGORIES), quantity: fc.integer({ min: 1, max: 5 }), unitPrice: fc.oneof(fc.nat(30_000), fc.constantFrom(0, 1, 1_000)) }),
      { maxLength: 4 },
    ).map((lines) => lines.map((line, index) => ({ lineId: `L${index + 1}`, ...line }))),
    shipping: fc.constantFrom(0, 2_500, 3_000),
    codes: fc.oneof(
      fc.constant(offers.flatMap(({ codes }) => codes.slice(0, 1))),
      fc.shuffledSubarray([...offers.flatMap(({ codes }) => codes.flatMap((code) => [code, code.toUpperCase()])), 'nobody’s']).map((codes) => codes.slice(0, 10)),
    ),
  });

const situation = fc
  .integer({ min: 1, max: 6 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => offer(index + 1))))
  .chain((offers) => fc.record({ offers: fc.constant(offers), baskets: fc.array(basketOf(offers), { minLength: 5, maxLength: 5 }) }));
