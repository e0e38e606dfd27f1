import type { couponContract } from '../modules/coupon/contract.ts';
import { orderContract } from '../modules/order/contract.ts';
import { newId } from '../shared/ids.ts';
import { basketOf, basketWith, type CouponCases, draftOf, promote, reservationOf, reserve, used } from './coupon-goods.ts';
import { auditCases, creatingCases, listingCases, updatingCases } from './coupon-promotion-cases.ts';
import { quoteCases } from './coupon-quote-cases.ts';
import { amply, atOnce, countsOf, eventually, expectMatch, expectRefusal, expectSameAgain, inSeconds, waitUntil } from './expectation.ts';
import { type Case, writing } from './suite.ts';
import type { Wire } from './wire.ts';

const COUNT = 'The number of uses';
const reserving: CouponCases = {
  'takes one use of each, and answers a repeat the same without a second effect': async ({ service: coupon }) => {
    const promotions = [await promote(coupon, { class: 'item', combinesWith: ['order'] }), await promote(coupon, { combinesWith: ['item'], totalLimit: 1, perCustomerLimit: 1 })];
    const reservation = await reservationOf(coupon, basketWith(promotions));
    await expectSameAgain(() => coupon.reserve(reservation));
    for (const promotion of promotions) expectMatch(await used(coupon, promotion), 1, COUNT);
  },
  'takes one use when ten of the same come at once': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 5 });
    const reservation = await reservationOf(coupon, basketWith([promotion]));
    expectMatch(countsOf(await atOnce(10, () => coupon.reserve(reservation))), { done: 10 }, 'What came of ten');
    expectMatch(await used(coupon, promotion), 1, COUNT);
  },
  'takes all or none, and answers the new quote': async ({ service: coupon }) => {
    const free = await promote(coupon, { class: 'item', combinesWith: ['order'] });
    const last = await promote(coupon, { combinesWith: ['item'], totalLimit: 1 });
    const reservation = await reservationOf(coupon, basketWith([free, last]));
    await reserve(coupon, basketWith([last]));
    const { code, details } = await expectRefusal(coupon.reserve(reservation), 'discount_changed');
    expectMatch({ code, details }, { code: 'conflict', details: { quote: { discounts: [{ promotionId: free.id }], codes: [{ applied: true }, { applied: false, reason: 'limit_reached' }] } } }, 'The refusal');
    expectMatch(await used(coupon, free), 0, COUNT);
  },
  'refuses other discounts than the basket would get': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    const { discounts, ...reservation } = await reservationOf(coupon, basketWith([promotion]));
    const [discount] = discounts;
    await expectRefusal(coupon.reserve({ ...reservation, discounts: [{ ...discount!, amount: 5_001, lines: [{ lineId: 'L1', amount: 3_001 }, { lineId: 'L2', amount: 2_000 }] }] }), 'discount_changed');
    await expectRefusal(coupon.reserve({ ...reservation, discounts: [] }), 'discount_changed');
    expectMatch(await used(coupon, promotion), 0, COUNT);
  },
  'refuses what was quoted before the promotion was paused': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    const reservation = await reservationOf(coupon, basketWith([promotion]));
    await coupon.updatePromotion({ id: promotion.id, version: promotion.version, draft: draftOf({ codes: promotion.codes, active: false }) });
    await expectRefusal(coupon.reserve(reservation), 'discount_changed');
  },
  'of no discounts is fine where there are none': async ({ service: coupon }) => {
    expectMatch(await coupon.reserve({ orderId: newId(), basket: basketOf([]), discounts: [], expiresAt: inSeconds(60) }), {});
  },
  'of no discounts leaves what the order has reserved': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    const reservation = await reservationOf(coupon, basketWith([promotion]));
    await coupon.reserve(reservation);
    await coupon.reserve({ ...reservation, basket: basketOf([]), discounts: [] });
    expectMatch(await used(coupon, promotion), 1, COUNT);
  },
  'grants exactly the limit to many orders at once': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 5 });
    const reservations = await Promise.all(Array.from({ length: 20 }, () => reservationOf(coupon, basketWith([promotion]))));
    const outcomes = countsOf(await atOnce(20, (index) => coupon.reserve(reservations[index]!)));
    expectMatch(outcomes, { done: 5, discount_changed: 15 }, 'What came of twenty orders for five uses');
    expectMatch(await used(coupon, promotion), 5, COUNT);
  },
  'grants exactly the limit of a customer to many orders of hers at once': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { perCustomerLimit: 2 });
    const basket = basketWith([promotion]);
    const reservations = await Promise.all(Array.from({ length: 10 }, () => reservationOf(coupon, basket)));
    const outcomes = countsOf(await atOnce(10, (index) => coupon.reserve(reservations[index]!)));
    expectMatch(outcomes, { done: 2, discount_changed: 8 }, 'What came of ten orders for two uses');
    await reserve(coupon, basketWith([promotion]));
    expectMatch(await used(coupon, promotion), 3, COUNT);
  },
  'runs out by itself': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    await reserve(coupon, basketWith([promotion]), 1);
    await eventually(async () => {
      expectMatch(await used(coupon, promotion), 0, COUNT);
      expectMatch((await coupon.quote(basketWith([promotion]))).codes, [{ applied: true }]);
    });
    await reserve(coupon, basketWith([promotion]));
    expectMatch(await used(coupon, promotion), 1, COUNT);
  },
  'is extended by a repeat, also when the promotion is paused by then': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    const reservation = await reservationOf(coupon, basketWith([promotion]), await amply(() => used(coupon, promotion)));
    await coupon.reserve(reservation);
    await coupon.updatePromotion({ id: promotion.id, version: promotion.version, draft: draftOf({ codes: promotion.codes, totalLimit: 1, active: false }) });
    await coupon.reserve({ ...reservation, expiresAt: inSeconds(600) });
    await waitUntil(reservation.expiresAt);
    expectMatch(await used(coupon, promotion), 1, COUNT);
  },
};

