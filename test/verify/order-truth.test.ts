import { describe, expect, it } from 'vitest';
import type { OrderFacts } from '../../src/modules/order/contract.ts';
import type { PaymentSums } from '../../src/modules/payment/contract.ts';
import { disagreements, type OrderTruth } from '../../src/verify/order-truth.ts';

const NOW = new Date('2026-03-02T03:00:00.000Z');
const at = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000).toISOString();
const LONG_AGO = at(-60);
const LATER = at(30);
const id = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
const ORDER = id(1);
const [VARIANT, OTHER_VARIANT] = [id(11), id(12)];
const [PROMOTION, OTHER_PROMOTION] = [id(21), id(22)];

type State = OrderFacts['state'];

const order = (state: State, more: Partial<OrderFacts> = {}): OrderFacts => ({
  orderId: ORDER, state, currency: 'KRW', total: 45_000, lines: [{ variantId: VARIANT, quantity: 2 }],
  discounts: [{ promotionId: PROMOTION, amount: 5_000 }], captured: 45_000, refunded: 0,
  holdsUntil: LATER, expiresAt: null, placedAt: null, since: LONG_AGO, ...more,
});
const payment = (state: PaymentSums['state'], more: Partial<PaymentSums> = {}): PaymentSums => ({
  orderId: ORDER, state, amount: { amount: 45_000, currency: 'KRW' }, authorized: 45_000, captured: 45_000, refunded: 0,
  refundPending: 0, overdueAt: null, since: LONG_AGO, ...more,
});
const stock = (state: 'held' | 'committed' | 'released' | 'cancelled', { variantId = VARIANT, quantity = 2, sold = 0, expiresAt = LATER } = {}) => ({
  reservation: { orderId: ORDER, state, expiresAt: state === 'held' ? expiresAt : null, lines: [{ variantId, quantity, sold }] },
});
const use = (state: 'reserved' | 'consumed' | 'released' | 'returned', { promotionId = PROMOTION, amount = 5_000, expiresAt = LATER } = {}) => ({
  redemptions: { orderId: ORDER, redemptions: [{ promotionId, code: null, amount, state, expiresAt }] },
});

const placed: OrderTruth = { orderId: ORDER, order: order('placed', { placedAt: LONG_AGO }), payment: payment('captured'), ...stock('committed', { sold: 2 }), ...use('consumed') };
const pending: OrderTruth = {
  orderId: ORDER, order: order('pending', { expiresAt: LATER, captured: 0 }), payment: payment('requires_action', { authorized: 0, captured: 0 }), ...stock('held'), ...use('reserved'),
};
const undone = (state: State, more: Partial<OrderTruth> = {}): OrderTruth => ({ orderId: ORDER, order: order(state, { captured: 0 }), ...stock('released'), ...use('released'), ...more });
const cancelled: OrderTruth = {
  orderId: ORDER, order: order('cancelled', { placedAt: LONG_AGO, refunded: 45_000 }), payment: payment('cancelled', { refunded: 45_000 }), ...stock('cancelled', { sold: 2 }), ...use('returned'),
};

const found = (truth: OrderTruth) => [...disagreements(truth, NOW)];

