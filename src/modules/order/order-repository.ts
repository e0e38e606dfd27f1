import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Order as PublicOrder, OrderState } from './contract.ts';
import type { HistoryEntry, Order, OrderLine, PlacingClaim } from './order.ts';
import type { PaymentFacts } from './payment-facts.ts';
import type { GrantedDiscount } from './pricing.ts';

interface OrderRow {
  id: string;
  number: string;
  cart_id: string | null;
  customer_id: string | null;
  email: string;
  state: OrderState;
  currency: Order['currency'];
  subtotal: string;
  discount: string;
  shipping: string;
  shipping_discount: string;
  tax_included: string;
  total: string;
  codes: string[];
  shipping_address: PublicOrder['shippingAddress'];
  payment_progress: PaymentFacts['progress'];
  authorized: string;
  captured: string;
  refunded: string;
  next_action_url: string | null;
  decline_reason: string | null;
  reason: string | null;
  refusal: Order['refusal'];
  placing_token: string | null;
  placing_until: Date | null;
  holds_until: Date;
  version: number;
  created_at: Date;
  placed_at: Date | null;
  expires_at: Date | null;
  lines: OrderLine[];
  discounts: GrantedDiscount[];
  history: (Omit<HistoryEntry, 'at'> & { at: string })[];
}

const ORDERS = `
  select o.*,
    (select json_agg(json_build_object('id', l.id, 'variantId', l.variant_id, 'productId', l.product_id, 'sku', l.sku,
        'name', l.name, 'options', l.options, 'categoryIds', l.category_ids, 'quantity', l.quantity, 'unitPrice', l.unit_price,
        'discount', l.discount, 'total', l.total, 'taxIncluded', l.tax_included) order by l.position)
     from order_lines l where l.order_id = o.id) as lines,
    coalesce((select json_agg(json_build_object('promotionId', d.promotion_id, 'name', d.name, 'class', d.class, 'code', d.code,
        'amount', d.amount, 'lines', d.shares) order by d.position)
     from order_discounts d where d.order_id = o.id), '[]') as discounts,
    (select json_agg(json_build_object('state', h.state, 'at', h.at, 'by', h.by, 'reason', h.reason) order by h.position)
     from order_history h where h.order_id = o.id) as history
  from orders o`;

const toOrder = (row: OrderRow): Order => ({
  id: row.id,
  number: row.number,
  cartId: row.cart_id,
  customerId: row.customer_id,
  email: row.email,
  state: row.state,
  currency: row.currency,
  lines: row.lines,
  discounts: row.discounts,
  totals: {
    subtotal: Number(row.subtotal),
    discount: Number(row.discount),
    shipping: Number(row.shipping),
    shippingDiscount: Number(row.shipping_discount),
    taxIncluded: Number(row.tax_included),
    total: Number(row.total),
  },
  codes: row.codes,
  shippingAddress: row.shipping_address,
  payment: {
    progress: row.payment_progress,
    authorized: Number(row.authorized),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    nextActionUrl: row.next_action_url,
    declineReason: row.decline_reason,
  },
  reason: row.reason,
  refusal: row.refusal,
  claim: row.placing_token && row.placing_until ? { token: row.placing_token, until: row.placing_until } : null,
  holdsUntil: row.holds_until,
  history: row.history.map((entry) => ({ ...entry, at: new Date(entry.at) })),
  version: row.version,
  createdAt: row.created_at,
  placedAt: row.placed_at,
  expiresAt: row.expires_at,
});

/** The columns that change over an order's life. */
const changing = (order: Omit<Order, 'number' | 'version'>) => ({
  state: order.state,
  payment_progress: order.payment.progress,
  authorized: order.payment.authorized,
  captured: order.payment.captured,
  refunded: order.payment.refunded,
  next_action_url: order.payment.nextActionUrl,
  decline_reason: order.payment.declineReason,
  reason: order.reason,
  refusal: order.refusal && JSON.stringify(order.refusal),
  placing_token: order.claim?.token ?? null,
  placing_until: order.claim?.until ?? null,
  holds_until: order.holdsUntil,
  placed_at: order.placedAt,
  expires_at: order.expiresAt,
});

export async function findOrder(db: Database | Transaction, id: string): Promise<Order | undefined> {
  const [row] = await rows<OrderRow>(db, `${ORDERS} where o.id = ?`, [id]);
  return row && toOrder(row);
}

/** Locks the order and reads it after that: what was committed while waiting is seen. */
export async function lockOrder(trx: Transaction, id: string): Promise<Order | undefined> {
  await rows(trx, 'select id from orders where id = ? for update', [id]);
  return findOrder(trx, id);
}

export interface OrderFilter {
  customerId?: string | undefined;
  state?: OrderState | undefined;
  email?: string | undefined;
  number?: string | undefined;
  after?: { createdAt: Date; id: string } | undefined;
  limit: number;
}

