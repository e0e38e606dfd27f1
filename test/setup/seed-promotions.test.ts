import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Basket, Promotion, PromotionDraft } from '../../src/modules/coupon/contract.ts';
import { createFakeCoupon } from '../../src/modules/coupon/fake.ts';

const id = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
const seedFile = (name: string) => readFileSync(join(import.meta.dirname, '../../seed', name), 'utf8');
const slugs = seedFile('categories.csv').split('\n').slice(1).map((line) => line.split(',')[0]!);
const categoryId = (slug: string) => {
  if (!slugs.includes(slug)) throw new Error(`There is no category "${slug}".`);
  return id(slugs.indexOf(slug) + 1);
};

type SeedPromotion = Omit<PromotionDraft, 'scope'> & { id: string; scope?: { categorySlugs?: string[]; excludedCategorySlugs?: string[] } };

const coupon = createFakeCoupon({ now: () => new Date('2026-11-20T00:00:00.000Z') });
const made: Promotion[] = [];
beforeAll(async () => {
  for (const { id, scope = {}, ...draft } of JSON.parse(seedFile('promotions.json')) as SeedPromotion[]) {
    const { categorySlugs = [], excludedCategorySlugs = [] } = scope;
    made.push(await coupon.createPromotion({ id, draft: { ...draft, scope: { categoryIds: categorySlugs.map(categoryId), excludedCategoryIds: excludedCategorySlugs.map(categoryId) } } }));
  }
});

const basketOf = (unitPrice: number, ...slugs: string[]): Basket => ({
  customerId: id(900),
  email: null,
  currency: 'KRW',
  lines: [{ lineId: 'L1', productId: id(901), categoryIds: slugs.map(categoryId), quantity: 1, unitPrice }],
  shipping: 3_000,
  codes: [],
});
const basket = basketOf(38_000, 'kitchen', 'tumblers-bottles');
const quote = (codes: string[], more: Partial<typeof basket> = {}) => coupon.quote({ ...basket, ...more, codes });
const takenOff = async (codes: string[], more: Partial<typeof basket> = {}) => (await quote(codes, more)).discounts.map(({ code, amount }) => [code, amount]);
const reasonOf = async (code: string) => (await quote([code])).codes[0]!.reason;

it('leaves a basket without codes alone, outside its one automatic promotion', async () => {
  expect(await takenOff([])).toEqual([]);
  expect(made.filter(({ codes }) => codes.length === 0).map(({ class: own }) => own)).toEqual(['item']);
  const soap = basketOf(10_000, 'body-hair');
  expect(await takenOff([], soap)).toEqual([[null, 300]]);
});

it('gives each code to try what it says', async () => {
  expect(await takenOff(['welcome10'])).toEqual([['WELCOME10', 3_800]]);
  expect(await takenOff(['KERF5000'], { customerId: null })).toEqual([['KERF5000', 5_000]]);
  expect(await takenOff(['KITCHEN15'])).toEqual([['KITCHEN15', 5_700]]);
  expect(await takenOff(['FREESHIP', 'WELCOME10', 'KITCHEN15'])).toEqual([['KITCHEN15', 5_700], ['WELCOME10', 3_230], ['FREESHIP', 3_000]]);
  expect(await takenOff(['HELLO-USD'], { currency: 'USD' })).toEqual([['HELLO-USD', 4_560]]);
  expect(await takenOff(['FIRST50', 'WELCOME10', 'FREESHIP'], basketOf(60_000))).toEqual([['FIRST50', 18_000]]);
});

it('has one code for every reason to try', async () => {
  expect(await reasonOf('GOODBYE2024')).toBe('ended');
  expect(await reasonOf('NEWYEAR2027')).toBe('not_started');
  expect(await reasonOf('FIRST50')).toBe('minimum_not_reached');
  expect(await reasonOf('HELLO-USD')).toBe('currency_mismatch');
  expect((await quote(['WELCOME10'], { customerId: null })).codes[0]!.reason).toBe('customer_required');
});
