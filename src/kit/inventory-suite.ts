import type { Inventory, inventoryContract } from '../modules/inventory/contract.ts';
import { orderContract } from '../modules/order/contract.ts';
import { newId } from '../shared/ids.ts';
import { amply, atOnce, countsOf, eventually, expectMatch, expectRefusal, expectSameAgain, Finding, inSeconds, throughPages, waitUntil } from './expectation.ts';
import { type Case, writing } from './suite.ts';
import type { Wire } from './wire.ts';

type Cases = Record<string, Case<typeof inventoryContract>['run']>;
type InventoryWire = Wire<typeof inventoryContract>;

/** A variant that nobody knows, with this many pieces. */
async function stock(inventory: Inventory, pieces: number): Promise<string> {
  const variantId = newId();
  await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'received', delta: pieces }] });
  return variantId;
}

const levelOf = async (inventory: Inventory, variantId: string) => (await inventory.getLevels({ variantIds: [variantId] })).levels[0];
const expectLevel = async (inventory: Inventory, variantId: string, level: { onHand?: number; reserved?: number; available?: number }, what = 'The level') =>
  expectMatch(await levelOf(inventory, variantId), { variantId, ...level }, what);
const reservationOf = (variantId: string, quantity: number, seconds = 600) => ({ orderId: newId(), lines: [{ variantId, quantity }], expiresAt: inSeconds(seconds) });

const reading: Cases = {
  'answers in the order asked for; an unknown variant has nothing': async ({ service: inventory }) => {
    const [some, none] = [await stock(inventory, 3), newId()];
    expectMatch(await inventory.getLevels({ variantIds: [none, some] }), { levels: [{ variantId: none, onHand: 0, reserved: 0, available: 0, backorder: false }, { variantId: some, onHand: 3, reserved: 0, available: 3, backorder: false }] });
    expectMatch(await inventory.getLevels({ variantIds: [] }), { levels: [] });
  },
};

const adjusting: Cases = {
  'adds once, however often it comes': async ({ service: inventory }) => {
    const variantId = newId();
    const adjustment = { adjustmentId: newId(), adjustments: [{ variantId, kind: 'received' as const, delta: 5 }] };
    await expectSameAgain(() => inventory.adjust(adjustment));
    await expectLevel(inventory, variantId, { onHand: 5, available: 5 });
    await expectRefusal(inventory.adjust({ ...adjustment, adjustments: [{ variantId, kind: 'received', delta: 6 }] }), 'adjustment_conflict');
  },
  'makes one movement of entries of the same variant and kind, and grows the version': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const before = await levelOf(inventory, variantId);
    const adjustmentId = newId();
    await inventory.adjust({ adjustmentId, adjustments: [{ variantId, kind: 'damaged', delta: -1 }, { variantId, kind: 'damaged', delta: -2 }] });
    const { items } = await inventory.listMovements({ variantId, limit: 10 });
    expectMatch(items.map(({ kind, delta }) => ({ kind, delta })), [{ kind: 'damaged', delta: -3 }, { kind: 'received', delta: 5 }], 'The ledger, newest first,');
    expectMatch(items[0], { variantId, causeId: adjustmentId });
    const after = await levelOf(inventory, variantId);
    if (!(after!.version > before!.version)) throw new Finding('The version grows with each change.', `more than ${before!.version}`, after);
  },
  'is refused below what is held, all of it': async ({ service: inventory }) => {
    const [held, other] = [await stock(inventory, 3), await stock(inventory, 3)];
    await inventory.reserve(reservationOf(held, 2));
    const { details } = await expectRefusal(
      inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId: other, kind: 'correction', delta: -1 }, { variantId: held, kind: 'correction', delta: -2 }] }),
      'below_reserved',
    );
    expectMatch(details, { variants: [{ variantId: held, onHand: 1, reserved: 2 }] }, 'The details');
    await expectLevel(inventory, other, { onHand: 3 });
  },
  'of the wrong sign is contract_violation': async (wire) => {
    const variantId = newId();
    for (const [kind, delta] of [['damaged', 1], ['received', -1], ['returned', -1], ['correction', 0]]) {
      await wire.expectRefused({ path: 'adjust', body: JSON.stringify({ adjustmentId: newId(), adjustments: [{ variantId, kind, delta }] }) }, 'contract_violation');
    }
  },
};