/** Newest first. Refused attempts only when asked for. */
export async function listOrders(db: Database, { customerId, state, email, number, after, limit }: OrderFilter): Promise<Order[]> {
  const conditions = [
    state ? 'o.state = :state' : `o.state <> 'refused'`,
    customerId && 'o.customer_id = :customerId',
    email && 'lower(o.email) = lower(:email)',
    number && 'o.number = :number',
    after && '(o.created_at, o.id) < (:createdAt, :id)',
  ].filter(Boolean);
  const found = await rows<OrderRow>(
    db,
    `${ORDERS} where ${conditions.join(' and ')} order by o.created_at desc, o.id desc limit :limit`,
    { state, customerId, email, number, ...after, limit } as never,
  );
  return found.map(toOrder);
}

/** At least seven digits, and more when they run out. */
const NEXT_NUMBER = `(select ? || lpad(n::text, greatest(7, length(n::text)), '0') from nextval('order_numbers') as n)`;

/** A new order with its lines, discounts and history, in one statement; answers its number: `numberPrefix` and a counter. */
export async function insertOrder(trx: Transaction, order: Omit<Order, 'number'>, numberPrefix: string): Promise<string> {
  const { totals } = order;
  const insert = trx
    .with('lines', trx('order_lines').insert(order.lines.map((line, position) => lineRow(order.id, line, position))))
    .with('history', trx('order_history').insert(order.history.map((entry, position) => ({ order_id: order.id, position, ...entry }))));
  if (order.discounts.length > 0) {
    insert.with('discounts', trx('order_discounts').insert(order.discounts.map(({ promotionId, lines, ...discount }, position) => ({
      order_id: order.id, promotion_id: promotionId, position, ...discount, shares: JSON.stringify(lines),
    }))));
  }
  const [inserted] = await insert
    .into('orders')
    .insert({
      id: order.id,
      number: trx.raw(NEXT_NUMBER, [numberPrefix]),
      cart_id: order.cartId,
      customer_id: order.customerId,
      email: order.email,
      currency: order.currency,
      subtotal: totals.subtotal,
      discount: totals.discount,
      shipping: totals.shipping,
      shipping_discount: totals.shippingDiscount,
      tax_included: totals.taxIncluded,
      total: totals.total,
      codes: JSON.stringify(order.codes),
      shipping_address: order.shippingAddress,
      version: order.version,
      created_at: order.createdAt,
      ...changing(order),
    })
    .returning<{ number: string }[]>('number');
  return inserted!.number;
}

const lineRow = (orderId: string, line: OrderLine, position: number) => ({
  id: line.id,
  order_id: orderId,
  position,
  variant_id: line.variantId,
  product_id: line.productId,
  sku: line.sku,
  name: line.name,
  options: line.options,
  category_ids: JSON.stringify(line.categoryIds),
  quantity: line.quantity,
  unit_price: line.unitPrice,
  discount: line.discount,
  total: line.total,
  tax_included: line.taxIncluded,
});

/** Writes what became of the order that `before` was when it was locked, under a new version: one statement. */
export async function saveOrder(trx: Transaction, before: Order, after: Order): Promise<Order> {
  const version = before.version + 1;
  const update = trx('orders').where({ id: before.id, version: before.version }).update({ ...changing(after), version });
  const [entry] = after.history.slice(before.history.length);
  if (!entry) {
    await update;
    return { ...after, version };
  }
  const note = trx.from('moved').select('id', trx.raw('?::int, ?, ?::timestamptz, ?, ?', [before.history.length, entry.state, entry.at, entry.by, entry.reason]));
  await trx.with('moved', update.returning('id')).into(trx.raw('order_history (order_id, position, state, at, by, reason)')).insert(note);
  return { ...after, version };
}

/**
 * Takes over orders whose placing was interrupted, under a claim of its own; each goes to one caller only. `holdsUntil`
 * is when the holds end that the new run asks for.
 */
export async function takeInterrupted(
  db: Database,
  { now, claim, holdsUntil, limit }: { now: Date; claim: PlacingClaim; holdsUntil: Date; limit: number },
): Promise<Order[]> {
  const taken = await rows<{ id: string }>(
    db,
    `update orders set placing_token = :token, placing_until = :until, holds_until = :holdsUntil, version = version + 1
     where id in (select id from orders where state = 'placing' and placing_until < :now
                  order by placing_until limit :limit for update skip locked)
     returning id`,
    { ...claim, now, holdsUntil, limit },
  );
  if (taken.length === 0) return [];
  const found = await rows<OrderRow>(db, `${ORDERS} where o.id = any(?)`, [taken.map(({ id }) => id)]);
  return found.map(toOrder);
}

/** Orders whose time to be paid has run out, longest ago first. */
export const listOverdue = (db: Database, now: Date, limit: number) =>
  rows<{ id: string }>(db, `select id from orders where state = 'pending' and expires_at <= ? order by expires_at limit ?`, [now, limit]);