const releasing: CouponCases = {
  'gives the uses back, once': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 2, perCustomerLimit: 1 });
    const basket = basketWith([promotion]);
    await reserve(coupon, basketWith([promotion]));
    const orderId = await reserve(coupon, basket);
    await expectSameAgain(() => coupon.release({ orderId }));
    expectMatch(await used(coupon, promotion), 1, COUNT);
    await reserve(coupon, basket);
    expectMatch(await used(coupon, promotion), 2, COUNT);
  },
  'of what nobody reserved does nothing': async ({ service: coupon }) => expectMatch(await coupon.release({ orderId: newId() }), {}),
  'of an order that was placed does nothing': async (wire) => {
    const { promotion, orderId } = await placedOrder(wire);
    await wire.service.release({ orderId });
    expectMatch(await used(wire.service, promotion), 1, COUNT);
  },
  'leaves room for the same order to reserve anew': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    const reservation = await reservationOf(coupon, basketWith([promotion]));
    await coupon.reserve(reservation);
    await coupon.release({ orderId: reservation.orderId });
    await coupon.reserve(reservation);
    expectMatch(await used(coupon, promotion), 1, COUNT);
  },
};

const { placed, cancelled, expired } = orderContract.events;
type CouponWire = Wire<typeof couponContract>;

const place = (wire: CouponWire, orderId: string, id?: string) =>
  wire.tell(placed, { orderId, number: 'K-KIT', customerId: null, email: 'kit@example.com', currency: 'KRW', total: 48_000, lines: [], placedAt: new Date().toISOString() }, id);
const cancel = (wire: CouponWire, orderId: string, wasPlaced: boolean, id?: string) => wire.tell(cancelled, { orderId, wasPlaced, cancelledAt: new Date().toISOString(), reason: '' }, id);
const expire = (wire: CouponWire, orderId: string, id?: string) => wire.tell(expired, { orderId, expiredAt: new Date().toISOString() }, id);

