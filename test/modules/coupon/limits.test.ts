import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Coupon } from '../../../src/modules/coupon/contract.ts';
import { takeBackLapsed } from '../../../src/modules/coupon/redemption-repository.ts';
import { newId } from '../../../src/shared/ids.ts';
import {
  after, basketWith, createTestCoupon, expectRightCounters, orderCancelled, orderExpired, orderPlaced, outcomeOf, promote, reserve, statesOf, type TestCoupon, used,
} from './service-support.ts';

let subject: TestCoupon;
let coupon: Coupon;
beforeAll(async () => {
  subject = await createTestCoupon();
  coupon = subject.coupon;
});
afterEach(() => expectRightCounters(subject.context.db));
afterAll(() => subject.context.close());

const now = () => subject.context.clock.now;
const minutesPass = (minutes: number) => {
  subject.context.clock.now = after(now(), minutes);
};
const times = <T>(count: number, call: (index: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, index) => call(index)));
const tally = (outcomes: string[]) => Object.fromEntries([...Map.groupBy(outcomes, (outcome) => outcome)].map(([outcome, { length }]) => [outcome, length]));

/** What became of the calls, and how many deadlocks there were below them, seen by callers or not. */
async function allAtOnce(count: number, call: (index: number) => Promise<unknown>) {
  let deadlocks = 0;
  const watch = ({ code }: { code?: string }) => void (deadlocks += code === '40P01' ? 1 : 0);
  subject.context.db.on('query-error', watch);
  const outcomes = tally(await times(count, (index) => outcomeOf(() => call(index))));
  subject.context.db.off('query-error', watch);
  return { outcomes, deadlocks };
}

describe('at the same time', () => {
  it('200 orders use a coupon limited to 50 exactly 50 times', async () => {
    const promotion = await promote(coupon, { totalLimit: 50 });
    const requests = Array.from({ length: 200 }, () => ({ orderId: newId(), basket: basketWith([promotion]) }));
    const { discounts } = await coupon.quote(requests[0]!.basket);
    const expiresAt = after(now(), 30).toISOString();
    const { outcomes, deadlocks } = await allAtOnce(200, async (index) => {
      await coupon.reserve({ ...requests[index]!, discounts, expiresAt });
      await subject.deliver(orderPlaced(requests[index]!.orderId, now()));
    });
    expect(outcomes).toEqual({ ok: 50, discount_changed: 150 });
    expect(deadlocks).toBe(0);
    expect(await used(coupon, promotion)).toBe(50);
  }, 60_000);

  it('a customer’s orders use a coupon as often as one customer may', async () => {
    const promotion = await promote(coupon, { perCustomerLimit: 2 });
    const basket = basketWith([promotion], { customerId: null, email: 'mina@example.com' });
    const spellings = ['mina@example.com', 'Mina@Example.com', 'mina+1@example.com'];
    const { discounts } = await coupon.quote(basket);
    const { outcomes } = await allAtOnce(30, (index) =>
      coupon.reserve({ orderId: newId(), basket: { ...basket, email: spellings[index % 3]! }, discounts, expiresAt: after(now(), 30).toISOString() }),
    );
    expect(outcomes).toEqual({ ok: 2, discount_changed: 28 });
  });

  it('50 repeats of one reservation take one use', async () => {
    const promotion = await promote(coupon, { totalLimit: 5 });
    const basket = basketWith([promotion]);
    const { discounts } = await coupon.quote(basket);
    const orderId = newId();
    const { outcomes } = await allAtOnce(50, () => coupon.reserve({ orderId, basket, discounts, expiresAt: after(now(), 30).toISOString() }));
    expect(outcomes).toEqual({ ok: 50 });
    expect(await used(coupon, promotion)).toBe(1);
  });

  it('orders with several coupons, releases, placements, cancellations and the sweep meet no deadlock', async () => {
    const allow = { combinesWith: ['item' as const, 'order' as const], totalLimit: 30 };
    const items = await times(3, () => promote(coupon, { class: 'item', benefit: { kind: 'fixed', amount: 5_000 }, ...allow }));
    const orders = await times(3, () => promote(coupon, { benefit: { kind: 'fixed', amount: 1_000 }, ...allow }));
    const { outcomes, deadlocks } = await allAtOnce(120, async (index) => {
      const promotions = [items[index % 3]!, orders[(index >> 1) % 3]!];
      const runsOut = index % 5 === 0;
      const basket = basketWith(index % 2 === 0 ? promotions : promotions.toReversed());
      const orderId = await reserve(coupon, basket, { now: after(now(), runsOut ? -60 : 0) });
      if (runsOut) return takeBackLapsed(subject.context.db, now());
      if (index % 3 === 0) await coupon.release({ orderId });
      if (index % 3 === 1) await subject.deliver(orderPlaced(orderId, now()));
      if (index % 6 === 1) await subject.deliver(orderCancelled(orderId, now()));
    });
    expect(deadlocks).toBe(0);
    expect(Object.keys(outcomes).filter((outcome) => !['ok', 'discount_changed'].includes(outcome))).toEqual([]);
    for (const promotion of [...items, ...orders]) expect(await used(coupon, promotion)).toBeLessThanOrEqual(30);
  }, 60_000);

  it('20 releases, expiries and cancellations of one order give one use back', async () => {
    const promotion = await promote(coupon, { totalLimit: 2 });
    const [orderId] = await times(2, () => reserve(coupon, basketWith([promotion]), { now: now() }));
    const ways = [
      () => coupon.release({ orderId: orderId! }),
      () => subject.deliver(orderExpired(orderId!, now())),
      () => subject.deliver(orderCancelled(orderId!, now(), false)),
    ];
    await allAtOnce(20, (index) => ways[index % 3]!());
    expect(await used(coupon, promotion)).toBe(1);
  });

  it('a placement and a cancellation of one order, told over and over, give its use back', async () => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    const orderId = await reserve(coupon, basketWith([promotion]), { now: now() });
    await allAtOnce(20, (index) => subject.deliver((index % 2 === 0 ? orderPlaced : orderCancelled)(orderId, now())));
    expect([await used(coupon, promotion), await statesOf(subject.context.db, orderId)]).toEqual([0, ['returned']]);
  });

  it('orders that exchange one coupon for another meet no deadlock', async () => {
    const pair = [await promote(coupon, { totalLimit: 100 }), await promote(coupon, { totalLimit: 100 })];
    const { outcomes, deadlocks } = await allAtOnce(40, async (index) => {
      const [from, to] = index % 2 === 0 ? pair : pair.toReversed();
      const orderId = await reserve(coupon, basketWith([from!]), { now: now() });
      await reserve(coupon, basketWith([to!]), { now: now(), orderId });
    });
    expect({ outcomes, deadlocks }).toEqual({ outcomes: { ok: 40 }, deadlocks: 0 });
  });

  it('of two promotions that claim one code, one gets it', async () => {
    const { outcomes } = await allAtOnce(10, () => promote(coupon, { codes: ['OTHER', 'CLAIMED'] }));
    expect(outcomes).toEqual({ ok: 1, code_taken: 9 });
  });
});

