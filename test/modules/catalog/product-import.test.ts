import { describe, expect, it } from 'vitest';
import type { PublicationState } from '../../../src/modules/catalog/contract.ts';
import { addVariant, type CatalogProduct, newProduct } from '../../../src/modules/catalog/product.ts';
import { type Known, type NumberedRow, planImport } from '../../../src/modules/catalog/product-import.ts';

const NOW = new Date('2026-03-02T03:00:00Z');
let next = 0;
const row = (more: Partial<NumberedRow> = {}): NumberedRow => {
  next += 1;
  const color = more.sku ?? `color ${next}`;
  return {
    line: 2,
    slug: 'tumbler',
    category: 'kitchen',
    name: { ko: '텀블러', en: 'Tumbler' },
    description: { ko: '', en: '' },
    options: { color },
    sku: `SKU-${next}`,
    prices: { KRW: 1_000 },
    state: 'published',
    newProductId: `product ${next}`,
    newVariantId: `variant ${next}`,
    ...more,
  };
};
const known = (...products: CatalogProduct[]): Known => ({
  categories: new Map([['kitchen', 'kitchen id']]),
  products: new Map(products.map((product) => [product.slug, product])),
  skus: new Map(products.flatMap(({ slug, variants }) => variants.map(({ sku }) => [sku, slug]))),
});
/** The catalogue after these rows. */
const imported = (...rows: NumberedRow[]) => planImport(rows, known(), NOW).changes.map(({ after }) => after);
const mistakes = (rows: NumberedRow[], state = known()) => planImport(rows, state, NOW).report.errors.map(({ line, reason }) => [line, reason]);

describe('planning an import', () => {
  it('makes one product of the rows with its slug, its variants in their order', () => {
    const plan = planImport([row({ sku: 'A' }), row({ sku: 'B', line: 3 }), row({ slug: 'mug', sku: 'C', line: 4 })], known(), NOW);
    expect(plan.report).toMatchObject({ created: 3, updated: 0, unchanged: 0, errors: [] });
    expect(plan.changes.map(({ before, after }) => [before, after.slug, after.state, after.version, after.variants.map(({ sku }) => sku)])).toEqual([
      [undefined, 'tumbler', 'published', 1, ['A', 'B']],
      [undefined, 'mug', 'published', 1, ['C']],
    ]);
    expect(Object.keys(plan.report.variants)).toEqual(['A', 'B', 'C']);
    expect(plan.changes[0]?.after).toMatchObject({ categoryId: 'kitchen id', optionNames: ['color'] });
  });

  it('changes nothing the second time, to the very objects', () => {
    const rows = [row({ sku: 'A' }), row({ sku: 'B' }), row({ slug: 'mug', sku: 'C', prices: { USD: 5, KRW: 7 } })];
    const products = imported(...rows);
    const plan = planImport(rows.map((again) => ({ ...again, newVariantId: 'other', newProductId: 'other', prices: { ...again.prices } })), known(...products), NOW);
    expect(plan.report).toMatchObject({ created: 0, updated: 0, unchanged: 3 });
    expect(plan.changes.every(({ before, after }) => before === after)).toBe(true);
  });

  it('counts only the rows that change, and leaves variants alone that no row names', () => {
    const rows = [row({ sku: 'A' }), row({ sku: 'B' }), row({ sku: 'C' })];
    const [product] = imported(...rows) as [CatalogProduct];
    const plan = planImport([rows[0]!, { ...rows[1]!, prices: { KRW: 2 } }, row({ sku: 'D' })], known(product), NOW);
    expect(plan.report).toMatchObject({ created: 1, updated: 1, unchanged: 1 });
    const [change] = plan.changes;
    expect(change?.after).toMatchObject({ version: 2, variants: [{ sku: 'A' }, { sku: 'B', prices: { KRW: 2 } }, { sku: 'C' }, { sku: 'D', position: 3 }] });
    expect(change?.after.variants[0]).toBe(product.variants[0]);
  });

  it('counts all rows of a product whose texts change', () => {
    const rows = [row({ sku: 'A' }), row({ sku: 'B' })];
    const renamed = rows.map((same) => ({ ...same, name: { ko: '보온병', en: '' } }));
    expect(planImport(renamed, known(...imported(...rows)), NOW).report).toMatchObject({ updated: 2, unchanged: 0 });
  });

  it('lets two variants of a product swap their options', () => {
    const [a, b] = [row({ sku: 'A', options: { color: 'red' } }), row({ sku: 'B', options: { color: 'blue' } })];
    expect(mistakes([{ ...a, options: b.options }, { ...b, options: a.options }], known(...imported(a, b)))).toEqual([]);
  });

  it('leaves a variant off sale that was taken off sale', () => {
    const rows = [row({ sku: 'A' }), row({ sku: 'B' })];
    const [product] = imported(...rows) as [CatalogProduct];
    const held = { ...product, variants: product.variants.map((variant, index) => ({ ...variant, active: index > 0 })) };
    expect(planImport(rows, known(held), NOW).report).toMatchObject({ unchanged: 2 });
  });
});

