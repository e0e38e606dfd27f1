import type { Catalog, catalogContract, ImportRow } from '../modules/catalog/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import { newId } from '../shared/ids.ts';
import { type CatalogCases, categoryOf, create, createCategory, furnish, newSku, newSlug, readProduct, sell, setState } from './catalog-goods.ts';
import { pricingCases, productCases, stateCases, variantCases } from './catalog-product-cases.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding, throughPages } from './expectation.ts';
import { type Case, reading, writing } from './suite.ts';

const unknownThings: CatalogCases = {
  'a product that is not there is not_found': async ({ service: catalog }) => {
    for (const idOrSlug of [newId(), newSlug()]) await expectRefusal(catalog.getProduct({ idOrSlug }), 'not_found');
  },
  'a price without a currency, a relevance without a search, and a cursor that it has not given are refused': async ({ service: catalog }) => {
    await expectRefusal(catalog.listProducts({ minPrice: 1, limit: 1 }), 'currency_required');
    await expectRefusal(catalog.listProducts({ sort: 'relevance', limit: 1 }), 'search_required');
    await expectRefusal(catalog.listProducts({ cursor: 'nonsense', limit: 1 }), 'invalid_cursor');
  },
  'categories come after those they stand below': async ({ service: catalog }) => {
    const { categories } = await catalog.listCategories({});
    const early = categories.find(({ parentId }, index) => parentId && !categories.slice(0, index).some(({ id }) => id === parentId));
    if (early) throw new Finding('Parents come before their children.', early.parentId, categories.map(({ id }) => id));
  },
};

const categoryCases: CatalogCases = {
  'createCategory: answers the first one to a repeat, also with another draft and ten at once': async ({ service: catalog }) => {
    const [id, draft] = [newId(), categoryOf()];
    const [first, ...others] = await atOnce(10, () => catalog.createCategory({ id, draft }));
    for (const other of others) expectMatch(other, first, 'One of ten answers');
    expectMatch(await expectSameAgain(() => catalog.createCategory({ id, draft: categoryOf() })), { ...draft, id, name: { ko: '키트', en: '' }, parentId: null, position: 0 });
  },
  'createCategory: refuses a slug that is taken, and a parent that is not there': async ({ service: catalog }) => {
    const slug = newSlug();
    expectMatch(countsOf(await atOnce(10, () => createCategory(catalog, { slug }))), { done: 1, slug_taken: 9 }, 'What came of ten');
    await expectRefusal(createCategory(catalog, { parentId: newId() }), 'unknown_category');
  },
  'updateCategory: moves it below another, but never below itself': async ({ service: catalog }) => {
    const [top, middle] = [await createCategory(catalog), await createCategory(catalog)];
    const moved = await catalog.updateCategory({ id: middle.id, version: middle.version, draft: categoryOf({ slug: middle.slug, parentId: top.id }) });
    expectMatch(moved, { id: middle.id, parentId: top.id });
    for (const parentId of [middle.id, top.id]) await expectRefusal(catalog.updateCategory({ id: top.id, version: top.version, draft: categoryOf({ parentId }) }), 'category_cycle');
    await expectRefusal(catalog.updateCategory({ id: middle.id, version: middle.version, draft: categoryOf() }), 'version_mismatch');
    await expectRefusal(catalog.updateCategory({ id: newId(), version: 1, draft: categoryOf() }), 'not_found');
  },
  'deleteCategory: deletes an empty one, and no other': async ({ service: catalog }) => {
    const parent = await createCategory(catalog);
    const child = await createCategory(catalog, { parentId: parent.id });
    await expectRefusal(catalog.deleteCategory(parent), 'category_in_use');
    const product = await create(catalog, { categoryId: child.id });
    await expectRefusal(catalog.deleteCategory(child), 'category_in_use');
    await catalog.updateProduct({ id: product.id, version: product.version, draft: { slug: product.slug, name: product.name } });
    await expectRefusal(catalog.deleteCategory({ id: child.id, version: child.version + 1 }), 'version_mismatch');
    await catalog.deleteCategory(child);
    await expectRefusal(catalog.deleteCategory(child), 'not_found');
  },
  'siblings come by their position': async ({ service: catalog }) => {
    const [last, first] = [await createCategory(catalog, { position: 2 }), await createCategory(catalog, { position: 1 })];
    const { categories } = await catalog.listCategories({});
    expectMatch(categories.map(({ id }) => id).filter((id) => [last.id, first.id].includes(id)), [first.id, last.id]);
  },
};