describe('an order adds up', () => {
  it.each<[string, OrderTruth]>([
    ['placed', placed],
    ['placed, without a discount or anything to pay', { orderId: ORDER, order: order('placed', { placedAt: LONG_AGO, total: 0, captured: 0, discounts: [] }), ...stock('committed', { sold: 2 }) }],
    ['placed, with its sum held', { ...placed, order: order('placed', { placedAt: LONG_AGO, captured: 0 }), payment: payment('authorized', { captured: 0 }) }],
    ['completed and given back in part', { ...placed, order: order('completed', { placedAt: LONG_AGO, refunded: 1_000 }), payment: payment('captured', { refunded: 1_000 }) }],
    ['pending', pending],
    ['pending after its holds ran out', { ...undone('pending'), order: order('pending', { expiresAt: LATER, holdsUntil: LONG_AGO, captured: 0 }) }],
    ['cancelled after it was placed', cancelled],
    ['cancelled after its promotion had ended', { ...cancelled, ...use('consumed') }],
    ['cancelled before it was paid', { ...undone('cancelled'), ...stock('cancelled'), payment: payment('cancelled', { authorized: 0, captured: 0 }) }],
    ['expired', undone('expired')],
    ['expired, with holds that ran out and that nobody tidied up yet', undone('expired', { ...stock('held', { expiresAt: LONG_AGO }), ...use('reserved', { expiresAt: LONG_AGO }) })],
    ['expired, and its late payment went back', undone('expired', { payment: payment('cancelled', { refunded: 45_000 }) })],
    ['refused before anything was done for it', { orderId: ORDER, order: order('refused', { captured: 0 }) }],
    ['refused because of its card', undone('refused', { payment: payment('declined', { authorized: 0, captured: 0 }) })],
  ])('%s', (_, truth) => {
    expect(found(truth)).toEqual([]);
  });
});

