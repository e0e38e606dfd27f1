import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Inventory } from '../../../src/modules/inventory/contract.ts';
import { rows } from '../../../src/shared/database.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestInventory, expectRightBooks, levelOf, movementsOf, orderCancelled, orderExpired, orderPlaced, stocked, type TestInventory } from './support.ts';

let subject: TestInventory;
let inventory: Inventory;
beforeAll(async () => {
  subject = await createTestInventory();
  inventory = subject.inventory;
});
afterEach(() => expectRightBooks(subject.context.db));
afterAll(() => subject.context.close());

const deliver: TestInventory['deliver'] = (event) => subject.deliver(event);
const minutes = (count: number) => new Date(subject.context.clock.now.getTime() + count * 60_000).toISOString();
const pass = (count: number) => {
  subject.context.clock.now = new Date(minutes(count));
};

/** An order that holds these pieces for half an hour. */
async function held(...lines: { variantId: string; quantity: number }[]): Promise<string> {
  const orderId = newId();
  await inventory.reserve({ orderId, lines, expiresAt: minutes(30) });
  return orderId;
}

describe('an order in its usual course', () => {
  it('sells what it held when it is placed', async () => {
    const [a, b] = [await stocked(inventory, 5), await stocked(inventory, 5)];
    const lines = [{ variantId: b, quantity: 1 }, { variantId: a, quantity: 2 }];
    await deliver(orderPlaced(await held(...lines), lines));
    expect(await levelOf(inventory, a)).toEqual({ onHand: 3, reserved: 0, available: 3 });
    expect(await levelOf(inventory, b)).toEqual({ onHand: 4, reserved: 0, available: 4 });
    expect(await movementsOf(inventory, a)).toEqual([['sold', -2], ['received', 5]]);
  });

  it('brings back what was sold when it is cancelled', async () => {
    const variantId = await stocked(inventory, 5);
    const lines = [{ variantId, quantity: 2 }];
    const orderId = await held(...lines);
    await deliver(orderPlaced(orderId, lines));
    await deliver(orderCancelled(orderId, true));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
    expect(await movementsOf(inventory, variantId)).toEqual([['cancelled', 2], ['sold', -2], ['received', 5]]);
  });

  it.each([
    ['is cancelled before it was placed', (orderId: string) => orderCancelled(orderId, false)],
    ['expires', orderExpired],
  ])('lets its hold go when it %s, with no word in the ledger', async (_, end) => {
    const variantId = await stocked(inventory, 5);
    await deliver(end(await held({ variantId, quantity: 2 })));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
    expect(await movementsOf(inventory, variantId)).toEqual([['received', 5]]);
  });
});

describe('events that come twice', () => {
  it.each(['the same delivery', 'another event saying the same'])('have one effect: %s', async (which) => {
    const variantId = await stocked(inventory, 5);
    const lines = [{ variantId, quantity: 2 }];
    const orderId = await held(...lines);
    const again = async (make: () => ReturnType<typeof orderExpired>) => {
      const event = make();
      await deliver(event);
      await deliver(which === 'the same delivery' ? event : make());
    };
    await again(() => orderPlaced(orderId, lines));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 3, reserved: 0, available: 3 });
    await again(() => orderCancelled(orderId, true));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
    expect(await movementsOf(inventory, variantId)).toHaveLength(3);
  });

  it('have one effect when they come at the same time', async () => {
    const variantId = await stocked(inventory, 5);
    const lines = [{ variantId, quantity: 2 }];
    const orderId = await held(...lines);
    const placed = orderPlaced(orderId, lines);
    await Promise.all([placed, placed, orderPlaced(orderId, lines), orderPlaced(orderId, lines)].map(deliver));
    expect(await movementsOf(inventory, variantId)).toEqual([['sold', -2], ['received', 5]]);
  });
});

