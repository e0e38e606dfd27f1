import { z } from 'zod';
import { notFound } from '../../shared/errors.ts';
import { etag, page, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { type Catalog, Product, ProductDraft, PublicationState, VariantDraft } from './contract.ts';
import { filterOf, LIST_PROBLEMS, ProductQuery } from './shop-routes.ts';

const ANY_STATE = PublicationState.options;
const ProductParams = z.strictObject({ productId: Id });
const VariantParams = z.strictObject({ productId: Id, variantId: Id });

const DRAFT = {
  slug: 'pebble-tumbler',
  name: { ko: '조약돌 텀블러', en: 'Pebble Tumbler' },
  description: { ko: '손에 감기는 500 ml 텀블러입니다.', en: 'A 500 ml tumbler that sits well in the hand.' },
  categoryId: null,
  optionNames: ['color'],
};
const VARIANT_DRAFT = { sku: 'PEB-TUM-500-IV', options: { color: 'Ivory' }, prices: { KRW: 24900, USD: 1990 }, active: true };

const answered = (product: Product) => ({ body: product, headers: etag(product.version) });
const PRODUCT = { description: 'The product', schema: Product };

/** What staff do with products. The ETag is the version of the product and its variants together. */
export const productAdminRoutes = (catalog: Catalog): Route[] => [
  route({
    method: 'get',
    path: '/admin/products',
    operationId: 'listAllProducts',
    tag: 'admin',
    summary: 'Find products in any state',
    access: 'staff',
    query: z.strictObject({ ...ProductQuery.shape, state: PublicationState.optional() }),
    responses: { 200: { description: 'A page of products with all their variants', schema: page(Product) } },
    problems: LIST_PROBLEMS,
    handle: async ({ query: { state, ...query } }) => ({
      body: await catalog.listProducts({ ...filterOf(query), states: state ? [state] : ANY_STATE }),
    }),
  }),
  route({
    method: 'post',
    path: '/admin/products',
    operationId: 'createProduct',
    tag: 'admin',
    summary: 'Create a product',
    description: 'It is a draft, without variants.',
    access: 'staff',
    body: ProductDraft.meta({ example: DRAFT }),
    responses: { 201: PRODUCT },
    problems: { 400: ['unknown_category'], 409: ['slug_taken'] },
    idempotency: 'edge',
    async handle({ operationId, body }) {
      const product = await catalog.createProduct({ id: operationId, draft: body });
      return { ...answered(product), headers: { ...etag(product.version), location: `/v1/admin/products/${product.id}` } };
    },
  }),
  route({
    method: 'get',
    path: '/admin/products/{productId}',
    operationId: 'getAnyProduct',
    tag: 'admin',
    summary: 'Get a product in any state',
    access: 'staff',
    params: ProductParams,
    responses: { 200: PRODUCT },
    problems: { 404: ['not_found'] },
    handle: async ({ params }) => answered(await existing(catalog, params.productId)),
  }),
  route({
    method: 'put',
    path: '/admin/products/{productId}',
    operationId: 'updateProduct',
    tag: 'admin',
    summary: 'Change texts, category or option names',
    description: 'Option names stay as they are once there are variants.',
    access: 'staff',
    params: ProductParams,
    body: ProductDraft.meta({ example: DRAFT }),
    responses: { 200: PRODUCT },
    problems: { 400: ['unknown_category'], 404: ['not_found'], 409: ['slug_taken', 'options_in_use'], 412: ['version_mismatch'] },
    ifMatch: true,
    handle: async ({ params, version, body }) => answered(await catalog.updateProduct({ id: params.productId, version, draft: body })),
  }),
  stateRoute(catalog, { verb: 'publish', state: 'published', operationId: 'publishProduct', summary: 'Put a product on sale' }),
  stateRoute(catalog, { verb: 'archive', state: 'archived', operationId: 'archiveProduct', summary: 'Take a product off sale for good' }),
  stateRoute(catalog, { verb: 'unpublish', state: 'draft', operationId: 'unpublishProduct', summary: 'Take a product off sale to work on it' }),
  route({
    method: 'post',
    path: '/admin/products/{productId}/variants',
    operationId: 'createVariant',
    tag: 'admin',
    summary: 'Add a variant',
    access: 'staff',
    params: ProductParams,
    body: VariantDraft.meta({ example: VARIANT_DRAFT }),
    responses: { 201: PRODUCT },
    problems: { 400: ['options_mismatch'], 404: ['not_found'], 409: ['sku_taken'] },
    idempotency: 'edge',
    handle: async ({ operationId, params, body }) =>
      answered(await catalog.createVariant({ id: operationId, productId: params.productId, draft: body })),
  }),
  route({
    method: 'put',
    path: '/admin/products/{productId}/variants/{variantId}',
    operationId: 'updateVariant',
    tag: 'admin',
    summary: 'Change a variant',
    description: 'If-Match takes the ETag of the product.',
    access: 'staff',
    params: VariantParams,
    body: VariantDraft.meta({ example: VARIANT_DRAFT }),
    responses: { 200: PRODUCT },
    problems: { 400: ['options_mismatch'], 404: ['not_found'], 409: ['sku_taken', 'not_publishable'], 412: ['version_mismatch'] },
    ifMatch: true,
    async handle({ params: { productId, variantId }, version, body }) {
      const { variants } = await existing(catalog, productId);
      if (!variants.some(({ id }) => id === variantId)) throw notFound('variant');
      return answered(await catalog.updateVariant({ id: variantId, version, draft: body }));
    },
  }),
];

const existing = (catalog: Catalog, productId: string) => catalog.getProduct({ idOrSlug: productId, states: ANY_STATE });

const stateRoute = (
  catalog: Catalog,
  { verb, state, operationId, summary }: { verb: string; state: PublicationState; operationId: string; summary: string },
): Route =>
  route({
    method: 'post',
    path: `/admin/products/{productId}/${verb}`,
    operationId,
    tag: 'admin',
    summary,
    description: 'Asked for the state it has, the product stays as it is.',
    access: 'staff',
    params: ProductParams,
    responses: { 200: PRODUCT },
    problems: {
      404: ['not_found'],
      409: state === 'published' ? ['not_publishable', 'not_allowed_from_state'] : ['not_allowed_from_state'],
      412: ['version_mismatch'],
    },
    ifMatch: true,
    handle: async ({ params, version }) => answered(await catalog.setProductState({ id: params.productId, version, state })),
  });
