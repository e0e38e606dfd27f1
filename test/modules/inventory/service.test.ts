import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Inventory } from '../../../src/modules/inventory/contract.ts';
import { createFakeInventory } from '../../../src/modules/inventory/fake.ts';
import { newId } from '../../../src/shared/ids.ts';
import type { TestContext } from '../../support/module-context.ts';
import { createTestInventory, levelOf, movementsOf, orderCancelled, orderPlaced, stocked, type TestInventory } from './support.ts';

interface Subject {
  inventory: Inventory;
  clock: TestContext['clock'];
  place(orderId: string, lines: { variantId: string; quantity: number }[]): Promise<void>;
  cancel(orderId: string): Promise<void>;
  close(): Promise<void>;
}

async function real(): Promise<Subject> {
  const { inventory, context, deliver }: TestInventory = await createTestInventory();
  return {
    inventory,
    clock: context.clock,
    place: (orderId, lines) => deliver(orderPlaced(orderId, lines)),
    cancel: (orderId) => deliver(orderCancelled(orderId, true)),
    close: context.close,
  };
}

async function fake(): Promise<Subject> {
  const clock = { now: new Date('2026-03-02T03:00:00.000Z') };
  const inventory = createFakeInventory({ now: () => clock.now });
  return {
    inventory,
    clock,
    place: async (orderId, lines) => inventory.place(orderId, lines),
    cancel: async (orderId) => inventory.cancel(orderId),
    close: async () => undefined,
  };
}

