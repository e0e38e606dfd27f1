import type { Catalog, Product } from '../modules/catalog/contract.ts';
import { newId } from '../shared/ids.ts';
import { type CatalogCases, create, createCategory, draftOf, furnish, newSku, newSlug, readProduct, sell, setState, variantOf } from './catalog-goods.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding } from './expectation.ts';

const NOTHING_SAID = { description: { ko: '', en: '' }, category: null, optionNames: [], variants: [], state: 'draft' };

export const productCases: CatalogCases = {
  'createProduct: answers a draft, with what nobody said filled in': async ({ service: catalog }) => {
    const [id, draft] = [newId(), draftOf()];
    const product = await catalog.createProduct({ id, draft });
    expectMatch(product, { ...NOTHING_SAID, ...draft, id });
    expectMatch(await readProduct(catalog, product), product, 'The product, read again,');
    await expectRefusal(catalog.getProduct({ idOrSlug: draft.slug }), 'not_found');
  },
  'createProduct: answers the first one to a repeat, also with another draft and ten at once': async ({ service: catalog }) => {
    const [id, draft] = [newId(), draftOf()];
    const first = await expectSameAgain(() => catalog.createProduct({ id, draft }));
    expectMatch(await catalog.createProduct({ id, draft: draftOf() }), first, 'The answer to another draft under the same id');
  },
  'createProduct: makes one of ten that come at once': async ({ service: catalog }) => {
    const [id, draft] = [newId(), draftOf()];
    const [first, ...others] = await atOnce(10, () => catalog.createProduct({ id, draft }));
    expectMatch(first, { id, slug: draft.slug });
    for (const other of others) expectMatch(other, first, 'One of ten answers');
  },
  'createProduct: gives a slug that ten want at once to one': async ({ service: catalog }) => {
    const slug = newSlug();
    expectMatch(countsOf(await atOnce(10, () => create(catalog, { slug }))), { done: 1, slug_taken: 9 }, 'What came of ten');
  },
  'createProduct: refuses a category that is not there, and a field that it does not know': async ({ service: catalog, ...wire }) => {
    const id = newId();
    await expectRefusal(catalog.createProduct({ id, draft: draftOf({ categoryId: newId() }) }), 'unknown_category');
    await wire.expectRefused({ path: 'createProduct', body: JSON.stringify({ id, draft: { ...draftOf(), addedLater: true } }) }, 'contract_violation');
    await expectRefusal(readProduct(catalog, { id }), 'not_found');
  },
  'updateProduct: replaces what it says of itself, and its version grows': async ({ service: catalog }) => {
    const before = await create(catalog, { description: { ko: '하나' } });
    const draft = draftOf();
    const after = await catalog.updateProduct({ id: before.id, version: before.version, draft });
    expectMatch(after, { ...NOTHING_SAID, ...draft, id: before.id });
    if (after.version <= before.version) throw new Finding('The version grows with each change.', `more than ${before.version}`, after.version);
    await expectRefusal(update(catalog, before), 'version_mismatch');
    expectMatch(await readProduct(catalog, before), after, 'The product, read again,');
  },
  'updateProduct: lets one of ten changes of the same version through': async ({ service: catalog }) => {
    const before = await create(catalog);
    expectMatch(countsOf(await atOnce(10, () => update(catalog, before))), { done: 1, version_mismatch: 9 }, 'What came of ten');
  },
  'updateProduct: refuses what is not there, what is taken, and other options once there are variants': async ({ service: catalog }) => {
    const [one, other] = [await furnish(catalog), await create(catalog)];
    await expectRefusal(update(catalog, { id: newId(), version: 1 }), 'not_found');
    await expectRefusal(update(catalog, one, { slug: other.slug }), 'slug_taken');
    await expectRefusal(update(catalog, one, { categoryId: newId() }), 'unknown_category');
    await expectRefusal(update(catalog, one, { optionNames: ['color'] }), 'options_in_use');
    expectMatch(await readProduct(catalog, one), one, 'The product, read again,');
  },
};

export const stateCases: CatalogCases = {
  'publishes what can be bought, and nothing else': async ({ service: catalog }) => {
    const [empty, free, paused] = [await create(catalog), await furnish(catalog, {}, { prices: {} }), await furnish(catalog, {}, { active: false })];
    for (const product of [empty, free, paused]) await expectRefusal(setState(catalog, product, 'published'), 'not_publishable');
    const product = await sell(catalog);
    for (const idOrSlug of [product.id, product.slug]) expectMatch(await catalog.getProduct({ idOrSlug }), product, 'The product, as shoppers see it,');
  },
  'takes an archived product from the shoppers, and back; a draft it becomes no more': async ({ service: catalog }) => {
    const archived = await setState(catalog, await sell(catalog), 'archived');
    await expectRefusal(catalog.getProduct({ idOrSlug: archived.id }), 'not_found');
    await expectRefusal(setState(catalog, archived, 'draft'), 'not_allowed_from_state');
    const published = await setState(catalog, archived, 'published');
    expectMatch(await setState(catalog, published, 'draft'), { state: 'draft' });
  },
  'stays as it is when asked for the state it has, whatever the version': async ({ service: catalog }) => {
    const product = await sell(catalog);
    expectMatch(await expectSameAgain(() => setState(catalog, { ...product, version: 1 }, 'published')), product);
    await expectRefusal(setState(catalog, { ...product, version: 1 }, 'archived'), 'version_mismatch');
    await expectRefusal(setState(catalog, { id: newId(), version: 1 }, 'archived'), 'not_found');
  },
};