describe('an import is refused', () => {
  const mug = addVariant(newProduct('mug id', { slug: 'mug', name: { ko: '머그', en: '' }, description: { ko: '', en: '' }, categoryId: null, optionNames: ['color'] }, NOW), 'v', { sku: 'MUG', options: { color: 'red' }, prices: {}, active: true }, NOW);
  const archived: CatalogProduct = { ...mug, state: 'archived' };
  const forMug = (more: Partial<NumberedRow>) => row({ slug: 'mug', name: mug.name, category: '', ...more });

  it.each<[string, NumberedRow[], Known, [number, string][]]>([
    ['for a category that is not there', [row({ line: 7, category: 'garden' })], known(), [[7, 'unknown_category']]],
    ['for a SKU that stands twice', [row({ sku: 'A', options: { color: 'x' } }), row({ sku: 'A', line: 3, options: { color: 'y' } })], known(), [[3, 'duplicate_sku']]],
    ['for a SKU that stands twice under two slugs', [row({ sku: 'A' }), row({ sku: 'A', slug: 'cup', line: 3 })], known(), [[3, 'duplicate_sku']]],
    ['for the SKU of another product', [row({ sku: 'MUG', line: 5 })], known(mug), [[5, 'sku_taken']]],
    ['for rows of one product that disagree', [row({}), row({ line: 3, name: { ko: '다른 이름', en: '' } }), row({ line: 4, state: 'draft' })], known(), [[3, 'inconsistent_product'], [4, 'inconsistent_product']]],
    ['for other option names', [row({}), row({ line: 3, options: { size: 'M' } })], known(), [[3, 'options_mismatch']]],
    ['for option names that the product does not have', [forMug({ line: 9, options: {} })], known(mug), [[9, 'options_mismatch']]],
    ['for a combination that stands twice', [row({ options: { color: 'red' } }), row({ line: 3, options: { color: 'red' } })], known(), [[3, 'options_mismatch']]],
    ['for a combination that the product has already', [forMug({ line: 9, options: { color: 'red' } })], known(mug), [[9, 'options_mismatch']]],
    ['for more options than a product has', [row({ options: { a: '1', b: '1', c: '1', d: '1' } })], known(), [[2, 'options_mismatch']]],
    ['for a product on sale without a price', [row({ prices: {} })], known(), [[2, 'not_publishable']]],
    ['for an archived product as a draft', [forMug({ state: 'draft', options: { color: 'blue' } })], known(archived), [[2, 'not_allowed_from_state']]],
  ])('%s', (_, rows, state, expected) => {
    expect(mistakes(rows, state)).toEqual(expected);
  });

  it('for all its mistakes at once, in the order of the lines, and counts nothing', () => {
    const { report } = planImport([row({ line: 4, prices: {} }), row({ slug: 'cup', line: 3, category: 'none' }), row({ slug: 'jar', line: 2, sku: 'MUG' })], known(mug), NOW);
    expect(report).toMatchObject({ created: 0, updated: 0, unchanged: 0, variants: {} });
    expect(report.errors.map(({ line }) => line)).toEqual([2, 3, 4]);
    expect(report.errors.every(({ message }) => message.endsWith('.'))).toBe(true);
  });

  it.each<[PublicationState, 'draft' | 'published']>([['draft', 'published'], ['published', 'draft'], ['archived', 'published']])('but not for taking a product from %s to %s', (from, to) => {
    const product: CatalogProduct = { ...mug, state: from };
    expect(mistakes([forMug({ sku: 'MUG', state: to, options: { color: 'red' } })], known(product))).toEqual([]);
  });
});
