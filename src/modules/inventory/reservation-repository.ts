import { rows, type Transaction } from '../../shared/database.ts';
import type { Line, Reservation, ReservationLine } from './inventory.ts';
import { asJson, CHANGES, type Changes, LAPSED } from './inventory-repository.ts';

export interface LapsedLine extends Line {
  orderId: string;
}

export interface Holds {
  /** the order's own, with lines that have run out and were not taken by others */
  reservation: Reservation | undefined;
  /** other orders' lines on these variants whose time is over */
  lapsed: LapsedLine[];
}

interface HoldRow {
  own: boolean;
  order_id: string;
  state: Reservation['state'];
  expires_at: Date;
  variant_id: string | null;
  quantity: number;
  held: boolean;
  sold: number;
}

/** To be asked once the variants are locked: a statement sees what was committed before it began. */
export async function findHolds(
  trx: Transaction,
  { variantIds, orderId = null, now }: { variantIds: readonly string[]; orderId?: string | null; now: Date },
): Promise<Holds> {
  const found = await rows<HoldRow>(
    trx,
    `select true as own, r.order_id, r.state, r.expires_at, l.variant_id, l.quantity, l.held, l.sold
     from reservations r left join reservation_lines l using (order_id) where r.order_id = :orderId::uuid
     union all
     select false, order_id, 'held', null, variant_id, quantity, true, 0 from (${LAPSED}) as line
     where variant_id = any (:variantIds::uuid[]) and order_id is distinct from :orderId::uuid`,
    { variantIds: [...variantIds], orderId, now },
  );
  const lapsed = found.filter(({ own }) => !own).map((row) => ({ orderId: row.order_id, ...toLine(row) }));
  return { reservation: toReservation(found.filter(({ own }) => own)), lapsed };
}

function toReservation(found: readonly HoldRow[]): Reservation | undefined {
  const [first] = found;
  if (!first) return undefined;
  const lines = found.filter(({ variant_id }) => variant_id !== null).map(toLine);
  return first.state === 'held' ? { state: first.state, expiresAt: first.expires_at, lines } : { state: first.state, lines };
}

const toLine = ({ variant_id, quantity, held, sold }: HoldRow): ReservationLine => ({ variantId: variant_id!, quantity, held, sold });

/** Lines that stop counting as reserved; their variants are locked. */
export async function freeLines(trx: Transaction, lines: readonly LapsedLine[]): Promise<void> {
  await trx.raw(
    `update reservation_lines l set held = false
     from unnest(:orderIds::uuid[], :variantIds::uuid[]) as freed (order_id, variant_id)
     where l.order_id = freed.order_id and l.variant_id = freed.variant_id`,
    { orderIds: lines.map(({ orderId }) => orderId), variantIds: lines.map(({ variantId }) => variantId) },
  );
}

/** Ends reservations whose time is over and of which nothing is held any more. */
export async function endLapsed(trx: Transaction, now: Date): Promise<void> {
  await trx.raw(
    `update reservations set state = 'released', expires_at = null where order_id in (
       select order_id from reservations r
       where state = 'held' and expires_at <= :now
         and not exists (select from reservation_lines l where l.order_id = r.order_id and l.held)
       order by order_id for update skip locked
     )`,
    { now },
  );
}

export interface ReservationChange extends Changes {
  orderId: string;
  /** undefined: there was none */
  from: Reservation['state'] | undefined;
  reservation: Reservation;
}

/** Saves it all, unless the reservation is not in state `from` any more: then answers false and the caller starts anew. */
export async function saveReservation(trx: Transaction, { orderId, from, reservation, ...changes }: ReservationChange): Promise<boolean> {
  const saved = await rows(
    trx,
    `with ${CHANGES}, reservation as (
       insert into reservations as r (order_id, state, expires_at) values (:orderId, :state, :expiresAt)
       on conflict (order_id) do update set state = excluded.state, expires_at = excluded.expires_at where r.state = :from
       returning order_id
     ), line as (
       insert into reservation_lines as l (order_id, variant_id, quantity, held, sold)
       select order_id, "variantId", quantity, held, sold
       from reservation, jsonb_to_recordset(:lines::jsonb) as n ("variantId" uuid, quantity integer, held boolean, sold integer)
       on conflict (order_id, variant_id) do update set quantity = excluded.quantity, held = excluded.held, sold = excluded.sold
       where (l.quantity, l.held, l.sold) is distinct from (excluded.quantity, excluded.held, excluded.sold)
     )
     select order_id from reservation`,
    {
      ...asJson(changes),
      orderId,
      from: from ?? null,
      state: reservation.state,
      expiresAt: reservation.state === 'held' ? reservation.expiresAt : null,
      lines: JSON.stringify(reservation.lines),
    },
  );
  return saved.length > 0;
}
