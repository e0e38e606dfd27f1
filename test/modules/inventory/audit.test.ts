import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inventoryContract } from '../../../src/modules/inventory/contract.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { rows } from '../../../src/shared/database.ts';
import { newId } from '../../../src/shared/ids.ts';
import { withoutChecksOf } from '../../support/planting.ts';
import { createTestInventory, orderPlaced, stocked, type TestInventory } from './support.ts';

let subject: TestInventory;
beforeAll(async () => {
  subject = await createTestInventory();
});
afterAll(() => subject.context.close());

const inventory = () => overWire(inventoryContract, subject.inventory);
const own = async () => (await inventory().auditOwn({})).violations;
const expiresAt = () => new Date(subject.context.now().getTime() + 1_800_000).toISOString();

async function held(quantity: number): Promise<{ orderId: string; variantId: string }> {
  const [orderId, variantId] = [newId(), await stocked(subject.inventory, 10)];
  await subject.inventory.reserve({ orderId, lines: [{ variantId, quantity }], expiresAt: expiresAt() });
  return { orderId, variantId };
}

async function sold(quantity: number) {
  const order = await held(quantity);
  await subject.deliver(orderPlaced(order.orderId, [{ variantId: order.variantId, quantity }]));
  return order;
}

it('the facts of reservations come in order of their orders, page by page, and from any order on', async () => {
  const [one, other] = [await sold(2), await held(3)];
  const [first, second] = one.orderId < other.orderId ? [one, other] : [other, one];
  expect(await inventory().audit({ from: null, limit: 1 })).toMatchObject({ items: [{ orderId: first.orderId }], next: second.orderId });
  const { items, next } = await inventory().audit({ from: null, limit: 10 });
  expect(items).toEqual(expect.arrayContaining([
    { orderId: one.orderId, state: 'committed', expiresAt: null, lines: [{ variantId: one.variantId, quantity: 2, sold: 2 }] },
    { orderId: other.orderId, state: 'held', expiresAt: expiresAt(), lines: [{ variantId: other.variantId, quantity: 3, sold: 0 }] },
  ]));
  expect(next).toBeNull();
  expect(await inventory().audit({ from: second.orderId, limit: 10 })).toMatchObject({ items: [{ orderId: second.orderId }], next: null });
  expect(await own()).toEqual([]);
});

describe('what does not agree within the module', () => {
  beforeAll(() => subject.context.administer(withoutChecksOf('inventory')));

  it.each([
    { what: 'pieces that the ledger does not know', plant: 'update stock_items set on_hand = on_hand + 1 where variant_id = :variantId', mend: 'update stock_items set on_hand = on_hand - 1 where variant_id = :variantId', sentence: /9 are on hand, and the ledger comes to 8/ },
    { what: 'a reserve that nobody holds', plant: 'update stock_items set reserved = reserved + 1 where variant_id = :variantId', mend: 'update stock_items set reserved = reserved - 1 where variant_id = :variantId', sentence: /1 are reserved, and orders hold 0/ },
    { what: 'more reserved than there is', plant: 'update stock_items set reserved = 99 where variant_id = :variantId', mend: 'update stock_items set reserved = 0 where variant_id = :variantId', sentence: /8 are on hand and 99 reserved, which cannot be/ },
    { what: 'a sale that the ledger has otherwise', plant: 'update reservation_lines set sold = 1 where order_id = :orderId', mend: 'update reservation_lines set sold = 2 where order_id = :orderId', sentence: /^1 pieces of variant .* left with order .*, and the ledger says 2/, ofOrder: true },
    { what: 'a reservation whose lines say otherwise', invariant: 'history', plant: `update reservations set state = 'released' where order_id = :orderId`, mend: `update reservations set state = 'committed' where order_id = :orderId`, sentence: /is released, and its lines say otherwise/, ofOrder: true },
    {
      what: 'an event of a version that never was', invariant: 'events',
      plant: `insert into inventory_jobs.job (name, data) select 'events', jsonb_build_object('event', jsonb_build_object('type', 'inventory.availability_changed', 'subject', :variantId::text, 'data', '{"version": 99}'::jsonb))`,
      mend: `delete from inventory_jobs.job where data->'event'->>'subject' = :variantId`, sentence: /was published for variant .* in version 99, which it never had/,
    },
  ])('is $what', async ({ invariant = 'stock', plant, mend, sentence, ofOrder = false }) => {
    const order = await sold(2);
    await rows(subject.context.db, plant, order);
    const found = await own();
    await rows(subject.context.db, mend, order);
    expect(found).toContainEqual({ invariant, orderId: ofOrder ? order.orderId : null, message: expect.stringMatching(sentence) });
    expect(await own()).toEqual([]);
  });
});
