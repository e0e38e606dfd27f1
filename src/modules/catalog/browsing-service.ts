import { z } from 'zod';
import { notFound, invalid } from '../../shared/errors.ts';
import { CursorInstant, decodeCursor, encodeCursor } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findPricedVariants, type PricedRow } from './catalog-repository.ts';
import { inTreeOrder } from './categories.ts';
import { listCategories } from './category-repository.ts';
import { type Catalog, catalogContract, type PricedVariant, type ProductSort } from './contract.ts';
import { findProduct, listProducts, type SortKey } from './listing-repository.ts';
import { readQuery } from './search-text.ts';

const { methods } = catalogContract;

/** What a list is sorted and filtered by when nobody says in which currency. */
const DEFAULT_CURRENCY = 'KRW';

type Sort = z.output<typeof ProductSort>;
const sortText = z.string().refine((text) => !text.includes('\0'));
const SORT_KEYS: Record<Sort, z.ZodType<SortKey>> = {
  newest: z.tuple([CursorInstant, Id]),
  name: z.tuple([sortText, Id]),
  price_asc: z.tuple([z.int(), Id]),
  price_desc: z.tuple([z.int(), Id]),
  relevance: z.tuple([z.int().min(0).max(3), sortText, Id]),
};

export const createBrowsing = ({ db }: ModuleContext): Pick<Catalog, 'listProducts' | 'getProduct' | 'listCategories' | 'priceVariants'> => ({
  async listProducts(input) {
    const { search, cursor, limit, ...filter } = methods.listProducts.input.parse(input);
    if (filter.currency === undefined && (filter.minPrice ?? filter.maxPrice) !== undefined) {
      throw invalid('currency_required', 'Say in which currency the prices are.');
    }
    if (!search && filter.sort === 'relevance') throw invalid('search_required', 'Only a search has relevance to sort by.');
    const query = search ? readQuery(search) : undefined;
    const currency = filter.currency ?? DEFAULT_CURRENCY;
    const after = cursor === undefined ? undefined : readCursor(cursor, filter.sort, currency);
    if (query?.words.length === 0) return { items: [], nextCursor: null };
    const found = await listProducts(db, { ...filter, query, currency, after, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const last = found.length > limit ? shown.at(-1) : undefined;
    return { items: shown.map(({ product }) => product), nextCursor: last ? encodeCursor([filter.sort, currency, ...last.sortKey]) : null };
  },

  async getProduct(input) {
    const { idOrSlug, states } = methods.getProduct.input.parse(input);
    const product = await findProduct(db, idOrSlug, states);
    if (!product) throw notFound('product');
    return product;
  },

  async listCategories() {
    return { categories: inTreeOrder(await listCategories(db)) };
  },

  async priceVariants({ currency, variantIds }) {
    const found = await findPricedVariants(db, variantIds, currency);
    const byId = new Map(found.map((row) => [row.variantId, row]));
    return { variants: variantIds.map((id) => pricedVariant(id, byId.get(id.toLowerCase()))) };
  },
});

/** Cursors are bound to sort and currency: another order has another place to go on from. */
function readCursor(cursor: string, sort: Sort, currency: string): SortKey {
  const [itsSort, itsCurrency, ...key] = decodeCursor(cursor) ?? [];
  const read = SORT_KEYS[sort].safeParse(key);
  if (itsSort !== sort || itsCurrency !== currency || !read.success) throw invalid('invalid_cursor', 'This is not a cursor of this list.');
  return read.data;
}

function pricedVariant(variantId: string, row: PricedRow | undefined): PricedVariant {
  if (!row) {
    const name = { ko: '알 수 없는 상품', en: 'Unknown product' };
    return { variantId, problem: 'unknown_variant', productId: null, sku: '', name, options: {}, categoryIds: [], unitPrice: 0 };
  }
  const { productId, sku, name, options, categoryIds } = row;
  return { variantId, problem: problemOf(row), productId, sku, name, options, categoryIds, unitPrice: row.price ?? 0 };
}

function problemOf({ sold, price }: PricedRow): PricedVariant['problem'] {
  if (!sold) return 'not_published';
  return price === null ? 'no_price' : null;
}
