import { type Database, deleteInBatches, rows, type Transaction } from '../../shared/database.ts';
import type { Currency } from '../../shared/money.ts';
import { type Cart, type CartLine, normalizeCode } from './cart.ts';
import type { SalesTerms } from './pricing.ts';

interface TermsRow {
  currency: Currency;
  shipping_fee: string;
  free_shipping_from: string;
  included_tax_basis_points: number;
}

interface CartRow extends TermsRow {
  id: string;
  customer_id: string | null;
  email: string | null;
  state: Cart['state'];
  version: number;
  order_id: string | null;
  merged_into: string | null;
  updated_at: Date;
  lines: CartLine[];
  codes: string[];
}

/** One statement, so that lines, codes and version are of one moment. */
const CARTS = `
  select c.*, t.shipping_fee, t.free_shipping_from, t.included_tax_basis_points,
    coalesce((select json_agg(json_build_object('id', l.id, 'variantId', l.variant_id, 'quantity', l.quantity) order by l.id)
              from cart_lines l where l.cart_id = c.id), '[]') as lines,
    coalesce((select json_agg(k.entered order by k.position, k.normalized) from cart_codes k where k.cart_id = c.id), '[]') as codes
  from carts c join sales_terms t using (currency)`;

function toCart(row: CartRow): Cart {
  const { id, currency, version, lines, codes } = row;
  const common = { id, customerId: row.customer_id, email: row.email, currency, terms: toTerms(row), version, lines, codes, updatedAt: row.updated_at };
  if (row.state === 'ordered') return { ...common, state: 'ordered', orderId: row.order_id! };
  if (row.state === 'merged') return { ...common, state: 'merged', mergedInto: row.merged_into! };
  return { ...common, state: 'active' };
}

const toTerms = (row: TermsRow): SalesTerms => ({
  currency: row.currency,
  shippingFee: Number(row.shipping_fee),
  freeShippingFrom: Number(row.free_shipping_from),
  includedTaxBasisPoints: row.included_tax_basis_points,
});

export async function findSalesTerms(db: Database, currency: Currency): Promise<SalesTerms | undefined> {
  const [row] = await rows<TermsRow>(db, 'select * from sales_terms where currency = ?', [currency]);
  return row && toTerms(row);
}

export async function findCart(db: Database | Transaction, id: string): Promise<Cart | undefined> {
  const [row] = await rows<CartRow>(db, `${CARTS} where c.id = ?`, [id]);
  return row && toCart(row);
}

export async function findActiveCart(db: Database | Transaction, customerId: string): Promise<Cart | undefined> {
  const [row] = await rows<CartRow>(db, `${CARTS} where c.customer_id = ? and c.state = 'active'`, [customerId]);
  return row && toCart(row);
}

/** Locks the carts in order of their ids and reads them after that; in the order asked for. */
export async function lockCarts(trx: Transaction, ids: readonly string[]): Promise<(Cart | undefined)[]> {
  await rows(trx, 'select id from carts where id = any(?) order by id for update', [ids as string[]]);
  const found = await rows<CartRow>(trx, `${CARTS} where c.id = any(?)`, [ids as string[]]);
  const carts = new Map(found.map((row) => [row.id, toCart(row)]));
  return ids.map((id) => carts.get(id.toLowerCase()));
}

/** One at a time decides which cart is the customer's active one. */
export const lockCustomer = (trx: Transaction, customerId: string) =>
  rows(trx, 'select pg_advisory_xact_lock(hashtextextended(?, 0))', [`cart of ${customerId}`]);

/** False when there is a cart with this id already. */
export async function insertCart(trx: Transaction, cart: Pick<Cart, 'id' | 'customerId' | 'currency' | 'updatedAt'>): Promise<boolean> {
  const inserted = await trx('carts')
    .insert({ id: cart.id, customer_id: cart.customerId, state: 'active', currency: cart.currency, created_at: cart.updatedAt, updated_at: cart.updatedAt })
    .onConflict('id')
    .ignore()
    .returning('id');
  return inserted.length > 0;
}

