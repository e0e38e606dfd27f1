import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  adjust,
  type Books,
  cancel,
  commit,
  type Decision,
  mergeAdjustments,
  release,
  reserve,
  type Reservation,
  type Stock,
  sumPerVariant,
  versioned,
} from '../../../src/modules/inventory/inventory.ts';

const [NOON, ONE] = [new Date('2026-03-02T12:00:00Z'), new Date('2026-03-02T13:00:00Z')];
const stock = (onHand: number, reserved = 0, backorder = false): Stock[] => [{ variantId: 'a', onHand, reserved, backorder, version: 1 }];
const demand = (quantity: number) => [{ variantId: 'a', quantity }];
const heldFor = (quantity: number, held = true): Reservation => ({ state: 'held', expiresAt: NOON, lines: [{ variantId: 'a', quantity, held, sold: 0 }] });
const ended = (state: 'committed' | 'released' | 'cancelled', quantity: number, sold = 0): Reservation => ({
  state,
  lines: [{ variantId: 'a', quantity, held: false, sold }],
});

/** `on hand/reserved state movements`, or the reason of the refusal */
function told(decide: () => Decision | undefined): string {
  try {
    const decision = decide();
    if (!decision) return 'nothing';
    const { stock, reservation, movements } = decision;
    return [`${stock[0]!.onHand}/${stock[0]!.reserved}`, reservation.state, ...movements.map(({ kind, delta }) => `${kind} ${delta}`)].join(' ');
  } catch (error) {
    return (error as { reason: string }).reason;
  }
}

describe('reserve', () => {
  it.each([
    ['what is there', stock(3), undefined, 3, '3/3 held'],
    ['more than there is', stock(3), undefined, 4, 'out_of_stock'],
    ['more than others leave', stock(3, 1), undefined, 3, 'out_of_stock'],
    ['more than there is, with backorder', stock(3, 0, true), undefined, 4, '3/4 held'],
    ['again what it holds', stock(3, 3), heldFor(3), 3, '3/3 held'],
    ['again what others took over meanwhile', stock(3, 3), heldFor(3, false), 3, 'out_of_stock'],
    ['again what others gave back since', stock(3, 0), heldFor(3, false), 3, '3/3 held'],
    ['anew what was released', stock(3), ended('released', 2), 2, '3/2 held'],
    ['something else than before', stock(3, 2), heldFor(2), 1, 'reservation_conflict'],
    ['for a cancelled order', stock(3), ended('cancelled', 2), 2, 'reservation_conflict'],
    ['for a placed order', stock(0), ended('committed', 2, 2), 2, 'nothing'],
  ] as const)('%s', (_, stock, reservation, quantity, expected) => {
    expect(told(() => reserve({ stock, reservation }, demand(quantity), ONE))).toBe(expected);
  });

  it('holds until the later of two times', () => {
    const until = (reservation: Reservation, expiresAt: Date) => reserve({ stock: stock(3, 2), reservation }, demand(2), expiresAt)!.reservation;
    expect(until(heldFor(2), ONE)).toMatchObject({ expiresAt: ONE });
    expect(until({ ...heldFor(2), state: 'held', expiresAt: ONE }, NOON)).toMatchObject({ expiresAt: ONE });
  });
});

describe('commit', () => {
  it.each([
    ['what it holds', stock(3, 3), heldFor(2), '1/1 committed sold -2'],
    ['what others took over, as far as there is more', stock(3, 2), heldFor(2, false), '2/2 committed sold -1'],
    ['what others took over, with backorder', stock(3, 2, true), heldFor(2, false), '1/2 committed sold -2'],
    ['what was released', stock(3), ended('released', 2), '1/0 committed sold -2'],
    ['what was never held', stock(3), undefined, '1/0 committed sold -2'],
    ['what is gone', stock(2, 2), undefined, '2/2 committed sold 0'],
    ['a second time', stock(1), ended('committed', 2, 2), 'nothing'],
    ['what was cancelled', stock(3), ended('cancelled', 2), 'nothing'],
  ] as const)('%s', (_, stock, reservation, expected) => {
    expect(told(() => commit({ stock, reservation }, demand(2)))).toBe(expected);
  });

  it('lets go what is held beyond the order', () => {
    const both = [...stock(3, 2), { variantId: 'b', onHand: 3, reserved: 1, backorder: false, version: 1 }];
    const reservation: Reservation = { state: 'held', expiresAt: NOON, lines: ['a', 'b'].map((variantId) => ({ variantId, quantity: 1, held: true, sold: 0 })) };
    const { stock: after, reservation: committed } = commit({ stock: both, reservation }, demand(1))!;
    expect(after.map(({ onHand, reserved }) => [onHand, reserved])).toEqual([[2, 1], [3, 0]]);
    expect(committed.lines.some(({ held }) => held)).toBe(false);
  });

  it('notes what is missing', () => {
    const [movement] = commit({ stock: stock(1), reservation: undefined }, demand(3))!.movements;
    expect(movement!.note).toBe('2 of 3 missing: the hold had run out and the pieces were gone.');
  });
});

