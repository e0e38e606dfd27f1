import { describe, expect, it } from 'vitest';
import { cancel, consume, isCounted, type Redemption, release } from '../../../src/modules/coupon/redemption.ts';
import { id, NOW } from './support.ts';

const grant = { orderId: id(1), promotionId: id(2), customerKey: null, code: 'C', amount: 100, lines: [], expiresAt: NOW, endsAt: null };
const states: Record<Redemption['state'], Redemption> = {
  reserved: { ...grant, state: 'reserved' },
  consumed: { ...grant, state: 'consumed', consumedAt: NOW },
  released: { ...grant, state: 'released', releasedAt: NOW },
  returned: { ...grant, state: 'returned', consumedAt: NOW, returnedAt: NOW },
};
const at = new Date(NOW.getTime() + 1_000);

const steps = {
  'the order is placed': (redemption: Redemption) => consume(redemption, at),
  'the order lets go, or expires': (redemption: Redemption) => release(redemption, at),
  'the order is cancelled after it was placed': (redemption: Redemption) => cancel(redemption, { wasPlaced: true, at }),
  'the order is cancelled before it was placed': (redemption: Redemption) => cancel(redemption, { wasPlaced: false, at }),
};

describe.each([
  { step: 'the order is placed', reserved: 'consumed', consumed: 'consumed', released: 'consumed', returned: 'returned' },
  { step: 'the order lets go, or expires', reserved: 'released', consumed: 'consumed', released: 'released', returned: 'returned' },
  { step: 'the order is cancelled after it was placed', reserved: 'returned', consumed: 'returned', released: 'returned', returned: 'returned' },
  { step: 'the order is cancelled before it was placed', reserved: 'released', consumed: 'consumed', released: 'released', returned: 'returned' },
] as const)('when $step', ({ step, ...table }) => {
  it.each(Object.entries(table))('what is %s is then %s', (from, to) => {
    expect(steps[step](states[from as Redemption['state']]).state).toBe(to);
  });

  it('a second time changes nothing', () => {
    for (const redemption of Object.values(states)) {
      const once = steps[step](redemption);
      expect(steps[step](once)).toBe(once);
    }
  });
});

describe('a cancelled order', () => {
  const ends = (milliseconds: number) => ({ ...states.consumed, endsAt: new Date(at.getTime() + milliseconds) });

  it('gives its use back while the promotion is on, and not after it has ended', () => {
    expect(cancel(ends(1), { wasPlaced: true, at }).state).toBe('returned');
    expect(cancel(ends(0), { wasPlaced: true, at }).state).toBe('consumed');
  });

  it('ends the same when it is heard of before the placement', () => {
    for (const endsAt of [null, NOW]) {
      const reserved = { ...states.reserved, endsAt };
      const inOrder = steps['the order is cancelled after it was placed'](steps['the order is placed'](reserved));
      const reversed = steps['the order is placed'](steps['the order is cancelled after it was placed'](reserved));
      expect(reversed).toEqual(inOrder);
    }
  });
});

it('counts towards the limits while it is reserved or consumed', () => {
  expect(Object.values(states).filter(isCounted).map(({ state }) => state)).toEqual(['reserved', 'consumed']);
});