describe('events out of order', () => {
  it('sell nothing for an order that was cancelled first', async () => {
    const variantId = await stocked(inventory, 5);
    const lines = [{ variantId, quantity: 2 }];
    const orderId = await held(...lines);
    await deliver(orderCancelled(orderId, true));
    await deliver(orderPlaced(orderId, lines));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
    expect(await movementsOf(inventory, variantId)).toEqual([['received', 5]]);
  });

  it('sell nothing for a cancelled order of which nothing was ever held', async () => {
    const variantId = await stocked(inventory, 5);
    const orderId = newId();
    await deliver(orderCancelled(orderId, true));
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 2 }]));
    expect(await levelOf(inventory, variantId)).toMatchObject({ onHand: 5 });
  });

  it('end the same for a placed and a cancelled order that meet', async () => {
    for (let round = 0; round < 10; round += 1) {
      const variantId = await stocked(inventory, 5);
      const lines = [{ variantId, quantity: 2 }];
      const orderId = round % 2 === 0 ? newId() : await held(...lines);
      await Promise.all([deliver(orderPlaced(orderId, lines)), deliver(orderCancelled(orderId, true))]);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
    }
  });

  it('let go a hold that is taken while its order is cancelled, or refuse it', async () => {
    const variantId = await stocked(inventory, 5);
    for (let round = 0; round < 10; round += 1) {
      const orderId = newId();
      const reserve = inventory.reserve({ orderId, lines: [{ variantId, quantity: 1 }], expiresAt: minutes(30) });
      await Promise.allSettled([reserve, deliver(orderCancelled(orderId, false))]);
    }
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
  });
});

describe('an order that is placed after its hold ran out', () => {
  const lapsed = async (variantId: string, quantity: number) => {
    const orderId = await held({ variantId, quantity });
    pass(30);
    return orderId;
  };

  it('sells its pieces while nobody else took them', async () => {
    const variantId = await stocked(inventory, 5);
    const orderId = await lapsed(variantId, 5);
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 5 }]));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
  });

  it('sells other pieces when its own were tidied away', async () => {
    const variantId = await stocked(inventory, 5);
    const orderId = await lapsed(variantId, 5);
    await subject.tidyLapsed();
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 5 }]));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
  });

  it('sells what lapsed holds of others still count, too', async () => {
    const variantId = await stocked(inventory, 2);
    const first = await lapsed(variantId, 2);
    await held({ variantId, quantity: 2 });
    pass(30);
    await deliver(orderPlaced(first, [{ variantId, quantity: 2 }]));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
  });

  it('sells what is there, leaves others what they hold, and says what is missing', async () => {
    const variantId = await stocked(inventory, 5);
    const orderId = await lapsed(variantId, 3);
    const other = await held({ variantId, quantity: 4 });
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 3 }]));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 4, reserved: 4, available: 0 });
    const { items } = await inventory.listMovements({ variantId, limit: 1 });
    expect(items).toMatchObject([{ kind: 'sold', delta: -1, causeId: orderId, note: expect.stringContaining('2 of 3 missing') }]);
    expect(await shortLines()).toContainEqual({ order_id: orderId, variant_id: variantId, quantity: 3, sold: 1 });

    await deliver(orderPlaced(other, [{ variantId, quantity: 4 }]));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
    await deliver(orderCancelled(orderId, true));
    expect(await levelOf(inventory, variantId)).toMatchObject({ onHand: 1 });
    expect(await shortLines()).not.toContainEqual(expect.objectContaining({ order_id: orderId }));
  });

  it('goes through with nothing at all, and brings nothing back', async () => {
    const variantId = await stocked(inventory, 1);
    const orderId = await lapsed(variantId, 1);
    await held({ variantId, quantity: 1 });
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 1 }]));
    expect(await movementsOf(inventory, variantId)).toEqual([['sold', 0], ['received', 1]]);
    await deliver(orderCancelled(orderId, true));
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 1, reserved: 1, available: 0 });
  });

  it('sells without a hold what was never known', async () => {
    const [variantId, unknown] = [await stocked(inventory, 2), newId()];
    const orderId = newId();
    await deliver(orderPlaced(orderId, [{ variantId, quantity: 1 }, { variantId: unknown, quantity: 1 }]));
    expect(await levelOf(inventory, variantId)).toMatchObject({ onHand: 1 });
    expect(await movementsOf(inventory, unknown)).toEqual([['sold', 0]]);
  });

  /** The query of the README. */
  const shortLines = () =>
    rows(
      subject.context.db,
      `select order_id, variant_id, quantity, sold from reservation_lines join reservations using (order_id)
       where state = 'committed' and sold < quantity`,
    );
});

