import { z } from 'zod';
import { etag, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { type Catalog, Category, CategoryDraft } from './contract.ts';

const Params = z.strictObject({ categoryId: Id });
const DRAFT = { slug: 'kitchen', name: { ko: '주방', en: 'Kitchen' }, parentId: null, position: 1 };
const answered = (category: Category) => ({ body: category, headers: etag(category.version) });
const CATEGORY = { description: 'The category', schema: Category };

/** What staff do with categories; they read them like everybody, the ETag is the `version`. */
export const categoryAdminRoutes = (catalog: Catalog): Route[] => [
  route({
    method: 'post',
    path: '/admin/categories',
    operationId: 'createCategory',
    tag: 'admin',
    summary: 'Create a category',
    access: 'staff',
    body: CategoryDraft.meta({ example: DRAFT }),
    responses: { 201: CATEGORY },
    problems: { 400: ['unknown_category'], 409: ['slug_taken'] },
    idempotency: 'edge',
    handle: async ({ operationId, body }) => answered(await catalog.createCategory({ id: operationId, draft: body })),
  }),
  route({
    method: 'put',
    path: '/admin/categories/{categoryId}',
    operationId: 'updateCategory',
    tag: 'admin',
    summary: 'Change a category or move it in the tree',
    access: 'staff',
    params: Params,
    body: CategoryDraft.meta({ example: DRAFT }),
    responses: { 200: CATEGORY },
    problems: { 400: ['unknown_category'], 404: ['not_found'], 409: ['slug_taken', 'category_cycle'], 412: ['version_mismatch'] },
    ifMatch: true,
    handle: async ({ params, version, body }) => answered(await catalog.updateCategory({ id: params.categoryId, version, draft: body })),
  }),
  route({
    method: 'delete',
    path: '/admin/categories/{categoryId}',
    operationId: 'deleteCategory',
    tag: 'admin',
    summary: 'Delete a category that nothing stands below',
    access: 'staff',
    params: Params,
    responses: { 204: { description: 'It is gone' } },
    problems: { 404: ['not_found'], 409: ['category_in_use'], 412: ['version_mismatch'] },
    ifMatch: true,
    async handle({ params, version }) {
      await catalog.deleteCategory({ id: params.categoryId, version });
      return {};
    },
  }),
];
