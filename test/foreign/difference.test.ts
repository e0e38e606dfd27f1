import * as fc from 'fast-check';
import type { z } from 'zod';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Basket, Coupon, PromotionDraft } from '../../src/modules/coupon/contract.ts';
import { createFakeCoupon } from '../../src/modules/coupon/fake.ts';
import { newId } from '../../src/shared/ids.ts';
import { callerOf, type CouponProcess, startCoupon } from './coupon-process.ts';

/** More cases: KERF_PROPERTY_RUNS=10000. */
const numRuns = Number(process.env['KERF_PROPERTY_RUNS'] ?? 200);

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
    fc.asyncProperty(situation, async ({ offers, basket }) => {
      const run = newId().slice(-12);
      const drafts = offers.map((offer) => ({ ...offer, id: newId(), codes: offer.codes.map((code) => `${code}-${run}`) }));
      const entered = { ...basket, codes: basket.codes.map((code) => `${code}-${run}`) };
      await Promise.all([putUp(ours, drafts), putUp(caller.service, drafts)]);
      try {
        expect(await caller.service.quote(entered)).toEqual(await ours.quote(entered));
      } finally {
        const automatic = drafts.filter(({ codes }) => codes.length === 0);
        await Promise.all([pause(ours, automatic), pause(caller.service, automatic)]);
      }
    }),
    { numRuns },
  );
}, 60_000 + numRuns * 100);

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

const seldom = <T>(usual: T, other: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });

/** Offered by no code, by one, or by two. */
const offer = (number: number): fc.Arbitrary<Offer> =>
  fc.constantFrom(...CLASSES).chain((own) =>
    fc.record({
      name: fc.constant(`Offer ${number}`),
      class: fc.constant(own),
      benefit: own === 'shipping' ? fc.constant({ kind: 'free_shipping' as const }) : merchandise,
      currency: seldom<Draft['currency']>('KRW', fc.constant('USD')),
      scope: seldom<Draft['scope']>({}, fc.record({
        productIds: fc.subarray(PRODUCTS), categoryIds: fc.subarray(CATEGORIES), excludedProductIds: seldom<string[]>([], fc.subarray(PRODUCTS)), excludedCategoryIds: seldom<string[]>([], fc.subarray(CATEGORIES)),
      })),
      minimumSpend: fc.oneof(fc.constant(0), fc.nat(60_000)),
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
      { maxLength: 5 },
    ).map((lines) => lines.map((line, index) => ({ lineId: `L${index + 1}`, ...line }))),
    shipping: fc.constantFrom(0, 2_500, 3_000),
    codes: fc.shuffledSubarray([...offers.flatMap(({ codes }) => codes.flatMap((code) => [code, code.toUpperCase()])), 'nobody’s']).map((codes) => codes.slice(0, 10)),
  });

const situation = fc
  .integer({ min: 0, max: 5 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => offer(index + 1))))
  .chain((offers) => fc.record({ offers: fc.constant(offers), basket: basketOf(offers) }));