describe('inventory.availability_changed', () => {
  beforeEach(() => void subject.context.published.splice(0));
  const published = () => subject.context.published.map(({ data }) => [data['variantId'], data['available'], data['version']]);

  it('tells each variant whose number changed, with its version, and no other', async () => {
    const [a, b] = [await stocked(inventory, 5), await stocked(inventory, 5)];
    subject.context.published.splice(0);
    const lines = [{ variantId: a, quantity: 2 }, { variantId: b, quantity: 1 }];
    const orderId = await held(...lines);
    expect(published()).toEqual(expect.arrayContaining([[a, 3, 2], [b, 4, 2]]));
    await inventory.reserve({ orderId, lines, expiresAt: minutes(30) });
    await deliver(orderPlaced(orderId, lines));
    expect(published()).toHaveLength(2);
    await deliver(orderCancelled(orderId, true));
    expect(published().slice(2)).toEqual(expect.arrayContaining([[a, 5, 4], [b, 5, 4]]));
  });

  it('tells what backorder changes', async () => {
    const variantId = newId();
    await inventory.setBackorder({ variantId, backorder: true });
    await inventory.setBackorder({ variantId, backorder: true });
    expect(subject.context.published.map(({ data }) => data)).toEqual([{ variantId, available: 0, backorder: true, version: 1 }]);
  });

  it('tells nothing when a lapsed hold makes room for as big a new one', async () => {
    const variantId = await stocked(inventory, 2);
    await held({ variantId, quantity: 2 });
    pass(30);
    subject.context.published.splice(0);
    await held({ variantId, quantity: 2 });
    expect(published()).toEqual([]);
  });

  it('tells nothing of what was refused', async () => {
    const variantId = await stocked(inventory, 1);
    subject.context.published.splice(0);
    await expect(held({ variantId, quantity: 2 })).rejects.toThrow();
    expect(published()).toEqual([]);
  });
});

describe('the sweep', () => {
  beforeEach(async () => {
    pass(24 * 60);
    await subject.tidyLapsed();
  });

  const stateOf = async (orderId: string) =>
    (await rows<{ state: string }>(subject.context.db, 'select state from reservations where order_id = :orderId', { orderId }))[0]?.state;

  it('gives back what ran out, tells it, and leaves the rest', async () => {
    const variantId = await stocked(inventory, 9);
    const lapsed = await held({ variantId, quantity: 2 });
    pass(29);
    const live = await held({ variantId, quantity: 3 });
    pass(1);
    subject.context.published.splice(0);
    await subject.tidyLapsed();
    expect(await levelOf(inventory, variantId)).toEqual({ onHand: 9, reserved: 3, available: 6 });
    expect(subject.context.published.map(({ data }) => data['available'])).toEqual([6]);
    expect([await stateOf(lapsed), await stateOf(live)]).toEqual(['released', 'held']);
    await subject.tidyLapsed();
    expect(subject.context.published).toHaveLength(1);
  });

  it('ends reservations that others took over', async () => {
    const variantId = await stocked(inventory, 2);
    const orderId = await held({ variantId, quantity: 2 });
    pass(30);
    await held({ variantId, quantity: 2 });
    await subject.tidyLapsed();
    expect(await stateOf(orderId)).toBe('released');
  });

  it('passes over what somebody works on, and comes back to it', async () => {
    const [busy, idle] = [await stocked(inventory, 1), await stocked(inventory, 1)];
    await held({ variantId: busy, quantity: 1 }, { variantId: idle, quantity: 1 });
    pass(30);
    subject.context.published.splice(0);
    await subject.context.elsewhere.transaction(async (trx) => {
      await trx.raw('select from stock_items where variant_id = ? for update', [busy]);
      await subject.tidyLapsed();
      expect(subject.context.published.map(({ data }) => data['variantId'])).toEqual([idle]);
    });
    await subject.tidyLapsed();
    expect(subject.context.published.map(({ data }) => data['variantId'])).toEqual([idle, busy]);
  });

  it('works through more than one batch, several at once, though one variant is busy', async () => {
    const variantIds = Array.from({ length: 230 }, newId);
    await inventory.adjust({ adjustmentId: newId(), adjustments: variantIds.map((variantId) => ({ variantId, kind: 'received', delta: 1 })) });
    for (const from of [0, 100, 200]) await held(...variantIds.slice(from, from + 100).map((variantId) => ({ variantId, quantity: 1 })));
    pass(30);
    subject.context.published.splice(0);
    await subject.context.elsewhere.transaction(async (trx) => {
      await trx.raw('select from stock_items where variant_id = ? for update', [variantIds[7]!]);
      await Promise.all([subject.tidyLapsed(), subject.tidyLapsed(), subject.tidyLapsed()]);
      await subject.tidyLapsed();
      expect(subject.context.published).toHaveLength(229);
    });
    await subject.tidyLapsed();
    expect(subject.context.published).toHaveLength(230);
    expect(await rows(subject.context.db, 'select 1 from reservation_lines join reservations using (order_id) where held and expires_at <= :now', { now: subject.context.clock.now })).toEqual([]);
  });
});
