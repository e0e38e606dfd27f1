import type { AuditRange } from '../../shared/audit.ts';
import { type Database, rows } from '../../shared/database.ts';
import { type Check, published } from '../../shared/violations.ts';
import type { OrderFacts } from './contract.ts';
import { TRANSITIONS } from './order.ts';

interface FactsRow {
  id: string;
  state: OrderFacts['state'];
  currency: OrderFacts['currency'];
  lines: OrderFacts['lines'];
  discounts: OrderFacts['discounts'];
  total: string;
  captured: string;
  refunded: string;
  holds_until: Date;
  expires_at: Date | null;
  placed_at: Date | null;
  since: Date;
}

/** One order more than asked for, when there is one. */
export async function findOrderFacts(db: Database, { from, limit }: AuditRange): Promise<OrderFacts[]> {
  const found = await rows<FactsRow>(
    db,
    `select o.id, o.state, o.currency, o.total, o.captured, o.refunded, o.holds_until, o.expires_at, o.placed_at,
       (select coalesce(jsonb_agg(jsonb_build_object('variantId', variant_id, 'quantity', quantity)), '[]') from (
          select variant_id, sum(quantity) as quantity from order_lines where order_id = o.id group by variant_id
        ) as line) as lines,
       (select coalesce(jsonb_agg(jsonb_build_object('promotionId', promotion_id, 'amount', amount)), '[]')
        from order_discounts where order_id = o.id) as discounts,
       coalesce((select max(at) from order_history where order_id = o.id), o.created_at) as since
     from orders o where (:from::uuid is null or o.id >= :from) order by o.id limit :limit`,
    { from, limit: limit + 1 },
  );
  return found.map((row) => ({
    orderId: row.id,
    state: row.state,
    currency: row.currency,
    lines: row.lines,
    discounts: row.discounts,
    total: Number(row.total),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    holdsUntil: row.holds_until.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    placedAt: row.placed_at?.toISOString() ?? null,
    since: row.since.toISOString(),
  }));
}

/** The machine as pairs; a history begins with `placing`. */
const STEPS = [['', 'placing'], ...Object.entries(TRANSITIONS).flatMap(([from, after]) => after.map((to) => [from, to]))];

export const ORDER_CHECKS: readonly Check[] = [
  {
    invariant: 'money',
    sql: `select o.id as "orderId", format('Order %s comes to %s, and its lines with shipping come to %s.', o.number, o.total, l.total + o.shipping - o.shipping_discount) as message
      from orders o cross join lateral (select coalesce(sum(total), 0) as total from order_lines where order_id = o.id) as l
      where o.total <> l.total + o.shipping - o.shipping_discount`,
  },
  {
    invariant: 'money',
    sql: `select o.id as "orderId", format('Order %s costs %s before discounts, and its lines cost %s.', o.number, o.subtotal, l.subtotal) as message
      from orders o cross join lateral (select coalesce(sum(unit_price * quantity), 0) as subtotal from order_lines where order_id = o.id) as l
      where o.subtotal <> l.subtotal`,
  },
  {
    invariant: 'money',
    sql: `select o.id as "orderId", format('Order %s has %s taken off, and its discounts come to %s.', o.number, o.discount, d.amount) as message
      from orders o cross join lateral (select coalesce(sum(amount), 0) as amount from order_discounts where order_id = o.id) as d
      where o.discount <> d.amount`,
  },
  {
    invariant: 'money',
    sql: `select o.id as "orderId", format('Order %s has %s taken off, and its lines and shipping bear %s.', o.number, o.discount, l.discount + o.shipping_discount) as message
      from orders o cross join lateral (select coalesce(sum(discount), 0) as discount from order_lines where order_id = o.id) as l
      where o.discount <> l.discount + o.shipping_discount`,
  },
  {
    invariant: 'money',
    sql: `select l.order_id as "orderId", format('Line %s is %s x %s less %s, and its total is %s.', l.id, l.quantity, l.unit_price, l.discount, l.total) as message
      from order_lines l where l.total <> l.unit_price * l.quantity - l.discount`,
  },
  {
    invariant: 'money',
    sql: `select d.order_id as "orderId", format('The shares of promotion %s come to %s, and it takes %s off.', d.promotion_id, s.amount, d.amount) as message
      from order_discounts d cross join lateral (
        select coalesce(sum((share ->> 'amount')::bigint), 0) as amount from jsonb_array_elements(d.shares) as share
      ) as s where s.amount <> case d.class when 'shipping' then 0 else d.amount end`,
  },
  {
    invariant: 'once',
    sql: `select null as "orderId", format('Cart %s has %s live orders: %s.', cart_id, count(*), string_agg(id::text, ', ' order by id)) as message
      from orders where state not in ('refused', 'expired', 'cancelled') and cart_id is not null group by cart_id having count(*) > 1`,
  },
  {
    invariant: 'history',
    sql: `select order_id as "orderId", format('Order %s went from %s to %s, which the machine does not have.', order_id, coalesce(nullif(before, ''), 'nothing'), state) as message
      from (select order_id, state, coalesce(lag(state) over (partition by order_id order by position), '') as before from order_history) as step
      where (before, state) not in (select * from unnest(:froms::text[], :tos::text[]))`,
    bindings: { froms: STEPS.map(([from]) => from!), tos: STEPS.map(([, to]) => to!) },
  },
  {
    invariant: 'history',
    sql: `select o.id as "orderId", format('Order %s is %s, and its history ends with %s.', o.number, o.state, coalesce(h.state, 'nothing')) as message
      from orders o left join lateral (select state from order_history where order_id = o.id order by position desc limit 1) as h on true
      where h.state is distinct from o.state`,
  },
  {
    invariant: 'events',
    sql: `select subject as "orderId", format('%s was published for order %s, which never was %s.', type, subject, replace(type, 'order.', '')) as message
      from ${published('order')}
      where not exists (select from order_history where order_id = subject and state = replace(type, 'order.', ''))`,
  },
];
