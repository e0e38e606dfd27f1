import { type Transaction, transaction } from '../../shared/database.ts';
import { conflict, isAppError, notFound } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { cartNotActive } from './cart.ts';
import { findCart, takeCart } from './cart-repository.ts';
import type { Checkout, Prepared } from './checkout-flow.ts';
import type { Placement } from './contract.ts';
import { findKey, pointKey, takeKey } from './idempotency-repository.ts';
import { begin, beingPlaced, isLive, type Order } from './order.ts';
import { findOrder, insertOrder } from './order-repository.ts';
import { actorOf } from './order-view.ts';
import { type ClaimedOrder, holdsUntil, newClaim } from './placing-flow.ts';

/** `ours`: a new order under our claim. `known`: an order that answers this request already. */
export type Claim = { kind: 'ours'; order: ClaimedOrder } | { kind: 'known'; order: Order };

/**
 * One transaction: the key, the cart and the new order are taken together or not at all. The key is looked at first, so
 * that a repeat is answered whatever has become of cart, prices or stock since; what `prepared` found in the way is told
 * only after that.
 */
export function createClaim({ db, now, settings }: ModuleContext) {
  const year = new Intl.DateTimeFormat('en', { timeZone: settings.timeZone, year: '2-digit' });
  return (input: Placement, prepared: Prepared): Promise<Claim> =>
    transaction(db, async (trx) => {
      const orderId = await takeKey(trx, input.idempotency, { orderId: input.orderId, retryOrderId: newId(), at: now() });
      if (!orderId) return { kind: 'known', order: await orderOfKey(trx, input) };
      if (prepared.kind === 'refused') throw prepared.error;
      if (prepared.kind === 'taken') return { kind: 'known', order: await orderOfCart(trx, input, prepared.cartId) };
      const { checkout } = prepared;
      const { cart } = checkout;
      if (cart && !(await takeCart(trx, { ...cart, orderId, at: now() }))) {
        return { kind: 'known', order: await orderOfCart(trx, input, cart.id) };
      }
      assertExpected(checkout, input.expectedTotal);
      return { kind: 'ours', order: await insert(trx, { orderId, checkout, by: actorOf(input.viewer) }) };
    });

  async function insert(trx: Transaction, { orderId, checkout, by }: { orderId: string; checkout: Checkout; by: string }): Promise<ClaimedOrder> {
    const at = now();
    const claim = newClaim(at);
    const { cart, ...rest } = checkout;
    const order = begin({ ...rest, id: orderId, cartId: cart?.id ?? null, claim, holdsUntil: holdsUntil(at, settings.paymentWindowMinutes), by, at });
    return { ...order, claim, number: await insertOrder(trx, order, `K-${year.format(at)}`) };
  }
}

async function orderOfKey(trx: Transaction, { idempotency }: Placement): Promise<Order> {
  const known = await findKey(trx, idempotency);
  if (known?.fingerprint !== idempotency.fingerprint) {
    throw conflict('idempotency_key_reused', 'This Idempotency-Key was used for a different request.');
  }
  const order = known.orderId ? await findOrder(trx, known.orderId) : undefined;
  if (!order || order.state === 'placing') {
    throw conflict('idempotency_key_in_use', 'The first request with this Idempotency-Key is still running.');
  }
  return order;
}

/**
 * The cart could not be taken: it was changed since it was priced, or it has an order. That order answers this key from
 * now on, but only the shopper who placed it: a cart's id opens the cart, not an order with an address in it.
 */
async function orderOfCart(trx: Transaction, input: Placement, cartId: string): Promise<Order> {
  const cart = await findCart(trx, cartId);
  if (!cart) throw notFound('cart');
  if (cart.state === 'active') throw cartChanged();
  const order = cart.state === 'ordered' ? await findOrder(trx, cart.orderId) : undefined;
  if (!order || !isLive(order) || !isSameShopper(order, input)) throw cartNotActive();
  if (order.state === 'placing') throw beingPlaced();
  await pointKey(trx, input.idempotency, order.id);
  return order;
}

function isSameShopper({ customerId, email }: Order, input: Placement): boolean {
  if (input.viewer.kind === 'staff') return true;
  if (customerId !== null) return input.viewer.kind === 'customer' && input.viewer.customerId === customerId;
  return input.viewer.kind === 'guest' && input.email?.toLowerCase() === email.toLowerCase();
}

const cartChanged = () => conflict('cart_changed', 'The cart was changed while it was being ordered.');
export const isCartChanged = (error: unknown) => isAppError(error, 'cart_changed');

function assertExpected({ totals: { total } }: Checkout, expected: number): void {
  if (total !== expected) throw conflict('total_changed', 'The total is no longer what was expected.', { expected, total });
}
