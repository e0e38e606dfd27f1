import type { AuditRange } from '../../shared/audit.ts';
import { type Database, rows } from '../../shared/database.ts';
import { type Check, published } from '../../shared/violations.ts';
import type { ReservationFacts } from './contract.ts';

interface FactsRow {
  order_id: string;
  state: ReservationFacts['state'];
  expires_at: Date | null;
  lines: ReservationFacts['lines'];
}

/** One order more than asked for, when there is one. */
export async function findReservationFacts(db: Database, { from, limit }: AuditRange): Promise<ReservationFacts[]> {
  const found = await rows<FactsRow>(
    db,
    `select r.order_id, r.state, r.expires_at,
       (select coalesce(jsonb_agg(jsonb_build_object('variantId', variant_id, 'quantity', quantity, 'sold', sold)), '[]')
        from reservation_lines where order_id = r.order_id) as lines
     from reservations r where (:from::uuid is null or r.order_id >= :from) order by r.order_id limit :limit`,
    { from, limit: limit + 1 },
  );
  return found.map(({ order_id, state, expires_at, lines }) => ({ orderId: order_id, state, expiresAt: expires_at?.toISOString() ?? null, lines }));
}

export const INVENTORY_CHECKS: readonly Check[] = [
  {
    invariant: 'stock',
    sql: `select null as "orderId", format('Of variant %s %s are on hand, and the ledger comes to %s.', variant_id, coalesce(s.on_hand, 0), coalesce(m.total, 0)) as message
      from stock_items s full join (select variant_id, sum(delta) as total from stock_movements group by variant_id) as m using (variant_id)
      where coalesce(s.on_hand, 0) <> coalesce(m.total, 0)`,
  },
  {
    invariant: 'stock',
    sql: `select null as "orderId", format('Of variant %s %s are reserved, and orders hold %s.', variant_id, coalesce(s.reserved, 0), coalesce(h.held, 0)) as message
      from stock_items s full join (select variant_id, sum(quantity) as held from reservation_lines where held group by variant_id) as h using (variant_id)
      where coalesce(s.reserved, 0) <> coalesce(h.held, 0)`,
  },
  {
    invariant: 'stock',
    sql: `select null as "orderId", format('Of variant %s %s are on hand and %s reserved, which cannot be.', variant_id, on_hand, reserved) as message
      from stock_items where reserved < 0 or (not backorder and (on_hand < 0 or reserved > on_hand))`,
  },
  {
    invariant: 'stock',
    sql: `select order_id as "orderId", format('%s pieces of variant %s left with order %s and did not come back, and the ledger says %s.', coalesce(kept, 0), variant_id, order_id, coalesce(gone, 0)) as message
      from (
        select order_id, variant_id, case state when 'committed' then sold else 0 end as kept
        from reservations join reservation_lines using (order_id)
      ) as line full join (
        select cause_id::uuid as order_id, variant_id, -sum(delta) as gone
        from stock_movements where kind in ('sold', 'cancelled') group by cause_id, variant_id
      ) as movement using (order_id, variant_id)
      where coalesce(kept, 0) <> coalesce(gone, 0)`,
  },
  {
    invariant: 'history',
    sql: `select r.order_id as "orderId", format('The reservation of order %s is %s, and its lines say otherwise.', r.order_id, r.state) as message
      from reservations r where exists (
        select from reservation_lines l where l.order_id = r.order_id
          and ((l.held and r.state <> 'held') or (l.sold > 0 and r.state not in ('committed', 'cancelled')))
      )`,
  },
  {
    invariant: 'events',
    sql: `select null as "orderId", format('%s was published for variant %s in version %s, which it never had.', type, subject, told ->> 'version') as message
      from ${published('inventory')}
      where not exists (select from stock_items where variant_id = subject and version >= (told ->> 'version')::integer)`,
  },
];
