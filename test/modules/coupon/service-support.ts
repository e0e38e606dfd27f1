import { expect } from 'vitest';
import type { z } from 'zod';
import type { Basket, Coupon, Promotion, PromotionDraft } from '../../../src/modules/coupon/contract.ts';
import { createCouponService } from '../../../src/modules/coupon/coupon-service.ts';
import { couponSubscriptions } from '../../../src/modules/coupon/coupon-subscriptions.ts';
import { orderContract } from '../../../src/modules/order/contract.ts';
import type { EventType } from '../../../src/shared/contract.ts';
import { type Database, rows } from '../../../src/shared/database.ts';
import { isAppError, toAppError } from '../../../src/shared/errors.ts';
import { createInbox, type Deliver, type Event } from '../../../src/shared/events.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';
import { basketOf } from './support.ts';

export interface TestCoupon {
  context: TestContext;
  coupon: Coupon;
  deliver: Deliver;
}

export async function createTestCoupon(): Promise<TestCoupon> {
  const context = await createTestContext('coupon');
  return { context, coupon: createCouponService(context), deliver: createInbox(context.db, couponSubscriptions()) };
}

type Draft = z.input<typeof PromotionDraft>;

export const draft = (more: Partial<Draft> = {}): Draft => ({
  name: '10 % off', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', ...more,
});

let created = 0;

/** A promotion with a code of its own, unless it says otherwise. */
export const promote = (coupon: Coupon, more: Partial<Draft> = {}): Promise<Promotion> =>
  coupon.createPromotion({ id: newId(), draft: draft({ codes: [`TEST${(created += 1)}`], ...more }) });

/** 50,000 won of goods with the codes of these promotions, for a customer of its own. */
export const basketWith = (promotions: readonly Promotion[], more: Partial<Basket> = {}): Basket =>
  basketOf([{ price: 30_000 }, { price: 10_000, quantity: 2 }], { customerId: newId(), codes: promotions.flatMap(({ codes }) => codes.slice(0, 1)), ...more });

export const after = (now: Date, minutes: number) => new Date(now.getTime() + minutes * 60_000);

/** Quotes and reserves as an order does. Answers the order's id. */
export async function reserve(coupon: Coupon, basket: Basket, { now, orderId = newId() }: { now: Date; orderId?: string }): Promise<string> {
  const { discounts } = await coupon.quote(basket);
  await coupon.reserve({ orderId, basket, discounts, expiresAt: after(now, 30).toISOString() });
  return orderId;
}

export const used = async (coupon: Coupon, { id }: Promotion) => (await coupon.getPromotion({ id })).used;

const event = ({ type }: EventType, orderId: string, data: object): Event => ({
  specversion: '1.0', id: newId(), source: 'kerf/order', type, subject: orderId, time: new Date().toISOString(),
  datacontenttype: 'application/json', data: { orderId, ...data },
});

const { placed, cancelled, expired } = orderContract.events;

export const orderPlaced = (orderId: string, at: Date) =>
  event(placed, orderId, {
    number: 'K-1', customerId: null, email: 'mina@example.com', currency: 'KRW', total: 45_000, lines: [], placedAt: at.toISOString(),
  });
export const orderCancelled = (orderId: string, at: Date, wasPlaced = true) =>
  event(cancelled, orderId, { wasPlaced, cancelledAt: at.toISOString(), reason: '' });
export const orderExpired = (orderId: string, at: Date) => event(expired, orderId, { expiredAt: at.toISOString() });

export const statesOf = async (db: Database, orderId: string) =>
  (await rows<{ state: string }>(db, 'select state from redemptions where order_id = ? order by promotion_id', [orderId])).map(({ state }) => state);

/** What came of a call: `ok`, or the reason why not. A pool that was too busy is asked again, as a client would. */
export async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return 'ok';
  } catch (error) {
    if (toAppError(error).code === 'unavailable') return outcomeOf(call);
    if (!isAppError(error)) throw error;
    return error.reason;
  }
}

/** The counters say what the redemptions say, overall and per customer, and no promotion is over its limits. */
export async function expectRightCounters(db: Database): Promise<void> {
  const wrong = await rows(
    db,
    `with counted as (
       select promotion_id, counted_for, count(*)::integer as used
       from redemptions cross join lateral (values ('everyone'), (customer_key)) as each (counted_for)
       where counted_for is not null and state in ('reserved', 'consumed') group by promotion_id, counted_for
     )
     select * from uses full join counted using (promotion_id, counted_for) where coalesce(uses.used, 0) <> coalesce(counted.used, 0)`,
  );
  expect(wrong).toEqual([]);
}
