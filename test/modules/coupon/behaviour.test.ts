import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Basket, type Coupon, couponContract, type Discount, type Promotion } from '../../../src/modules/coupon/contract.ts';
import { createFakeCoupon } from '../../../src/modules/coupon/fake.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { encodeCursor } from '../../../src/shared/http.ts';
import { newId } from '../../../src/shared/ids.ts';
import { after, basketWith, createTestCoupon, draft, orderCancelled, orderExpired, orderPlaced, promote, reserve, used } from './service-support.ts';
import { NOW } from './support.ts';

interface Subject {
  coupon: Coupon;
  clock: { now: Date };
  place(orderId: string): Promise<void>;
  cancel(orderId: string, wasPlaced: boolean): Promise<void>;
  expire(orderId: string): Promise<void>;
  close(): Promise<void>;
}

async function realCoupon(): Promise<Subject> {
  const { context, coupon, deliver } = await createTestCoupon();
  const { clock } = context;
  return {
    coupon: overWire(couponContract, coupon),
    clock,
    place: (orderId) => deliver(orderPlaced(orderId, clock.now)),
    cancel: (orderId, wasPlaced) => deliver(orderCancelled(orderId, clock.now, wasPlaced)),
    expire: (orderId) => deliver(orderExpired(orderId, clock.now)),
    close: () => context.close(),
  };
}

async function fakeCoupon(): Promise<Subject> {
  const clock = { now: NOW };
  const fake = createFakeCoupon({ now: () => clock.now });
  return {
    coupon: overWire(couponContract, fake),
    clock,
    place: async (orderId) => fake.place(orderId),
    cancel: async (orderId, wasPlaced) => fake.cancel(orderId, { wasPlaced }),
    expire: async (orderId) => fake.expire(orderId),
    close: async () => undefined,
  };
}

/** What the quote of this basket gave when the promotion was open to it. */
const given = ({ lines: [first, second] }: Basket, { id, codes: [code] }: Promotion): Discount => ({
  promotionId: id, name: '10 % off', class: 'order', code: code!, amount: 5_000,
  lines: [{ lineId: first!.lineId, amount: 3_000 }, { lineId: second!.lineId, amount: 2_000 }],
});

