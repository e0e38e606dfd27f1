import { describe, expect, it } from 'vitest';
import { createObservation } from '../../src/shared/observation.ts';
import { createMetrics } from '../../src/shared/telemetry.ts';

describe('what was observed', () => {
  it('counts each call, delivery and statement by itself, and shows how they ended in the metrics', async () => {
    const metrics = createMetrics();
    const observation = createObservation(() => new Date('2026-03-02T03:00:00Z'), metrics);
    const quoted = observation.calls('order', 'coupon', 'quote');
    quoted('ok', 0.002);
    quoted('refused', 0.001);
    observation.calls('order', 'coupon', 'reserve')('ok', 0.001);
    observation.calls('order', 'coupon', 'release');
    observation.delivered('order.placed', 'order', 'coupon', 'unavailable');
    observation.delivered('order.placed', 'order', 'coupon', 'ok');
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
    const page = await metrics.registry.metrics();
    expect(page).toContain('kerf_call_seconds_bucket{le="0.0025",from="order",to="coupon",method="quote",outcome="ok"} 1');
    expect(page).toContain('kerf_call_seconds_count{from="order",to="coupon",method="quote",outcome="refused"} 1');
    expect(page).toContain('kerf_events_delivered_total{type="order.placed",from="order",to="coupon",outcome="unavailable"} 1');
  });

  it('keeps no more than some hundred statements apart', () => {
    const observation = createObservation(() => new Date());
    for (let i = 0; i < 1_000; i += 1) observation.namedForeignSchema('order', 'coupon', `select ${i} from coupon.uses`);
    expect(observation.report().foreignStatements).toHaveLength(200);
  });
});
