import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogService } from '../../../src/modules/catalog/catalog-service.ts';
import { catalogSubscriptions } from '../../../src/modules/catalog/catalog-subscriptions.ts';
import { type Catalog, catalogContract, type Product, type ProductDraft, type VariantDraft } from '../../../src/modules/catalog/contract.ts';
import { createFakeCatalog } from '../../../src/modules/catalog/fake.ts';
import { inventoryContract } from '../../../src/modules/inventory/contract.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { createInbox } from '../../../src/shared/events.ts';
import { encodeCursor } from '../../../src/shared/http.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext } from '../../support/module-context.ts';

interface Setup {
  catalog: Catalog;
  setAvailability(variantId: string, availability: { available: number; backorder?: boolean }): Promise<void> | void;
  close?(): Promise<void>;
}

const inMemory = async (): Promise<Setup> => {
  const fake = createFakeCatalog();
  return { catalog: fake, setAvailability: fake.setAvailability };
};

const onPostgres = async (): Promise<Setup> => {
  const context = await createTestContext('catalog');
  const deliver = createInbox(context.db, catalogSubscriptions);
  let version = 0;
  return {
    catalog: createCatalogService(context),
    setAvailability: (variantId, { available, backorder = false }) =>
      deliver(availabilityChanged({ variantId, available, backorder, version: (version += 1) })),
    close: context.close,
  };
};

const overTheWire = async (): Promise<Setup> => {
  const setup = await onPostgres();
  return { ...setup, catalog: overWire(catalogContract, setup.catalog) };
};

const availabilityChanged = (data: { variantId: string; available: number; backorder: boolean; version: number }) => ({
  specversion: '1.0' as const,
  id: newId(),
  source: 'kerf/inventory',
  type: inventoryContract.events.availabilityChanged.type,
  subject: data.variantId,
  time: '2026-03-02T03:00:00.000Z',
  datacontenttype: 'application/json' as const,
  data,
});

let named = 0;
const unique = (what: string) => `${what}-${(named += 1)}`;
const productDraft = (more: Partial<ProductDraft> = {}): ProductDraft => ({
  slug: unique('product'),
  name: { ko: '텀블러', en: 'Tumbler' },
  description: { ko: '', en: '' },
  categoryId: null,
  optionNames: [],
  ...more,
});
const variantDraft = (more: Partial<VariantDraft> = {}): VariantDraft => ({ sku: unique('SKU'), options: {}, prices: { KRW: 10_000 }, active: true, ...more });
const refused = (reason: string) => expect.objectContaining({ reason });

