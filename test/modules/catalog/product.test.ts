import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProductDraft, PublicationState, VariantDraft } from '../../../src/modules/catalog/contract.ts';
import {
  addVariant,
  type CatalogProduct,
  type CatalogVariant,
  changeState,
  changeVariant,
  editProduct,
  isPublishable,
  lowestPrices,
  newProduct,
  repeatedOptions,
} from '../../../src/modules/catalog/product.ts';

const CREATED = new Date('2026-03-02T03:00:00Z');
const LATER = new Date('2026-03-02T04:00:00Z');
const DRAFT: ProductDraft = { slug: 'tumbler', name: { ko: '텀블러', en: '' }, description: { ko: '', en: '' }, categoryId: null, optionNames: ['color', 'size'] };
const variant = (color: string, more: Partial<VariantDraft> = {}): VariantDraft => ({ sku: `T-${color}`, options: { color, size: 'M' }, prices: { KRW: 1_000 }, active: true, ...more });

const tumbler = () => newProduct('p', DRAFT, CREATED);
const withIvory = () => addVariant(tumbler(), 'v1', variant('ivory'), CREATED);
const published = () => changeState(withIvory(), 2, 'published', CREATED);
const reason = (reason: string) => expect.objectContaining({ reason });

describe('a product', () => {
  it('starts as a draft in version 1, without variants', () => {
    expect(tumbler()).toMatchObject({ state: 'draft', version: 1, variants: [], createdAt: CREATED, updatedAt: CREATED });
  });

  it('takes one step of version and time with each change', () => {
    expect(editProduct(tumbler(), 1, { ...DRAFT, slug: 'cup' }, LATER)).toMatchObject({ slug: 'cup', version: 2, createdAt: CREATED, updatedAt: LATER });
  });

  it('refuses an edit of an older version and tells the newer one', () => {
    expect(() => editProduct(withIvory(), 1, DRAFT, LATER)).toThrow(expect.objectContaining({ reason: 'version_mismatch', details: { version: 2 } }));
  });

  it('keeps its option names once it has variants, in whatever order', () => {
    expect(editProduct(tumbler(), 1, { ...DRAFT, optionNames: [] }, LATER).optionNames).toEqual([]);
    expect(editProduct(withIvory(), 2, { ...DRAFT, optionNames: ['size', 'color'] }, LATER).optionNames).toEqual(['size', 'color']);
    expect(() => editProduct(withIvory(), 2, { ...DRAFT, optionNames: ['color'] }, LATER)).toThrow(reason('options_in_use'));
  });
});

describe('the state of a product', () => {
  const inState: Record<PublicationState, () => CatalogProduct> = {
    draft: withIvory,
    published,
    archived: () => changeState(published(), 3, 'archived', CREATED),
  };
  it.each<[PublicationState, PublicationState]>([
    ['draft', 'published'],
    ['draft', 'archived'],
    ['published', 'draft'],
    ['published', 'archived'],
    ['archived', 'published'],
  ])('goes from %s to %s', (from, to) => {
    const product = inState[from]();
    expect(changeState(product, product.version, to, LATER)).toMatchObject({ state: to, version: product.version + 1, updatedAt: LATER });
  });

  it('does not go from archived to draft', () => {
    const product = inState.archived();
    expect(() => changeState(product, product.version, 'draft', LATER)).toThrow(reason('not_allowed_from_state'));
  });

  it.each(['draft', 'published', 'archived'] as const)('%s stays the very same product when asked for again, even by an old version', (state) => {
    const product = inState[state]();
    expect(changeState(product, 1, state, LATER)).toBe(product);
  });

  it('is not published without an active variant that has a price', () => {
    const bare = [
      tumbler(),
      addVariant(tumbler(), 'v', variant('ivory', { prices: {} }), CREATED),
      addVariant(tumbler(), 'v', variant('ivory', { active: false }), CREATED),
    ];
    for (const product of bare) expect(() => changeState(product, product.version, 'published', LATER)).toThrow(reason('not_publishable'));
  });
});

