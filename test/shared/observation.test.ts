import { describe, expect, it } from 'vitest';
import { createObservation } from '../../src/shared/observation.ts';

describe('what was observed', () => {
  it('counts each call, delivery and statement by itself', () => {
    const observation = createObservation(() => new Date('2026-03-02T03:00:00Z'));
    const quoted = observation.counter('order', 'coupon', 'quote');
    quoted();
    quoted();
    observation.counter('order', 'coupon', 'reserve')();
    observation.counter('order', 'coupon', 'release');
    observation.delivered('order.placed', 'order', 'coupon');
    observation.namedForeignSchema('order', 'coupon', 'select * from coupon.uses');
    expect(observation.report()).toEqual({
      since: '2026-03-02T03:00:00.000Z',
      calls: [
        { from: 'order', to: 'coupon', method: 'quote', count: 2 },
        { from: 'order', to: 'coupon', method: 'reserve', count: 1 },
      ],
      events: [{ type: 'order.placed', from: 'order', to: 'coupon', count: 1 }],
      foreignStatements: [{ module: 'order', schema: 'coupon', statement: 'select * from coupon.uses', count: 1 }],
    });
  });

  it('keeps no more than some hundred statements apart', () => {
    const observation = createObservation(() => new Date());
    for (let i = 0; i < 1_000; i += 1) observation.namedForeignSchema('order', 'coupon', `select ${i} from coupon.uses`);
    expect(observation.report().foreignStatements).toHaveLength(200);
  });
});
