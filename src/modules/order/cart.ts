import { AppError, conflict, invalid, notFound } from '../../shared/errors.ts';
import type { Currency } from '../../shared/money.ts';
import type { Viewer } from './contract.ts';
import type { SalesTerms } from './pricing.ts';

export interface CartLine {
  id: string;
  variantId: string;
  quantity: number;
}

/** `ordered` belongs to the order `orderId`; `merged` went into the cart `mergedInto`. */
export type CartState = { state: 'active' } | { state: 'ordered'; orderId: string } | { state: 'merged'; mergedInto: string };

export type Cart = CartState & {
  id: string;
  customerId: string | null;
  email: string | null;
  currency: Currency;
  /** what its currency's sales cost beside the goods */
  terms: SalesTerms;
  version: number;
  /** oldest first, one per variant */
  lines: CartLine[];
  /** as they were typed, oldest first */
  codes: string[];
  updatedAt: Date;
};

const MAX_QUANTITY = 999;
const MAX_LINES = 100;
const MAX_CODES = 10;

/** What two spellings of a code are compared by (docs/rules.md, Discounts). */
export const normalizeCode = (code: string) => code.normalize('NFKC').trim().toUpperCase().normalize('NFKC');

/** A guest cart is opened by its unguessable id, a customer's only by its owner: to others it does not exist. */
export function assertOpenTo(cart: Cart | undefined, viewer: Viewer): asserts cart is Cart {
  if (!cart) throw notFound('cart');
  const open = viewer.kind === 'staff' || cart.customerId === null || (viewer.kind === 'customer' && viewer.customerId === cart.customerId);
  if (!open) throw notFound('cart');
}

export function assertChangeable(cart: Cart, version: number | undefined): void {
  if (cart.state !== 'active') throw cartNotActive();
  if (version !== undefined && version !== cart.version) {
    throw conflict('version_mismatch', 'The cart was changed in the meantime.', { version: cart.version });
  }
}

export const cartNotActive = () => conflict('cart_not_active', 'This cart was ordered or merged and takes no changes.');

export const currencyNotOffered = (currency: string) =>
  invalid('currency_not_offered', `Nothing is sold in ${currency} here.`, { currency });

/** An empty cart goes on in another currency; what is in one has its prices in the cart's own. */
export function inCurrency(cart: Cart, terms: SalesTerms): Cart {
  if (cart.currency === terms.currency) return cart;
  if (cart.lines.length > 0) throw currencyMismatch('The cart has items in another currency.', cart.currency);
  return { ...cart, currency: terms.currency, terms };
}

const currencyMismatch = (message: string, currency: Currency) => conflict('currency_mismatch', message, { currency });

/** Adds to the line of that variant, or begins one under `item.id`. */
export function addItem(cart: Cart, item: CartLine): Cart {
  const present = cart.lines.find(({ variantId }) => variantId === item.variantId);
  const quantity = (present?.quantity ?? 0) + item.quantity;
  if (quantity > MAX_QUANTITY || (!present && cart.lines.length >= MAX_LINES)) {
    throw conflict('cart_full', `A cart holds at most ${MAX_LINES} lines of at most ${MAX_QUANTITY} pieces each.`);
  }
  const lines = present
    ? cart.lines.map((line) => (line === present ? { ...line, quantity } : line))
    : [...cart.lines, item];
  return { ...cart, lines };
}

/** 0 removes the line, also one that is gone already; anything else needs it to be there. */
export function setQuantity(cart: Cart, itemId: string, quantity: number): Cart {
  if (quantity === 0) return { ...cart, lines: cart.lines.filter(({ id }) => id !== itemId) };
  if (!cart.lines.some(({ id }) => id === itemId)) throw itemNotFound();
  return { ...cart, lines: cart.lines.map((line) => (line.id === itemId ? { ...line, quantity } : line)) };
}

const itemNotFound = () => new AppError('not_found', 'item_not_found', 'There is no such item in this cart.');

export function addCode(cart: Cart, code: string): Cart {
  if (cart.codes.some((entered) => normalizeCode(entered) === normalizeCode(code))) return cart;
  if (cart.codes.length >= MAX_CODES) throw invalid('too_many_codes', `A cart takes at most ${MAX_CODES} codes.`);
  return { ...cart, codes: [...cart.codes, code] };
}

export function removeCode(cart: Cart, code: string): Cart {
  return { ...cart, codes: cart.codes.filter((entered) => normalizeCode(entered) !== normalizeCode(code)) };
}

/**
 * The target with the source's items and codes: quantities summed and capped, lines and codes beyond the limits left
 * out. `newLineId`: lines keep an identity per cart.
 */
export function mergeInto(target: Cart, source: Cart, newLineId: () => string): Cart {
  if (target.currency !== source.currency) {
    throw currencyMismatch('The two carts are in different currencies.', target.currency);
  }
  const merged = source.lines.reduce((cart, line) => addCapped(cart, { ...line, id: newLineId() }), target);
  return source.codes.reduce((cart, code) => (cart.codes.length < MAX_CODES ? addCode(cart, code) : cart), merged);
}

function addCapped(cart: Cart, item: CartLine): Cart {
  const present = cart.lines.find(({ variantId }) => variantId === item.variantId)?.quantity ?? 0;
  const quantity = Math.min(item.quantity, MAX_QUANTITY - present);
  if (quantity === 0 || (present === 0 && cart.lines.length >= MAX_LINES)) return cart;
  return addItem(cart, { ...item, quantity });
}