const OPTIONS = { optionNames: ['color', 'size'] };
const INK = { color: 'Ink', size: 'M' };

export const variantCases: CatalogCases = {
  'createVariant: adds it once, however often it comes': async ({ service: catalog }) => {
    const { id: productId } = await create(catalog, OPTIONS);
    const variant = { id: newId(), productId, draft: variantOf({ options: INK }) };
    expectMatch(countsOf(await atOnce(10, () => catalog.createVariant(variant))), { done: 10 }, 'What came of ten');
    const product = await expectSameAgain(() => catalog.createVariant(variant));
    expectMatch(product.variants, [{ id: variant.id, ...variant.draft, active: true, available: 0, backorder: false }], 'The variants');
  },
  'createVariant: refuses a SKU that is taken, options that are not the product\'s, and a product that is not there': async ({ service: catalog }) => {
    const { id: productId, variants: [variant] } = await furnish(catalog, OPTIONS, { options: INK });
    const add = (draft: Parameters<typeof variantOf>[0], to = productId) => catalog.createVariant({ id: newId(), productId: to, draft: variantOf(draft) });
    await expectRefusal(add({ sku: variant!.sku, options: { ...INK, size: 'L' } }), 'sku_taken');
    for (const options of [{}, { color: 'Ink' }, { ...INK, fit: 'Slim' }, INK] as Record<string, string>[]) await expectRefusal(add({ options }), 'options_mismatch');
    await expectRefusal(add({}, newId()), 'not_found');
    expectMatch((await readProduct(catalog, { id: productId })).variants, [{ id: variant!.id }], 'The variants');
  },
  'createVariant: gives a SKU that ten want at once to one': async ({ service: catalog }) => {
    const [sku, { id: productId }] = [newSku(), await create(catalog, { optionNames: ['size'] })];
    const outcomes = await atOnce(10, (index) => catalog.createVariant({ id: newId(), productId, draft: variantOf({ sku, options: { size: `${index}` } }) }));
    expectMatch(countsOf(outcomes), { done: 1, sku_taken: 9 }, 'What came of ten');
  },
  'updateVariant: replaces it, by the version of its product': async ({ service: catalog }) => {
    const before = await sell(catalog);
    const [{ id }] = before.variants as [Product['variants'][number]];
    const draft = variantOf({ prices: { KRW: 9_000, USD: 900 } });
    const after = await catalog.updateVariant({ id, version: before.version, draft });
    expectMatch(after.variants, [{ id, ...draft }], 'The variants');
    await expectRefusal(catalog.updateVariant({ id, version: before.version, draft }), 'version_mismatch');
    for (const nothing of [{ active: false }, { prices: {} }]) await expectRefusal(catalog.updateVariant({ id, version: after.version, draft: variantOf(nothing) }), 'not_publishable');
    await expectRefusal(catalog.updateVariant({ id: newId(), version: 1, draft }), 'not_found');
  },
};

export const pricingCases: CatalogCases = {
  'answers in the order asked for, and says what cannot be bought': async ({ service: catalog }) => {
    const [sold, hidden] = [await sell(catalog), await furnish(catalog)];
    const [yes, no, unknown] = [sold.variants[0]!, hidden.variants[0]!, newId()];
    const ids = [unknown, no.id, yes.id];
    const { variants } = await catalog.priceVariants({ currency: 'KRW', variantIds: ids });
    expectMatch(variants.map(({ variantId, problem }) => ({ variantId, problem })), [{ variantId: unknown, problem: 'unknown_variant' }, { variantId: no.id, problem: 'not_published' }, { variantId: yes.id, problem: null }]);
    expectMatch(variants[2], { productId: sold.id, sku: yes.sku, name: sold.name, options: {}, unitPrice: 10_000 });
    expectMatch((await catalog.priceVariants({ currency: 'USD', variantIds: [yes.id] })).variants, [{ problem: 'no_price' }], 'The answer in another currency');
  },
  'names the category of a product and all that it stands below': async ({ service: catalog }) => {
    const top = await createCategory(catalog);
    const below = await createCategory(catalog, { parentId: top.id });
    const { variants: [variant] } = await sell(catalog, { categoryId: below.id });
    const { variants: [priced] } = await catalog.priceVariants({ currency: 'KRW', variantIds: [variant!.id] });
    expectMatch(priced!.categoryIds.toSorted(), [top.id, below.id].toSorted(), 'The categories');
  },
};

const update = (catalog: Catalog, { id, version }: { id: string; version: number }, draft: Parameters<typeof draftOf>[0] = {}) => catalog.updateProduct({ id, version, draft: draftOf(draft) });
