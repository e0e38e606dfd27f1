import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogService } from '../../../src/modules/catalog/catalog-service.ts';
import { catalogSubscriptions } from '../../../src/modules/catalog/catalog-subscriptions.ts';
import type { Catalog, ImportRow, Product, VariantDraft } from '../../../src/modules/catalog/contract.ts';
import { inventoryContract } from '../../../src/modules/inventory/contract.ts';
import { createInbox } from '../../../src/shared/events.ts';
import { encodeCursor } from '../../../src/shared/http.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';

let context: TestContext;
let catalog: Catalog;
beforeAll(async () => {
  context = await createTestContext('catalog');
  catalog = createCatalogService(context);
});
afterAll(() => context.close());

let named = 0;
const unique = (what: string) => `${what}-${(named += 1)}`;
const draft = (more: object = {}) => ({ slug: unique('product'), name: { ko: '텀블러', en: '' }, description: { ko: '', en: '' }, categoryId: null, optionNames: [], ...more });
const variantDraft = (more: Partial<VariantDraft> = {}): VariantDraft => ({ sku: unique('SKU'), options: {}, prices: { KRW: 1_000 }, active: true, ...more });
const create = (more: object = {}) => catalog.createProduct({ id: newId(), draft: draft(more) });
const createPublished = async (): Promise<Product> => {
  const { id } = await create();
  const { version } = await catalog.createVariant({ id: newId(), productId: id, draft: variantDraft() });
  return catalog.setProductState({ id, version, state: 'published' });
};
const createCategory = (parentId: string | null = null) =>
  catalog.createCategory({ id: newId(), draft: { slug: unique('category'), name: { ko: '분류', en: '' }, parentId, position: 0 } });
const row = (slug: string, more: Partial<ImportRow> = {}): ImportRow => ({
  line: 2, slug, category: '', name: { ko: '수입품', en: '' }, description: { ko: '', en: '' }, options: {}, sku: unique('IMP'), prices: { KRW: 100 }, state: 'published', ...more,
});

/** How many ended well, and the reasons of the others. */
async function outcomes(attempts: Promise<unknown>[]): Promise<{ done: number; reasons: string[] }> {
  const settled = await Promise.allSettled(attempts);
  const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { reason?: string }).reason ?? String(one.reason)] : []));
  return { done: settled.length - reasons.length, reasons: [...new Set(reasons)] };
}

