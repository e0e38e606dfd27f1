import { expect } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createInbox, type Deliver, type Event } from '../../../src/shared/events.ts';
import type { EventData, EventType } from '../../../src/shared/contract.ts';
import { type Database, rows } from '../../../src/shared/database.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import type { Inventory } from '../../../src/modules/inventory/contract.ts';
import { createInventoryService } from '../../../src/modules/inventory/inventory-service.ts';
import { createInventorySubscriptions } from '../../../src/modules/inventory/inventory-subscriptions.ts';
import { createStockFlow, type StockFlow } from '../../../src/modules/inventory/stock-flow.ts';
import { orderContract } from '../../../src/modules/order/contract.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';

export interface TestInventory {
  context: TestContext;
  inventory: Inventory;
  deliver: Deliver;
  flow: StockFlow;
  tidyLapsed: StockFlow['tidyLapsed'];
}

export async function createTestInventory(): Promise<TestInventory> {
  const context = await createTestContext('inventory');
  const flow = createStockFlow(context);
  return {
    context,
    flow,
    inventory: createInventoryService(context, flow),
    deliver: createInbox(context.db, createInventorySubscriptions(context, flow)),
    tidyLapsed: flow.tidyLapsed,
  };
}

export interface Line {
  variantId: string;
  quantity: number;
}

/** A new variant with this many pieces. */
export async function stocked(inventory: Inventory, onHand: number, backorder = false): Promise<string> {
  const variantId = newId();
  if (onHand > 0) await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'received', delta: onHand }] });
  if (backorder) await inventory.setBackorder({ variantId, backorder });
  return variantId;
}

export async function levelOf(inventory: Inventory, variantId: string) {
  const { levels } = await inventory.getLevels({ variantIds: [variantId] });
  const { onHand, reserved, available } = levels[0]!;
  return { onHand, reserved, available };
}

export const movementsOf = async (inventory: Inventory, variantId: string) =>
  (await inventory.listMovements({ variantId, limit: 100 })).items.map(({ kind, delta }) => [kind, delta]);

function eventOf<T extends EventType>({ type, orderedBy }: T, data: EventData<T>): Event {
  const subject = String((data as Record<string, unknown>)[orderedBy]);
  const time = '2026-03-02T03:00:00.000Z';
  return { specversion: '1.0', id: newId(), source: 'kerf/order', type, subject, time, datacontenttype: 'application/json', data };
}

export const orderPlaced = (orderId: string, lines: readonly Line[]): Event =>
  eventOf(orderContract.events.placed, {
    orderId,
    number: 'K-260000001',
    customerId: null,
    email: 'mina@example.com',
    currency: 'KRW',
    total: 1_000,
    lines: lines.map((line) => ({ ...line, lineId: newId(), productId: null, total: 1_000 })),
    placedAt: '2026-03-02T03:00:00.000Z',
  });

export const orderCancelled = (orderId: string, wasPlaced: boolean): Event =>
  eventOf(orderContract.events.cancelled, { orderId, wasPlaced, cancelledAt: '2026-03-02T03:00:00.000Z', reason: '' });

export const orderExpired = (orderId: string): Event =>
  eventOf(orderContract.events.expired, { orderId, expiredAt: '2026-03-02T03:00:00.000Z' });

/** `ok`, or the reason of the refusal; a caller that was told to come again does. */
export async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  for (;;) {
    try {
      await call();
      return 'ok';
    } catch (error) {
      const { reason } = toAppError(error);
      if (reason !== 'unavailable') return reason;
    }
  }
}

/** On hand is what the ledger says, reserved what is held, and only held reservations hold: read from the tables. */
export async function expectRightBooks(db: Database): Promise<void> {
  const wrong = await rows(
    db,
    `select s.variant_id, s.on_hand, m.sum as moved, s.reserved, l.sum as held
     from stock_items s
     left join lateral (select coalesce(sum(delta), 0) as sum from stock_movements where variant_id = s.variant_id) m on true
     left join lateral (select coalesce(sum(quantity), 0) as sum from reservation_lines where variant_id = s.variant_id and held) l on true
     where s.on_hand <> m.sum or s.reserved <> l.sum
     union all
     select l.variant_id, null, null, null, l.quantity from reservation_lines l join reservations r using (order_id)
     where l.held and r.state <> 'held'`,
  );
  expect(wrong).toEqual([]);
}
