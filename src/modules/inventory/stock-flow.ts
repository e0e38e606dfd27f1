import { type Transaction, transaction } from '../../shared/database.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { inventoryContract } from './contract.ts';
import { type Books, type Decision, letGo, type Movement, type Reservation, sellsDifferently, type Stock, toLevel, versioned } from './inventory.ts';
import { lockLapsedStock, lockStock, type NewMovement, saveStock } from './inventory-repository.ts';
import { endLapsed, findHolds, freeLines, type LapsedLine, saveReservation } from './reservation-repository.ts';

/** Most variants that one turn of the sweep locks. */
const SWEPT_AT_ONCE = 100;

export type StockFlow = ReturnType<typeof createStockFlow>;

/**
 * What every change of stock does: lock the rows in order of variant id, look at the holds on them, free those that ran
 * out, decide, save, tell. Four statements, whatever the number of lines; five when there is something to free.
 */
export function createStockFlow({ db, publish, now }: ModuleContext) {
  return {
    /** One step of an order's reservation, on these variants and those it has reserved. Answers it when it changed. */
    async changeReservation(
      trx: Transaction,
      orderId: string,
      variantIds: readonly string[],
      decide: (books: Books) => Decision | undefined,
    ): Promise<Reservation | undefined> {
      const at = now();
      const before = await lockStock(trx, variantIds, orderId);
      const { reservation, lapsed } = await findHolds(trx, { variantIds: idsOf(before), orderId, now: at });
      if (!locksAll(before, reservation)) throw overtaken();
      const decision = decide({ stock: letGo(before, lapsed), reservation });
      if (!decision) return undefined;
      const after = versioned(before, decision.stock);
      await free(trx, lapsed);
      const saved = await saveReservation(trx, {
        orderId,
        from: reservation?.state,
        reservation: decision.reservation,
        stock: changed(before, after),
        movements: entered(decision.movements, after, { causeId: orderId, at }),
      });
      if (!saved) throw overtaken();
      await tell(trx, before, after);
      return decision.reservation;
    },

    /** A change of these variants' stock by staff. Answers what is there then. */
    async changeStock(
      trx: Transaction,
      variantIds: readonly string[],
      decide: (stock: readonly Stock[]) => Stock[],
      ledger: { movements: Movement[]; causeId: string } = { movements: [], causeId: '' },
    ): Promise<Stock[]> {
      const at = now();
      const before = await lockStock(trx, variantIds);
      const { lapsed } = await findHolds(trx, { variantIds, now: at });
      const after = versioned(before, decide(letGo(before, lapsed)));
      await free(trx, lapsed);
      await saveStock(trx, { stock: changed(before, after), movements: entered(ledger.movements, after, { causeId: ledger.causeId, at }) });
      await tell(trx, before, after);
      return after;
    },

    /** Gives back what ran out. Safe in many processes at once; what somebody else works on is left to them. */
    async tidyLapsed(): Promise<void> {
      for (let swept = 1; swept > 0; ) swept = await transaction(db, tidyBatch);
    },
  };

  async function tidyBatch(trx: Transaction): Promise<number> {
    const at = now();
    const before = await lockLapsedStock(trx, at, SWEPT_AT_ONCE);
    if (before.length > 0) {
      const { lapsed } = await findHolds(trx, { variantIds: idsOf(before), now: at });
      const after = versioned(before, letGo(before, lapsed));
      await free(trx, lapsed);
      await saveStock(trx, { stock: changed(before, after), movements: [] });
      await tell(trx, before, after);
    }
    await endLapsed(trx, at);
    return before.length;
  }

  async function tell(trx: Transaction, before: readonly Stock[], after: readonly Stock[]): Promise<void> {
    const news = after.filter((item, index) => sellsDifferently(before[index]!, item));
    if (news.length > 0) await publish(trx, inventoryContract.events.availabilityChanged, news.map(toLevel));
  }
}

async function free(trx: Transaction, lapsed: readonly LapsedLine[]): Promise<void> {
  if (lapsed.length > 0) await freeLines(trx, lapsed);
}

const idsOf = (stock: readonly Stock[]) => stock.map(({ variantId }) => variantId);

const changed = (before: readonly Stock[], after: readonly Stock[]) => after.filter(({ version }, index) => version !== before[index]!.version);

function entered(movements: readonly Movement[], stock: readonly Stock[], { causeId, at }: { causeId: string; at: Date }): NewMovement[] {
  const versions = new Map(stock.map(({ variantId, version }) => [variantId, version]));
  return movements.map((movement) => ({ ...movement, id: newId(), causeId, version: versions.get(movement.variantId) ?? 0, at }));
}

/** False when the order came to hold pieces between our lock, which found none, and our look. */
const locksAll = (locked: readonly Stock[], reservation: Reservation | undefined) =>
  (reservation?.lines ?? [])
    .filter(({ held, sold }) => held || sold > 0)
    .every((line) => locked.some(({ variantId }) => variantId === line.variantId));

/** Somebody else changed the reservation while we locked nothing of theirs: `transaction` starts again, as after 40001. */
const overtaken = () => Object.assign(new Error('The reservation was changed in the meantime.'), { code: '40001' });