/** A promotion with one use, taken by an order that was placed. */
async function placedOrder(wire: CouponWire, { seconds = 600, endsAt = null as string | null } = {}) {
  const promotion = await promote(wire.service, { totalLimit: 1, endsAt });
  const orderId = await reserve(wire.service, basketWith([promotion]), seconds);
  await place(wire, orderId);
  return { promotion, orderId };
}

const listening: CouponCases = {
  'order.placed makes the use final: it does not run out': async (wire) => {
    const { promotion, orderId } = await placedOrder(wire, { seconds: 1 });
    await waitUntil(inSeconds(1.2));
    expectMatch(await used(wire.service, promotion), 1, COUNT);
    await place(wire, orderId);
    expectMatch(await used(wire.service, promotion), 1, `${COUNT}, told twice,`);
  },
  'order.placed settles the order: reserving it again changes nothing': async (wire) => {
    const promotion = await promote(wire.service, { totalLimit: 3 });
    const reservation = await reservationOf(wire.service, basketWith([promotion]));
    await wire.service.reserve(reservation);
    await place(wire, reservation.orderId);
    expectMatch(await wire.service.reserve(reservation), {});
    expectMatch(await used(wire.service, promotion), 1, COUNT);
  },
  'order.cancelled after it was placed gives the use back, once': async (wire) => {
    const { promotion, orderId } = await placedOrder(wire);
    for (const id of twice()) await cancel(wire, orderId, true, id);
    expectMatch(await used(wire.service, promotion), 0, COUNT);
    await reserve(wire.service, basketWith([promotion]));
    await cancel(wire, orderId, true);
    expectMatch(await used(wire.service, promotion), 1, `${COUNT} of the next order`);
  },
  'order.cancelled gives nothing back of a promotion that has ended': async (wire) => {
    const endsAt = inSeconds(await amply(() => promote(wire.service)));
    const { promotion, orderId } = await placedOrder(wire, { endsAt });
    await waitUntil(endsAt);
    await cancel(wire, orderId, true);
    expectMatch(await used(wire.service, promotion), 1, COUNT);
  },
  'order.cancelled before it was placed lets the reservation go': async (wire) => {
    const promotion = await promote(wire.service, { totalLimit: 1 });
    const orderId = await reserve(wire.service, basketWith([promotion]));
    for (const id of twice()) await cancel(wire, orderId, false, id);
    expectMatch(await used(wire.service, promotion), 0, COUNT);
  },
  'order.expired lets the reservation go': async (wire) => {
    const promotion = await promote(wire.service, { totalLimit: 1 });
    const orderId = await reserve(wire.service, basketWith([promotion]));
    for (const id of twice()) await expire(wire, orderId, id);
    expectMatch(await used(wire.service, promotion), 0, COUNT);
  },
  'the same event again changes nothing, whatever has happened since': async (wire) => {
    const promotion = await promote(wire.service, { totalLimit: 1 });
    const reservation = await reservationOf(wire.service, basketWith([promotion]));
    const id = newId();
    await wire.service.reserve(reservation);
    await expire(wire, reservation.orderId, id);
    await wire.service.reserve(reservation);
    await expire(wire, reservation.orderId, id);
    expectMatch(await used(wire.service, promotion), 1, COUNT);
  },
  'ten deliveries of one event at once are one': async (wire) => {
    const promotion = await promote(wire.service, { totalLimit: 1 });
    const orderId = await reserve(wire.service, basketWith([promotion]));
    const id = newId();
    await Promise.all(Array.from({ length: 10 }, () => place(wire, orderId, id)));
    expectMatch(await used(wire.service, promotion), 1, COUNT);
  },
};

/** The id of one event for two deliveries. */
const twice = () => Array.from({ length: 2 }).fill(newId()) as string[];

export const couponSuite: Case<typeof couponContract>[] = [
  ...writing('quote', quoteCases),
  ...writing('reserve', reserving),
  ...writing('release', releasing),
  ...writing('events', listening),
  ...writing('createPromotion', creatingCases),
  ...writing('updatePromotion', updatingCases),
  ...writing('listPromotions', listingCases),
  ...writing('audit', auditCases),
];