describe.each([
  ['inventory', real],
  ['the fake of inventory', fake],
])('%s', (_, create) => {
  let subject: Subject;
  let inventory: Inventory;
  beforeAll(async () => {
    subject = await create();
    inventory = subject.inventory;
  });
  afterAll(() => subject.close());

  const minutes = (count: number) => new Date(subject.clock.now.getTime() + count * 60_000).toISOString();
  const pass = (count: number) => {
    subject.clock.now = new Date(minutes(count));
  };
  const hold = (variantId: string, quantity: number, orderId = newId()) =>
    inventory.reserve({ orderId, lines: [{ variantId, quantity }], expiresAt: minutes(30) });

  describe('levels', () => {
    it('come in the order asked for, with nothing on hand of what is unknown', async () => {
      const [a, b] = [await stocked(inventory, 3), await stocked(inventory, 5)];
      const unknown = newId();
      const { levels } = await inventory.getLevels({ variantIds: [b, unknown, a, b] });
      expect(levels.map(({ variantId, available }) => [variantId, available])).toEqual([[b, 5], [unknown, 0], [a, 3], [b, 5]]);
      expect(levels[1]).toEqual({ variantId: unknown, onHand: 0, reserved: 0, available: 0, backorder: false, version: 0 });
    });

    it('are found by an id in capitals', async () => {
      const variantId = await stocked(inventory, 3);
      expect(await levelOf(inventory, variantId.toUpperCase())).toMatchObject({ onHand: 3 });
      await hold(variantId.toUpperCase(), 2);
      expect(await levelOf(inventory, variantId)).toMatchObject({ available: 1 });
    });

    it('grow in version with each change', async () => {
      const variantId = await stocked(inventory, 3);
      const versionNow = async () => (await inventory.getLevels({ variantIds: [variantId] })).levels[0]!.version;
      expect(await versionNow()).toBe(1);
      await hold(variantId, 1);
      expect(await versionNow()).toBe(2);
      await inventory.setBackorder({ variantId, backorder: false });
      expect(await versionNow()).toBe(2);
    });

    it('are listed by variant id, in pages, or only those that run low', async () => {
      const ids = [];
      for (const onHand of [1_000_001, 1_000_002, 1_000_003]) ids.push(await stockedWith(onHand));
      const low = await inventory.listLevels({ below: -5, limit: 100 });
      expect(low).toEqual({ items: [], nextCursor: null });
      const all = [];
      let cursor: string | undefined;
      do {
        const page = await inventory.listLevels({ limit: 2, ...(cursor && { cursor }) });
        all.push(...page.items.map(({ variantId }) => variantId));
        cursor = page.nextCursor ?? undefined;
      } while (cursor);
      expect(all).toEqual(all.toSorted());
      expect(all).toEqual(expect.arrayContaining(ids));
    });

    const stockedWith = async (onHand: number) => {
      const variantId = await stocked(inventory, 999_999);
      await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'correction', delta: onHand - 999_999 }] });
      return variantId;
    };

    it.each(['nonsense', '', Buffer.from('["x"]').toString('base64url'), Buffer.from('[1,"x"]').toString('base64url')])('refuse the cursor "%s"', async (cursor) => {
      await expect(inventory.listLevels({ cursor, limit: 10 })).rejects.toMatchObject({ code: 'invalid', reason: 'invalid_cursor' });
      await expect(inventory.listMovements({ variantId: newId(), cursor, limit: 10 })).rejects.toMatchObject({ reason: 'invalid_cursor' });
    });
  });

  describe('reserve', () => {
    it('holds pieces without taking them from what is on hand', async () => {
      const variantId = await stocked(inventory, 3);
      await hold(variantId, 2);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 3, reserved: 2, available: 1 });
    });

    it('takes all lines or none, and names what is short', async () => {
      const [plenty, scarce, unknown] = [await stocked(inventory, 9), await stocked(inventory, 1), newId()];
      const lines = [
        { variantId: plenty, quantity: 9 },
        { variantId: scarce, quantity: 2 },
        { variantId: unknown, quantity: 1 },
      ];
      await expect(inventory.reserve({ orderId: newId(), lines, expiresAt: minutes(30) })).rejects.toMatchObject({
        code: 'conflict',
        reason: 'out_of_stock',
        details: {
          lines: expect.arrayContaining([
            { variantId: scarce, requested: 2, available: 1 },
            { variantId: unknown, requested: 1, available: 0 },
          ]),
        },
      });
      expect(await levelOf(inventory, plenty)).toMatchObject({ reserved: 0 });
    });

    it('sums lines of the same variant first', async () => {
      const variantId = await stocked(inventory, 5);
      const lines = [
        { variantId, quantity: 3 },
        { variantId, quantity: 3 },
      ];
      await expect(inventory.reserve({ orderId: newId(), lines, expiresAt: minutes(30) })).rejects.toMatchObject({
        details: { lines: [{ variantId, requested: 6, available: 5 }] },
      });
    });

    it('is never in its own way: a repeat extends the time and takes nothing more', async () => {
      const variantId = await stocked(inventory, 2);
      const orderId = newId();
      await hold(variantId, 2, orderId);
      pass(20);
      await hold(variantId, 2, orderId);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 2, reserved: 2, available: 0 });
      pass(20);
      await expect(hold(variantId, 1)).rejects.toMatchObject({ reason: 'out_of_stock' });
    });

    it('does not shorten the time when an older repeat comes late', async () => {
      const variantId = await stocked(inventory, 1);
      const [orderId, lines] = [newId(), [{ variantId, quantity: 1 }]];
      await inventory.reserve({ orderId, lines, expiresAt: minutes(60) });
      await inventory.reserve({ orderId, lines, expiresAt: minutes(10) });
      pass(30);
      await expect(hold(variantId, 1)).rejects.toMatchObject({ reason: 'out_of_stock' });
    });

    it('lets others have what ran out, before anybody tidied up', async () => {
      const variantId = await stocked(inventory, 2);
      await hold(variantId, 2);
      pass(29);
      await expect(hold(variantId, 1)).rejects.toMatchObject({ reason: 'out_of_stock' });
      pass(1);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 2, reserved: 0, available: 2 });
      await hold(variantId, 2);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 2, reserved: 2, available: 0 });
    });

    it('is taken anew after it ran out, while the pieces are there', async () => {
      const variantId = await stocked(inventory, 2);
      const [first, second] = [newId(), newId()];
      await hold(variantId, 2, first);
      pass(30);
      await hold(variantId, 2, first);
      await expect(hold(variantId, 1, second)).rejects.toMatchObject({ reason: 'out_of_stock' });
      pass(30);
      await hold(variantId, 1, second);
      await expect(hold(variantId, 2, first)).rejects.toMatchObject({ details: { lines: [{ variantId, requested: 2, available: 1 }] } });
    });

    it('is taken anew after a release', async () => {
      const variantId = await stocked(inventory, 2);
      const orderId = newId();
      await hold(variantId, 2, orderId);
      await inventory.release({ orderId });
      await hold(variantId, 2, orderId);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 2, reserved: 2, available: 0 });
    });

    it('changes nothing once the order is placed', async () => {
      const variantId = await stocked(inventory, 2);
      const orderId = newId();
      await hold(variantId, 2, orderId);
      await subject.place(orderId, [{ variantId, quantity: 2 }]);
      await hold(variantId, 2, orderId);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
    });

    it('refuses other lines for the same order, and any for a cancelled one', async () => {
      const variantId = await stocked(inventory, 5);
      const [orderId, cancelled] = [newId(), newId()];
      await hold(variantId, 2, orderId);
      await expect(hold(variantId, 3, orderId)).rejects.toMatchObject({ reason: 'reservation_conflict' });
      await subject.cancel(cancelled);
      await expect(hold(variantId, 1, cancelled)).rejects.toMatchObject({ reason: 'reservation_conflict' });
      expect(await levelOf(inventory, variantId)).toMatchObject({ reserved: 2 });
    });

    it('goes beyond what is there with backorder', async () => {
      const variantId = await stocked(inventory, 1, true);
      const orderId = newId();
      await hold(variantId, 3, orderId);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 1, reserved: 3, available: -2 });
      await subject.place(orderId, [{ variantId, quantity: 3 }]);
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: -2, reserved: 0, available: -2 });
    });
  });

  describe('release', () => {
    it('gives back once, and what was never held not at all', async () => {
      const variantId = await stocked(inventory, 5);
      const orderId = newId();
      await hold(variantId, 2, orderId);
      await hold(variantId, 2);
      await inventory.release({ orderId });
      await inventory.release({ orderId });
      await inventory.release({ orderId: newId() });
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 2, available: 3 });
    });

    it('leaves a placed order alone', async () => {
      const variantId = await stocked(inventory, 5);
      const orderId = newId();
      await hold(variantId, 2, orderId);
      await subject.place(orderId, [{ variantId, quantity: 2 }]);
      await inventory.release({ orderId });
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 3, reserved: 0, available: 3 });
    });
  });

  describe('adjust', () => {
    it('answers the levels and writes the ledger, newest first', async () => {
      const variantId = newId();
      const received = { variantId, kind: 'received' as const, delta: 10, note: 'delivery 7' };
      const { levels } = await inventory.adjust({ adjustmentId: 'a7', adjustments: [received] });
      expect(levels).toEqual([{ variantId, onHand: 10, reserved: 0, available: 10, backorder: false, version: 1 }]);
      await inventory.adjust({ adjustmentId: 'a8', adjustments: [{ variantId, kind: 'damaged', delta: -1 }] });
      const { items } = await inventory.listMovements({ variantId, limit: 10 });
      expect(items).toMatchObject([
        { variantId, kind: 'damaged', delta: -1, causeId: 'a8', note: '' },
        { variantId, kind: 'received', delta: 10, causeId: 'a7', note: 'delivery 7', at: subject.clock.now.toISOString() },
      ]);
    });

    it('does a repeat no second time, also when the entries come in another order', async () => {
      const [a, b, adjustmentId] = [newId(), newId(), newId()];
      const adjustments = [
        { variantId: a, kind: 'received' as const, delta: 4 },
        { variantId: b, kind: 'returned' as const, delta: 2 },
      ];
      await inventory.adjust({ adjustmentId, adjustments });
      const { levels } = await inventory.adjust({ adjustmentId, adjustments: adjustments.toReversed() });
      expect(levels.map(({ variantId, onHand }) => [variantId, onHand])).toEqual([[b, 2], [a, 4]]);
      expect(await movementsOf(inventory, a)).toEqual([['received', 4]]);
    });

    it('refuses the same id with other entries', async () => {
      const [variantId, adjustmentId] = [newId(), newId()];
      await inventory.adjust({ adjustmentId, adjustments: [{ variantId, kind: 'received', delta: 4 }] });
      for (const other of [{ delta: 5 }, { variantId: newId() }, { kind: 'returned' as const }, { note: 'other' }]) {
        const adjustments = [{ variantId, kind: 'received' as const, delta: 4, ...other }];
        await expect(inventory.adjust({ adjustmentId, adjustments })).rejects.toMatchObject({ code: 'conflict', reason: 'adjustment_conflict' });
      }
    });

    it('makes one movement of entries of the same variant and kind', async () => {
      const variantId = newId();
      await inventory.adjust({
        adjustmentId: newId(),
        adjustments: [
          { variantId, kind: 'received', delta: 4, note: 'pallet 1' },
          { variantId: variantId.toUpperCase(), kind: 'received', delta: 3, note: 'pallet 2' },
          { variantId, kind: 'received', delta: 2, note: 'pallet 1' },
          { variantId, kind: 'damaged', delta: -1, note: '' },
          { variantId, kind: 'correction', delta: 1 },
          { variantId, kind: 'correction', delta: -1 },
        ],
      });
      const { items } = await inventory.listMovements({ variantId, limit: 10 });
      const lines = items.map(({ kind, delta, note }) => `${kind} ${delta} ${note}`);
      expect(lines.toSorted()).toEqual(['damaged -1 ', 'received 9 pallet 1; pallet 2']);
    });

    it('takes nothing that is held, and then nothing at all', async () => {
      const [variantId, other] = [await stocked(inventory, 5), newId()];
      await hold(variantId, 3);
      const adjustmentId = newId();
      const adjustments = [
        { variantId: other, kind: 'received' as const, delta: 1 },
        { variantId, kind: 'damaged' as const, delta: -3 },
      ];
      await expect(inventory.adjust({ adjustmentId, adjustments })).rejects.toMatchObject({
        code: 'conflict',
        reason: 'below_reserved',
        details: { variants: [{ variantId, onHand: 2, reserved: 3 }] },
      });
      expect(await levelOf(inventory, other)).toMatchObject({ onHand: 0 });
      pass(30);
      await inventory.adjust({ adjustmentId, adjustments });
      expect(await levelOf(inventory, variantId)).toEqual({ onHand: 2, reserved: 0, available: 2 });
    });

    it('takes 2,000 entries at once', async () => {
      const adjustments = Array.from({ length: 2_000 }, () => ({ variantId: newId(), kind: 'received' as const, delta: 7 }));
      const { levels } = await inventory.adjust({ adjustmentId: newId(), adjustments });
      expect(levels.map(({ variantId }) => variantId)).toEqual(adjustments.map(({ variantId }) => variantId));
      expect(new Set(levels.map(({ available }) => available))).toEqual(new Set([7]));
    });
  });

  describe('setBackorder', () => {
    it('is not taken back while more is held or sold than there is', async () => {
      const variantId = await stocked(inventory, 1, true);
      await hold(variantId, 3);
      const takeBack = () => inventory.setBackorder({ variantId, backorder: false });
      await expect(takeBack()).rejects.toMatchObject({ code: 'conflict', reason: 'below_reserved' });
      pass(30);
      expect(await takeBack()).toMatchObject({ onHand: 1, reserved: 0, backorder: false });
    });

    it('works for a variant that never had stock', async () => {
      const variantId = newId();
      expect(await inventory.setBackorder({ variantId, backorder: true })).toEqual({ variantId, onHand: 0, reserved: 0, available: 0, backorder: true, version: 1 });
    });
  });

  it('lists the ledger in pages', async () => {
    const variantId = newId();
    for (const delta of [1, 2, 3, 4, 5]) {
      await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'received', delta }] });
    }
    const first = await inventory.listMovements({ variantId, limit: 3 });
    const second = await inventory.listMovements({ variantId, limit: 3, cursor: first.nextCursor! });
    expect([...first.items, ...second.items].map(({ delta }) => delta)).toEqual([5, 4, 3, 2, 1]);
    expect(second.nextCursor).toBeNull();
  });
});
