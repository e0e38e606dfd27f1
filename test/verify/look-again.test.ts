import { describe, expect, it } from 'vitest';
import type { ReservationFacts } from '../../src/modules/inventory/contract.ts';
import type { OrderFacts } from '../../src/modules/order/contract.ts';
import { type Sources, verify } from '../../src/verify/verify.ts';

const NOW = new Date('2026-03-02T03:00:00.000Z');
const ORDER = '00000000-0000-7000-8000-000000000001';
const LONG_AGO = '2026-03-01T00:00:00.000Z';
const free: OrderFacts = {
  orderId: ORDER, state: 'placed', currency: 'KRW', lines: [], discounts: [], total: 0, captured: 0, refunded: 0,
  holdsUntil: LONG_AGO, expiresAt: null, placedAt: LONG_AGO, since: LONG_AGO,
};
const committed: ReservationFacts = { orderId: ORDER, state: 'committed', expiresAt: null, lines: [] };

/** Answers one of these after the other, and the last one from then on. */
function module<T extends { orderId: string }>(...answers: T[][]) {
  let asked = 0;
  return {
    audit: async () => ({ items: answers[Math.min(asked++, answers.length - 1)] ?? [], next: null }),
    auditOwn: async () => ({ violations: [] }),
  };
}
const sources = (more: Partial<Sources>): Sources => ({ order: module<OrderFacts>([free]), payment: module(), reservation: module([committed]), redemptions: module(), ...more });
const check = (more: Partial<Sources>) => verify(sources(more), { databases: new Map(), now: () => NOW, grace: 60_000 });

describe('an order that does not add up is looked at again', () => {
  it('and adds up when only the pages were of different instants', async () => {
    expect(await check({ order: module<OrderFacts>([], [free]) })).toMatchObject({ holds: true, orders: 1 });
    expect(await check({ reservation: module<ReservationFacts>([{ ...committed, state: 'released' }], [committed]) })).toMatchObject({ holds: true });
  });

  it('and settles when it has just changed', async () => {
    const cancelled: OrderFacts = { ...free, state: 'cancelled', since: NOW.toISOString() };
    const { holds, findings } = await check({ order: module<OrderFacts>([{ ...free, captured: 1 }], [cancelled]) });
    expect(holds).toBe(true);
    expect(findings.filter(({ settling }) => settling > 0)).toEqual([{ invariant: 'stock', looked: true, violations: 0, settling: 1, told: [] }]);
  });

  it('and is a violation when it still does not', async () => {
    expect((await check({ order: module<OrderFacts>([]) })).findings.flatMap(({ told }) => told)).toEqual([
      { invariant: 'stock', orderId: ORDER, message: `Stock is committed for order ${ORDER}, which does not exist.` },
    ]);
  });
});

it('what is in databases that are not known here was not looked at', async () => {
  const { findings } = await check({ order: module<OrderFacts>([free]) });
  expect(findings.filter(({ looked }) => !looked).map(({ invariant }) => invariant)).toEqual(['events', 'kept', 'owner']);
});