/** Remembers that an addition was done; false when it was done before. */
export async function noteOperation(trx: Transaction, operation: { id: string; cartId: string; at: Date }): Promise<boolean> {
  const noted = await trx('cart_operations')
    .insert({ id: operation.id, cart_id: operation.cartId, done_at: operation.at })
    .onConflict('id')
    .ignore()
    .returning('id');
  return noted.length > 0;
}

/** Writes what differs between the locked cart and what became of it, under a new version; nothing when nothing does. */
export async function saveCart(trx: Transaction, before: Cart, after: Cart, at: Date): Promise<Cart> {
  const lines = after.lines.filter((line) => before.lines.find(({ id }) => id === line.id)?.quantity !== line.quantity);
  const removedLines = before.lines.filter((line) => !after.lines.some(({ id }) => id === line.id)).map(({ id }) => id);
  const codes = after.codes.filter((code) => !before.codes.includes(code));
  const removedCodes = before.codes.filter((code) => !after.codes.includes(code)).map(normalizeCode);
  const sameCart = before.state === after.state && before.customerId === after.customerId && before.email === after.email && before.currency === after.currency;
  if (sameCart && lines.length + removedLines.length + codes.length + removedCodes.length === 0) return before;

  if (removedLines.length > 0) await trx('cart_lines').whereIn('id', removedLines).delete();
  if (lines.length > 0) {
    const values = lines.map(({ id, variantId, quantity }) => ({ id, cart_id: after.id, variant_id: variantId, quantity }));
    await trx('cart_lines').insert(values).onConflict('id').merge(['quantity']);
  }
  if (removedCodes.length > 0) await trx('cart_codes').where({ cart_id: after.id }).whereIn('normalized', removedCodes).delete();
  if (codes.length > 0) {
    const values = codes.map((entered) => ({ cart_id: after.id, normalized: normalizeCode(entered), entered, position: after.codes.indexOf(entered) }));
    await trx('cart_codes').insert(values);
  }
  const saved = { ...after, version: before.version + 1, updatedAt: at };
  await trx('carts').where({ id: after.id }).update({
    state: saved.state,
    customer_id: saved.customerId,
    email: saved.email,
    currency: saved.currency,
    order_id: saved.state === 'ordered' ? saved.orderId : null,
    merged_into: saved.state === 'merged' ? saved.mergedInto : null,
    version: saved.version,
    updated_at: at,
  });
  return saved;
}

/** Gives the cart to an order if it still is as it was priced; that and the lock are one statement. */
export async function takeCart(trx: Transaction, cart: { id: string; version: number; orderId: string; at: Date }): Promise<boolean> {
  const taken = await trx('carts')
    .where({ id: cart.id, state: 'active', version: cart.version })
    .update({ state: 'ordered', order_id: cart.orderId, version: cart.version + 1, updated_at: cart.at });
  return taken === 1;
}

/** Deletes what nobody comes back for: notes of additions, and guest carts that were never ordered. */
export async function deleteForgotten(db: Database, { operationsBefore, cartsBefore }: { operationsBefore: Date; cartsBefore: Date }): Promise<void> {
  await deleteInBatches(
    db,
    `delete from cart_operations where id in
       (select id from cart_operations where done_at < :operationsBefore limit :limit for update skip locked)`,
    { operationsBefore },
  );
  await deleteInBatches(
    db,
    `delete from carts where id in
       (select c.id from carts c where c.customer_id is null and c.state <> 'ordered' and c.updated_at < :cartsBefore
          and not exists (select 1 from orders o where o.cart_id = c.id)
          and not exists (select 1 from carts m where m.merged_into = c.id)
        limit :limit for update of c skip locked)`,
    { cartsBefore },
  );
}