/** Three published products for 3,000, 1,000 and 2,000 won in a category of their own, the second one level below. */
async function shelf(catalog: Catalog) {
  const { id, slug: category } = await createCategory(catalog);
  const below = await createCategory(catalog, { parentId: id });
  const dear = await sell(catalog, { categoryId: id, name: { ko: '가 무선 이어폰' } }, { prices: { KRW: 3_000 } });
  const cheap = await sell(catalog, { categoryId: below.id, name: { ko: '나 컵' } }, { prices: { KRW: 1_000 } });
  const fair = await sell(catalog, { categoryId: id, name: { ko: '다 접시' } }, { prices: { KRW: 2_000 } });
  return { category, dear, cheap, fair, idsOf: async (filter: Partial<Parameters<Catalog['listProducts']>[0]>) => (await catalog.listProducts({ category, limit: 100, ...filter })).items.map(({ id: found }) => found) };
}

const browsing: CatalogCases = {
  'gives every product of a category and those below it once, page by page, in each order': async ({ service: catalog }) => {
    const { category, dear, cheap, fair } = await shelf(catalog);
    const orders = { newest: [fair, cheap, dear], name: [dear, cheap, fair], price_asc: [cheap, fair, dear], price_desc: [dear, fair, cheap] };
    for (const [sort, expected] of Object.entries(orders) as ['newest', typeof dear[]][]) {
      const ids = expected.map(({ id }) => id);
      const found = await throughPages((page) => catalog.listProducts({ category, sort, ...page }), ({ id }) => id, ids);
      expectMatch(found.map(({ id }) => id), ids, `What is in the category, by ${sort},`);
    }
  },
  'refuses a cursor of another order': async ({ service: catalog }) => {
    const { category } = await shelf(catalog);
    const { nextCursor: cursor } = await catalog.listProducts({ category, sort: 'newest', limit: 1 });
    await expectRefusal(catalog.listProducts({ category, sort: 'name', cursor: cursor!, limit: 1 }), 'invalid_cursor');
  },
  'finds by words, whatever their spacing and particles, and by initial consonants': async ({ service: catalog }) => {
    const { dear, idsOf } = await shelf(catalog);
    for (const search of ['무선이어폰', '이어폰을', 'ㅁㅅㅇㅇㅍ', '무선 이어폰']) expectMatch(await idsOf({ search }), [dear.id], `What "${search}" finds`);
    expectMatch(await idsOf({ search: '유선' }), [], 'What another word finds');
  },
  'keeps a range of prices, both ends included': async ({ service: catalog }) => {
    const { cheap, fair, idsOf } = await shelf(catalog);
    expectMatch(await idsOf({ currency: 'KRW', minPrice: 1_000, maxPrice: 2_000, sort: 'price_asc' }), [cheap.id, fair.id]);
    expectMatch(await idsOf({ currency: 'USD', minPrice: 1 }), [], 'What costs something in another currency');
  },
  'shows drafts and archived products to those only who ask for them': async ({ service: catalog }) => {
    const { dear, cheap, fair, idsOf } = await shelf(catalog);
    await setState(catalog, dear, 'archived');
    expectMatch(await idsOf({ sort: 'name' }), [cheap.id, fair.id]);
    expectMatch(await idsOf({ states: ['archived'] }), [dear.id]);
  },
};

const { availabilityChanged } = inventoryContract.events;

const listening: CatalogCases = {
  'inventory.availability_changed is what it shows as available; an older one changes nothing': async (wire) => {
    const { dear, idsOf } = await shelf(wire.service);
    const { id: variantId } = dear.variants[0]!;
    const expectAvailable = async (available: number) => expectMatch((await readProduct(wire.service, dear)).variants, [{ available }], 'The variants');
    expectMatch(await idsOf({ inStock: true }), [], 'What is in stock before');
    for (const _ of [1, 2]) await wire.tell(availabilityChanged, { variantId, available: 3, backorder: false, version: 5 });
    await wire.tell(availabilityChanged, { variantId, available: 9, backorder: false, version: 4 });
    await expectAvailable(3);
    expectMatch(await idsOf({ inStock: true }), [dear.id], 'What is in stock');
    await wire.tell(availabilityChanged, { variantId, available: 0, backorder: false, version: 6 });
    await expectAvailable(0);
    expectMatch((await idsOf({ inStock: false })).includes(dear.id), true, 'Whether it is among what is sold out');
  },
};

