import { z } from 'zod';
import { etag, page, PageQuery, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { shopper } from './cart-routes.ts';
import { Order, type Orders, OrderState, Placement } from './contract.ts';

const OneOrder = z.strictObject({ orderId: Id });
const responses = { 200: { description: 'The order', schema: Order } };
const headers = { 'x-order-secret': "opens a guest's order; it was answered when the order was placed" };

const PlacedOrder = Order.extend({
  secret: z.string().meta({ description: 'opens the order for a guest, in the header x-order-secret' }),
}).meta({ id: 'PlacedOrder' });

const { lines, codes, currency } = Placement.shape.source.options[1].shape;
const { email, shippingAddress, addressId, payment, expectedTotal } = Placement.shape;

const OrderRequest = z
  .strictObject({
    cartId: Id.optional().meta({ description: 'what is bought: a cart, or else `currency`, `lines` and `codes`' }),
    currency: currency.optional(),
    lines: z.array(z.strictObject(lines.element.shape)).min(1).max(100).optional(),
    codes: codes.optional(),
    email: email.meta({ description: 'required for guests' }),
    shippingAddress,
    addressId: addressId.meta({ description: "one of the account's saved addresses, instead of `shippingAddress`" }),
    payment: z.strictObject(payment.shape),
    expectedTotal: expectedTotal.meta({ description: 'the total that the shopper was shown' }),
  })
  .refine((request) => (request.cartId ? !request.lines && !request.currency && !request.codes : request.lines && request.currency), {
    path: ['cartId'],
    message: 'send either cartId, or currency and lines',
  })
  .refine((request) => !(request.shippingAddress && request.addressId), { path: ['addressId'], message: 'send only one of addressId and shippingAddress' })
  .meta({
    id: 'OrderRequest',
    example: {
      currency: 'KRW',
      lines: [{ variantId: '0197c9a0-0000-7000-8000-000000000001', quantity: 2 }],
      codes: ['WELCOME10'],
      email: 'mina@example.com',
      shippingAddress: { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' },
      payment: { provider: 'sandbox', token: 'sandbox_ok' },
      expectedTotal: 47820,
    },
  });

/** The shopper's orders: an account's own, a guest's with the order's secret. */
export function orderRoutes(orders: Orders): Route[] {
  return [
    route({
      method: 'post',
      path: '/orders',
      operationId: 'placeOrder',
      tag: 'orders',
      summary: 'Place an order',
      description:
        'Takes stock, coupon and payment together, or nothing. `pending` with `nextAction` means that the shopper has to go there first. ' +
        'A repeat with the same Idempotency-Key answers the same, marked by the header idempotent-replayed.',
      access: 'anyone',
      idempotency: 'module',
      shedLast: true,
      guarded: ({ codes = [] }) => codes.length > 0,
      body: OrderRequest,
      responses: { 201: { description: 'The order', schema: PlacedOrder } },
      problems: {
        400: ['email_required', 'address_required', 'currency_not_offered'],
        402: ['payment_declined'],
        404: ['not_found'],
        409: ['cart_empty', 'cart_not_active', 'item_unavailable', 'out_of_stock', 'coupon_not_applicable', 'total_changed', 'unknown_provider', 'order_being_placed', 'idempotency_key_in_use'],
        422: ['idempotency_key_reused'],
      },
      async handle({ body, idempotency, operationId, principal }) {
        const { cartId, currency, lines, codes = [], ...rest } = body;
        const source = cartId ? { kind: 'cart' as const, cartId } : { kind: 'lines' as const, currency: currency!, lines: lines!, codes };
        const { order, secret, replayed } = await orders.placeOrder({ ...rest, source, idempotency, orderId: operationId, viewer: shopper(principal) });
        return { body: { ...order, secret }, headers: { ...etag(order.version), ...(replayed && { 'idempotent-replayed': 'true' }) } };
      },
    }),
    route({
      method: 'get',
      path: '/orders',
      operationId: 'listMyOrders',
      tag: 'orders',
      summary: "List the account's orders, newest first",
      access: 'customer',
      query: PageQuery.extend({ state: OrderState.optional() }),
      responses: { 200: { description: 'Orders', schema: page(Order) } },
      problems: { 400: ['invalid_cursor'] },
      handle: async ({ query, principal }) => ({ body: await orders.listOrders({ ...query, viewer: shopper(principal) }) }),
    }),
    route({
      method: 'get',
      path: '/orders/{orderId}',
      operationId: 'getOrder',
      tag: 'orders',
      summary: 'Get an order',
      access: 'anyone',
      headers,
      params: OneOrder,
      responses,
      handle: async ({ params, principal, headers }) => answer(await orders.getOrder({ ...params, viewer: shopper(principal, headers['x-order-secret']) })),
    }),
    route({
      method: 'post',
      path: '/orders/{orderId}/cancel',
      operationId: 'cancelOrder',
      tag: 'orders',
      summary: 'Cancel an order',
      description: 'Before it is handed over. What was paid is given back. Cancelling again answers the same.',
      access: 'anyone',
      headers,
      params: OneOrder,
      body: z.strictObject({ reason: z.string().trim().max(500).default('') }).meta({ example: { reason: 'Ordered the wrong size' } }),
      responses,
      problems: { 409: ['order_being_placed', 'not_cancellable'] },
      handle: async ({ params, principal, headers, body }) =>
        answer(await orders.cancelOrder({ ...params, ...body, viewer: shopper(principal, headers['x-order-secret']) })),
    }),
    route({
      method: 'post',
      path: '/orders/{orderId}/confirm-payment',
      operationId: 'confirmOrderPayment',
      tag: 'orders',
      summary: 'Say that the shopper is back from the provider',
      description: 'Asks the provider how the payment stands and answers the order after that.',
      access: 'anyone',
      shedLast: true,
      headers,
      params: OneOrder,
      responses,
      handle: async ({ params, principal, headers }) => answer(await orders.confirmPayment({ ...params, viewer: shopper(principal, headers['x-order-secret']) })),
    }),
  ];
}

export const answer = (order: Order) => ({ body: order, headers: etag(order.version) });
