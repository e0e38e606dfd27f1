import { z } from 'zod';
import { page, PageQuery, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Adjustment, type Inventory, Movement, StockLevel } from './contract.ts';

const OneVariant = z.strictObject({ variantId: Id });
const below = z.coerce.number().int().optional().meta({ description: 'only variants with fewer pieces available than this', example: 5 });

export function inventoryRoutes(inventory: Inventory): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/inventory',
      operationId: 'listStockLevels',
      tag: 'admin',
      summary: 'List stock levels',
      access: 'staff',
      query: PageQuery.extend({ below }),
      responses: { 200: { description: 'Levels, by variant id', schema: page(StockLevel) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ query }) => ({ body: await inventory.listLevels(query) }),
    }),
    route({
      method: 'get',
      path: '/admin/inventory/{variantId}',
      operationId: 'getStockLevel',
      tag: 'admin',
      summary: 'Get the stock level of a variant',
      description: 'A variant that never had stock has nothing on hand; whether it exists is known to the catalogue.',
      access: 'staff',
      params: OneVariant,
      responses: { 200: { description: 'The level', schema: StockLevel } },
      async handle({ params: { variantId } }) {
        const { levels } = await inventory.getLevels({ variantIds: [variantId] });
        return { body: levels[0] };
      },
    }),
    route({
      method: 'post',
      path: '/admin/inventory/adjustments',
      operationId: 'adjustStock',
      tag: 'admin',
      summary: 'Receive, correct or write off stock',
      description: 'All entries or none. Entries of the same variant and kind become one movement.',
      access: 'staff',
      idempotency: 'edge-required',
      body: z.strictObject({ adjustments: z.array(Adjustment).min(1).max(2_000) }).meta({
        id: 'StockAdjustment',
        example: { adjustments: [{ variantId: '0197c9a0-0000-7000-8000-000000000001', kind: 'received', delta: 24, note: 'Delivery 2026-118' }] },
      }),
      responses: { 200: { description: 'The levels afterwards', schema: z.object({ levels: z.array(StockLevel) }) } },
      problems: { 409: ['below_reserved', 'adjustment_conflict'] },
      handle: async ({ operationId, body }) => ({ body: await inventory.adjust({ adjustmentId: operationId, ...body }) }),
    }),
    route({
      method: 'put',
      path: '/admin/inventory/{variantId}/backorder',
      operationId: 'setBackorder',
      tag: 'admin',
      summary: 'Allow or forbid selling more than is on hand',
      access: 'staff',
      params: OneVariant,
      body: z.strictObject({ backorder: z.boolean() }).meta({ example: { backorder: true } }),
      responses: { 200: { description: 'The level afterwards', schema: StockLevel } },
      problems: { 409: ['below_reserved'] },
      handle: async ({ params: { variantId }, body }) => ({ body: await inventory.setBackorder({ variantId, ...body }) }),
    }),
    route({
      method: 'get',
      path: '/admin/inventory/{variantId}/movements',
      operationId: 'listStockMovements',
      tag: 'admin',
      summary: 'List the ledger of a variant, newest first',
      access: 'staff',
      params: OneVariant,
      query: PageQuery,
      responses: { 200: { description: 'Movements', schema: page(Movement) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ params: { variantId }, query }) => ({ body: await inventory.listMovements({ variantId, ...query }) }),
    }),
  ];
}
