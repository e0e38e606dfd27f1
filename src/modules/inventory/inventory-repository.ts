import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Movement as ListedMovement, MovementKind } from './contract.ts';
import type { Movement, Stock } from './inventory.ts';

/** Counts are bigint, which arrives as text. */
interface StockRow {
  variant_id: string;
  on_hand: string;
  reserved: string;
  backorder: boolean;
  version: number;
}

const toStock = (row: StockRow): Stock => ({
  variantId: row.variant_id,
  onHand: Number(row.on_hand),
  reserved: Number(row.reserved),
  backorder: row.backorder,
  version: row.version,
});

/** Lines that still count as reserved although their time is over. Few: the sweep tidies them. */
export const LAPSED = `
  select l.order_id, l.variant_id, l.quantity
  from reservations r join reservation_lines l using (order_id)
  where r.state = 'held' and r.expires_at <= :now and l.held`;

const LEVELS = `
  with lapsed as (select variant_id, sum(quantity) as quantity from (${LAPSED}) as line group by variant_id)
  select variant_id, on_hand, reserved - coalesce(lapsed.quantity, 0) as reserved, backorder, version
  from stock_items left join lapsed using (variant_id)`;

/** In the order asked for; ids that are not known are left out. */
export async function findLevels(db: Database | Transaction, variantIds: readonly string[], now: Date): Promise<Stock[]> {
  const found = await rows<StockRow>(
    db,
    `select level.* from unnest(:variantIds::uuid[]) with ordinality as wanted (variant_id, place)
     join (${LEVELS} where variant_id = any (:variantIds::uuid[])) as level using (variant_id)
     order by place`,
    { variantIds: [...variantIds], now },
  );
  return found.map(toStock);
}

export interface LevelPage {
  below: number | undefined;
  after: string | undefined;
  limit: number;
  now: Date;
}

export async function listLevels(db: Database, { below, after, limit, now }: LevelPage): Promise<Stock[]> {
  const found = await rows<StockRow>(
    db,
    `select * from (${LEVELS}) as level
     where (:after::uuid is null or variant_id > :after::uuid) and (:below::bigint is null or on_hand - reserved < :below::bigint)
     order by variant_id limit :limit`,
    { below: below ?? null, after: after ?? null, limit, now },
  );
  return found.map(toStock);
}

export interface MovementPage {
  variantId: string;
  before: { version: number; id: string } | undefined;
  limit: number;
}

interface MovementRow {
  id: string;
  variant_id: string;
  kind: MovementKind;
  delta: string;
  cause_id: string;
  note: string;
  version: number;
  at: Date;
}

/** Newest first, each with the version of the item that it led to. */
export async function listMovements(
  db: Database,
  { variantId, before, limit }: MovementPage,
): Promise<{ version: number; movement: ListedMovement }[]> {
  const found = await rows<MovementRow>(
    db,
    `select id, variant_id, kind, delta, cause_id, note, version, at from stock_movements
     where variant_id = :variantId and (:version::integer is null or (version, id) < (:version::integer, :id::uuid))
     order by version desc, id desc limit :limit`,
    { variantId, version: before?.version ?? null, id: before?.id ?? null, limit },
  );
  return found.map(({ version, ...row }) => ({ version, movement: toMovement(row) }));
}

const toMovement = (row: Omit<MovementRow, 'version'>): ListedMovement => ({
  id: row.id,
  variantId: row.variant_id,
  kind: row.kind,
  delta: Number(row.delta),
  causeId: row.cause_id,
  note: row.note,
  at: row.at.toISOString(),
});

/**
 * Locks the rows of these variants and of those reserved for `orderId`, in order of variant id. Whoever changes a row,
 * or which lines count in its `reserved`, holds its lock: so nobody waits in a circle, and what is read afterwards stays.
 */
export async function lockStock(trx: Transaction, variantIds: readonly string[], orderId: string | null = null): Promise<Stock[]> {
  const locked = await rows<StockRow>(
    trx,
    `select variant_id, on_hand, reserved, backorder, version from stock_items
     where variant_id = any (array(
       select unnest(:variantIds::uuid[]) union select variant_id from reservation_lines where order_id = :orderId::uuid
     ))
     order by variant_id for update`,
    { variantIds: [...variantIds], orderId },
  );
  return locked.map(toStock);
}

/** Locks rows on which held lines have run out, up to `limit`, passing over those that are busy. */
export async function lockLapsedStock(trx: Transaction, now: Date, limit: number): Promise<Stock[]> {
  const locked = await rows<StockRow>(
    trx,
    `select variant_id, on_hand, reserved, backorder, version from stock_items
     where variant_id in (select distinct variant_id from (${LAPSED}) as line limit :limit)
     order by variant_id for update skip locked`,
    { now, limit },
  );
  return locked.map(toStock);
}

/** Rows for variants that have none yet. */
export async function addMissingItems(trx: Transaction, variantIds: readonly string[]): Promise<void> {
  await trx.raw(
    `insert into stock_items (variant_id) select variant_id from unnest(:variantIds::uuid[]) as wanted (variant_id)
     order by variant_id on conflict do nothing`,
    { variantIds: [...variantIds] },
  );
}

export type NewMovement = Movement & { id: string; causeId: string; version: number; at: Date };

export const CHANGES = `
  stock as (
    update stock_items s set on_hand = c."onHand", reserved = c.reserved, backorder = c.backorder, version = c.version
    from jsonb_to_recordset(:stock::jsonb) as c ("variantId" uuid, "onHand" bigint, reserved bigint, backorder boolean, version integer)
    where s.variant_id = c."variantId"
  ), movement as (
    insert into stock_movements (id, variant_id, kind, delta, cause_id, note, version, at)
    select id, "variantId", kind, delta, "causeId", note, version, at from jsonb_to_recordset(:movements::jsonb)
      as m (id uuid, "variantId" uuid, kind text, delta bigint, "causeId" text, note text, version integer, at timestamptz)
  )`;

export interface Changes {
  stock: readonly Stock[];
  movements: readonly NewMovement[];
}

export const asJson = ({ stock, movements }: Changes) => ({ stock: JSON.stringify(stock), movements: JSON.stringify(movements) });

export async function saveStock(trx: Transaction, changes: Changes): Promise<void> {
  await trx.raw(`with ${CHANGES} select`, asJson(changes));
}

/** Records the id of an adjustment; false when it is known already. */
export async function addAdjustment(trx: Transaction, adjustment: { adjustmentId: string; digest: string; at: Date }): Promise<boolean> {
  const added = await trx('adjustments')
    .insert({ adjustment_id: adjustment.adjustmentId, digest: adjustment.digest, at: adjustment.at })
    .onConflict()
    .ignore()
    .returning('adjustment_id');
  return added.length > 0;
}

export async function findAdjustmentDigest(trx: Transaction, adjustmentId: string): Promise<string | undefined> {
  const found = await trx('adjustments').where({ adjustment_id: adjustmentId }).first('digest');
  return found?.digest;
}
