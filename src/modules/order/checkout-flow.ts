import type { Database } from '../../shared/database.ts';
import { conflict, invalid, notFound } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import type { Users } from '../user/contract.ts';
import { assertOpenTo, currencyNotOffered, normalizeCode } from './cart.ts';
import { findCart, findSalesTerms } from './cart-repository.ts';
import type { Placement } from './contract.ts';
import type { Order, OrderLine } from './order.ts';
import type { CheckoutLine, SalesTerms, WantedLine } from './pricing.ts';
import type { Price, Priced } from './pricing-service.ts';

/** Everything an order is made of, priced; `cart` with the version that was priced. */
export type Checkout = Pick<
  Order,
  'customerId' | 'email' | 'shippingAddress' | 'currency' | 'lines' | 'discounts' | 'totals' | 'codes'
> & { cart: { id: string; version: number } | null };

/** `taken`: the cart belongs to an order or another cart already. */
export type Prepared = { kind: 'ready'; checkout: Checkout } | { kind: 'taken'; cartId: string } | { kind: 'refused'; error: unknown };

interface Source {
  cart: Checkout['cart'];
  customerId: string | null;
  /** the cart's own */
  email: string | null;
  terms: SalesTerms;
  lines: WantedLine[];
  codes: string[];
}

/** Looks up and prices what is to be ordered, before anything is locked. Refusals are handed on, not thrown. */
export function createCheckout({ db, users, price }: { db: Database; users: Users; price: Price }) {
  return (input: Placement): Promise<Prepared> => prepare(input).catch((error: unknown) => ({ kind: 'refused', error }));

  async function prepare(input: Placement): Promise<Prepared> {
    const source = await sourceOf(input);
    if ('taken' in source) return { kind: 'taken', cartId: source.taken };
    if (source.lines.length === 0) throw conflict('cart_empty', 'There is nothing in the cart.');
    const { customerId, terms, codes } = source;
    const guestEmail = customerId ? null : emailOf(input, source);
    const [priced, shippingAddress, email] = await Promise.all([
      price({ ...source, email: guestEmail }),
      addressOf(input, customerId),
      guestEmail ?? accountEmail(customerId!),
    ]);
    const lines = boughtLines(priced.lines);
    if (!source.cart) assertApplied(priced.codes);
    const checkout = {
      cart: source.cart,
      customerId,
      email,
      shippingAddress,
      currency: terms.currency,
      lines,
      discounts: priced.discounts,
      totals: priced.totals,
      codes,
    };
    return { kind: 'ready', checkout };
  }

  /** Lines get ids of their own: a cart may be ordered again after a refusal. */
  async function sourceOf({ source, viewer }: Placement): Promise<Source | { taken: string }> {
    const customer = viewer.kind === 'customer' ? viewer.customerId : null;
    if (source.kind === 'lines') {
      const terms = await findSalesTerms(db, source.currency);
      if (!terms) throw currencyNotOffered(source.currency);
      return { cart: null, customerId: customer, email: null, terms, lines: withNewIds(source.lines), codes: distinct(source.codes) };
    }
    const cart = await findCart(db, source.cartId);
    assertOpenTo(cart, viewer);
    if (cart.state !== 'active') return { taken: cart.id };
    return { cart, customerId: cart.customerId ?? customer, email: cart.email, terms: cart.terms, lines: withNewIds(cart.lines), codes: cart.codes };
  }

  async function accountEmail(userId: string): Promise<string> {
    return (await users.getProfile({ userId })).email;
  }

  async function addressOf({ shippingAddress, addressId }: Placement, customerId: string | null) {
    if (shippingAddress) return shippingAddress;
    if (!addressId || !customerId) throw invalid('address_required', 'Say where the order goes.');
    const { addresses } = await users.listAddresses({ userId: customerId });
    const saved = addresses.find(({ id }) => id === addressId.toLowerCase());
    if (!saved) throw notFound('address');
    return saved.address;
  }
}

function emailOf(input: Placement, source: Source): string {
  const email = input.email ?? source.email;
  if (!email) throw invalid('email_required', 'A guest needs an e-mail address for the order.');
  return email;
}

function boughtLines(lines: CheckoutLine[]): OrderLine[] {
  const unavailable = lines.filter(({ problem }) => problem !== null).map(({ variantId, problem }) => ({ variantId, problem }));
  if (unavailable.length > 0) throw conflict('item_unavailable', 'Something in the cart cannot be bought any more.', { lines: unavailable });
  return lines as OrderLine[];
}

/** A cart showed its shopper which codes take nothing off; lines that come with codes expect them to count. */
function assertApplied(codes: Priced['codes']): void {
  const unused = codes.filter(({ applied }) => !applied);
  if (unused.length > 0) throw conflict('coupon_not_applicable', unused[0]!.message, { codes: unused });
}

const withNewIds = (lines: readonly Omit<WantedLine, 'id'>[]): WantedLine[] =>
  lines.map(({ variantId, quantity }) => ({ id: newId(), variantId: variantId.toLowerCase(), quantity }));

const distinct = (codes: readonly string[]) => [...new Map(codes.map((code) => [normalizeCode(code), code])).values()];