describe('what ran out', () => {
  it('is taken back by the sweep, and its use is free without it too', async () => {
    const promotion = await promote(coupon, { totalLimit: 1, perCustomerLimit: 1 });
    const orderId = await reserve(coupon, basketWith([promotion]), { now: now() });
    minutesPass(29);
    await takeBackLapsed(subject.context.db, now());
    expect(await statesOf(subject.context.db, orderId)).toEqual(['reserved']);
    minutesPass(1);
    expect(await used(coupon, promotion)).toBe(0);
    expect(await statesOf(subject.context.db, orderId)).toEqual(['reserved']);
    await takeBackLapsed(subject.context.db, now());
    expect(await statesOf(subject.context.db, orderId)).toEqual(['released']);
  });

  it('makes room for as many others at once, and no more', async () => {
    const promotion = await promote(coupon, { totalLimit: 10 });
    await times(10, () => reserve(coupon, basketWith([promotion]), { now: now() }));
    minutesPass(31);
    const { discounts } = await coupon.quote(basketWith([promotion]));
    const { outcomes } = await allAtOnce(40, () =>
      coupon.reserve({ orderId: newId(), basket: basketWith([promotion]), discounts, expiresAt: after(now(), 30).toISOString() }),
    );
    expect(outcomes).toEqual({ ok: 10, discount_changed: 30 });
  });
});

describe('the statements', () => {
  const statementsOf = async (call: () => Promise<unknown>) => {
    const statements: string[] = [];
    const note = ({ sql }: { sql: string }) => void statements.push(sql.trim().split(/\s/)[0]!);
    subject.context.db.on('query', note);
    await call();
    subject.context.db.off('query', note);
    return statements.map((word) => word.toLowerCase().replace(';', ''));
  };

  it('of a quote are one', async () => {
    expect(await statementsOf(() => coupon.quote(basketWith([])))).toEqual(['with']);
    const promotion = await promote(coupon, { perCustomerLimit: 1, totalLimit: 1 });
    expect(await statementsOf(() => coupon.quote(basketWith([promotion])))).toEqual(['with']);
  });

  it('of a reservation are four in one transaction, however many discounts, and one without any', async () => {
    const both = { combinesWith: ['item' as const, 'order' as const], totalLimit: 5 };
    const basket = basketWith([await promote(coupon, { class: 'item', ...both }), await promote(coupon, both)]);
    const { discounts } = await coupon.quote(basket);
    const expiresAt = after(now(), 30).toISOString();
    const orderId = newId();
    expect(await statementsOf(() => coupon.reserve({ orderId, basket, discounts, expiresAt }))).toEqual(['begin', 'with', 'select', 'with', 'with', 'commit']);
    expect(await statementsOf(() => coupon.reserve({ orderId: newId(), basket: basketWith([]), discounts: [], expiresAt }))).toEqual(['with']);
    expect(await statementsOf(() => subject.deliver(orderPlaced(orderId, now())))).toEqual(['begin', 'insert', 'with', 'commit']);
    expect(await statementsOf(() => coupon.release({ orderId: newId() }))).toEqual(['begin', 'select', 'commit']);
  });
});
