import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Currency } from '../../shared/money.ts';
import type { Basket, Promotion, PromotionDraft } from './contract.ts';
import { type Candidate, customerKey } from './coupon.ts';
import { normalizeCode, type Terms, type Window } from './promotion.ts';

interface TermsRow {
  id: string;
  name: string;
  class: Terms['class'];
  benefit: Terms['benefit'];
  currency: Currency | null;
  scope: Terms['scope'];
  /** bigint, which arrives as text */
  minimum_spend: string;
  starts_at: Date | null;
  ends_at: Date | null;
  total_limit: number | null;
  per_customer_limit: number | null;
  combines_with: Terms['combinesWith'];
  exclusive: boolean;
  priority: number;
  active: boolean;
}

const toTerms = (row: TermsRow): Terms => ({
  id: row.id,
  name: row.name,
  class: row.class,
  benefit: row.benefit,
  currency: row.currency,
  scope: row.scope,
  minimumSpend: Number(row.minimum_spend),
  startsAt: row.starts_at,
  endsAt: row.ends_at,
  totalLimit: row.total_limit,
  perCustomerLimit: row.per_customer_limit,
  combinesWith: row.combines_with,
  exclusive: row.exclusive,
  priority: row.priority,
  active: row.active,
});

interface CandidateRow extends TermsRow {
  codes: string[] | null;
  used: number;
  used_by_customer: number;
}

/**
 * The promotions of the basket's codes, and the automatic ones that are on, with how much of their limits is used. What
 * ran out counts no more, whether or not it was taken back yet. While `reservingFor` an order, what counts is what the
 * locked counters say, but for what the order itself has reserved: that stands in nobody's way.
 */
export async function findCandidates(
  db: Database | Transaction,
  { basket, now, reservingFor = null }: { basket: Basket; now: Date; reservingFor?: string | null },
): Promise<Candidate[]> {
  const found = await rows<CandidateRow>(
    db,
    `with candidate as (
       select promotion_id as id, array_agg(code) as codes from promotion_codes
       where normalized = any (:codes::text[]) group by promotion_id
       union all
       select id, null from promotions
       where automatic and active and coalesce(currency = :currency, true)
         and coalesce(starts_at <= :now, true) and coalesce(ends_at > :now, true)
     )
     select p.*, candidate.codes,
       (select used from uses where promotion_id = p.id and counted_for = 'everyone') - free.of_everyone as used,
       coalesce((select used from uses where promotion_id = p.id and counted_for = :customerKey), 0) - free.of_customer as used_by_customer
     from candidate
     join promotions p using (id)
     cross join lateral (
       select count(*)::integer as of_everyone, (count(*) filter (where customer_key = :customerKey))::integer as of_customer
       from redemptions
       where promotion_id = p.id and state = 'reserved'
         and case when :reservingFor::uuid is null then expires_at <= :now else order_id = :reservingFor end
     ) as free`,
    { codes: basket.codes.map(normalizeCode), currency: basket.currency, customerKey: customerKey(basket), now, reservingFor },
  );
  return found.map((row) => ({ terms: toTerms(row), codes: row.codes ?? [], used: row.used, usedByCustomer: row.used_by_customer }));
}

interface PromotionRow extends TermsRow {
  starts_typed: string | null;
  ends_typed: string | null;
  version: number;
  created_at: Date;
  codes: string[];
  used: number;
}

const toPromotion = (row: PromotionRow): Promotion => ({
  ...toTerms(row),
  startsAt: row.starts_typed,
  endsAt: row.ends_typed,
  codes: row.codes,
  version: row.version,
  used: row.used,
  createdAt: row.created_at.toISOString(),
});

const PROMOTIONS = `
  select p.*,
    array(select code from promotion_codes where promotion_id = p.id order by place) as codes,
    u.used - (
      select count(*)::integer from redemptions where promotion_id = p.id and state = 'reserved' and expires_at <= :now
    ) as used
  from promotions p join uses u on u.promotion_id = p.id and u.counted_for = 'everyone'`;

export async function findPromotion(db: Database | Transaction, id: string, now: Date): Promise<Promotion | undefined> {
  const [found] = await rows<PromotionRow>(db, `${PROMOTIONS} where p.id = :id`, { id, now });
  return found && toPromotion(found);
}

export interface PromotionPage {
  code: string | undefined;
  after: { createdAt: string; id: string } | undefined;
  limit: number;
  now: Date;
}

/** Newest first. */
export async function listPromotions(db: Database, { code, after, limit, now }: PromotionPage): Promise<Promotion[]> {
  const found = await rows<PromotionRow>(
    db,
    `${PROMOTIONS}
     where (:code::text is null or p.id = (select promotion_id from promotion_codes where normalized = :code))
       and (:createdAt::timestamptz is null or (p.created_at, p.id) < (:createdAt::timestamptz, :id::uuid))
     order by p.created_at desc, p.id desc limit :limit`,
    { code: code === undefined ? null : normalizeCode(code), createdAt: after?.createdAt ?? null, id: after?.id ?? null, limit, now },
  );
  return found.map(toPromotion);
}

export interface Writing {
  id: string;
  draft: PromotionDraft;
  window: Window;
}

/** False when there is one with this id already. */
export async function addPromotion(trx: Transaction, { id, draft, window }: Writing, createdAt: Date): Promise<boolean> {
  const added = await trx('promotions')
    .insert({ id, ...columnsOf(draft, window), created_at: createdAt })
    .onConflict('id')
    .ignore()
    .returning('id');
  if (added.length === 0) return false;
  await trx('uses').insert({ promotion_id: id, counted_for: 'everyone', used: 0, allowed: draft.totalLimit });
  return true;
}

/** False when `version` is not the promotion's current one, or there is none. */
export async function replacePromotion(trx: Transaction, { id, draft, window }: Writing, version: number): Promise<boolean> {
  const changed = await trx('promotions').where({ id, version }).update({ ...columnsOf(draft, window), version: version + 1 });
  return changed > 0;
}

const columnsOf = (draft: PromotionDraft, { startsAt, endsAt }: Window) => ({
  name: draft.name,
  class: draft.class,
  benefit: JSON.stringify(draft.benefit),
  currency: draft.currency,
  scope: JSON.stringify(draft.scope),
  minimum_spend: draft.minimumSpend,
  starts_typed: draft.startsAt,
  ends_typed: draft.endsAt,
  starts_at: startsAt,
  ends_at: endsAt,
  total_limit: draft.totalLimit,
  per_customer_limit: draft.perCustomerLimit,
  combines_with: draft.combinesWith,
  exclusive: draft.exclusive,
  priority: draft.priority,
  automatic: draft.codes.length === 0,
  active: draft.active,
});

/** Puts these codes in the place of the promotion's old ones. Answers those that belong to another promotion. */
export async function replaceCodes(trx: Transaction, promotionId: string, codes: readonly string[]): Promise<string[]> {
  await trx('promotion_codes').where({ promotion_id: promotionId }).delete();
  if (codes.length === 0) return [];
  const added = await rows<{ code: string }>(
    trx,
    `insert into promotion_codes (normalized, code, promotion_id, place)
     select normalized, code, :promotionId, place
     from unnest(:normalized::text[], :codes::text[]) with ordinality as wanted (normalized, code, place)
     order by normalized on conflict (normalized) do nothing returning code`,
    { promotionId, normalized: codes.map(normalizeCode), codes: [...codes] },
  );
  const free = new Set(added.map(({ code }) => code));
  return codes.filter((code) => !free.has(code));
}
