import { createHash } from 'node:crypto';
import { z } from 'zod';
import { toAuditPage } from '../../shared/audit.ts';
import { transaction } from '../../shared/database.ts';
import { conflict } from '../../shared/errors.ts';
import { encodeCursor, readCursor } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findViolations } from '../../shared/violations.ts';
import { findReservationFacts, INVENTORY_CHECKS } from './audit-repository.ts';
import type { Inventory } from './contract.ts';
import { adjust, mergeAdjustments, type Movement, nothingOf, release, reserve, setBackorder, type Stock, sumPerVariant, toLevel } from './inventory.ts';
import { addAdjustment, addMissingItems, findAdjustmentDigest, findLevels, listLevels, listMovements } from './inventory-repository.ts';
import type { StockFlow } from './stock-flow.ts';

export function createInventoryService({ db, now }: ModuleContext, flow: StockFlow): Inventory {
  return {
    async getLevels({ variantIds }) {
      return { levels: inOrder(variantIds, await findLevels(db, variantIds, now())) };
    },

    async reserve({ orderId, lines, expiresAt }) {
      const demand = sumPerVariant(lines);
      const variantIds = demand.map(({ variantId }) => variantId);
      const until = new Date(expiresAt);
      await transaction(db, (trx) => flow.changeReservation(trx, orderId, variantIds, (books) => reserve(books, demand, until)));
      return {};
    },

    async release({ orderId }) {
      await transaction(db, (trx) => flow.changeReservation(trx, orderId, [], release));
      return {};
    },

    async adjust({ adjustmentId, adjustments }) {
      const entries = mergeAdjustments(adjustments);
      const movements = entries.filter(({ delta }) => delta !== 0);
      const variantIds = [...new Set(adjustments.map(({ variantId }) => variantId.toLowerCase()))];
      const digest = digestOf(entries);
      const stock = await transaction(db, async (trx) => {
        if (!(await addAdjustment(trx, { adjustmentId, digest, at: now() }))) {
          if ((await findAdjustmentDigest(trx, adjustmentId)) !== digest) throw adjustmentConflict();
          return findLevels(trx, variantIds, now());
        }
        await addMissingItems(trx, variantIds);
        return flow.changeStock(trx, variantIds, (before) => adjust(before, movements), { movements, causeId: adjustmentId });
      });
      return { levels: inOrder(variantIds, stock) };
    },

    async setBackorder({ variantId, backorder }) {
      const [stock] = await transaction(db, async (trx) => {
        await addMissingItems(trx, [variantId]);
        return flow.changeStock(trx, [variantId], (before) => setBackorder(before, backorder));
      });
      return toLevel(stock!);
    },

    async listLevels({ below, cursor, limit }) {
      const after = cursor === undefined ? undefined : readCursor(LevelKey, cursor)[0];
      const found = await listLevels(db, { below, after, limit: limit + 1, now: now() });
      return pageOf(found.map(toLevel), limit, ({ variantId }) => [variantId]);
    },

    async listMovements({ variantId, cursor, limit }) {
      const key = cursor === undefined ? undefined : readCursor(MovementKey, cursor);
      const before = key && { version: key[0], id: key[1] };
      const found = await listMovements(db, { variantId, before, limit: limit + 1 });
      const { items, nextCursor } = pageOf(found, limit, ({ version, movement }) => [version, movement.id]);
      return { items: items.map(({ movement }) => movement), nextCursor };
    },

    audit: async (range) => toAuditPage(await findReservationFacts(db, range), range.limit),

    auditOwn: async () => ({ violations: await findViolations(db, INVENTORY_CHECKS) }),
  };
}

const LevelKey = z.tuple([Id]);
const MovementKey = z.tuple([z.int32(), Id]);

/** One row more than asked for tells that another page follows. */
function pageOf<Item>(found: Item[], limit: number, keyOf: (item: Item) => (string | number)[]) {
  const items = found.slice(0, limit);
  return { items, nextCursor: found.length > limit ? encodeCursor(keyOf(items.at(-1)!)) : null };
}

function inOrder(variantIds: readonly string[], stock: readonly Stock[]) {
  const byId = new Map(stock.map((item) => [item.variantId, item]));
  return variantIds.map((id) => toLevel(byId.get(id.toLowerCase()) ?? nothingOf(id.toLowerCase())));
}

const digestOf = (entries: readonly Movement[]) => createHash('sha256').update(JSON.stringify(entries)).digest('hex');

const adjustmentConflict = () => conflict('adjustment_conflict', 'This adjustment was recorded before with other entries.');
