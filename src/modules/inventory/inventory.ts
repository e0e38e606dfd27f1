import { conflict } from '../../shared/errors.ts';
import type { Adjustment, MovementKind, StockLevel } from './contract.ts';

/** What is there of one variant. Lists of it keep their order through every function below. */
export interface Stock {
  variantId: string;
  onHand: number;
  reserved: number;
  backorder: boolean;
  version: number;
}

export interface Line {
  variantId: string;
  quantity: number;
}

/** `held`: counted in the variant's `reserved`. `sold`: pieces that left with the order. */
export interface ReservationLine extends Line {
  held: boolean;
  sold: number;
}

/** `cancelled` is final; a `released` one may be taken anew. Only `held` ones run out, and by time alone. */
export type Reservation = { lines: ReservationLine[] } & (
  | { state: 'held'; expiresAt: Date }
  | { state: 'committed' | 'released' | 'cancelled' }
);

export interface Movement {
  variantId: string;
  kind: MovementKind;
  delta: number;
  note: string;
}

/** An adjustment as a caller gives it. */
export type Entry = Omit<Adjustment, 'note'> & { note?: string | undefined };

/** What one order's decision starts from: the stock it touches, free of other orders' lapsed holds, and its own reservation. */
export interface Books {
  stock: readonly Stock[];
  reservation: Reservation | undefined;
}

export interface Decision {
  stock: readonly Stock[];
  reservation: Reservation;
  movements: Movement[];
}

/**
 * Holds `demand` until `expiresAt`, all of it or nothing. What the order holds already is not taken twice and never in
 * its own way. Undefined: nothing to do, it is sold already.
 */
export function reserve({ stock, reservation }: Books, demand: readonly Line[], expiresAt: Date): Decision | undefined {
  if (reservation?.state === 'committed') return undefined;
  if (reservation && !mayHold(reservation, demand)) {
    throw conflict('reservation_conflict', 'The order was cancelled, or was reserved with other lines.');
  }
  return {
    stock: hold(letGo(stock, heldBy(reservation)), demand),
    reservation: {
      state: 'held',
      expiresAt: reservation?.state === 'held' ? later(reservation.expiresAt, expiresAt) : expiresAt,
      lines: demand.map((line) => ({ ...line, held: true, sold: 0 })),
    },
    movements: [],
  };
}

const mayHold = ({ state, lines }: Reservation, demand: readonly Line[]) =>
  state !== 'cancelled' &&
  lines.length === demand.length &&
  demand.every(({ variantId, quantity }) => lines.some((line) => line.variantId === variantId && line.quantity === quantity));

const later = (a: Date, b: Date) => (a > b ? a : b);

function hold(stock: readonly Stock[], demand: readonly Line[]): Stock[] {
  const short = demand
    .map(({ variantId, quantity }) => ({ variantId, requested: quantity, item: itemOf(stock, variantId) }))
    .filter(({ requested, item }) => !item.backorder && available(item) < requested)
    .map(({ variantId, requested, item }) => ({ variantId, requested, available: available(item) }));
  if (short.length > 0) throw conflict('out_of_stock', 'Not enough pieces are available.', { lines: short });
  return shift(stock, demand, (item, quantity) => ({ ...item, reserved: item.reserved + quantity }));
}

/** Gives pieces that were held back to whoever wants them. */
export const letGo = (stock: readonly Stock[], lines: readonly Line[]): Stock[] =>
  shift(stock, lines, (item, quantity) => ({ ...item, reserved: item.reserved - quantity }));

/**
 * Sells `demand` to an order that is placed, whatever became of its hold: an order that is paid cannot be refused any
 * more. Pieces it still holds are its own; others are taken if they are free. What cannot be had is not sold: on hand
 * never lies, other orders keep what they hold, and line and ledger show what is missing.
 */
export function commit({ stock, reservation }: Books, demand: readonly Line[]): Decision | undefined {
  if (reservation?.state === 'committed' || reservation?.state === 'cancelled') return undefined;
  const free = letGo(stock, heldBy(reservation));
  const lines = demand.map((line) => ({ ...line, held: false, sold: Math.min(line.quantity, sellable(itemOf(free, line.variantId))) }));
  return {
    stock: shift(free, lines.map(sale), (item, quantity) => ({ ...item, onHand: item.onHand - quantity })),
    reservation: { state: 'committed', lines: [...lines, ...without(reservation, demand)] },
    movements: lines.map((line) => ({ variantId: line.variantId, kind: 'sold', delta: 0 - line.sold, note: missingNote(line) })),
  };
}

const sale = ({ variantId, sold }: ReservationLine): Line => ({ variantId, quantity: sold });

const sellable = (item: Stock) => (item.backorder ? Infinity : available(item));

const missingNote = ({ quantity, sold }: ReservationLine) =>
  sold === quantity ? '' : `${quantity - sold} of ${quantity} missing: the hold had run out and the pieces were gone.`;