describe('a variant', () => {
  it.each([[{}], [{ color: 'ivory' }], [{ color: 'ivory', size: 'M', lid: 'cork' }], [{ color: 'ivory', lid: 'cork' }]])('with the options %j is refused', (options) => {
    expect(() => addVariant(tumbler(), 'v', variant('ivory', { options }), LATER)).toThrow(reason('options_mismatch'));
  });

  it('with a combination there is already is refused, also when that one is off sale', () => {
    const product = addVariant(tumbler(), 'v1', variant('ivory', { active: false }), CREATED);
    expect(() => addVariant(product, 'v2', { ...variant('ivory'), sku: 'OTHER', options: { size: 'M', color: 'ivory' } }, LATER)).toThrow(reason('options_mismatch'));
  });

  it('without options is the only one', () => {
    const plain = addVariant(newProduct('p', { ...DRAFT, optionNames: [] }, CREATED), 'v1', variant('x', { options: {} }), CREATED);
    expect(() => addVariant(plain, 'v2', { ...variant('y'), options: {} }, LATER)).toThrow(reason('options_mismatch'));
  });

  it('is added behind the others, and once', () => {
    const product = addVariant(withIvory(), 'v2', variant('navy'), LATER);
    expect(product.variants.map(({ id, position }) => [id, position])).toEqual([['v1', 0], ['v2', 1]]);
    expect(addVariant(product, 'v2', variant('navy'), LATER)).toBe(product);
  });

  it('changes in place and moves the version of its product', () => {
    const product = changeVariant(withIvory(), 2, 'v1', variant('ivory', { prices: { USD: 5 } }), LATER);
    expect(product).toMatchObject({ version: 3, variants: [{ id: 'v1', prices: { USD: 5 }, position: 0 }] });
    expect(() => changeVariant(withIvory(), 1, 'v1', variant('ivory'), LATER)).toThrow(reason('version_mismatch'));
    expect(() => changeVariant(withIvory(), 2, 'other', variant('ivory'), LATER)).toThrow(reason('not_found'));
  });

  it('of a published product cannot be the last one to go off sale', () => {
    expect(() => changeVariant(published(), 3, 'v1', variant('ivory', { active: false }), LATER)).toThrow(reason('not_publishable'));
    expect(() => changeVariant(published(), 3, 'v1', variant('ivory', { prices: {} }), LATER)).toThrow(reason('not_publishable'));
    const two = addVariant(published(), 'v2', variant('navy'), LATER);
    expect(changeVariant(two, two.version, 'v1', variant('ivory', { active: false }), LATER).variants[0]).toMatchObject({ active: false });
  });
});

describe('the lowest prices', () => {
  const variants = fc.array(
    fc.record({
      active: fc.boolean(),
      prices: fc.dictionary(fc.constantFrom('KRW', 'USD'), fc.nat(1_000_000), { noNullPrototype: true }),
    }),
  );
  const full = (list: { active: boolean; prices: Record<string, number> }[]) =>
    list.map((part, index) => ({ id: `v${index}`, sku: `S${index}`, options: { n: String(index) }, position: index, ...part }));

  it('are of active variants, per currency, and there exactly when the product can be published', () => {
    fc.assert(
      fc.property(variants, (list) => {
        const lowest = lowestPrices(full(list));
        for (const currency of ['KRW', 'USD'] as const) {
          const amounts = list.filter(({ active }) => active).flatMap(({ prices }) => prices[currency] ?? []);
          expect(lowest[currency]).toBe(amounts.length > 0 ? Math.min(...amounts) : undefined);
        }
        expect(Object.keys(lowest).length > 0).toBe(isPublishable(full(list)));
      }),
    );
  });

  it('and repeated combinations are told whatever the order of their names', () => {
    const variants: CatalogVariant[] = full([{ active: true, prices: {} }, { active: true, prices: {} }]);
    expect(repeatedOptions(variants)).toEqual([]);
    const same = [{ x: '1', y: '2' }, { y: '2', x: '1' }].map((options, index) => ({ ...variants[index]!, options }));
    expect(repeatedOptions(same)).toEqual([same[1]]);
  });
});
