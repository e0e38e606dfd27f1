import { toAuditPage } from '../../shared/audit.ts';
import { conflict, invalid } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor } from '../../shared/http.ts';
import { newId } from '../../shared/ids.ts';
import type { Inventory, Movement } from './contract.ts';
import * as domain from './inventory.ts';

export interface FakeInventory extends Inventory {
  /** sets what is on hand, with no word in the ledger */
  arrange(variantId: string, onHand: number, options?: { backorder?: boolean }): void;
  /** what order.placed, order.cancelled and order.expired do */
  place(orderId: string, lines: domain.Line[]): void;
  cancel(orderId: string): void;
  expire(orderId: string): void;
  reservationOf(orderId: string): domain.Reservation | undefined;
}

/** Inventory in memory: the same decisions, with nothing kept and nobody told. */
export function createFakeInventory({ now = () => new Date() } = {}): FakeInventory {
  const items = new Map<string, domain.Stock>();
  const reservations = new Map<string, domain.Reservation>();
  const ledger: Movement[] = [];
  const adjustments = new Map<string, string>();

  const itemOf = (variantId: string) => items.get(variantId) ?? domain.nothingOf(variantId);

  /** Lines of others whose time is over stop counting, as they do in the database when somebody wants the pieces. */
  function freeLapsed(exceptOrder?: string): void {
    for (const [orderId, reservation] of reservations) {
      if (orderId === exceptOrder || reservation.state !== 'held' || reservation.expiresAt > now()) continue;
      const { stock, reservation: ended } = domain.release({ stock: [...items.values()], reservation })!;
      save(stock);
      reservations.set(orderId, ended);
    }
  }

  function save(after: readonly domain.Stock[]): void {
    const before = after.map(({ variantId }) => itemOf(variantId));
    for (const item of domain.versioned(before, after)) items.set(item.variantId, item);
  }

  function enter(movements: readonly domain.Movement[], causeId: string): void {
    ledger.unshift(...movements.map((movement) => ({ ...movement, id: newId(), causeId, at: now().toISOString() })));
  }

  function change(orderId: string, decide: (books: domain.Books) => domain.Decision | undefined): void {
    freeLapsed(orderId);
    const decision = decide({ stock: [...items.values()], reservation: reservations.get(orderId) });
    if (!decision) return;
    save(decision.stock);
    reservations.set(orderId, decision.reservation);
    enter(decision.movements, orderId);
  }

  const levelOf = (variantId: string) => {
    freeLapsed();
    return domain.toLevel(itemOf(variantId.toLowerCase()));
  };

  return {
    arrange: (variantId, onHand, { backorder = false } = {}) => save([{ ...itemOf(variantId), onHand, backorder }]),
    place: (orderId, lines) => change(orderId, (books) => domain.commit(books, domain.sumPerVariant(lines))),
    cancel: (orderId) => change(orderId, domain.cancel),
    expire: (orderId) => change(orderId, domain.release),
    reservationOf: (orderId) => reservations.get(orderId),

    getLevels: async ({ variantIds }) => ({ levels: variantIds.map(levelOf) }),

    async reserve({ orderId, lines, expiresAt }) {
      change(orderId, (books) => domain.reserve(books, domain.sumPerVariant(lines), new Date(expiresAt)));
      return {};
    },

    async release({ orderId }) {
      change(orderId, domain.release);
      return {};
    },

    async adjust({ adjustmentId, adjustments: entries }) {
      const merged = domain.mergeAdjustments(entries);
      const variantIds = [...new Set(entries.map(({ variantId }) => variantId.toLowerCase()))];
      const recorded = adjustments.get(adjustmentId);
      if (recorded !== undefined && recorded !== JSON.stringify(merged)) {
        throw conflict('adjustment_conflict', 'This adjustment was recorded before with other entries.');
      }
      if (recorded === undefined) {
        freeLapsed();
        const movements = merged.filter(({ delta }) => delta !== 0);
        save(domain.adjust(variantIds.map(itemOf), movements));
        enter(movements, adjustmentId);
        adjustments.set(adjustmentId, JSON.stringify(merged));
      }
      return { levels: variantIds.map(levelOf) };
    },

    async setBackorder({ variantId, backorder }) {
      freeLapsed();
      save(domain.setBackorder([itemOf(variantId.toLowerCase())], backorder));
      return levelOf(variantId);
    },

    async listLevels({ below = Infinity, cursor, limit }) {
      const levels = [...items.keys()].toSorted().map(levelOf);
      return paged(levels.filter(({ available }) => available < below), ({ variantId }) => variantId, { cursor, limit });
    },

    listMovements: async ({ variantId, cursor, limit }) =>
      paged(ledger.filter((movement) => movement.variantId === variantId.toLowerCase()), ({ id }) => id, { cursor, limit }),

    async audit({ from, limit }) {
      const facts = [...reservations].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([orderId, reservation]) => ({
        orderId,
        state: reservation.state,
        expiresAt: reservation.state === 'held' ? reservation.expiresAt.toISOString() : null,
        lines: reservation.lines.map(({ variantId, quantity, sold }) => ({ variantId, quantity, sold })),
      }));
      return toAuditPage(facts.filter(({ orderId }) => from === null || orderId >= from), limit);
    },
    auditOwn: async () => ({ violations: [] }),
  };
}

function paged<Item>(items: readonly Item[], keyOf: (item: Item) => string, { cursor, limit }: { cursor?: string | undefined; limit: number }) {
  const last = cursor === undefined ? -1 : items.findIndex((item) => keyOf(item) === decodeCursor(cursor)?.[0]);
  if (cursor !== undefined && last < 0) throw invalid('invalid_cursor', 'The cursor is not one of ours.');
  const found = items.slice(last + 1, last + 1 + limit);
  return { items: found, nextCursor: last + 1 + limit < items.length ? encodeCursor([keyOf(found.at(-1)!)]) : null };
}