describe.each([
  { kind: 'the service', create: realCoupon },
  { kind: 'the fake', create: fakeCoupon },
])('$kind', ({ create }) => {
  let subject: Subject;
  let coupon: Coupon;
  beforeAll(async () => {
    subject = await create();
    coupon = subject.coupon;
  });
  afterAll(() => subject.close());
  const now = () => subject.clock.now;
  const minutesPass = (minutes: number) => {
    subject.clock.now = after(now(), minutes);
  };

  describe('quotes', () => {
    it('what a code takes off, and binds nothing', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      const basket = basketWith([promotion]);
      const quote = await coupon.quote(basket);
      expect(quote).toEqual({
        discounts: [
          {
            promotionId: promotion.id, name: '10 % off', class: 'order', code: promotion.codes[0], amount: 5_000,
            lines: [{ lineId: 'L1', amount: 3_000 }, { lineId: 'L2', amount: 2_000 }],
          },
        ],
        codes: [{ code: promotion.codes[0], applied: true, reason: null, message: '' }],
      });
      expect(await coupon.quote(basket)).toEqual(quote);
      expect(await used(coupon, promotion)).toBe(0);
    });

    it('automatic promotions without a code, while they are on', async () => {
      const promotion = await promote(coupon, { codes: [], currency: 'USD', endsAt: '2026-03-02' });
      const basket = basketWith([], { currency: 'USD' });
      expect((await coupon.quote(basket)).discounts).toMatchObject([{ promotionId: promotion.id, code: null, amount: 5_000 }]);
      const { now } = subject.clock;
      subject.clock.now = new Date('2026-03-02T14:59:59.999Z');
      expect((await coupon.quote(basket)).discounts).toHaveLength(1);
      subject.clock.now = new Date('2026-03-02T15:00:00.000Z');
      expect((await coupon.quote(basket)).discounts).toEqual([]);
      subject.clock.now = now;
    });

    it('the reason of every code that takes nothing off', async () => {
      const reasonOf = async (more: Parameters<typeof promote>[1]) => (await coupon.quote(basketWith([await promote(coupon, more)]))).codes[0]!.reason;
      expect(await reasonOf({ active: false })).toBe('paused');
      expect(await reasonOf({ startsAt: '2027-01-01' })).toBe('not_started');
      expect(await reasonOf({ endsAt: '2026-03-01' })).toBe('ended');
      expect(await reasonOf({ currency: 'USD' })).toBe('currency_mismatch');
      expect(await reasonOf({ scope: { productIds: [newId()] } })).toBe('no_eligible_items');
      expect(await reasonOf({ minimumSpend: 60_000 })).toBe('minimum_not_reached');
      expect((await coupon.quote(basketWith([], { codes: ['NO-SUCH'] }))).codes).toMatchObject([{ code: 'NO-SUCH', reason: 'unknown_code' }]);
    });
  });

  describe('reserve', () => {
    it('takes a use, and the last one only once', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      await reserve(coupon, basketWith([promotion]), { now: now() });
      expect(await used(coupon, promotion)).toBe(1);
      expect((await coupon.quote(basketWith([promotion]))).codes).toMatchObject([{ reason: 'limit_reached' }]);
    });

    it('refuses what was quoted before the last use was taken, with the new quote', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      const basket = basketWith([promotion]);
      const { discounts } = await coupon.quote(basket);
      await reserve(coupon, basketWith([promotion]), { now: now() });
      await expect(coupon.reserve({ orderId: newId(), basket, discounts, expiresAt: after(now(), 30).toISOString() })).rejects.toMatchObject({
        code: 'conflict',
        reason: 'discount_changed',
        details: { quote: { discounts: [], codes: [{ applied: false, reason: 'limit_reached' }] } },
      });
    });

    it('counts per customer: an account, or a guest’s address however it is written', async () => {
      const promotion = await promote(coupon, { perCustomerLimit: 1 });
      const guest = (email: string | null) => basketWith([promotion], { customerId: null, email });
      const customer = basketWith([promotion]);
      await reserve(coupon, customer, { now: now() });
      await reserve(coupon, guest('Mina@example.com'), { now: now() });
      const reasonOf = async (basket: typeof customer) => (await coupon.quote(basket)).codes[0]!.reason;
      expect(await reasonOf(customer)).toBe('customer_limit_reached');
      expect(await reasonOf(guest('mina+again@example.com'))).toBe('customer_limit_reached');
      expect(await reasonOf(guest('jun@example.com'))).toBeNull();
      expect(await reasonOf(guest(null))).toBe('customer_required');
    });

    it('is harmless to repeat, and does not stand in its own way', async () => {
      const promotion = await promote(coupon, { totalLimit: 1, perCustomerLimit: 1 });
      const basket = basketWith([promotion]);
      const { discounts } = await coupon.quote(basket);
      const repeat = { orderId: newId(), basket, discounts, expiresAt: after(now(), 30).toISOString() };
      for (let times = 0; times < 3; times += 1) expect(await coupon.reserve(repeat)).toEqual({});
      expect(await used(coupon, promotion)).toBe(1);
    });

    it('answers a repeat the same although the promotion is over, and extends its time', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      const basket = basketWith([promotion]);
      const { discounts } = await coupon.quote(basket);
      const orderId = await reserve(coupon, basket, { now: now() });
      await coupon.updatePromotion({ id: promotion.id, version: 1, draft: draft({ codes: promotion.codes, totalLimit: 1, active: false }) });
      await coupon.reserve({ orderId, basket, discounts, expiresAt: after(now(), 90).toISOString() });
      minutesPass(60);
      expect(await used(coupon, promotion)).toBe(1);
      minutesPass(60);
      expect(await used(coupon, promotion)).toBe(0);
      await expect(coupon.reserve({ orderId, basket, discounts, expiresAt: after(now(), 30).toISOString() })).rejects.toMatchObject({ reason: 'discount_changed' });
    });

    it('takes anew what ran out, if it is still there', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      const [mine, theirs] = [basketWith([promotion]), basketWith([promotion])];
      const orderId = await reserve(coupon, mine, { now: now() });
      minutesPass(31);
      await reserve(coupon, mine, { now: now(), orderId });
      expect(await used(coupon, promotion)).toBe(1);
      minutesPass(31);
      const other = await reserve(coupon, theirs, { now: now() });
      const again = { orderId, basket: mine, discounts: [given(mine, promotion)], expiresAt: after(now(), 30).toISOString() };
      await expect(coupon.reserve(again)).rejects.toMatchObject({ reason: 'discount_changed' });
      await coupon.release({ orderId: other });
    });

    it('takes all or none', async () => {
      const both = { combinesWith: ['item', 'order'] as ('item' | 'order')[] };
      const [item, order] = [await promote(coupon, { class: 'item', ...both }), await promote(coupon, { totalLimit: 1, ...both })];
      const basket = basketWith([item, order]);
      const { discounts } = await coupon.quote(basket);
      expect(discounts).toHaveLength(2);
      await reserve(coupon, basketWith([order]), { now: now() });
      await expect(coupon.reserve({ orderId: newId(), basket, discounts, expiresAt: after(now(), 30).toISOString() })).rejects.toMatchObject({ reason: 'discount_changed' });
      expect(await used(coupon, item)).toBe(0);
    });

    it('of other discounts for the same order lets go of the earlier ones', async () => {
      const [first, second] = [await promote(coupon, {}), await promote(coupon, {})];
      const orderId = await reserve(coupon, basketWith([first]), { now: now() });
      await reserve(coupon, basketWith([second]), { now: now(), orderId });
      expect([await used(coupon, first), await used(coupon, second)]).toEqual([0, 1]);
    });

    it('of a basket that has changed takes the same last use', async () => {
      const promotion = await promote(coupon, { totalLimit: 1, perCustomerLimit: 1 });
      const basket = basketWith([promotion]);
      const orderId = await reserve(coupon, basket, { now: now() });
      const { amount, ...discount } = given(basket, promotion);
      const smaller = { ...basket, lines: basket.lines.slice(0, 1) };
      const discounts = [{ ...discount, amount: amount - 2_000, lines: discount.lines.slice(0, 1) }];
      await coupon.reserve({ orderId, basket: smaller, discounts, expiresAt: after(now(), 30).toISOString() });
      expect(await used(coupon, promotion)).toBe(1);
    });

    it('does not let a promotion become everybody’s by losing its last code', async () => {
      const { id, version } = await promote(coupon, { codes: ['ONLY-CODE'] });
      await expect(coupon.updatePromotion({ id, version, draft: draft({ codes: [] }) })).rejects.toMatchObject({ reason: 'promotion_inconsistent' });
      expect(await coupon.updatePromotion({ id, version, draft: draft({ codes: [], active: false }) })).toMatchObject({ codes: [], active: false });
    });

    it('of no discounts makes sure that there are none', async () => {
      const basket = basketWith([], { currency: 'JPY' });
      const nothing = { basket, discounts: [], expiresAt: after(now(), 30).toISOString() };
      expect(await coupon.reserve({ orderId: newId(), ...nothing })).toEqual({});
      const { version, ...automatic } = await promote(coupon, { codes: [], currency: 'JPY' });
      await expect(coupon.reserve({ orderId: newId(), ...nothing })).rejects.toMatchObject({ reason: 'discount_changed', details: { quote: { discounts: [{ amount: 5_000 }] } } });
      await coupon.updatePromotion({ id: automatic.id, version, draft: draft({ currency: 'JPY', active: false }) });
      expect(await coupon.reserve({ orderId: newId(), ...nothing })).toEqual({});
    });

    it('of no discounts only makes sure that there are none: what the order has reserved stays', async () => {
      const promotion = await promote(coupon, { totalLimit: 1 });
      const orderId = await reserve(coupon, basketWith([promotion]), { now: now() });
      expect(await coupon.reserve({ orderId, basket: basketWith([]), discounts: [], expiresAt: after(now(), 30).toISOString() })).toEqual({});
      expect(await used(coupon, promotion)).toBe(1);
    });
  });

  describe('a use', () => {
    const limited = async () => {
      const promotion = await promote(coupon, { totalLimit: 1, perCustomerLimit: 1, endsAt: '2030-12-31' });
      const basket = basketWith([promotion]);
      return { promotion, basket, orderId: await reserve(coupon, basket, { now: now() }) };
    };

    it('comes back when the order lets go, once', async () => {
      const { promotion, orderId } = await limited();
      for (let times = 0; times < 2; times += 1) expect(await coupon.release({ orderId })).toEqual({});
      expect(await used(coupon, promotion)).toBe(0);
      expect(await coupon.release({ orderId: newId() })).toEqual({});
    });

    it('comes back by itself when its time is over', async () => {
      const { promotion, basket } = await limited();
      minutesPass(30);
      expect(await used(coupon, promotion)).toBe(0);
      expect((await coupon.quote(basket)).discounts).toHaveLength(1);
    });

    it('stays when the order is placed, whatever is repeated or comes too late', async () => {
      const { promotion, basket, orderId } = await limited();
      await subject.place(orderId);
      await subject.place(orderId);
      await coupon.release({ orderId });
      await subject.expire(orderId);
      minutesPass(60);
      expect(await used(coupon, promotion)).toBe(1);
      expect(await coupon.reserve({ orderId, basket, discounts: [given(basket, promotion)], expiresAt: after(now(), 30).toISOString() })).toEqual({});
      expect(await used(coupon, promotion)).toBe(1);
    });

    it('comes back when the placed order is cancelled', async () => {
      const { promotion, orderId } = await limited();
      await subject.place(orderId);
      await subject.cancel(orderId, true);
      await subject.cancel(orderId, true);
      await subject.place(orderId);
      expect(await used(coupon, promotion)).toBe(0);
    });

    it('comes back when the order is cancelled or expires before it was placed', async () => {
      const [one, other] = [await limited(), await limited()];
      await subject.cancel(one.orderId, false);
      await subject.expire(other.orderId);
      expect([await used(coupon, one.promotion), await used(coupon, other.promotion)]).toEqual([0, 0]);
    });

    it('does not come back from an order that is cancelled after the promotion has ended', async () => {
      const promotion = await promote(coupon, { endsAt: after(now(), 10).toISOString() });
      const orderId = await reserve(coupon, basketWith([promotion]), { now: now() });
      await subject.place(orderId);
      minutesPass(10);
      await subject.cancel(orderId, true);
      expect(await used(coupon, promotion)).toBe(1);
    });

    it('counts when the order was placed after its reservation ran out, even if somebody has the last one by then', async () => {
      const { promotion, orderId } = await limited();
      minutesPass(31);
      await reserve(coupon, basketWith([promotion]), { now: now() });
      await subject.place(orderId);
      expect(await used(coupon, promotion)).toBe(2);
      await subject.cancel(orderId, true);
      expect(await used(coupon, promotion)).toBe(1);
    });
  });

  describe('staff', () => {
    it('read back what they wrote', async () => {
      const written = draft({
        name: '설날 할인', class: 'item', benefit: { kind: 'percent', basisPoints: 1_500, cap: 30_000, roundTo: 100, rounding: 'floor' },
        scope: { categoryIds: [newId()], excludedProductIds: [newId()] }, minimumSpend: 10_000, startsAt: '2026-02-01', endsAt: '2026-02-28T18:00:00+09:00',
        totalLimit: 100, perCustomerLimit: 2, combinesWith: ['order', 'shipping'], priority: 5, codes: ['Seollal', '설날'],
      });
      const id = newId();
      const promotion = await coupon.createPromotion({ id, draft: written });
      expect(promotion).toMatchObject({ ...written, id, version: 1, used: 0, active: true, exclusive: false, createdAt: now().toISOString() });
      expect(await coupon.getPromotion({ id })).toEqual(promotion);
    });

    it('may paste ids in capitals, and days of any year', async () => {
      const basket = basketWith([]);
      const productIds = [basket.lines[0]!.productId.toUpperCase()];
      const promotion = await promote(coupon, { scope: { productIds }, startsAt: '0001-01-01', endsAt: '9999-12-31' });
      expect(promotion).toMatchObject({ scope: { productIds: [basket.lines[0]!.productId] }, startsAt: '0001-01-01', endsAt: '9999-12-31' });
      expect((await coupon.quote({ ...basket, codes: promotion.codes })).discounts).toMatchObject([{ amount: 3_000 }]);
    });

    it('create it once, however often they repeat it', async () => {
      const id = newId();
      const first = await coupon.createPromotion({ id, draft: draft({ codes: ['ONCE'] }) });
      expect(await coupon.createPromotion({ id, draft: draft({ codes: ['ONCE'], name: 'another' }) })).toEqual(first);
    });

    it('cannot take a code that another promotion has, in any spelling, and nothing is kept of it', async () => {
      await promote(coupon, { codes: ['Taken'] });
      const id = newId();
      await expect(coupon.createPromotion({ id, draft: draft({ codes: ['FREE', 'ｔａｋｅｎ'] }) })).rejects.toMatchObject({
        code: 'conflict', reason: 'code_taken', details: { codes: ['ｔａｋｅｎ'] },
      });
      await expect(coupon.getPromotion({ id })).rejects.toMatchObject({ reason: 'not_found' });
      await promote(coupon, { codes: ['FREE'] });
    });

    it('free a code by dropping it, and respell one by writing it anew', async () => {
      const { id, version } = await promote(coupon, { codes: ['KEEP-A', 'DROP-A'] });
      expect(await coupon.updatePromotion({ id, version, draft: draft({ codes: ['keep-a', 'New-A'] }) })).toMatchObject({ version: 2, codes: ['keep-a', 'New-A'] });
      await promote(coupon, { codes: ['drop-a'] });
      expect((await coupon.quote(basketWith([], { codes: ['KEEP-A'] }))).discounts).toMatchObject([{ promotionId: id, code: 'keep-a' }]);
    });

    it('overwrite nobody’s change', async () => {
      const { id, codes } = await promote(coupon);
      await coupon.updatePromotion({ id, version: 1, draft: draft({ codes, name: 'theirs' }) });
      await expect(coupon.updatePromotion({ id, version: 1, draft: draft({ codes, name: 'mine' }) })).rejects.toMatchObject({
        code: 'conflict', reason: 'version_mismatch', details: { version: 2 },
      });
      expect(await coupon.getPromotion({ id })).toMatchObject({ name: 'theirs', version: 2 });
      await expect(coupon.updatePromotion({ id: newId(), version: 1, draft: draft() })).rejects.toMatchObject({ code: 'not_found', reason: 'not_found' });
    });

    it('may set a limit below what is used: there are no more', async () => {
      const promotion = await promote(coupon, { totalLimit: 5, perCustomerLimit: 5 });
      const basket = basketWith([promotion]);
      for (let orders = 0; orders < 3; orders += 1) await reserve(coupon, basket, { now: now() });
      await coupon.updatePromotion({ id: promotion.id, version: 1, draft: draft({ codes: promotion.codes, totalLimit: 2, perCustomerLimit: 1 }) });
      expect((await coupon.quote(basket)).codes).toMatchObject([{ reason: 'limit_reached' }]);
      await coupon.updatePromotion({ id: promotion.id, version: 2, draft: draft({ codes: promotion.codes, totalLimit: 4 }) });
      await reserve(coupon, basket, { now: now() });
      expect(await used(coupon, promotion)).toBe(4);
    });

    it('hear what contradicts itself', async () => {
      await expect(coupon.createPromotion({ id: newId(), draft: draft({ class: 'shipping' }) })).rejects.toMatchObject({
        code: 'invalid', reason: 'promotion_inconsistent', details: { errors: [{ path: 'class' }] },
      });
    });

    it('may grant as many uses as a promotion can count', async () => {
      expect(await promote(coupon, { totalLimit: 2_147_483_647 })).toMatchObject({ totalLimit: 2_147_483_647 });
    });

    it('list promotions newest first, page by page, or by a code', async () => {
      minutesPass(1);
      const made: string[] = [];
      for (let count = 0; count < 5; count += 1) made.unshift((await promote(coupon)).id);
      const pages: string[][] = [];
      let cursor: string | undefined;
      do {
        const { items, nextCursor } = await coupon.listPromotions({ limit: 2, ...(cursor && { cursor }) });
        pages.push(items.map(({ id }) => id));
        cursor = nextCursor ?? undefined;
      } while (cursor && pages.length < 3);
      expect(pages.flat().slice(0, 5)).toEqual(made);
      const { codes } = await coupon.getPromotion({ id: made[2]! });
      expect(await coupon.listPromotions({ code: ` ${codes[0]!.toLowerCase()}`, limit: 20 })).toMatchObject({ items: [{ id: made[2] }], nextCursor: null });
      expect(await coupon.listPromotions({ code: 'NO-SUCH', limit: 20 })).toEqual({ items: [], nextCursor: null });
      const from = (...key: (string | number)[]) => encodeCursor(key);
      const strange = ['0000-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', `2026-01-01T00:00:00.${'0'.repeat(200)}Z`, '9999-12-31T23:59:59.999+23:59', 1e300, -1, 0.5];
      for (const nonsense of ['nonsense', 'WyJhIiwiYiJd', from('2026-01-01T00:00:00.000Z', 5), ...strange.map((at) => from(at, made[0]!))]) {
        await expect(coupon.listPromotions({ cursor: nonsense, limit: 2 })).rejects.toMatchObject({ code: 'invalid', reason: 'invalid_cursor' });
      }
    });
  });
});
