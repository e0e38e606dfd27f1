import { z } from 'zod';
import { page, PageQuery, type Route, route } from '../../shared/http.ts';
import { Currency, MAX_PRICE } from '../../shared/money.ts';
import { type Catalog, Category, Product, ProductSort } from './contract.ts';

const price = z.coerce.number().int().min(0).max(MAX_PRICE);

/** What a list of products can be narrowed and sorted by, for shoppers and staff. */
export const ProductQuery = z.strictObject({
  ...PageQuery.shape,
  search: z.string().max(200).optional().meta({ description: 'Spacing, case and Korean particles do not matter; initial consonants are understood', example: 'ㅁㅅㅇㅇㅍ' }),
  category: z.string().max(120).optional().meta({ description: 'Slug or id; what stands below it is included', example: 'kitchen' }),
  currency: Currency.optional().meta({ description: 'Of `minPrice`, `maxPrice` and the sorts by price (there KRW when absent)' }),
  minPrice: price.optional().meta({ description: 'Minor units; needs `currency`' }),
  maxPrice: price.optional().meta({ description: 'Minor units; needs `currency`' }),
  inStock: z.enum(['true', 'false']).optional(),
  sort: ProductSort.optional().meta({ description: 'Default: `relevance` for a search, else `newest`' }),
});

export const filterOf = ({ inStock, sort, ...query }: z.output<typeof ProductQuery>) => ({
  ...query,
  ...(inStock && { inStock: inStock === 'true' }),
  sort: sort ?? (query.search?.trim() ? ('relevance' as const) : ('newest' as const)),
});

export const LIST_PROBLEMS = { 400: ['invalid_cursor', 'currency_required', 'search_required'] };

/** What everybody sees: published products with the variants on sale, and the categories. */
export const shopRoutes = (catalog: Catalog): Route[] => [
  route({
    method: 'get',
    path: '/products',
    operationId: 'listProducts',
    tag: 'catalog',
    summary: 'Find products',
    description: 'Published products with the variants that are on sale.',
    access: 'anyone',
    cacheable: true,
    query: ProductQuery,
    responses: { 200: { description: 'A page of products', schema: page(Product) } },
    problems: LIST_PROBLEMS,
    async handle({ query }) {
      const { items, nextCursor } = await catalog.listProducts(filterOf(query));
      return { body: { items: items.map(forShoppers), nextCursor } };
    },
  }),
  route({
    method: 'get',
    path: '/products/{idOrSlug}',
    operationId: 'getProduct',
    tag: 'catalog',
    summary: 'Get a product by its id or its slug',
    access: 'anyone',
    cacheable: true,
    params: z.strictObject({ idOrSlug: z.string().max(120).meta({ example: 'commuter-steel-tumbler' }) }),
    responses: { 200: { description: 'The product with the variants that are on sale', schema: Product } },
    problems: { 404: ['not_found'] },
    handle: async ({ params }) => ({ body: forShoppers(await catalog.getProduct(params)) }),
  }),
  route({
    method: 'get',
    path: '/categories',
    operationId: 'listCategories',
    tag: 'catalog',
    summary: 'Get the whole tree of categories',
    description: 'Each category comes after the one it stands below, siblings in the order of their position.',
    access: 'anyone',
    cacheable: true,
    responses: { 200: { description: 'All categories', schema: z.object({ categories: z.array(Category) }) } },
    handle: async () => ({ body: await catalog.listCategories({}) }),
  }),
];

const forShoppers = (product: Product): Product => ({ ...product, variants: product.variants.filter(isOnSale) });

const isOnSale = ({ active, prices }: Product['variants'][number]) => active && Object.keys(prices).length > 0;
