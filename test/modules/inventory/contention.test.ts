import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Inventory } from '../../../src/modules/inventory/contract.ts';
import { cancel } from '../../../src/modules/inventory/inventory.ts';
import { outsideTransaction, type Transaction, transaction } from '../../../src/shared/database.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestInventory, expectRightBooks, levelOf, orderCancelled, orderExpired, orderPlaced, outcomeOf, stocked, type TestInventory } from './support.ts';

let subject: TestInventory;
let inventory: Inventory;
beforeAll(async () => {
  subject = await createTestInventory();
  inventory = subject.inventory;
});
afterEach(() => expectRightBooks(subject.context.db));
afterAll(() => subject.context.close());

const minutes = (count: number) => new Date(subject.context.clock.now.getTime() + count * 60_000).toISOString();

it('500 buyers of 100 pieces buy exactly 100', async () => {
  const variantId = await stocked(inventory, 100);
  const lines = [{ variantId, quantity: 1 }];
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, () =>
      outcomeOf(async () => {
        const orderId = newId();
        await inventory.reserve({ orderId, lines, expiresAt: minutes(30) });
        await outcomeOf(() => subject.deliver(orderPlaced(orderId, lines)));
      }),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(100);
  expect(outcomes.filter((outcome) => outcome === 'out_of_stock')).toHaveLength(400);
  expect(await levelOf(inventory, variantId)).toEqual({ onHand: 0, reserved: 0, available: 0 });
}, 60_000);

it('buyers of three hot variants in opposite orders meet no deadlock, and nothing is unsellable afterwards', async () => {
  const hot = await Promise.all([stocked(inventory, 60), stocked(inventory, 60), stocked(inventory, 60)]);
  const buyers = Array.from({ length: 150 }, (_, buyer) => () => {
    const lines = [0, 1, 2].map((step) => ({ variantId: hot[(buyer % 2 === 0 ? step : 2 - step + buyer) % 3]!, quantity: 1 }));
    return buy(lines, buyer);
  });
  const { outcomes, deadlocks } = await allAtOnce(buyers);
  expect(deadlocks).toBe(0);
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'out_of_stock']));
  for (const variantId of hot) {
    const { available, reserved } = await levelOf(inventory, variantId);
    expect(reserved).toBe(0);
    if (available > 0) await inventory.reserve({ orderId: newId(), lines: [{ variantId, quantity: available }], expiresAt: minutes(30) });
    expect(await levelOf(inventory, variantId)).toMatchObject({ available: 0 });
  }
}, 60_000);

/** What became of the calls, and how many deadlocks there were below them, seen by callers or not. */
async function allAtOnce(calls: (() => Promise<unknown>)[]) {
  let deadlocks = 0;
  const count = ({ code }: { code?: string }) => void (deadlocks += code === '40P01' ? 1 : 0);
  subject.context.db.on('query-error', count);
  const outcomes = await Promise.all(calls.map(outcomeOf));
  subject.context.db.off('query-error', count);
  return { outcomes, deadlocks };
}

/** Each third buyer goes on to pay, changes their mind after it, or lets the order expire. */
async function buy(lines: { variantId: string; quantity: number }[], buyer: number): Promise<void> {
  const orderId = newId();
  await inventory.reserve({ orderId, lines, expiresAt: minutes(30) });
  const events = [
    [orderPlaced(orderId, lines)],
    [orderPlaced(orderId, lines), orderCancelled(orderId, true)],
    [orderExpired(orderId)],
  ];
  for (const event of events[buyer % 3]!) await outcomeOf(() => subject.deliver(event));
}

it('the same order reserving many times at once holds its pieces once', async () => {
  const [a, b] = [await stocked(inventory, 3), await stocked(inventory, 3)];
  const orderId = newId();
  const lines = [{ variantId: a, quantity: 2 }, { variantId: b, quantity: 2 }];
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, call) =>
      outcomeOf(() => inventory.reserve({ orderId, lines: call % 2 === 0 ? lines : lines.toReversed(), expiresAt: minutes(30) })),
    ),
  );
  expect(new Set(outcomes)).toEqual(new Set(['ok']));
  expect(await levelOf(inventory, a)).toEqual({ onHand: 3, reserved: 2, available: 1 });
});

it('a lapsed hold that its order, others and two sweeps want at once is given once', async () => {
  const variantId = await stocked(inventory, 4);
  const [orderId, lines] = [newId(), [{ variantId, quantity: 4 }]];
  await inventory.reserve({ orderId, lines, expiresAt: minutes(30) });
  subject.context.clock.now = new Date(minutes(30));
  const others = Array.from({ length: 10 }, () => outcomeOf(() => inventory.reserve({ orderId: newId(), lines, expiresAt: minutes(30) })));
  const own = outcomeOf(() => inventory.reserve({ orderId, lines, expiresAt: minutes(30) }));
  const outcomes = await Promise.all([own, ...others, outcomeOf(subject.tidyLapsed), outcomeOf(subject.tidyLapsed)]);
  expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1 + 2);
  expect(await levelOf(inventory, variantId)).toEqual({ onHand: 4, reserved: 4, available: 0 });
});

it('adjustments of new variants in opposite orders at once all count', async () => {
  const variantIds = Array.from({ length: 2_000 }, newId);
  const adjustments = variantIds.map((variantId) => ({ variantId, kind: 'received' as const, delta: 1 }));
  const calls = Array.from({ length: 10 }, (_, call) => () =>
    inventory.adjust({ adjustmentId: newId(), adjustments: call % 2 === 0 ? adjustments : adjustments.toReversed() }),
  );
  const { outcomes, deadlocks } = await allAtOnce(calls);
  expect(deadlocks).toBe(0);
  expect(new Set(outcomes)).toEqual(new Set(['ok']));
  const { levels } = await inventory.getLevels({ variantIds: variantIds.slice(0, 500) });
  expect(new Set(levels.map(({ onHand }) => onHand))).toEqual(new Set([10]));
});

it('one adjustment sent many times at once is done once', async () => {
  const [variantId, adjustmentId] = [newId(), newId()];
  const adjustments = [{ variantId, kind: 'received' as const, delta: 5 }];
  const answers = await Promise.all(Array.from({ length: 20 }, () => inventory.adjust({ adjustmentId, adjustments })));
  expect(new Set(answers.map(({ levels }) => levels[0]!.onHand))).toEqual(new Set([5]));
});

it('a cancellation that locked nothing starts again when a hold appears before it looks', async () => {
  const variantId = await stocked(inventory, 5);
  const orderId = newId();
  let reserved: Promise<unknown> | undefined;
  const reserve = () => (reserved ??= inventory.reserve({ orderId, lines: [{ variantId, quantity: 2 }], expiresAt: minutes(30) }));
  await transaction(subject.context.db, (trx) => subject.flow.changeReservation(afterFirstStatement(trx, reserve), orderId, [], cancel));
  expect(await levelOf(inventory, variantId)).toEqual({ onHand: 5, reserved: 0, available: 5 });
});

/** The transaction, but what `meanwhile` does is committed between its first statement and its second. */
function afterFirstStatement(trx: Transaction, meanwhile: () => Promise<unknown>): Transaction {
  let statements = 0;
  return new Proxy(trx, {
    get(target, name) {
      if (name !== 'raw') return Reflect.get(target, name);
      return async (...statement: Parameters<Transaction['raw']>) => {
        statements += 1;
        if (statements === 2) await outsideTransaction(meanwhile);
        return target.raw(...statement);
      };
    },
  });
}
