import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../../src/shared/events.ts';
import {
  after, basketWith, createTestCoupon, expectRightCounters, orderCancelled, orderExpired, orderPlaced, promote, reserve, statesOf, type TestCoupon, used,
} from './service-support.ts';

let subject: TestCoupon;
beforeAll(async () => {
  subject = await createTestCoupon();
});
afterEach(() => expectRightCounters(subject.context.db));
afterAll(() => subject.context.close());

const now = () => subject.context.now();

/** Reserves two promotions for an order, delivers the events, and answers where the redemptions and counters end. */
async function endOf(events: (orderId: string) => Event[], { endsAt = null }: { endsAt?: string | null } = {}) {
  const both = { combinesWith: ['item' as const, 'order' as const], totalLimit: 1, perCustomerLimit: 1, endsAt };
  const promotions = [await promote(subject.coupon, { class: 'item', ...both }), await promote(subject.coupon, both)];
  const orderId = await reserve(subject.coupon, basketWith(promotions), { now: now() });
  for (const event of events(orderId)) await subject.deliver(event);
  return {
    states: await statesOf(subject.context.db, orderId),
    used: await Promise.all(promotions.map((promotion) => used(subject.coupon, promotion))),
  };
}

const permutations = <T>(list: readonly T[]): T[][] =>
  list.length === 0 ? [[]] : list.flatMap((first, index) => permutations(list.toSpliced(index, 1)).map((rest) => [first, ...rest]));

const returned = { states: ['returned', 'returned'], used: [0, 0] };
const released = { states: ['released', 'released'], used: [0, 0] };
const consumed = { states: ['consumed', 'consumed'], used: [1, 1] };

describe('what becomes of an order', () => {
  const later = () => after(now(), 1);
  const placedTwice = (orderId: string) => [orderPlaced(orderId, now()), orderPlaced(orderId, now())];

  it.each([
    ['is placed', (orderId: string) => [orderPlaced(orderId, now())], consumed],
    ['is placed, as two events say', placedTwice, consumed],
    ['expires', (orderId: string) => [orderExpired(orderId, now())], released],
    ['is cancelled before it was placed', (orderId: string) => [orderCancelled(orderId, now(), false)], released],
    ['is cancelled twice before it was placed', (orderId: string) => [orderCancelled(orderId, now(), false), orderCancelled(orderId, now(), false)], released],
  ])('becomes of its redemptions: it %s', async (_, events, end) => {
    expect(await endOf(events)).toEqual(end);
  });

  it('is the same in whatever order it is heard, and however often', async () => {
    const orders = permutations([0, 1, 2]);
    for (const order of orders) {
      const events = (orderId: string) => {
        const told = [...placedTwice(orderId), orderCancelled(orderId, later())];
        return order.flatMap((index) => [told[index]!, told[index]!]);
      };
      expect(await endOf(events)).toEqual(returned);
      expect(await endOf(events, { endsAt: later().toISOString() })).toEqual(consumed);
    }
  });

  it('does not concern orders without discounts', async () => {
    for (const event of [orderPlaced, orderCancelled, orderExpired]) await subject.deliver(event('0197c9a0-0000-7000-8000-000000000001', now()));
    expect(await statesOf(subject.context.db, '0197c9a0-0000-7000-8000-000000000001')).toEqual([]);
  });
});