describe('it does not, and is known by the invariant and a sentence', () => {
  it.each<[invariant: string, truth: OrderTruth, sentence: RegExp]>([
    ['stock', { ...placed, ...stock('held') }, /is placed, and its stock is held/],
    ['stock', { ...placed, ...stock('cancelled') }, /is placed, and its stock is cancelled/],
    ['stock', { ...placed, reservation: undefined }, /is placed, and its stock is not there/],
    ['stock', { ...placed, ...stock('committed', { sold: 1 }) }, /sold 2 pieces of variant .*11, and 1 were there/],
    ['stock', { ...placed, ...stock('committed', { quantity: 3, sold: 3 }) }, /is placed, and its stock is committed \(3 of/],
    ['stock', { ...placed, ...stock('committed', { variantId: OTHER_VARIANT, sold: 2 }) }, /committed \(2 of .*12\)/],
    ['stock', { ...pending, ...stock('released') }, /is pending, and the stock that is held for it is released/],
    ['stock', undone('expired', stock('held')), /is expired, and its stock is held/],
    ['stock', undone('refused', stock('committed', { sold: 2 })), /is refused, and its stock is committed/],
    ['stock', { ...cancelled, ...stock('committed', { sold: 2 }) }, /is cancelled, and its stock is committed/],
    ['stock', { ...cancelled, reservation: undefined }, /is cancelled, and its stock is not there/],
    ['stock', { orderId: ORDER, ...stock('held') }, /Stock is held for order .*, which does not exist/],
    ['coupon', { ...placed, ...use('reserved') }, /5000 off by promotion .*21, and its redemption is reserved with 5000/],
    ['coupon', { ...placed, ...use('released') }, /its redemption is not there/],
    ['coupon', { ...placed, redemptions: undefined }, /its redemption is not there/],
    ['coupon', { ...placed, ...use('consumed', { amount: 4_000 }) }, /its redemption is consumed with 4000/],
    ['coupon', { ...placed, order: order('placed', { placedAt: LONG_AGO, discounts: [] }) }, /Promotion .*21 is consumed for order .*, which does not show it/],
    ['coupon', { ...pending, ...use('consumed') }, /its redemption is consumed with 5000/],
    ['coupon', undone('expired', use('consumed')), /is expired, and promotion .*21 is consumed for it/],
    ['coupon', undone('refused', use('reserved')), /is refused, and promotion .*21 is reserved for it/],
    ['coupon', { ...undone('cancelled'), ...stock('cancelled'), ...use('consumed') }, /is cancelled, and promotion .*21 is consumed for it/],
    ['coupon', { orderId: ORDER, ...use('consumed') }, /Promotion .*21 is consumed for order .*, which does not exist/],
    ['money', { ...placed, payment: payment('captured', { captured: 40_000 }), order: order('placed', { placedAt: LONG_AGO, captured: 40_000 }) }, /comes to 45000 KRW, and 40000 were taken/],
    ['money', { ...placed, order: order('placed', { placedAt: LONG_AGO, captured: 0 }) }, /believes that 0 were taken and 0 given back, and its payment says 45000 and 0/],
    ['money', { ...cancelled, order: order('cancelled', { placedAt: LONG_AGO }) }, /believes that 45000 were taken and 0 given back/],
    ['money', { ...placed, payment: payment('captured', { amount: { amount: 45_000, currency: 'USD' } }) }, /its payment is over 45000 USD/],
    ['money', { ...pending, payment: payment('requires_action', { amount: { amount: 50_000, currency: 'KRW' }, authorized: 0, captured: 0 }) }, /its payment is over 50000 KRW/],
    ['money', undone('expired', { payment: payment('captured') }), /is expired, and 45000 KRW of its payment, captured, did not go back/],
    ['money', undone('refused', { payment: payment('authorized', { captured: 0 }) }), /is refused, and 45000 KRW of its payment, authorized/],
    ['money', undone('refused', { payment: payment('requires_action', { authorized: 0, captured: 0 }) }), /of its payment, requires_action, did not go back/],
    ['money', { orderId: ORDER, payment: payment('captured') }, /There is a payment, captured, for order .*, which does not exist/],
    ['ending', { orderId: ORDER, order: order('placing', { captured: 0 }) }, /is still being placed/],
    ['ending', { ...pending, order: order('pending', { expiresAt: LONG_AGO, captured: 0 }) }, /waits for its payment, and its time is over/],
    ['ending', { ...pending, payment: payment('declined', { authorized: 0, captured: 0 }) }, /waits for its payment, which is declined/],
    ['ending', { ...pending, payment: payment('captured') }, /waits for its payment, which is captured/],
    ['ending', { ...pending, payment: payment('processing', { authorized: 0, captured: 0, overdueAt: LONG_AGO }) }, /the provider has not been asked since it was due/],
  ])('%s %#', (invariant, truth, sentence) => {
    const all = found(truth);
    expect(all).toContainEqual(expect.objectContaining({ invariant, message: expect.stringMatching(sentence) }));
    expect(all.map((one) => one.invariant)).toEqual([invariant]);
    expect(all.every(({ since }) => since < new Date(at(-59)))).toBe(true);
  });

  it.each([OTHER_PROMOTION])('by both sides when another promotion was redeemed', (promotionId) => {
    expect(found({ ...placed, ...use('consumed', { promotionId }) }).map(({ message }) => message)).toEqual([
      `Order ${ORDER} has 5000 off by promotion ${PROMOTION}, and its redemption is not there.`,
      `Promotion ${OTHER_PROMOTION} is consumed for order ${ORDER}, which does not show it.`,
    ]);
  });
});

describe('the instant from which on it should agree', () => {
  it.each<[string, OrderTruth, string]>([
    ['is when the order was placed: order.placed is on its way', { ...placed, ...stock('held'), order: order('placed', { placedAt: at(-1), since: at(-1) }) }, at(-1)],
    ['is not when it was completed', { ...placed, ...stock('held'), order: order('completed', { placedAt: LONG_AGO, since: at(-1) }) }, LONG_AGO],
    ['is when it was cancelled', { ...cancelled, ...stock('committed', { sold: 2 }), order: order('cancelled', { placedAt: LONG_AGO, refunded: 45_000, since: at(-1) }) }, at(-1)],
    ['is when the payment last changed: payment.refunded is on its way', { ...cancelled, order: order('cancelled', { placedAt: LONG_AGO }), payment: payment('cancelled', { refunded: 45_000, since: at(-1) }) }, at(-1)],
    ['is when the provider is asked next, while money is on its way back', undone('expired', { payment: payment('processing', { overdueAt: at(5) }) }), at(5)],
    ['is the end of its time to be paid', { ...pending, order: order('pending', { expiresAt: at(-1), captured: 0 }) }, at(-1)],
  ])('%s', (_, truth, since) => {
    expect(found(truth).map((one) => one.since.toISOString())).toEqual([since]);
  });
});