const reserving: Cases = {
  'holds the lines, and answers a repeat the same without a second effect': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const reservation = reservationOf(variantId, 2);
    await expectSameAgain(() => inventory.reserve(reservation));
    await expectLevel(inventory, variantId, { onHand: 5, reserved: 2, available: 3 });
  },
  'holds once when ten of the same come at once': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const reservation = reservationOf(variantId, 2);
    expectMatch(countsOf(await atOnce(10, () => inventory.reserve(reservation))), { done: 10 }, 'What came of ten');
    await expectLevel(inventory, variantId, { reserved: 2 });
  },
  'holds all or nothing, and names what is short': async ({ service: inventory }) => {
    const [enough, short] = [await stock(inventory, 5), await stock(inventory, 1)];
    const { details } = await expectRefusal(inventory.reserve({ orderId: newId(), lines: [{ variantId: enough, quantity: 1 }, { variantId: short, quantity: 2 }], expiresAt: inSeconds(60) }), 'out_of_stock');
    expectMatch(details, { lines: [{ variantId: short, requested: 2, available: 1 }] }, 'The details');
    await expectLevel(inventory, enough, { reserved: 0 });
  },
  'gives exactly what is there to many orders at once': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const outcomes = await atOnce(20, () => inventory.reserve(reservationOf(variantId, 1)));
    expectMatch(countsOf(outcomes), { done: 5, out_of_stock: 15 }, 'What came of twenty orders for five pieces');
    await expectLevel(inventory, variantId, { onHand: 5, reserved: 5, available: 0 });
  },
  'waits for nobody in a circle': async ({ service: inventory }) => {
    const variants = [await stock(inventory, 100), await stock(inventory, 100)];
    const lines = variants.map((variantId) => ({ variantId, quantity: 1 }));
    const outcomes = await atOnce(20, (index) => inventory.reserve({ orderId: newId(), lines: index % 2 === 0 ? lines : lines.toReversed(), expiresAt: inSeconds(60) }));
    expectMatch(countsOf(outcomes), { done: 20 }, 'What came of twenty orders, half of them the other way round,');
  },
  'is refused with other lines for the same order': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const reservation = reservationOf(variantId, 2);
    await inventory.reserve(reservation);
    await expectRefusal(inventory.reserve({ ...reservation, lines: [{ variantId, quantity: 3 }] }), 'reservation_conflict');
    await expectLevel(inventory, variantId, { reserved: 2 });
  },
  'runs out by itself, and is taken anew': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 1);
    const reservation = reservationOf(variantId, 1, 1);
    await inventory.reserve(reservation);
    await eventually(() => expectLevel(inventory, variantId, { reserved: 0, available: 1 }));
    await inventory.reserve({ ...reservation, expiresAt: inSeconds(600) });
    await expectLevel(inventory, variantId, { reserved: 1, available: 0 });
  },
  'is extended by a repeat': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 1);
    const reservation = reservationOf(variantId, 1, await amply(() => levelOf(inventory, variantId)));
    await inventory.reserve(reservation);
    await inventory.reserve({ ...reservation, expiresAt: inSeconds(600) });
    await waitUntil(reservation.expiresAt);
    await expectLevel(inventory, variantId, { reserved: 1, available: 0 });
  },
  'goes beyond what is there with backorder, which stays until it is covered': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 1);
    await expectSameAgain(() => inventory.setBackorder({ variantId, backorder: true }));
    await inventory.reserve(reservationOf(variantId, 3));
    await expectLevel(inventory, variantId, { onHand: 1, reserved: 3, available: -2 });
    await expectRefusal(inventory.setBackorder({ variantId, backorder: false }), 'below_reserved');
  },
};

const releasing: Cases = {
  'gives the pieces back, once': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 5);
    const reservation = reservationOf(variantId, 2);
    await inventory.reserve(reservationOf(variantId, 1));
    await inventory.reserve(reservation);
    await expectSameAgain(() => inventory.release({ orderId: reservation.orderId }));
    await expectLevel(inventory, variantId, { onHand: 5, reserved: 1 });
    await inventory.reserve(reservation);
    await expectLevel(inventory, variantId, { reserved: 3 }, 'The level, reserved anew,');
  },
  'of what nobody holds does nothing': async ({ service: inventory }) => expectMatch(await inventory.release({ orderId: newId() }), {}),
};

const { placed, cancelled, expired } = orderContract.events;
const now = () => new Date().toISOString();
const place = (wire: InventoryWire, { orderId, lines }: ReturnType<typeof reservationOf>, id?: string) =>
  wire.tell(placed, { orderId, number: 'K-KIT', customerId: null, email: 'kit@example.com', currency: 'KRW', total: 0, lines: lines.map((line) => ({ ...line, lineId: newId(), productId: null, total: 0 })), placedAt: now() }, id);
