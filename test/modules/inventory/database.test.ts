import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Inventory } from '../../../src/modules/inventory/contract.ts';
import { createInventoryService } from '../../../src/modules/inventory/inventory-service.ts';
import { createStockFlow } from '../../../src/modules/inventory/stock-flow.ts';
import { isAppError } from '../../../src/shared/errors.ts';
import { createPublish } from '../../../src/shared/events.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createQueue } from '../../../src/shared/queue.ts';
import { createTestInventory, expectRightBooks, levelOf, orderCancelled, orderExpired, orderPlaced, stocked, type TestInventory } from './support.ts';

let subject: TestInventory;
let inventory: Inventory;
beforeAll(async () => {
  subject = await createTestInventory();
  inventory = subject.inventory;
});
afterAll(() => subject.context.close());

const minutes = (count: number) => new Date(subject.context.clock.now.getTime() + count * 60_000).toISOString();

describe('the database itself, asked by the role of the module', () => {
  const refused = (sql: string, ...bindings: string[]) => subject.context.db.raw(sql, bindings).then(
    () => 'accepted',
    (error: { constraint?: string; code: string }) => error.constraint ?? error.code,
  );
  const DENIED = '42501';

  it('refuses stock below zero, and more held than there is', async () => {
    const variantId = await stocked(inventory, 5);
    expect(await refused('update stock_items set on_hand = -1 where variant_id = ?', variantId)).toBe('on_hand_not_negative');
    expect(await refused('update stock_items set reserved = -1 where variant_id = ?', variantId)).toBe('reserved_not_negative');
    expect(await refused('update stock_items set reserved = 6 where variant_id = ?', variantId)).toBe('reserved_within_on_hand');
    expect(await refused('update stock_items set on_hand = -1, reserved = 6, backorder = true where variant_id = ?', variantId)).toBe('accepted');
    expect(await refused('update stock_items set reserved = -1 where variant_id = ?', variantId)).toBe('reserved_not_negative');
    expect(await refused('update stock_items set backorder = false where variant_id = ?', variantId)).toMatch(/^(on_hand|reserved)_/);
    await subject.context.db('stock_items').where({ variant_id: variantId }).update({ on_hand: 5, reserved: 0 });
  });

  it('keeps the ledger as it was written', async () => {
    const variantId = await stocked(inventory, 5);
    expect(await refused('update stock_movements set delta = 6 where variant_id = ?', variantId)).toBe(DENIED);
    expect(await refused('delete from stock_movements where variant_id = ?', variantId)).toBe(DENIED);
    expect(await refused('truncate stock_movements')).toBe(DENIED);
    expect(await refused('update adjustments set digest = ?', '')).toBe(DENIED);
    expect(await refused('delete from adjustments')).toBe(DENIED);
  });

  it('takes one movement per variant, kind and cause', async () => {
    const add = `insert into stock_movements (id, variant_id, kind, delta, cause_id, note, version, at) values (?, ?, 'sold', -1, 'x', '', 1, now())`;
    const variantId = newId();
    expect(await refused(add, newId(), variantId)).toBe('accepted');
    expect(await refused(add, newId(), variantId)).toBe('one_movement_per_cause');
    await subject.context.db('stock_items').insert({ variant_id: variantId, on_hand: -1, backorder: true });
  });

  it.each([
    ['received', -1],
    ['returned', -1],
    ['damaged', 1],
    ['sold', 1],
    ['cancelled', -1],
    ['correction', 0],
  ])('refuses a movement of kind %s by %d', async (kind, delta) => {
    const add = `insert into stock_movements (id, variant_id, kind, delta, cause_id, note, version, at) values (?, ?, ?, ${delta}, 'x', '', 1, now())`;
    expect(await refused(add, newId(), newId(), kind)).toBe('delta_fits_kind');
  });

  it('has a held reservation run out, and no other', async () => {
    const orderId = newId();
    expect(await refused(`insert into reservations (order_id, state) values (?, 'held')`, orderId)).toBe('only_held_runs_out');
    expect(await refused(`insert into reservations (order_id, state, expires_at) values (?, 'committed', now())`, orderId)).toBe('only_held_runs_out');
    expect(await refused(`insert into reservations (order_id, state) values (?, 'lost')`, orderId)).toBe('reservations_state_check');
  });
});

