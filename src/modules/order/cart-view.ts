import type { Cart } from './cart.ts';
import type { Cart as PublicCart, PricedLine } from './contract.ts';
import type { Bill, CheckoutLine, GrantedDiscount } from './pricing.ts';

type PricedCart = Bill & { discounts: GrantedDiscount[]; codes: PublicCart['codes'] };
interface Level {
  variantId: string;
  available: number;
  backorder: boolean;
}

/** The cart as it is answered: priced, with everything that would stop it from being ordered now. */
export function presentCart(cart: Cart, { lines, totals, discounts, codes }: PricedCart, levels: readonly Level[]): PublicCart {
  const { id, customerId, email, state, currency, version, updatedAt } = cart;
  return {
    id,
    customerId,
    hasEmail: email !== null,
    state,
    currency,
    version,
    lines: lines.map(presentLine),
    codes,
    discounts: discounts.map(presentDiscount),
    totals,
    problems: lines.flatMap((line) => problemOf(line, levels)),
    updatedAt: updatedAt.toISOString(),
  };
}

function problemOf({ id, variantId, quantity, problem }: CheckoutLine, levels: readonly Level[]): PublicCart['problems'] {
  if (problem) return [{ lineId: id, reason: problem, available: null }];
  const level = levels.find((candidate) => candidate.variantId === variantId);
  if (!level || level.backorder || level.available >= quantity) return [];
  return [{ lineId: id, reason: 'out_of_stock', available: Math.max(0, level.available) }];
}

export const presentLine = (line: PricedLine): PricedLine => ({
  id: line.id,
  variantId: line.variantId,
  productId: line.productId,
  sku: line.sku,
  name: line.name,
  options: line.options,
  quantity: line.quantity,
  unitPrice: line.unitPrice,
  discount: line.discount,
  total: line.total,
  taxIncluded: line.taxIncluded,
});

export const presentDiscount = ({ promotionId, name, class: kind, code, amount }: GrantedDiscount) => ({ promotionId, name, class: kind, code, amount });
