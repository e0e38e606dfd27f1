import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Coupon, couponContract } from '../../../src/modules/coupon/contract.ts';
import { createFakeCoupon } from '../../../src/modules/coupon/fake.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { rows } from '../../../src/shared/database.ts';
import { after, basketWith, createTestCoupon, orderPlaced, promote, reserve, type TestCoupon } from './service-support.ts';
import { NOW } from './support.ts';

let subject: TestCoupon;
beforeAll(async () => {
  subject = await createTestCoupon();
});
afterAll(() => subject.context.close());

describe.each([
  { kind: 'the service', coupon: () => subject.coupon },
  { kind: 'the fake', coupon: () => createFakeCoupon({ now: () => NOW }) },
])('the facts of $kind', ({ coupon: create }) => {
  it('come by order, page by page, and from any order on', async () => {
    const coupon = overWire<typeof couponContract>(couponContract, create());
    const [one, other] = [await promote(coupon, { combinesWith: ['shipping'] }), await promote(coupon, { class: 'shipping', benefit: { kind: 'free_shipping' }, combinesWith: ['order'] })];
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.push(await reserve(coupon, basketWith([one, other]), { now: NOW }));
    await coupon.release({ orderId: made[4]! });

    const { items: [facts] } = await coupon.audit({ from: made[1]!, limit: 1 });
    expect(facts).toEqual({
      orderId: made[1],
      redemptions: [
        { promotionId: one.id, code: one.codes[0], amount: 5_000, state: 'reserved', expiresAt: after(NOW, 30).toISOString() },
        { promotionId: other.id, code: other.codes[0], amount: 3_000, state: 'reserved', expiresAt: after(NOW, 30).toISOString() },
      ],
    });
    const pages: string[][] = [];
    for (let from: string | null = null; pages.length === 0 || from !== null; ) {
      const { items, next }: Awaited<ReturnType<Coupon['audit']>> = await coupon.audit({ from, limit: 2 });
      pages.push(items.map(({ orderId }) => orderId));
      from = next;
    }
    expect(pages.flat()).toEqual(made.toSorted());
    expect(pages.slice(0, -1).every((page) => page.length === 2)).toBe(true);
    expect((await coupon.audit({ from: made[4]!, limit: 1 })).items).toMatchObject([{ redemptions: [{ state: 'released' }, { state: 'released' }] }]);
    expect(await coupon.auditOwn({})).toEqual({ violations: [] });
  });
});

describe('what does not agree within the module', () => {
  const found = async () => (await overWire(couponContract, subject.coupon).auditOwn({})).violations;
  const sql = (statement: string, bindings: string[]) => rows(subject.context.db, statement, bindings);

  it('is a counter that is not what the redemptions say, for everyone and for a customer', async () => {
    const promotion = await promote(subject.coupon, { totalLimit: 3 });
    const basket = basketWith([promotion]);
    await subject.deliver(orderPlaced(await reserve(subject.coupon, basket, { now: subject.context.now() }), subject.context.now()));
    expect(await found()).toEqual([]);
    await sql('update uses set used = 2 where promotion_id = ?', [promotion.id]);
    expect(await found()).toEqual([
      { invariant: 'coupon', orderId: null, message: `Promotion ${promotion.id} is counted 2 times for a customer, and its redemptions say 1.` },
      { invariant: 'coupon', orderId: null, message: `Promotion ${promotion.id} is counted 2 times for everyone, and its redemptions say 1.` },
    ]);
    await sql('update uses set used = 1 where promotion_id = ?', [promotion.id]);
  });

  it('is a discount whose shares are not its amount', async () => {
    const promotion = await promote(subject.coupon);
    const orderId = await reserve(subject.coupon, basketWith([promotion]), { now: subject.context.now() });
    await sql('update redemptions set amount = amount + 1 where order_id = ?', [orderId]);
    expect(await found()).toEqual([
      { invariant: 'coupon', orderId, message: `The shares of promotion ${promotion.id} come to 5000, and it takes 5001 off.` },
    ]);
  });
});
