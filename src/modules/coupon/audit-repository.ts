import type { AuditRange } from '../../shared/audit.ts';
import { type Database, rows } from '../../shared/database.ts';
import type { Check } from '../../shared/violations.ts';
import type { RedemptionFacts } from './contract.ts';

/** One order more than asked for, when there is one. */
export async function findRedemptionFacts(db: Database, { from, limit }: AuditRange): Promise<RedemptionFacts[]> {
  const found = await rows<{ order_id: string; redemptions: RedemptionFacts['redemptions'] }>(
    db,
    `select order_id, jsonb_agg(jsonb_build_object('promotionId', promotion_id, 'code', code, 'amount', amount, 'state', state,
       'expiresAt', expires_at) order by promotion_id) as redemptions
     from redemptions where (:from::uuid is null or order_id >= :from) group by order_id order by order_id limit :limit`,
    { from, limit: limit + 1 },
  );
  return found.map(({ order_id, redemptions }) => ({
    orderId: order_id,
    redemptions: redemptions.map((redemption) => ({ ...redemption, expiresAt: new Date(redemption.expiresAt).toISOString() })),
  }));
}

export const COUPON_CHECKS: readonly Check[] = [
  {
    invariant: 'coupon',
    sql: `select null as "orderId", format('Promotion %s is counted %s times for %s, and its redemptions say %s.', promotion_id,
       coalesce(u.used, 0), case counted_for when 'everyone' then counted_for else 'a customer' end, coalesce(c.used, 0)) as message
     from uses u full join (
       select promotion_id, counted_for, count(*)::integer as used
       from redemptions cross join lateral (values ('everyone'), (customer_key)) as each (counted_for)
       where counted_for is not null and state in ('reserved', 'consumed') group by promotion_id, counted_for
     ) c using (promotion_id, counted_for)
     where coalesce(u.used, 0) <> coalesce(c.used, 0) order by promotion_id, counted_for`,
  },
  {
    invariant: 'coupon',
    sql: `select null as "orderId", format('Promotion %s is used %s times for %s, and only %s were allowed.', promotion_id, used,
       case counted_for when 'everyone' then counted_for else 'a customer' end, allowed) as message
     from uses where used > allowed`,
  },
  {
    invariant: 'coupon',
    sql: `select order_id as "orderId", format('The shares of promotion %s come to %s, and it takes %s off.', promotion_id, shares, amount) as message
     from redemptions cross join lateral (
       select sum((line ->> 'amount')::bigint) as shares from jsonb_array_elements(lines) as line
     ) as lines_of where shares is not null and shares <> amount`,
  },
  {
    invariant: 'history',
    sql: `select order_id as "orderId", format('The redemption of promotion %s is %s, and its dates say otherwise.', promotion_id, state) as message
      from redemptions
      where (state in ('consumed', 'returned')) <> (consumed_at is not null) or (state = 'released') <> (released_at is not null)
        or (state = 'returned') <> (returned_at is not null) or returned_at < consumed_at`,
  },
];
