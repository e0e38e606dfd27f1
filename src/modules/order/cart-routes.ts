import { z } from 'zod';
import { etag, type Principal, type Route, route, versionIn } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Currency } from '../../shared/money.ts';
import { Cart, type Orders, type Viewer } from './contract.ts';

const OneCart = z.strictObject({ cartId: Id });
const OneItem = OneCart.extend({ itemId: Id });
const OneCode = OneCart.extend({ code: z.string().trim().min(1).max(64).meta({ example: 'WELCOME10' }) });
const quantity = z.int().min(1).max(999);
const quantityOrNone = z.int().min(0).max(999);

const responses = { 200: { description: 'The cart, priced now', schema: Cart } };
const headers = { 'If-Match': 'change the cart only if it still has this ETag' };
const NOT_CHANGED = { 409: ['cart_not_active'], 412: ['version_mismatch'] };

/** A customer's cart with their account, a guest's by its id. */
export function cartRoutes(orders: Orders): Route[] {
  return [
    route({
      method: 'post',
      path: '/carts',
      operationId: 'createCart',
      tag: 'carts',
      summary: 'Open a cart',
      description: 'A customer has one active cart and is answered that, in this currency if it is empty. A guest keeps the id: it opens the cart.',
      access: 'anyone',
      idempotency: 'edge',
      body: z.strictObject({ currency: Currency }).meta({ example: { currency: 'KRW' } }),
      responses: { 201: { description: 'The cart', schema: Cart } },
      problems: { 400: ['currency_not_offered'], 409: ['currency_mismatch'] },
      handle: async ({ operationId, principal, body }) => answer(await orders.createCart({ cartId: operationId, viewer: shopper(principal), ...body })),
    }),
    route({
      method: 'get',
      path: '/carts/{cartId}',
      operationId: 'getCart',
      tag: 'carts',
      summary: 'Get a cart',
      description: 'Priced now; nothing in it is promised until it is ordered. `problems` lists what stands in the way.',
      access: 'anyone',
      params: OneCart,
      responses,
      handle: async ({ params, principal }) => answer(await orders.getCart({ ...params, viewer: shopper(principal) })),
    }),
    route({
      method: 'patch',
      path: '/carts/{cartId}',
      operationId: 'setCartEmail',
      tag: 'carts',
      summary: "Give a guest's e-mail address",
      description: 'Codes that each customer may use only so often count by it; the order is placed with it unless it names another.',
      access: 'anyone',
      headers,
      params: OneCart,
      body: z.strictObject({ email: z.email().max(254) }).meta({ example: { email: 'you@example.com' } }),
      responses,
      problems: NOT_CHANGED,
      handle: async ({ params, principal, headers, body }) =>
        answer(await orders.setEmail({ ...params, ...body, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'post',
      path: '/carts/{cartId}/items',
      operationId: 'addCartItem',
      tag: 'carts',
      summary: 'Add to a cart',
      description: 'Adds to what is there already of the variant. Send an Idempotency-Key, so that a repeat adds nothing.',
      access: 'anyone',
      idempotency: 'edge',
      headers,
      params: OneCart,
      body: z
        .strictObject({ variantId: Id, quantity: quantity.default(1) })
        .meta({ example: { variantId: '0197c9a0-0000-7000-8000-000000000001', quantity: 2 } }),
      responses,
      problems: { 409: [...NOT_CHANGED[409], 'item_unavailable', 'cart_full'], 412: NOT_CHANGED[412] },
      handle: async ({ params, operationId, principal, headers, body }) =>
        answer(await orders.addItem({ ...params, ...body, operationId, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'patch',
      path: '/carts/{cartId}/items/{itemId}',
      operationId: 'setCartItemQuantity',
      tag: 'carts',
      summary: 'Change how many of an item',
      access: 'anyone',
      headers,
      params: OneItem,
      body: z.strictObject({ quantity: quantityOrNone }).meta({ example: { quantity: 3 } }),
      responses,
      problems: { 404: ['item_not_found'], ...NOT_CHANGED },
      handle: async ({ params, principal, headers, body }) =>
        answer(await orders.setItemQuantity({ ...params, ...body, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'delete',
      path: '/carts/{cartId}/items/{itemId}',
      operationId: 'removeCartItem',
      tag: 'carts',
      summary: 'Remove an item',
      description: 'An item that is gone already is fine.',
      access: 'anyone',
      headers,
      params: OneItem,
      responses,
      problems: NOT_CHANGED,
      handle: async ({ params, principal, headers }) =>
        answer(await orders.setItemQuantity({ ...params, quantity: 0, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'post',
      path: '/carts/{cartId}/coupons',
      operationId: 'addCartCode',
      tag: 'carts',
      summary: 'Enter a coupon code',
      description: 'A known code stays attached whether it takes something off now or not; `codes` says why not.',
      access: 'anyone',
      guarded: true,
      headers,
      params: OneCart,
      body: z.strictObject({ code: OneCode.shape.code }).meta({ example: { code: 'WELCOME10' } }),
      responses,
      problems: { 400: ['unknown_code', 'too_many_codes'], ...NOT_CHANGED },
      handle: async ({ params, principal, headers, body }) =>
        answer(await orders.addCode({ ...params, ...body, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'delete',
      path: '/carts/{cartId}/coupons/{code}',
      operationId: 'removeCartCode',
      tag: 'carts',
      summary: 'Take a coupon code off',
      access: 'anyone',
      headers,
      params: OneCode,
      responses,
      problems: NOT_CHANGED,
      handle: async ({ params, principal, headers }) =>
        answer(await orders.removeCode({ ...params, viewer: shopper(principal), ...expected(headers) })),
    }),
    route({
      method: 'post',
      path: '/carts/{cartId}/merge',
      operationId: 'mergeCart',
      tag: 'carts',
      summary: 'Take over a guest cart',
      description: "Moves a guest cart's items and codes into the account's own cart. A second time changes nothing.",
      access: 'customer',
      params: OneCart,
      responses,
      problems: { 409: ['cart_not_active', 'currency_mismatch'] },
      handle: async ({ params, principal }) => answer(await orders.mergeCart({ ...params, customerId: userIdOf(principal) })),
    }),
  ];
}

const answer = (cart: Cart) => ({ body: cart, headers: etag(cart.version) });

/** Everybody who shops is a shopper, staff too; `secret` opens a guest's order. */
export const shopper = (principal: Principal, secret?: string): Viewer => ({
  ...(principal.kind === 'user' ? { kind: 'customer', customerId: principal.userId } : { kind: 'guest' }),
  ...(secret !== undefined && { secret }),
});

/** Whose request it is, on routes for accounts only. */
export function userIdOf(principal: Principal): string {
  if (principal.kind !== 'user') throw new Error('This route was meant for accounts only.');
  return principal.userId;
}

const expected = ({ 'if-match': ifMatch }: Record<string, string | undefined>) => (ifMatch === undefined ? {} : { version: versionIn(ifMatch) });