/** Statements of the flow, without the frame of its transaction. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const listen = ({ sql }: { sql: string }) => void (count += /^(begin|commit|rollback)/i.test(sql) ? 0 : 1);
  context.db.on('query', listen);
  await work().finally(() => context.db.removeListener('query', listen));
  return count;
}

describe('at the same time', () => {
  it('one of many edits of a version is taken', async () => {
    const { id } = await create();
    const edits = Array.from({ length: 10 }, () => catalog.updateProduct({ id, version: 1, draft: draft() }));
    expect(await outcomes(edits)).toEqual({ done: 1, reasons: ['version_mismatch'] });
    expect((await catalog.getProduct({ idOrSlug: id, states: ['draft'] })).version).toBe(2);
  });

  it('one product comes of many requests with one id, and one holder of a slug', async () => {
    const input = { id: newId(), draft: draft() };
    const repeats = await Promise.all(Array.from({ length: 8 }, () => catalog.createProduct(input)));
    expect(new Set(repeats.map((product) => JSON.stringify(product))).size).toBe(1);
    const { slug } = draft();
    expect(await outcomes(Array.from({ length: 8 }, () => create({ slug })))).toEqual({ done: 1, reasons: ['slug_taken'] });
  });

  it('one variant holds a SKU, and one a combination', async () => {
    const products = await Promise.all(Array.from({ length: 6 }, () => create()));
    const sku = unique('SKU');
    expect(await outcomes(products.map(({ id }) => catalog.createVariant({ id: newId(), productId: id, draft: variantDraft({ sku }) })))).toEqual({ done: 1, reasons: ['sku_taken'] });
    const { id } = await create({ optionNames: ['n'] });
    const same = Array.from({ length: 6 }, () => catalog.createVariant({ id: newId(), productId: id, draft: variantDraft({ options: { n: '1' } }) }));
    expect(await outcomes(same)).toEqual({ done: 1, reasons: ['options_mismatch'] });
    const different = Array.from({ length: 6 }, (_, n) => catalog.createVariant({ id: newId(), productId: id, draft: variantDraft({ options: { n: `x${n}` } }) }));
    expect(await outcomes(different)).toEqual({ done: 6, reasons: [] });
  });

  it('two categories are not put below each other', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = await Promise.all([createCategory(), createCategory()]);
      const below = ({ id, slug, name, position }: typeof a, parentId: string) => catalog.updateCategory({ id, version: 1, draft: { slug, name, position, parentId } });
      expect(await outcomes([below(a, b.id), below(b, a.id)])).toEqual({ done: 1, reasons: ['category_cycle'] });
    }
  });

  it('a category is deleted or gets a product, not both', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { id } = await createCategory();
      const { done, reasons } = await outcomes([catalog.deleteCategory({ id, version: 1 }), create({ categoryId: id })]);
      expect(done).toBe(1);
      expect(['category_in_use', 'unknown_category']).toContain(reasons[0]);
    }
  });

  it('a category is renamed and gets products, all found by the new name', async () => {
    const category = await createCategory();
    const name = { ko: unique('새이름'), en: '' };
    await Promise.all([
      ...Array.from({ length: 5 }, () => create({ categoryId: category.id })),
      catalog.updateCategory({ id: category.id, version: 1, draft: { slug: category.slug, name, parentId: null, position: 0 } }),
    ]);
    const { items } = await catalog.listProducts({ search: name.ko, states: ['draft'], limit: 10 });
    expect(items).toHaveLength(5);
  });

  it('one file is imported twice with the effect of once', async () => {
    const rows = Array.from({ length: 50 }, () => row(unique('import')));
    const reports = await Promise.all([1, 2].map(() => catalog.importProducts({ rows, dryRun: false })));
    expect(reports.map(({ created }) => created).toSorted((a, b) => a - b)).toEqual([0, 50]);
    expect(reports[0]?.variants).toEqual(reports[1]?.variants);
  });
});

describe('what is available', () => {
  const said = (data: { variantId: string; available: number; backorder: boolean; version: number }, id = newId()) => ({
    specversion: '1.0' as const, id, source: 'kerf/inventory', type: inventoryContract.events.availabilityChanged.type, subject: data.variantId,
    time: '2026-03-02T03:00:00.000Z', datacontenttype: 'application/json' as const, data,
  });

  it('is known before the variant is', async () => {
    const deliver = createInbox(context.db, catalogSubscriptions);
    const [variantId, { id }] = [newId(), await create()];
    await deliver(said({ variantId, available: 3, backorder: false, version: 1 }));
    const { variants } = await catalog.createVariant({ id: variantId, productId: id, draft: variantDraft() });
    expect(variants).toMatchObject([{ available: 3 }]);
  });

  it('may be any number that inventory can say, in any version', async () => {
    const deliver = createInbox(context.db, catalogSubscriptions);
    const product = await createPublished();
    for (const [version, available] of [[1, 3_000_000_000], [3_000_000_000, Number.MIN_SAFE_INTEGER], [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]] as const) {
      await deliver(said({ variantId: product.variants[0]!.id, available, backorder: true, version }));
      expect((await catalog.getProduct({ idOrSlug: product.id })).variants).toMatchObject([{ available }]);
    }
  });

  it('does not count where there is no price to buy at', async () => {
    const deliver = createInbox(context.db, catalogSubscriptions);
    const name = { ko: unique('값없음'), en: '' };
    const { id } = await create({ name, optionNames: ['n'] });
    const [priced, unpriced] = [newId(), newId()];
    await catalog.createVariant({ id: priced, productId: id, draft: variantDraft({ options: { n: '1' } }) });
    const { version } = await catalog.createVariant({ id: unpriced, productId: id, draft: variantDraft({ options: { n: '2' }, prices: {} }) });
    await catalog.setProductState({ id, version, state: 'published' });
    await deliver(said({ variantId: unpriced, available: 3, backorder: false, version: 1 }));
    const inStock = async () => (await catalog.listProducts({ search: name.ko, inStock: true, limit: 10 })).items.length;
    expect(await inStock()).toBe(0);
    await deliver(said({ variantId: priced, available: 3, backorder: false, version: 1 }));
    expect(await inStock()).toBe(1);
  });

  it('is the highest version, in whatever order and however often it is told', async () => {
    const deliver = createInbox(context.db, catalogSubscriptions);
    const product = await createPublished();
    const variantId = product.variants[0]!.id;
    const events = [4, 2, 5, 1, 3].map((version) => said({ variantId, available: version * 10, backorder: version === 5, version }));
    await Promise.all([...events, ...events].map(deliver));
    expect((await catalog.getProduct({ idOrSlug: product.id })).variants).toMatchObject([{ available: 50, backorder: true }]);
    expect((await catalog.getProduct({ idOrSlug: product.id })).version).toBe(product.version);
  });
});

describe('the events', () => {
  const publishedOf = (productId: string) =>
    context.published.filter(({ data }) => data.productId === productId).map(({ type, data }) => [type.replace('catalog.product_', ''), data.version]);

  it('say what shoppers see come, change and go', async () => {
    const { id } = await create();
    await catalog.updateProduct({ id, version: 1, draft: draft() });
    await catalog.createVariant({ id: newId(), productId: id, draft: variantDraft() });
    expect(publishedOf(id)).toEqual([]);
    await catalog.setProductState({ id, version: 3, state: 'published' });
    await catalog.setProductState({ id, version: 4, state: 'published' });
    await catalog.updateProduct({ id, version: 4, draft: draft() });
    await catalog.setProductState({ id, version: 5, state: 'draft' });
    await catalog.setProductState({ id, version: 6, state: 'archived' });
    expect(publishedOf(id)).toEqual([['published', 4], ['published', 5], ['archived', 6]]);
  });

  it('of an import are those of products that became or changed while published', async () => {
    const rows = [row(unique('import')), row(unique('import')), row(unique('import'), { state: 'draft' })];
    const before = context.published.length;
    await catalog.importProducts({ rows, dryRun: true });
    expect(context.published.length).toBe(before);
    await catalog.importProducts({ rows, dryRun: false });
    await catalog.importProducts({ rows: rows.map((again, index) => (index === 0 ? { ...again, prices: { KRW: 1 } } : again)), dryRun: false });
    await catalog.importProducts({ rows: rows.map((again) => ({ ...again, prices: { KRW: 1 }, state: 'draft' as const })), dryRun: false });
    expect(context.published.slice(before).map(({ type, data }) => [type, data.slug, data.version])).toEqual([
      ['catalog.product_published', rows[0]!.slug, 1],
      ['catalog.product_published', rows[1]!.slug, 1],
      ['catalog.product_published', rows[0]!.slug, 2],
      ['catalog.product_archived', rows[0]!.slug, 3],
      ['catalog.product_archived', rows[1]!.slug, 2],
    ]);
  });
});

describe('statements', () => {
  it('are two for a page and one for any number of prices', async () => {
    const products = await Promise.all(Array.from({ length: 12 }, createPublished));
    const variantIds = products.map(({ variants }) => variants[0]!.id);
    for (const sort of ['newest', 'name', 'price_asc', 'relevance'] as const) {
      expect(await statementsOf(() => catalog.listProducts({ sort, search: '텀블러', currency: 'KRW', maxPrice: 9_999, inStock: false, limit: 10 }))).toBe(2);
    }
    expect(await statementsOf(() => catalog.getProduct({ idOrSlug: products[0]!.slug }))).toBe(2);
    expect(await statementsOf(() => catalog.priceVariants({ currency: 'KRW', variantIds }))).toBe(1);
  });

  it('of an import do not grow with its rows, and a repeat only reads', async () => {
    const rows = Array.from({ length: 900 }, (_, n) => row(`bulk-${n % 300}`, { options: { n: String(n) }, sku: `BULK-${n}` }));
    expect(await statementsOf(() => catalog.importProducts({ rows, dryRun: false }))).toBeLessThan(10);
    const reads: string[] = [];
    const listen = ({ sql }: { sql: string }) => void reads.push(sql);
    context.db.on('query', listen);
    const { unchanged } = await catalog.importProducts({ rows, dryRun: false });
    context.db.removeListener('query', listen);
    expect(unchanged).toBe(900);
    expect(reads.filter((sql) => /^(insert|update|delete)/i.test(sql))).toEqual([]);
  });

  it('let two variants swap their options', async () => {
    const slug = unique('import');
    const rows = ['red', 'blue'].map((color) => row(slug, { options: { color } }));
    await catalog.importProducts({ rows, dryRun: false });
    const swapped = [{ ...rows[0]!, options: { color: 'blue' } }, { ...rows[1]!, options: { color: 'red' } }];
    expect(await catalog.importProducts({ rows: swapped, dryRun: false })).toMatchObject({ updated: 2, errors: [] });
  });
});

it.each([
  ['newest', '9999-12-31T23:59:59.999Z'],
  ['price_asc', Number.MIN_SAFE_INTEGER],
  ['price_desc', Number.MAX_SAFE_INTEGER],
] as const)('a list by %s goes on from wherever it can end: %s', async (sort, at) => {
  await createPublished();
  expect((await catalog.listProducts({ sort, cursor: encodeCursor([sort, 'KRW', at, newId()]), limit: 1 })).items).toHaveLength(1);
});

describe('the database itself refuses', () => {
  it.each<[string, string]>([
    ['a negative price', `update variants set prices = '{"KRW": -1}'`],
    ['half a won', `update variants set prices = '{"KRW": 0.5}'`],
    ['a price in words', `update variants set prices = '{"KRW": "1000"}'`],
    ['a published product without a price', `update products set lowest_prices = '{}' where state = 'published'`],
    ['a state nobody knows', `update products set state = 'gone'`],
    ['the loss of a product that has variants', 'delete from products where id in (select product_id from variants)'],
    ['a category below itself', 'update categories set parent_id = id'],
  ])('%s', async (_, sql) => {
    await createPublished();
    await createCategory();
    await expect(context.db.raw(sql)).rejects.toThrow(/constraint/);
  });
});