/** Lines of a reservation that an order turned out not to have. */
const without = (reservation: Reservation | undefined, demand: readonly Line[]) =>
  (reservation?.lines ?? [])
    .filter((line) => !demand.some(({ variantId }) => variantId === line.variantId))
    .map((line) => ({ ...line, held: false }));

/** Gives back what is held. Undefined: nothing is. */
export function release({ stock, reservation }: Books): Decision | undefined {
  if (reservation?.state !== 'held') return undefined;
  return { stock: letGo(stock, heldBy(reservation)), reservation: { state: 'released', lines: unheld(reservation) }, movements: [] };
}

/** Undoes an order for good: what it holds is let go, what was sold comes back, once. Undefined: that was done before. */
export function cancel({ stock, reservation }: Books): Decision | undefined {
  if (reservation?.state === 'cancelled') return undefined;
  const sales = reservation?.state === 'committed' ? reservation.lines.filter(({ sold }) => sold > 0).map(sale) : [];
  return {
    stock: shift(letGo(stock, heldBy(reservation)), sales, (item, quantity) => ({ ...item, onHand: item.onHand + quantity })),
    reservation: { state: 'cancelled', lines: unheld(reservation) },
    movements: sales.map(({ variantId, quantity }) => ({ variantId, kind: 'cancelled', delta: quantity, note: '' })),
  };
}

const heldBy = (reservation: Reservation | undefined) => reservation?.lines.filter((line) => line.held) ?? [];
const unheld = (reservation: Reservation | undefined) => (reservation?.lines ?? []).map((line) => ({ ...line, held: false }));

/** One per variant and kind: deltas summed (to 0 perhaps), notes joined. */
export function mergeAdjustments(adjustments: readonly Entry[]): Movement[] {
  const byKey = Map.groupBy(adjustments, ({ variantId, kind }) => `${variantId.toLowerCase()} ${kind}`);
  return [...byKey]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, entries]) => ({
      variantId: key.split(' ')[0]!,
      kind: entries[0]!.kind,
      delta: sum(entries.map(({ delta }) => delta)),
      note: [...new Set(entries.map(({ note }) => note).filter(Boolean))].join('; '),
    }));
}

/** All of the movements, or `below_reserved` with the variants of which too little would be left. */
export function adjust(stock: readonly Stock[], movements: readonly Movement[]): Stock[] {
  const deltas = movements.map(({ variantId, delta }) => ({ variantId, quantity: delta }));
  return keepingPromises(shift(stock, deltas, (item, delta) => ({ ...item, onHand: item.onHand + delta })));
}

export const setBackorder = (stock: readonly Stock[], backorder: boolean): Stock[] =>
  keepingPromises(stock.map((item) => ({ ...item, backorder })));

function keepingPromises(stock: Stock[]): Stock[] {
  const below = stock.filter((item) => !item.backorder && available(item) < 0);
  if (below.length === 0) return stock;
  throw conflict('below_reserved', 'Fewer pieces would be there than are held for shoppers.', {
    variants: below.map(({ variantId, onHand, reserved }) => ({ variantId, onHand, reserved })),
  });
}

/** Each variant once, in order of its id: the order in which rows are locked. */
export function sumPerVariant(lines: readonly Line[]): Line[] {
  const byVariant = Map.groupBy(lines, ({ variantId }) => variantId.toLowerCase());
  return [...byVariant]
    .map(([variantId, same]) => ({ variantId, quantity: sum(same.map(({ quantity }) => quantity)) }))
    .toSorted((a, b) => (a.variantId < b.variantId ? -1 : 1));
}

/** `after` with a higher version wherever something differs from `before`. */
export const versioned = (before: readonly Stock[], after: readonly Stock[]): Stock[] =>
  after.map((item, index) => (isSame(item, before[index]!) ? item : { ...item, version: item.version + 1 }));

const isSame = (a: Stock, b: Stock) => a.onHand === b.onHand && a.reserved === b.reserved && a.backorder === b.backorder;

/** Whether a shop front would show something else now. */
export const sellsDifferently = (before: Stock, after: Stock) =>
  available(before) !== available(after) || before.backorder !== after.backorder;

export const toLevel = (item: Stock): StockLevel => ({ ...item, available: available(item) });

export const nothingOf = (variantId: string): Stock => ({ variantId, onHand: 0, reserved: 0, backorder: false, version: 0 });

const available = ({ onHand, reserved }: Stock) => onHand - reserved;

const itemOf = (stock: readonly Stock[], variantId: string) => stock.find((item) => item.variantId === variantId) ?? nothingOf(variantId);

function shift(stock: readonly Stock[], lines: readonly Line[], change: (item: Stock, quantity: number) => Stock): Stock[] {
  const quantities = new Map(sumPerVariant(lines).map(({ variantId, quantity }) => [variantId, quantity]));
  return stock.map((item) => (quantities.has(item.variantId) ? change(item, quantities.get(item.variantId)!) : item));
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