describe.each([
  ['in memory', inMemory],
  ['on Postgres', onPostgres],
  ['over the wire', overTheWire],
])('the catalogue %s', (_, setUp) => {
  let setup: Setup;
  let catalog: Catalog;
  beforeAll(async () => {
    setup = await setUp();
    catalog = setup.catalog;
  });
  afterAll(() => setup.close?.());

  const create = (more: Partial<ProductDraft> = {}) => catalog.createProduct({ id: newId(), draft: productDraft(more) });
  const addVariant = (productId: string, more: Partial<VariantDraft> = {}) => catalog.createVariant({ id: newId(), productId, draft: variantDraft(more) });
  const publish = ({ id, version }: Product) => catalog.setProductState({ id, version, state: 'published' });
  const createPublished = async (draft: Partial<ProductDraft> = {}, ...variants: Partial<VariantDraft>[]) => {
    const { id } = await create(draft);
    for (const variant of variants.length > 0 ? variants : [{}]) await addVariant(id, variant);
    return publish(await catalog.getProduct({ idOrSlug: id, states: ['draft'] }));
  };
  const createCategory = (parentId: string | null = null, position = 0) =>
    catalog.createCategory({ id: newId(), draft: { slug: unique('category'), name: { ko: '분류', en: '' }, parentId, position } });

  describe('a product', () => {
    it('is created as a draft that shoppers cannot see', async () => {
      const draft = productDraft();
      const product = await catalog.createProduct({ id: newId(), draft });
      expect(product).toMatchObject({ slug: draft.slug, name: draft.name, state: 'draft', version: 1, category: null, variants: [] });
      await expect(catalog.getProduct({ idOrSlug: draft.slug })).rejects.toThrow(refused('not_found'));
      expect(await catalog.getProduct({ idOrSlug: draft.slug, states: ['draft'] })).toEqual(product);
    });

    it('is created once per id; a repeat answers the first', async () => {
      const input = { id: newId(), draft: productDraft() };
      const first = await catalog.createProduct(input);
      expect(await catalog.createProduct(input)).toEqual(first);
      expect(await catalog.createProduct({ ...input, draft: productDraft() })).toEqual(first);
    });

    it('keeps its slug to itself', async () => {
      const { slug } = await create();
      await expect(create({ slug })).rejects.toThrow(refused('slug_taken'));
      const other = await create();
      await expect(catalog.updateProduct({ id: other.id, version: 1, draft: productDraft({ slug }) })).rejects.toThrow(refused('slug_taken'));
    });

    it('stands in a category that exists', async () => {
      const { id, slug, name } = await createCategory();
      expect((await create({ categoryId: id })).category).toEqual({ id, slug, name });
      await expect(create({ categoryId: newId() })).rejects.toThrow(refused('unknown_category'));
    });

    it('is found by id and by slug, also by a slug that looks like an id', async () => {
      const odd = await createPublished({ slug: newId() });
      for (const idOrSlug of [odd.id, odd.slug]) expect(await catalog.getProduct({ idOrSlug })).toEqual(odd);
      for (const idOrSlug of [newId(), 'nothing', '', "' or 1=1", 'a\0b']) {
        await expect(catalog.getProduct({ idOrSlug })).rejects.toThrow(refused('not_found'));
      }
    });

    it('is edited by who has seen its newest version', async () => {
      const { id } = await create();
      const draft = productDraft({ name: { ko: '보온병', en: '' } });
      expect(await catalog.updateProduct({ id, version: 1, draft })).toMatchObject({ slug: draft.slug, name: draft.name, version: 2 });
      await expect(catalog.updateProduct({ id, version: 1, draft })).rejects.toThrow(refused('version_mismatch'));
      await expect(catalog.updateProduct({ id: newId(), version: 1, draft })).rejects.toThrow(refused('not_found'));
    });

    it('keeps its option names once there are variants', async () => {
      const draft = productDraft({ optionNames: ['color'] });
      const { id } = await catalog.createProduct({ id: newId(), draft });
      const { version } = await addVariant(id, { options: { color: 'Ivory' } });
      await expect(catalog.updateProduct({ id, version, draft: { ...draft, optionNames: ['size'] } })).rejects.toThrow(refused('options_in_use'));
    });

    it('is published with something to sell, archived, and published again', async () => {
      const draft = await create();
      await expect(publish(draft)).rejects.toThrow(refused('not_publishable'));
      const published = await publish(await addVariant(draft.id));
      expect(published).toMatchObject({ state: 'published', version: 3 });
      expect(await catalog.setProductState({ id: draft.id, version: 1, state: 'published' })).toEqual(published);
      await expect(catalog.setProductState({ id: draft.id, version: 1, state: 'archived' })).rejects.toThrow(refused('version_mismatch'));
      const archived = await catalog.setProductState({ id: draft.id, version: 3, state: 'archived' });
      await expect(catalog.setProductState({ id: draft.id, version: archived.version, state: 'draft' })).rejects.toThrow(refused('not_allowed_from_state'));
      expect((await publish(archived)).state).toBe('published');
    });
  });

  describe('a variant', () => {
    it('is created once per id, in the order of creation', async () => {
      const { id: productId } = await create({ optionNames: ['size', 'color'] });
      const input = { id: newId(), productId, draft: variantDraft({ options: { color: 'red', size: 'M' } }) };
      const first = await catalog.createVariant(input);
      expect(await catalog.createVariant(input)).toEqual(first);
      const { variants } = await addVariant(productId, { options: { color: 'blue', size: 'M' } });
      expect(variants.map(({ options }) => options.color)).toEqual(['red', 'blue']);
      expect(variants[0]).toEqual({ id: input.id, ...input.draft, available: 0, backorder: false });
    });

    it('keeps its SKU to itself, across products', async () => {
      const [one, other] = [await create(), await create()];
      const { variants } = await addVariant(one.id);
      await expect(addVariant(other.id, { sku: variants[0]!.sku })).rejects.toThrow(refused('sku_taken'));
      const { version, variants: own } = await addVariant(other.id);
      await expect(catalog.updateVariant({ id: own[0]!.id, version, draft: variantDraft({ sku: variants[0]!.sku }) })).rejects.toThrow(refused('sku_taken'));
    });

    it('has the options of its product, in a combination of its own', async () => {
      const { id } = await create({ optionNames: ['color'] });
      await addVariant(id, { options: { color: 'red' } });
      const refusedOptions: Record<string, string>[] = [{}, { size: 'M' }, { color: 'red' }];
      for (const options of refusedOptions) await expect(addVariant(id, { options })).rejects.toThrow(refused('options_mismatch'));
      await expect(addVariant(newId())).rejects.toThrow(refused('not_found'));
    });

    it('changes with the version of its product', async () => {
      const product = await createPublished();
      const [variant] = product.variants;
      const draft = { ...variantDraft(), prices: { KRW: 5, USD: 1 } };
      const changed = await catalog.updateVariant({ id: variant!.id, version: product.version, draft });
      expect(changed).toMatchObject({ version: product.version + 1, variants: [draft] });
      await expect(catalog.updateVariant({ id: variant!.id, version: product.version, draft })).rejects.toThrow(refused('version_mismatch'));
      await expect(catalog.updateVariant({ id: newId(), version: 1, draft })).rejects.toThrow(refused('not_found'));
      await expect(catalog.updateVariant({ id: variant!.id, version: changed.version, draft: { ...draft, active: false } })).rejects.toThrow(refused('not_publishable'));
    });

    it('shows what inventory last said is available', async () => {
      const product = await createPublished();
      await setup.setAvailability(product.variants[0]!.id, { available: 7 });
      await setup.setAvailability(product.variants[0]!.id, { available: -2, backorder: true });
      expect((await catalog.getProduct({ idOrSlug: product.id })).variants).toMatchObject([{ available: -2, backorder: true }]);
    });
  });

  describe('pricing variants', () => {
    it('answers each in the order asked for, with what an order line keeps', async () => {
      const [kitchen, other] = [await createCategory(), await createCategory()];
      const cups = await createCategory(kitchen.id);
      const cup = await createPublished({ categoryId: cups.id, name: { ko: '컵', en: 'Cup' }, optionNames: ['color'] }, { options: { color: 'red' }, prices: { KRW: 9_000, USD: 0 } });
      const pan = await createPublished({ categoryId: other.id }, { prices: { KRW: 8_000 } });
      const bare = await createPublished();
      const variantIds = [pan, cup, pan, bare].map(({ variants }) => variants[0]!.id);
      const { variants } = await catalog.priceVariants({ currency: 'KRW', variantIds });
      expect(variants.map(({ variantId }) => variantId)).toEqual(variantIds);
      expect(variants[1]).toEqual({
        variantId: variantIds[1],
        problem: null,
        productId: cup.id,
        sku: cup.variants[0]!.sku,
        name: { ko: '컵', en: 'Cup' },
        options: { color: 'red' },
        categoryIds: [cups.id, kitchen.id],
        unitPrice: 9_000,
      });
      expect(variants.map(({ categoryIds }) => categoryIds.length)).toEqual([1, 2, 1, 0]);
      expect((await catalog.priceVariants({ currency: 'USD', variantIds })).variants.map(({ problem, unitPrice }) => [problem, unitPrice])).toEqual([
        ['no_price', 0], [null, 0], ['no_price', 0], ['no_price', 0],
      ]);
    });

    it('names what cannot be bought, and why', async () => {
      const draft = await addVariant((await create()).id);
      const archived = await createPublished();
      await catalog.setProductState({ id: archived.id, version: archived.version, state: 'archived' });
      const half = await createPublished({ optionNames: ['n'] }, { options: { n: '1' }, active: false }, { options: { n: '2' } });
      const variantIds = [draft.variants[0]!.id, archived.variants[0]!.id, half.variants[0]!.id, half.variants[1]!.id, newId()];
      const { variants } = await catalog.priceVariants({ currency: 'KRW', variantIds });
      expect(variants.map(({ problem }) => problem)).toEqual(['not_published', 'not_published', 'not_published', null, 'unknown_variant']);
      expect(variants[4]).toMatchObject({ productId: null, sku: '', categoryIds: [], unitPrice: 0 });
      expect(await catalog.priceVariants({ currency: 'KRW', variantIds: [] })).toEqual({ variants: [] });
    });
  });

  describe('a category', () => {
    it('is created once per id, below one that exists, under a slug of its own', async () => {
      const draft = { slug: unique('category'), name: { ko: '주방', en: 'Kitchen' }, parentId: null, position: 3 };
      const input = { id: newId(), draft };
      const first = await catalog.createCategory(input);
      expect(first).toEqual({ ...draft, id: input.id, version: 1 });
      expect(await catalog.createCategory(input)).toEqual(first);
      await expect(catalog.createCategory({ id: newId(), draft })).rejects.toThrow(refused('slug_taken'));
      await expect(catalog.createCategory({ id: newId(), draft: { ...draft, slug: unique('category'), parentId: newId() } })).rejects.toThrow(refused('unknown_category'));
    });

    it('moves in the tree, but not below itself', async () => {
      const top = await createCategory();
      const below = await createCategory(top.id);
      const draft = ({ slug, name, position }: typeof top, parentId: string | null) => ({ slug, name, position, parentId });
      await expect(catalog.updateCategory({ id: top.id, version: 1, draft: draft(top, below.id) })).rejects.toThrow(refused('category_cycle'));
      expect(await catalog.updateCategory({ id: below.id, version: 1, draft: draft(below, null) })).toEqual({ ...below, parentId: null, version: 2 });
      await expect(catalog.updateCategory({ id: below.id, version: 1, draft: draft(below, null) })).rejects.toThrow(refused('version_mismatch'));
      await expect(catalog.updateCategory({ id: below.id, version: 2, draft: draft(top, null) })).rejects.toThrow(refused('slug_taken'));
      await expect(catalog.updateCategory({ id: newId(), version: 1, draft: draft(top, null) })).rejects.toThrow(refused('not_found'));
    });

    it('is deleted when nothing stands below it', async () => {
      const [top, full] = [await createCategory(), await createCategory()];
      const below = await createCategory(top.id);
      await create({ categoryId: full.id });
      for (const { id } of [top, full]) await expect(catalog.deleteCategory({ id, version: 1 })).rejects.toThrow(refused('category_in_use'));
      await expect(catalog.deleteCategory({ id: below.id, version: 2 })).rejects.toThrow(refused('version_mismatch'));
      expect(await catalog.deleteCategory({ id: below.id, version: 1 })).toEqual({});
      await expect(catalog.deleteCategory({ id: below.id, version: 1 })).rejects.toThrow(refused('not_found'));
      expect(await catalog.deleteCategory({ id: top.id, version: 1 })).toEqual({});
    });

    it('is listed behind the one above it, siblings by position', async () => {
      const top = await createCategory();
      const second = await createCategory(top.id, 2);
      const first = await createCategory(top.id, 1);
      const { categories } = await catalog.listCategories({});
      const order = categories.map(({ id }) => id).filter((id) => [top.id, first.id, second.id].includes(id));
      expect(order).toEqual([top.id, first.id, second.id]);
    });
  });

  describe('a list of products', () => {
    let category: string;
    let sub: string;
    const titles = async (input: Partial<Parameters<Catalog['listProducts']>[0]>) =>
      (await catalog.listProducts({ category, limit: 100, ...input })).items.map(({ name }) => name.en);

    beforeAll(async () => {
      category = (await createCategory()).id;
      sub = (await createCategory(category)).id;
      const add = (en: string, ko: string, categoryId: string, ...variants: Partial<VariantDraft>[]) =>
        createPublished({ name: { ko, en }, categoryId, optionNames: ['n'] }, ...variants.map((variant, index) => ({ options: { n: String(index) }, ...variant })));
      const stocked = await add('A', '가위', category, { prices: { KRW: 30, USD: 3 } }, { prices: { KRW: 10 } });
      await add('B', '나무 접시', category, { prices: { KRW: 20 } }, { prices: { KRW: 5 }, active: false });
      const backordered = await add('C', '다리미', sub, { prices: { USD: 2 } });
      await create({ name: { ko: '라디오', en: 'D' }, categoryId: category });
      await createPublished({ name: { ko: '마이크', en: 'E' } });
      await setup.setAvailability(stocked.variants[0]!.id, { available: 1 });
      await setup.setAvailability(backordered.variants[0]!.id, { available: 0, backorder: true });
    });

    it('shows what is published in the category and below it, by id or slug', async () => {
      const { items } = await catalog.listProducts({ category: sub, limit: 10 });
      expect((await titles({})).toSorted()).toEqual(['A', 'B', 'C']);
      expect(await titles({ category: items[0]!.category!.slug })).toEqual(['C']);
      for (const absent of [newId(), 'no-such-category', "'; drop table", '']) expect(await titles({ category: absent })).toEqual([]);
    });

    it('shows other states to who asks for them', async () => {
      expect(await titles({ states: ['draft'] })).toEqual(['D']);
      expect((await titles({ states: ['draft', 'published'] })).toSorted()).toEqual(['A', 'B', 'C', 'D']);
    });

    it('is sorted by name, or by the lowest price of an active variant, without one last', async () => {
      expect(await titles({ sort: 'name' })).toEqual(['A', 'B', 'C']);
      expect(await titles({ sort: 'price_asc' })).toEqual(['A', 'B', 'C']);
      expect(await titles({ sort: 'price_desc' })).toEqual(['B', 'A', 'C']);
      expect(await titles({ sort: 'price_asc', currency: 'USD' })).toEqual(['C', 'A', 'B']);
      expect(await titles({ sort: 'price_desc', currency: 'USD' })).toEqual(['A', 'C', 'B']);
    });

    it.each<[string, object, string[]]>([
      ['from a price', { currency: 'KRW', minPrice: 20 }, ['A', 'B']],
      ['up to a price', { currency: 'KRW', maxPrice: 15 }, ['A']],
      ['between prices no variant has', { currency: 'KRW', minPrice: 11, maxPrice: 19 }, []],
      ['in another currency', { currency: 'USD', maxPrice: 3 }, ['A', 'C']],
      ['in stock', { inStock: true }, ['A', 'C']],
      ['sold out', { inStock: false }, ['B']],
      ['in stock at a price', { inStock: true, currency: 'KRW', minPrice: 25 }, ['A']],
      ['in stock, not counting variants at other prices', { inStock: true, currency: 'KRW', maxPrice: 15 }, []],
      ['free of the range when it is upside down', { currency: 'KRW', minPrice: 30, maxPrice: 10 }, []],
    ])('can be narrowed to what is %s', async (_, filter, expected) => expect(await titles({ sort: 'name', ...filter })).toEqual(expected));

    it('needs a currency for prices and a search for relevance', async () => {
      await expect(titles({ minPrice: 0 })).rejects.toThrow(refused('currency_required'));
      await expect(titles({ sort: 'relevance' })).rejects.toThrow(refused('search_required'));
      await expect(titles({ sort: 'relevance', search: '  ' })).rejects.toThrow(refused('search_required'));
    });

    it.each(['newest', 'name', 'price_asc', 'price_desc', 'relevance'] as const)('by %s comes page by page, each product once', async (sort) => {
      const input = { category, sort, ...(sort === 'relevance' && { search: '분류' }), states: ['draft' as const, 'published' as const] };
      const all = await titles(input);
      expect(all).toHaveLength(4);
      const pages: string[] = [];
      let cursor: string | null | undefined;
      do {
        const found = await catalog.listProducts({ ...input, limit: 1, ...(cursor && { cursor }) });
        pages.push(...found.items.map(({ name }) => name.en));
        cursor = found.nextCursor;
      } while (cursor);
      expect(pages).toEqual(all);
    });

    it('refuses a cursor that is none', async () => {
      for (const cursor of ['', 'x', 'W10', Buffer.from('["newest","KRW","now","then"]').toString('base64url')]) {
        await expect(titles({ cursor })).rejects.toThrow(refused('invalid_cursor'));
      }
    });

    it.each([
      ['newest', '0000-01-01T00:00:00Z'],
      ['newest', '1969-12-31T23:59:59.999Z'],
      ['newest', '9999-12-31T23:59:59+23:59'],
      ['newest', '9999-12-31T23:59:59.999+23:59'],
      ['newest', `2026-01-01T00:00:00.${'0'.repeat(200)}Z`],
      ['price_asc', 1e300],
      ['price_asc', 0.5],
      ['price_desc', '1'],
    ] as const)('by %s refuses a cursor at %s', async (sort, at) => {
      await expect(titles({ sort, cursor: encodeCursor([sort, 'KRW', at, newId()]) })).rejects.toThrow(refused('invalid_cursor'));
    });
  });

  describe('an import', () => {
    const rowOf = (slug: string, more: object = {}) => ({
      line: 2, slug, category: '', name: { ko: '수입품', en: '' }, description: { ko: '', en: '' }, options: {}, sku: unique('IMP'), prices: { KRW: 100 }, state: 'published' as const, ...more,
    });

    it('adds what is new, changes what differs, and nothing the second time', async () => {
      const rows = [rowOf(unique('import')), rowOf(unique('import'))];
      const first = await catalog.importProducts({ rows, dryRun: false });
      expect(first).toMatchObject({ created: 2, updated: 0, unchanged: 0, errors: [] });
      expect(await catalog.importProducts({ rows, dryRun: false })).toEqual({ ...first, created: 0, unchanged: 2 });
      const cheaper = [{ ...rows[0]!, prices: { KRW: 90 } }, rows[1]!];
      expect(await catalog.importProducts({ rows: cheaper, dryRun: false })).toEqual({ ...first, created: 0, updated: 1, unchanged: 1 });
      const [changed, same] = await Promise.all(rows.map(({ slug }) => catalog.getProduct({ idOrSlug: slug })));
      expect(changed).toMatchObject({ version: 2, state: 'published', variants: [{ id: first.variants[rows[0]!.sku], prices: { KRW: 90 } }] });
      expect(same?.version).toBe(1);
    });

    it('writes nothing in a dry run, and nothing with an error', async () => {
      const good = rowOf(unique('import'));
      expect(await catalog.importProducts({ rows: [good], dryRun: true })).toMatchObject({ created: 1, errors: [] });
      const report = await catalog.importProducts({ rows: [good, rowOf(unique('import'), { line: 3, category: 'nowhere' })], dryRun: false });
      expect(report).toMatchObject({ created: 0, variants: {}, errors: [{ line: 3, reason: 'unknown_category' }] });
      await expect(catalog.getProduct({ idOrSlug: good.slug })).rejects.toThrow(refused('not_found'));
    });

    it('refuses the SKU of another product', async () => {
      const mine = rowOf(unique('import'));
      await catalog.importProducts({ rows: [mine], dryRun: false });
      const report = await catalog.importProducts({ rows: [rowOf(unique('import'), { sku: mine.sku })], dryRun: false });
      expect(report.errors).toMatchObject([{ reason: 'sku_taken' }]);
    });
  });
});