describe('release and cancel', () => {
  it.each([
    ['held', stock(3, 3), heldFor(2), '3/1 released', '3/1 cancelled'],
    ['held until others took it over', stock(3, 3), heldFor(2, false), '3/3 released', '3/3 cancelled'],
    ['committed', stock(1), ended('committed', 2, 2), 'nothing', '3/0 cancelled cancelled 2'],
    ['committed in part', stock(1), ended('committed', 2, 1), 'nothing', '2/0 cancelled cancelled 1'],
    ['committed with nothing', stock(1), ended('committed', 2, 0), 'nothing', '1/0 cancelled'],
    ['released', stock(3), ended('released', 2), 'nothing', '3/0 cancelled'],
    ['cancelled', stock(3), ended('cancelled', 2, 2), 'nothing', 'nothing'],
    ['unknown', stock(3), undefined, 'nothing', '3/0 cancelled'],
  ] as const)('of what is %s', (_, stock, reservation, released, cancelled) => {
    expect(told(() => release({ stock, reservation }))).toBe(released);
    expect(told(() => cancel({ stock, reservation }))).toBe(cancelled);
  });
});

describe('adjust', () => {
  it('refuses what would break a promise, and names it', () => {
    const movement = (delta: number) => [{ variantId: 'a', kind: 'correction' as const, delta, note: '' }];
    expect(adjust(stock(5, 3), movement(-2))).toEqual(stock(3, 3));
    expect(() => adjust(stock(5, 3), movement(-3))).toThrow(expect.objectContaining({ reason: 'below_reserved', details: { variants: [{ variantId: 'a', onHand: 2, reserved: 3 }] } }));
    expect(() => adjust(stock(0), movement(-1))).toThrow(expect.objectContaining({ reason: 'below_reserved' }));
    expect(adjust(stock(5, 3, true), movement(-9))).toEqual(stock(-4, 3, true));
  });

  it('merges entries whatever their order', () => {
    const entry = fc.record({
      variantId: fc.constantFrom('a', 'A', 'b'),
      kind: fc.constantFrom('received' as const, 'correction' as const),
      delta: fc.integer({ min: -9, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1 }), (entries) => {
        const merged = mergeAdjustments(entries);
        expect(mergeAdjustments(entries.toReversed())).toEqual(merged);
        expect(total(merged.map(({ delta }) => delta))).toBe(total(entries.map(({ delta }) => delta)));
      }),
    );
  });
});

it('sumPerVariant has each variant once, in order', () => {
  expect(sumPerVariant([{ variantId: 'b', quantity: 1 }, { variantId: 'A', quantity: 2 }, { variantId: 'a', quantity: 3 }])).toEqual([
    { variantId: 'a', quantity: 5 },
    { variantId: 'b', quantity: 1 },
  ]);
});

it('versioned raises the version of what changed only', () => {
  expect(versioned(stock(1), stock(1))[0]!.version).toBe(1);
  for (const changed of [stock(2), stock(1, 1), stock(1, 0, true)]) expect(versioned(stock(1), changed)[0]!.version).toBe(2);
});

describe('any sequence of decisions on one order', () => {
  const step = fc.oneof(
    fc.integer({ min: 1, max: 4 }).map((quantity) => (books: Books) => reserve(books, demand(quantity), NOON)),
    fc.integer({ min: 1, max: 4 }).map((quantity) => (books: Books) => commit(books, demand(quantity))),
    fc.constant(release),
    fc.constant(cancel),
  );

  it('keeps reserved = what it and others hold, and on hand = what was there − sold + come back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), fc.nat(6), fc.array(step), (onHand, others, steps) => {
        const taken = Math.min(onHand, others);
        let books: Books = { stock: stock(onHand, taken), reservation: undefined };
        let moved = 0;
        for (const decide of steps) {
          const decision = refusedAsNothing(() => decide(books));
          if (!decision) continue;
          books = decision;
          moved += total(decision.movements.map(({ delta }) => delta));
          const [item] = decision.stock;
          const held = total(decision.reservation.lines.filter(({ held }) => held).map(({ quantity }) => quantity));
          expect(item).toMatchObject({ onHand: onHand + moved, reserved: taken + held });
          expect(item!.reserved).toBeLessThanOrEqual(item!.onHand);
        }
      }),
    );
  });

  function refusedAsNothing(decide: () => Decision | undefined): Decision | undefined {
    try {
      return decide();
    } catch {
      return undefined;
    }
  }
});

const total = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
