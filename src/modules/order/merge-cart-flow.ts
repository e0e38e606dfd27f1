import type { Transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import { type Cart, cartNotActive, mergeInto } from './cart.ts';
import { findActiveCart, findCart, lockCarts, lockCustomer, saveCart } from './cart-repository.ts';

/**
 * A guest's cart becomes the customer's: its items and codes go into the active cart, or it is the active cart from now
 * on when there is none. A second merge changes nothing.
 */
export async function mergeCart(trx: Transaction, { cartId, customerId }: { cartId: string; customerId: string }, now: Date): Promise<Cart> {
  const { cart: source, active } = await lockWithActive(trx, cartId, customerId);
  if (!source || ![null, customerId].includes(source.customerId)) throw notFound('cart');
  if (source.state === 'merged') return mergedBefore(trx, source.mergedInto, customerId, active);
  if (source.state === 'ordered') throw cartNotActive();
  if (source.customerId === customerId) return source;
  return active ? mergeCarts(trx, source, active, now) : saveCart(trx, source, { ...source, customerId }, now);
}

async function mergedBefore(trx: Transaction, mergedInto: string, customerId: string, active: Cart | undefined): Promise<Cart> {
  const into = await findCart(trx, mergedInto);
  if (into?.customerId !== customerId) throw notFound('cart');
  return active ?? into;
}

async function mergeCarts(trx: Transaction, source: Cart, target: Cart, now: Date): Promise<Cart> {
  const merged = await saveCart(trx, target, mergeInto(target, source, newId), now);
  await saveCart(trx, source, { ...source, state: 'merged', mergedInto: target.id }, now);
  return merged;
}

/**
 * The cart of an order that was undone takes changes again. If its customer began another one meanwhile it goes into
 * that; in another currency it cannot, and stays with the order.
 */
export async function reopenCart(trx: Transaction, { cartId, orderId }: { cartId: string; orderId: string }, now: Date): Promise<void> {
  const customerId = (await findCart(trx, cartId))?.customerId ?? null;
  const { cart, active } = await lockWithActive(trx, cartId, customerId);
  if (cart?.state !== 'ordered' || cart.orderId !== orderId) return;
  if (!active) await saveCart(trx, cart, { ...cart, state: 'active' }, now);
  else if (active.currency === cart.currency) await mergeCarts(trx, cart, active, now);
}

/** Nobody else decides meanwhile which cart is the customer's active one; it may itself have been ordered just now. */
async function lockWithActive(trx: Transaction, cartId: string, customerId: string | null) {
  if (customerId) await lockCustomer(trx, customerId);
  const known = customerId ? await findActiveCart(trx, customerId) : undefined;
  const [cart, active] = await lockCarts(trx, known ? [cartId, known.id] : [cartId]);
  return { cart, active: active?.state === 'active' ? active : undefined };
}