type Row = ImportRow;
const NAME = { ko: '키트 컵', en: '' };
const rowOf = (more: Partial<Row> = {}): Row => ({ line: 1, slug: newSlug(), category: '', name: NAME, description: { ko: '', en: '' }, options: {}, sku: newSku(), prices: { KRW: 10_000 }, state: 'published', ...more });
const COUNTS = { created: 0, updated: 0, unchanged: 0, errors: [] };

const importing: CatalogCases = {
  'adds what is new, changes what is known, and the same rows again change nothing': async ({ service: catalog }) => {
    const [slug, sku] = [newSlug(), newSku()];
    const rows = ['S', 'M'].map((size, index) => rowOf({ line: index + 1, slug, sku: `${sku}-${size}`, options: { size } }));
    const report = await catalog.importProducts({ rows, dryRun: false });
    expectMatch(report, { ...COUNTS, created: 2 });
    const product = await catalog.getProduct({ idOrSlug: slug });
    expectMatch(product.variants.map((variant) => [variant.sku, variant.id]), Object.entries(report.variants), 'The variants');
    for (const outcome of await atOnce(10, () => catalog.importProducts({ rows, dryRun: false }))) expectMatch(outcome, { ...COUNTS, unchanged: 2, variants: report.variants }, 'One of ten repeats');
    expectMatch(await catalog.getProduct({ idOrSlug: slug }), product, 'The product, read again,');
    const dearer = rows.map((row, index) => (index === 0 ? { ...row, prices: { KRW: 11_000 } } : row));
    expectMatch(await catalog.importProducts({ rows: dearer, dryRun: false }), { ...COUNTS, updated: 1, unchanged: 1 });
  },
  'adds one product when ten bring it at once': async ({ service: catalog }) => {
    const rows = [rowOf()];
    const outcomes = (await atOnce(10, () => catalog.importProducts({ rows, dryRun: false }))) as { created: number }[];
    expectMatch(outcomes.reduce((all, { created }) => all + created, 0), 1, 'How many were created in all');
  },
  'tells in a dry run what it would do, and does nothing': async ({ service: catalog }) => {
    const rows = [rowOf()];
    expectMatch(await catalog.importProducts({ rows, dryRun: true }), { ...COUNTS, created: 1 });
    await expectRefusal(catalog.getProduct({ idOrSlug: rows[0]!.slug }), 'not_found');
  },
  'writes nothing when one row is wrong, and names line and reason': async ({ service: catalog }) => {
    const { slug: taken, variants: [variant] } = await furnish(catalog);
    const archived = await setState(catalog, await sell(catalog), 'archived');
    const good = rowOf();
    const wrong: Record<string, Row> = {
      unknown_category: rowOf({ line: 2, category: newSlug() }),
      duplicate_sku: rowOf({ line: 2, sku: good.sku }),
      sku_taken: rowOf({ line: 2, sku: variant!.sku }),
      inconsistent_product: { ...good, line: 2, sku: newSku(), name: { ko: '다른 컵', en: '' } },
      options_mismatch: rowOf({ line: 2, slug: taken, options: { size: 'M' } }),
      not_allowed_from_state: rowOf({ line: 2, slug: archived.slug, sku: archived.variants[0]!.sku, state: 'draft' }),
      not_publishable: rowOf({ line: 2, prices: {} }),
    };
    for (const [reason, row] of Object.entries(wrong)) {
      const { errors, ...counts } = await catalog.importProducts({ rows: [good, row], dryRun: false });
      if (!errors.some((error) => error.line === 2 && error.reason === reason)) throw new Finding(`The report names line and reason (${reason}).`, [{ line: 2, reason }], errors);
      expectMatch(counts, { created: 0, updated: 0, unchanged: 0 }, 'The rest of the report');
    }
    await expectRefusal(readProduct(catalog, { id: good.slug }), 'not_found');
  },
};

export const catalogSuite: Case<typeof catalogContract>[] = [
  ...reading('unknown things', unknownThings),
  ...writing('products', productCases),
  ...writing('setProductState', stateCases),
  ...writing('variants', variantCases),
  ...writing('priceVariants', pricingCases),
  ...writing('categories', categoryCases),
  ...writing('listProducts', browsing),
  ...writing('events', listening),
  ...writing('importProducts', importing),
];
