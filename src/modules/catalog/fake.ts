import { conflict, invalid, notFound } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor } from '../../shared/http.ts';
import { newId } from '../../shared/ids.ts';
import { changeCategory, inTreeOrder, pathTo, subtreeOf } from './categories.ts';
import { type Catalog, catalogContract, type Category, type PricedVariant, type Prices, type Product, type PublicationState, type VariantDraft } from './contract.ts';
import { type Listing, listingOf } from './listing.ts';
import { addVariant, type CatalogProduct, changeState, changeVariant, editProduct, lowestPrices, newProduct } from './product.ts';
import { planImport } from './product-import.ts';
import { readQuery, type SearchQuery, type SearchWord } from './search-text.ts';
import { assertVersion } from './version.ts';

const { methods } = catalogContract;

export interface FakeCatalog extends Catalog {
  /** A published product with one variant, ready to be bought. */
  addProduct(wanted?: { prices?: Prices; name?: string; categoryId?: string; state?: PublicationState } & Partial<VariantDraft>): { productId: string; variantId: string };
  /** What inventory's event would say. */
  setAvailability(variantId: string, availability: { available: number; backorder?: boolean }): void;
}

/** The catalogue in memory, with the real rules and none of the storage. */
export function createFakeCatalog(now: () => Date = () => new Date()): FakeCatalog {
  const categories = new Map<string, Category>();
  const products = new Map<string, CatalogProduct>();
  const availability = new Map<string, { available: number; backorder: boolean }>();

  const allCategories = () => [...categories.values()];
  const pathOf = (product: CatalogProduct) => pathTo(allCategories(), product.categoryId);
  const existing = <T>(found: T | undefined, what: string): T => {
    if (!found) throw notFound(what);
    return found;
  };
  const withVariant = (id: string) => [...products.values()].find(({ variants }) => variants.some((variant) => variant.id === id));

  const keep = (product: CatalogProduct): Product => {
    pathOf(product);
    for (const other of products.values()) {
      if (other.id === product.id) continue;
      if (other.slug === product.slug) throw conflict('slug_taken', 'Another product has this slug.');
      if (other.variants.some(({ sku }) => product.variants.some((own) => own.sku === sku))) throw skuTaken();
    }
    if (new Set(product.variants.map(({ sku }) => sku)).size < product.variants.length) throw skuTaken();
    products.set(product.id, product);
    return shown(product);
  };
  const edit = (id: string, change: (product: CatalogProduct) => CatalogProduct) => keep(change(existing(products.get(id), 'product')));
  const shown = ({ categoryId, createdAt, updatedAt, variants, ...product }: CatalogProduct): Product => {
    const category = categories.get(categoryId ?? '');
    return {
      ...product,
      category: category ? { id: category.id, slug: category.slug, name: category.name } : null,
      variants: variants.map(({ id, sku, options, prices, active }) => ({
        id,
        sku,
        options,
        prices,
        active,
        ...(availability.get(id) ?? { available: 0, backorder: false }),
      })),
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  };

  const catalog: Catalog = {
    async listProducts(input) {
      const { search, category, currency, minPrice, maxPrice, inStock, sort, states, cursor, limit } = methods.listProducts.input.parse(input);
      if (!currency && (minPrice ?? maxPrice) !== undefined) throw invalid('currency_required', 'Say in which currency the prices are.');
      if (!search && sort === 'relevance') throw invalid('search_required', 'Only a search has relevance to sort by.');
      const from = cursor === undefined ? 0 : offsetOf(cursor);
      const query = search ? readQuery(search) : undefined;
      const root = allCategories().find(({ id, slug }) => id === category || slug === category);
      const below = root ? subtreeOf(allCategories(), root.id) : [];
      const fits = ({ prices, active }: Product['variants'][number]) =>
        active && Object.keys(prices).length > 0 && (minPrice === undefined || prices[currency!]! >= minPrice) && (maxPrice === undefined || prices[currency!]! <= maxPrice);
      const found = [...products.values()].filter((product) => {
        const variants = shown(product).variants.filter(fits);
        const stocked = variants.some(({ available, backorder }) => available > 0 || backorder);
        return (
          states.includes(product.state) &&
          (category === undefined || below.includes(product.categoryId ?? '')) &&
          ((minPrice ?? maxPrice) === undefined || variants.length > 0) &&
          (inStock === undefined || inStock === stocked) &&
          (!query || finds(query, listing(product)))
        );
      });
      const rank = (product: CatalogProduct) => relevanceOf(query!, listing(product));
      const price = (product: CatalogProduct, without: number) => lowestPrices(product.variants)[currency ?? 'KRW'] ?? without;
      const byName = (a: CatalogProduct, b: CatalogProduct) => compare(listing(a).nameKey, listing(b).nameKey) || compare(a.id, b.id);
      const order: Record<typeof sort, (a: CatalogProduct, b: CatalogProduct) => number> = {
        newest: (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || compare(b.id, a.id),
        name: byName,
        price_asc: (a, b) => price(a, Infinity) - price(b, Infinity) || compare(a.id, b.id),
        price_desc: (a, b) => price(b, -1) - price(a, -1) || compare(b.id, a.id),
        relevance: (a, b) => rank(a) - rank(b) || byName(a, b),
      };
      const items = found.toSorted(order[sort]).slice(from, from + limit).map(shown);
      return { items, nextCursor: from + limit < found.length ? encodeCursor([from + limit]) : null };
    },

    async getProduct(input) {
      const { idOrSlug, states } = methods.getProduct.input.parse(input);
      const found = products.get(idOrSlug) ?? [...products.values()].find(({ slug }) => slug === idOrSlug);
      if (!found || !states.includes(found.state)) throw notFound('product');
      return shown(found);
    },

    listCategories: async () => ({ categories: inTreeOrder(allCategories()) }),

    priceVariants: async ({ currency, variantIds }) => ({
      variants: variantIds.map((variantId): PricedVariant => {
        const product = withVariant(variantId);
        if (!product) {
          const name = { ko: '알 수 없는 상품', en: 'Unknown product' };
          return { variantId, problem: 'unknown_variant', productId: null, sku: '', name, options: {}, categoryIds: [], unitPrice: 0 };
        }
        const { sku, options, prices, active } = product.variants.find(({ id }) => id === variantId)!;
        const sold = active && product.state === 'published';
        const problem = !sold ? 'not_published' : prices[currency] === undefined ? 'no_price' : null;
        const categoryIds = pathOf(product).map(({ id }) => id);
        return { variantId, problem, productId: product.id, sku, name: product.name, options, categoryIds, unitPrice: prices[currency] ?? 0 };
      }),
    }),

    async createProduct(input) {
      const { id, draft } = methods.createProduct.input.parse(input);
      return keep(products.get(id) ?? newProduct(id, draft, now()));
    },
    async updateProduct(input) {
      const { id, version, draft } = methods.updateProduct.input.parse(input);
      return edit(id, (product) => editProduct(product, version, draft, now()));
    },
    setProductState: async ({ id, version, state }) => edit(id, (product) => changeState(product, version, state, now())),
    async createVariant(input) {
      const { id, productId, draft } = methods.createVariant.input.parse(input);
      return edit(productId, (product) => addVariant(product, id, draft, now()));
    },
    async updateVariant(input) {
      const { id, version, draft } = methods.updateVariant.input.parse(input);
      return edit(existing(withVariant(id), 'variant').id, (product) => changeVariant(product, version, id, draft, now()));
    },

    async createCategory(input) {
      const { id, draft } = methods.createCategory.input.parse(input);
      return keepCategory(categories.get(id) ?? { ...draft, id, version: 1 });
    },
    async updateCategory(input) {
      const { id, version, draft } = methods.updateCategory.input.parse(input);
      return keepCategory(changeCategory(allCategories(), existing(categories.get(id), 'category'), version, draft));
    },
    async deleteCategory({ id, version }) {
      assertVersion(existing(categories.get(id), 'category'), version);
      if (allCategories().some(({ parentId }) => parentId === id) || [...products.values()].some(({ categoryId }) => categoryId === id)) {
        throw conflict('category_in_use', 'Products or categories still stand below it.');
      }
      categories.delete(id);
      return {};
    },

    async importProducts(input) {
      const { rows, dryRun } = methods.importProducts.input.parse(input);
      const numbered = rows.map((row) => ({ ...row, newProductId: newId(), newVariantId: newId() }));
      const { changes, report } = planImport(
        numbered,
        {
          categories: new Map(allCategories().map(({ slug, id }) => [slug, id])),
          products: new Map([...products.values()].map((product) => [product.slug, product])),
          skus: new Map([...products.values()].flatMap(({ slug, variants }) => variants.map(({ sku }) => [sku, slug]))),
        },
        now(),
      );
      if (report.errors.length === 0 && !dryRun) for (const { after } of changes) products.set(after.id, after);
      return report;
    },
  };

  const listing = (product: CatalogProduct) => listingOf(product, pathOf(product).map(({ name }) => name));
  const keepCategory = (category: Category): Category => {
    pathTo(allCategories(), category.parentId);
    if (allCategories().some(({ id, slug }) => id !== category.id && slug === category.slug)) throw conflict('slug_taken', 'Another category has this slug.');
    categories.set(category.id, category);
    return category;
  };

  return {
    ...catalog,
    addProduct({ prices = { KRW: 10_000 }, name = '조약돌 텀블러', categoryId, state = 'published', ...variant } = {}) {
      const [productId, variantId] = [newId(), newId()];
      const draft = { slug: `product-${productId}`, name: { ko: name, en: '' }, description: { ko: '', en: '' }, categoryId: categoryId ?? null, optionNames: Object.keys(variant.options ?? {}) };
      const product = addVariant(newProduct(productId, draft, now()), variantId, { sku: `SKU-${variantId}`, options: {}, active: true, prices, ...variant }, now());
      keep({ ...product, state });
      return { productId, variantId };
    },
    setAvailability: (variantId, { available, backorder = false }) => void availability.set(variantId, { available, backorder }),
  };
}

const skuTaken = () => conflict('sku_taken', 'Another variant has this SKU.');
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function offsetOf(cursor: string): number {
  const [offset, ...rest] = decodeCursor(cursor) ?? [];
  if (!Number.isSafeInteger(offset) || Number(offset) < 0 || rest.length > 0) throw invalid('invalid_cursor', 'This is not a cursor of this list.');
  return Number(offset);
}

const anyForm = (word: SearchWord, text: string) => word.some((form) => text.includes(form.text));

function finds({ words }: SearchQuery, { nameText, factsText, descriptionText, grams }: Listing): boolean {
  const [text, known] = [nameText + factsText + descriptionText, new Set(grams)];
  const has = (word: SearchWord) => word.some((form) => text.includes(form.text) && form.grams.every((gram) => known.has(gram)));
  return words.length > 0 && words.every(has);
}

function relevanceOf({ words, prefixes }: SearchQuery, { nameText, factsText }: Listing): number {
  if (prefixes.some((prefix) => nameText.includes(`\n${prefix}`))) return 0;
  if (words.every((word) => anyForm(word, nameText))) return 1;
  return words.every((word) => anyForm(word, nameText + factsText)) ? 2 : 3;
}