describe('any sequence of calls, events and time', () => {
  type Step =
    | { kind: 'reserve'; order: number; demand: number[] }
    | { kind: 'release' | 'placed' | 'cancelled' | 'expired'; order: number }
    | { kind: 'adjust'; variant: number; delta: number }
    | { kind: 'backorder'; variant: number; on: boolean }
    | { kind: 'wait'; minutes: number }
    | { kind: 'sweep' };

  const [order, variant] = [fc.nat(3), fc.nat(2)];
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('reserve' as const), order, demand: fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'placed' as const, 'cancelled' as const, 'expired' as const), order }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('adjust' as const), variant, delta: fc.integer({ min: -3, max: 6 }).filter(Boolean) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('backorder' as const), variant, on: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 40 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const) }) },
  );

  it('leaves on hand = Σ deltas and reserved = Σ holds, and each level = what lives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const orders = Array.from({ length: 4 }, newId);
        const variants = Array.from({ length: 3 }, newId);
        const wanted = new Map<number, { variantId: string; quantity: number }[]>();
        for (const one of steps) await run(one, { orders, variants, wanted });
        await expectRightBooks(subject.context.db);
        for (const variantId of variants) {
          expect((await levelOf(inventory, variantId)).reserved).toBe(await liveHolds(variantId));
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  const liveHolds = async (variantId: string) => {
    const { rows } = await subject.context.db.raw(
      `select coalesce(sum(quantity), 0)::integer as held from reservation_lines join reservations using (order_id)
       where variant_id = ? and held and state = 'held' and expires_at > ?`,
      [variantId, subject.context.clock.now],
    );
    return rows[0].held;
  };

  interface World {
    orders: string[];
    variants: string[];
    /** the lines that each order was last asked to hold */
    wanted: Map<number, { variantId: string; quantity: number }[]>;
  }

  async function run(step: Step, world: World): Promise<void> {
    try {
      await act(step, world);
    } catch (error) {
      if (!isAppError(error, 'out_of_stock', 'reservation_conflict', 'below_reserved')) throw error;
    }
  }

  async function act(step: Step, { orders, variants, wanted }: World): Promise<void> {
    if (step.kind === 'reserve') {
      const lines = step.demand.map((quantity, index) => ({ variantId: variants[index]!, quantity })).filter(({ quantity }) => quantity > 0);
      if (lines.length === 0) return;
      wanted.set(step.order, lines);
      await inventory.reserve({ orderId: orders[step.order]!, lines, expiresAt: minutes(30) });
    }
    if (step.kind === 'release') await inventory.release({ orderId: orders[step.order]! });
    if (step.kind === 'placed') await subject.deliver(orderPlaced(orders[step.order]!, wanted.get(step.order) ?? []));
    if (step.kind === 'cancelled') await subject.deliver(orderCancelled(orders[step.order]!, true));
    if (step.kind === 'expired') await subject.deliver(orderExpired(orders[step.order]!));
    if (step.kind === 'adjust') {
      await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId: variants[step.variant]!, kind: 'correction', delta: step.delta }] });
    }
    if (step.kind === 'backorder') await inventory.setBackorder({ variantId: variants[step.variant]!, backorder: step.on });
    if (step.kind === 'wait') subject.context.clock.now = new Date(minutes(step.minutes));
    if (step.kind === 'sweep') await subject.tidyLapsed();
  }
});

it('a reserve of many lines is four statements in its transaction, events included', async () => {
  const { context } = subject;
  const queue = createQueue('inventory', context.db, context.log);
  const publish = createPublish('inventory', queue, () => ['catalog'], context.now);
  const service = createInventoryService(context, createStockFlow({ ...context, publish }));
  const variantIds = await Promise.all(Array.from({ length: 5 }, () => stocked(inventory, 5)));
  const lines = variantIds.map((variantId) => ({ variantId, quantity: 1 }));
  await service.reserve({ orderId: newId(), lines, expiresAt: minutes(30) });
  const statements: string[] = [];
  const record = ({ sql }: { sql: string }) => void statements.push(sql.trim());
  context.db.on('query', record);
  await service.reserve({ orderId: newId(), lines, expiresAt: minutes(30) });
  context.db.off('query', record);
  await queue.stop();
  const own = statements.slice(statements.indexOf('BEGIN;') + 1, statements.indexOf('COMMIT;'));
  expect(own).toHaveLength(4);
});
