import { z } from 'zod';
import { page, PageQuery, type Principal, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { userIdOf } from './cart-routes.ts';
import { Order, type Orders, OrderState, type Viewer } from './contract.ts';
import { answer } from './order-routes.ts';

const OneOrder = z.strictObject({ orderId: Id });
const responses = { 200: { description: 'The order', schema: Order } };

export function orderAdminRoutes(orders: Orders): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/orders',
      operationId: 'listOrders',
      tag: 'admin',
      summary: 'List orders, newest first',
      description: 'Attempts that were refused are listed with `state=refused` only.',
      access: 'staff',
      query: PageQuery.extend({
        state: OrderState.optional(),
        email: z.string().max(254).optional(),
        number: z.string().max(30).optional().meta({ example: 'K-260001042' }),
      }),
      responses: { 200: { description: 'Orders', schema: page(Order) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ query, principal }) => ({ body: await orders.listOrders({ ...query, viewer: staff(principal) }) }),
    }),
    route({
      method: 'get',
      path: '/admin/orders/{orderId}',
      operationId: 'getAnyOrder',
      tag: 'admin',
      summary: 'Get an order',
      access: 'staff',
      params: OneOrder,
      responses,
      handle: async ({ params, principal }) => answer(await orders.getOrder({ ...params, viewer: staff(principal) })),
    }),
    route({
      method: 'post',
      path: '/admin/orders/{orderId}/cancel',
      operationId: 'cancelAnyOrder',
      tag: 'admin',
      summary: 'Cancel an order',
      description: 'Before it is handed over. What was paid is given back.',
      access: 'staff',
      params: OneOrder,
      body: z.strictObject({ reason: z.string().trim().min(1).max(500) }).meta({ example: { reason: 'The address does not exist' } }),
      responses,
      problems: { 409: ['order_being_placed', 'not_cancellable'] },
      handle: async ({ params, principal, body }) => answer(await orders.cancelOrder({ ...params, ...body, viewer: staff(principal) })),
    }),
    route({
      method: 'post',
      path: '/admin/orders/{orderId}/complete',
      operationId: 'completeOrder',
      tag: 'admin',
      summary: 'Say that an order was handed over',
      access: 'staff',
      params: OneOrder,
      responses,
      problems: { 409: ['not_completable'] },
      handle: async ({ params, principal }) => answer(await orders.completeOrder({ ...params, viewer: staff(principal) })),
    }),
  ];
}

const staff = (principal: Principal): Viewer => ({ kind: 'staff', userId: userIdOf(principal) });
