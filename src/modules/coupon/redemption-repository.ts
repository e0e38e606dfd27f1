import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Discount } from './contract.ts';
import { isCounted, type Redemption } from './redemption.ts';

/**
 * The tail of a statement whose `moved (promotion_id, customer_key, step)` names the uses that came (1), went (-1) or
 * stayed (0): brings the counters to it. A use that comes back after its time is never refused: it happened.
 */
const RECOUNT = `
  counted as (
    select promotion_id, counted_for, sum(step)::integer as step
    from moved cross join lateral (values ('everyone'), (customer_key)) as each (counted_for)
    where counted_for is not null group by promotion_id, counted_for
  ), recounted as (
    update uses u set used = u.used + c.step, allowed = u.allowed + greatest(0, u.used + c.step - u.allowed)
    from counted c where u.promotion_id = c.promotion_id and u.counted_for = c.counted_for and c.step <> 0
  )`;

/** Takes back what ran out of the promotions that `locked (id)` locks. */
const TAKE_BACK = `
  moved as (
    update redemptions r set state = 'released', released_at = :now from locked
    where r.promotion_id = locked.id and r.state = 'reserved' and r.expires_at <= :now
    returning r.promotion_id, r.customer_key, -1 as step
  ), ${RECOUNT}`;

/**
 * Locks these promotions and those of which the order has redemptions, in order of id, and takes back what ran out.
 * Whoever changes redemptions holds the locks of their promotions: so the counters stand still, and nobody waits in a circle.
 */
export async function lockPromotions(
  trx: Transaction,
  { promotionIds, orderId, now }: { promotionIds: readonly string[]; orderId: string; now: Date },
): Promise<void> {
  await rows(
    trx,
    `with locked as (
       select id from promotions
       where id = any (:promotionIds::uuid[]) or id in (select promotion_id from redemptions where order_id = :orderId)
       order by id for no key update
     ), ${TAKE_BACK} select id from locked`,
    { promotionIds: [...promotionIds], orderId, now },
  );
}

/** Takes back everything that ran out, except of promotions that somebody else works on. */
export async function takeBackLapsed(db: Database, now: Date): Promise<void> {
  await rows(
    db,
    `with locked as (
       select id from promotions
       where id in (select promotion_id from redemptions where state = 'reserved' and expires_at <= :now)
       order by id for no key update skip locked
     ), ${TAKE_BACK} select id from locked`,
    { now },
  );
}

interface RedemptionRow {
  order_id: string;
  promotion_id: string;
  customer_key: string | null;
  code: string | null;
  /** bigint, which arrives as text */
  amount: string;
  lines: Redemption['lines'];
  state: Redemption['state'];
  expires_at: Date;
  ends_at: Date | null;
  consumed_at: Date | null;
  released_at: Date | null;
  returned_at: Date | null;
}

/** The dates go with the state: the table's constraints see to it. */
const toRedemption = (row: RedemptionRow) =>
  ({
    orderId: row.order_id,
    promotionId: row.promotion_id,
    customerKey: row.customer_key,
    code: row.code,
    amount: Number(row.amount),
    lines: row.lines,
    expiresAt: row.expires_at,
    endsAt: row.ends_at,
    state: row.state,
    consumedAt: row.consumed_at,
    releasedAt: row.released_at,
    returnedAt: row.returned_at,
  }) as Redemption;

/** The order's redemptions, locked after their promotions, in order of promotion id. */
export async function lockRedemptions(trx: Transaction, orderId: string): Promise<Redemption[]> {
  const locked = await rows<RedemptionRow>(
    trx,
    `select r.*, p.ends_at from promotions p join redemptions r on r.promotion_id = p.id
     where r.order_id = :orderId order by p.id for no key update of p for no key update of r`,
    { orderId },
  );
  return locked.map(toRedemption);
}

/** One use of each, for the order. The counters' constraint refuses what is over a limit. */
export async function takeUses(
  trx: Transaction,
  { discounts, ...use }: { orderId: string; customerKey: string | null; discounts: readonly Discount[]; expiresAt: Date },
): Promise<void> {
  await rows(
    trx,
    `with taken as (
       insert into redemptions (order_id, promotion_id, customer_key, code, amount, lines, state, expires_at)
       select :orderId::uuid, "promotionId", :customerKey, code, amount, lines, 'reserved', :expiresAt::timestamptz
       from jsonb_to_recordset(:discounts::jsonb) as d ("promotionId" uuid, code text, amount bigint, lines jsonb)
       on conflict (order_id, promotion_id) do update set
         customer_key = excluded.customer_key, code = excluded.code, amount = excluded.amount, lines = excluded.lines,
         state = excluded.state, expires_at = excluded.expires_at, released_at = null
       returning promotion_id, customer_key
     )
     insert into uses as u (promotion_id, counted_for, used, allowed)
     select promotion_id, counted_for, 1, allowed
     from taken join promotions p on p.id = promotion_id
     cross join lateral (values ('everyone', total_limit), (customer_key, per_customer_limit)) as each (counted_for, allowed)
     where counted_for is not null
     on conflict (promotion_id, counted_for) do update set used = u.used + 1, allowed = excluded.allowed`,
    { ...use, discounts: JSON.stringify(discounts) },
  );
}

/** The order keeps what it has reserved until `expiresAt`, or longer if it had longer. */
export async function extendReservations(trx: Transaction, orderId: string, expiresAt: Date): Promise<void> {
  await trx.raw(
    `update redemptions set expires_at = greatest(expires_at, :expiresAt) where order_id = :orderId and state = 'reserved'`,
    { orderId, expiresAt },
  );
}

/**
 * Settles what the placed order has reserved. That counts as before, so nobody who uses the same promotions is waited for.
 * Answers whether anything is left to settle: what ran out meanwhile has to be counted again.
 */
export async function consumeReserved(trx: Transaction, orderId: string, at: Date): Promise<boolean> {
  const [settled] = await rows<{ left: boolean }>(
    trx,
    `with consumed as (
       update redemptions set state = 'consumed', consumed_at = :at where order_id = :orderId and state = 'reserved' returning 1
     )
     select (select count(*) from redemptions where order_id = :orderId and state in ('reserved', 'released')) > (select count(*) from consumed) as left`,
    { orderId, at },
  );
  return settled!.left;
}

/** Saves the states of redemptions that are locked, and counts what that gives back or takes. */
export async function saveRedemptions(trx: Transaction, changes: readonly { from: Redemption; to: Redemption }[]): Promise<void> {
  const moved = changes.map(({ from, to }) => ({ ...to, step: Number(isCounted(to)) - Number(isCounted(from)) }));
  await rows(
    trx,
    `with moved as (
       update redemptions r
       set state = c.state, consumed_at = c."consumedAt", released_at = c."releasedAt", returned_at = c."returnedAt"
       from jsonb_to_recordset(:moved::jsonb) as c ("orderId" uuid, "promotionId" uuid, state text, step integer,
         "consumedAt" timestamptz, "releasedAt" timestamptz, "returnedAt" timestamptz)
       where r.order_id = c."orderId" and r.promotion_id = c."promotionId"
       returning r.promotion_id, r.customer_key, c.step
     ), ${RECOUNT} select`,
    { moved: JSON.stringify(moved) },
  );
}