const cancel = (wire: InventoryWire, orderId: string, wasPlaced: boolean, id?: string) => wire.tell(cancelled, { orderId, wasPlaced, cancelledAt: now(), reason: '' }, id);

async function held(wire: InventoryWire) {
  const variantId = await stock(wire.service, 5);
  const reservation = reservationOf(variantId, 2);
  await wire.service.reserve(reservation);
  return { variantId, reservation };
}

const listening: Cases = {
  'order.placed takes the pieces away, once': async (wire) => {
    const { variantId, reservation } = await held(wire);
    const id = newId();
    await Promise.all(Array.from({ length: 10 }, () => place(wire, reservation, id)));
    await place(wire, reservation);
    await expectLevel(wire.service, variantId, { onHand: 3, reserved: 0, available: 3 });
    await wire.service.reserve(reservation);
    await wire.service.release({ orderId: reservation.orderId });
    await expectLevel(wire.service, variantId, { onHand: 3, reserved: 0 }, 'The level, reserved and released after it was placed,');
  },
  'order.cancelled after it was placed brings them back, once and for good': async (wire) => {
    const { variantId, reservation } = await held(wire);
    await place(wire, reservation);
    for (let times = 0; times < 2; times += 1) await cancel(wire, reservation.orderId, true);
    await expectLevel(wire.service, variantId, { onHand: 5, reserved: 0 });
    await expectRefusal(wire.service.reserve(reservation), 'reservation_conflict');
  },
  'order.cancelled before it was placed lets them go': async (wire) => {
    const { variantId, reservation } = await held(wire);
    for (let times = 0; times < 2; times += 1) await cancel(wire, reservation.orderId, false);
    await expectLevel(wire.service, variantId, { onHand: 5, reserved: 0 });
  },
  'order.expired lets them go, and the same event again changes nothing': async (wire) => {
    const { variantId, reservation } = await held(wire);
    const id = newId();
    const { orderId } = reservation;
    await wire.tell(expired, { orderId, expiredAt: now() }, id);
    await expectLevel(wire.service, variantId, { onHand: 5, reserved: 0 });
    await wire.service.reserve(reservation);
    await wire.tell(expired, { orderId, expiredAt: now() }, id);
    await expectLevel(wire.service, variantId, { reserved: 2 }, 'The level, told twice,');
  },
};

const listing: Cases = {
  'gives every movement once, newest first, page by page': async ({ service: inventory }) => {
    const variantId = await stock(inventory, 1);
    for (let count = 0; count < 4; count += 1) await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'received', delta: count + 2 }] });
    const { items } = await inventory.listMovements({ variantId, limit: 100 });
    expectMatch(items.map(({ delta }) => delta), [5, 4, 3, 2, 1], 'The ledger');
    expectMatch(await throughPages((page) => inventory.listMovements({ variantId, ...page }), ({ id }) => id, items.map(({ id }) => id)), items, 'The ledger, page by page,');
  },
  'gives every level once, by variant id, page by page': async ({ service: inventory }) => {
    const scarce = await stock(inventory, 1);
    const made = [scarce, await stock(inventory, 2), await stock(inventory, 30)].toSorted();
    const found = await throughPages((page) => inventory.listLevels(page), ({ variantId }) => variantId, made, 100);
    expectMatch(found.map(({ variantId }) => variantId), found.map(({ variantId }) => variantId).toSorted(), 'The order');
    const few = await throughPages((page) => inventory.listLevels({ below: 2, ...page }), ({ variantId }) => variantId, [scarce], 100);
    if (few.some(({ available }) => available >= 2)) throw new Finding('`below` keeps those with fewer than that many available.', 'available below 2', few);
  },
  'refuses a cursor that it has not given': async ({ service: inventory }) => {
    await expectRefusal(inventory.listLevels({ cursor: 'nonsense', limit: 1 }), 'invalid_cursor');
    await expectRefusal(inventory.listMovements({ variantId: newId(), cursor: 'nonsense', limit: 1 }), 'invalid_cursor');
  },
};

export const inventorySuite: Case<typeof inventoryContract>[] = [
  ...writing('getLevels', reading),
  ...writing('adjust', adjusting),
  ...writing('reserve', reserving),
  ...writing('release', releasing),
  ...writing('events', listening),
  ...writing('listLevels', listing),
];
