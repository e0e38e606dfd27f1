import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderState } from '../../../src/modules/order/contract.ts';
import { begin, cancel, complete, expire, isOverdue, move, type Order, refuse, TRANSITIONS } from '../../../src/modules/order/order.ts';
import { covers, factsOf, isPaid, learn, NO_PAYMENT, type PaymentAnswer, type PaymentFacts, paymentStatus } from '../../../src/modules/order/payment-facts.ts';
import { leavesSomethingToUndo, settle } from '../../../src/modules/order/settlement.ts';
import { isAppError } from '../../../src/shared/errors.ts';
import { ADDRESS } from './support.ts';

const runs = { numRuns: Number(process.env['KERF_PROPERTY_RUNS'] ?? 2_000) };
const T0 = new Date('2026-03-02T03:00:00.000Z');
const after = (minutes: number) => new Date(T0.getTime() + minutes * 60_000);
const STATES = Object.keys(TRANSITIONS) as OrderState[];
const note = { at: T0, by: 'system', reason: '' };
const TOTALS = { subtotal: 10_000, discount: 0, shipping: 0, shippingDiscount: 0, taxIncluded: 909, total: 10_000 };

const placing = (total = 10_000): Order => ({
  ...begin({
    id: 'order', cartId: null, customerId: null, email: 'a@b.c', currency: 'KRW', lines: [], discounts: [], codes: [], shippingAddress: ADDRESS,
    totals: { ...TOTALS, total }, claim: { token: 'mine', until: after(1) }, holdsUntil: after(40), by: 'guest', at: T0,
  }),
  number: 'K-260000001',
});
/** An order that came to this state by the machine. */
const orderIn = (state: OrderState): Order => {
  const paths: Record<OrderState, OrderState[]> = {
    placing: [], pending: ['pending'], placed: ['placed'], refused: ['refused'],
    completed: ['placed', 'completed'], cancelled: ['placed', 'cancelled'], expired: ['pending', 'expired'],
  };
  return paths[state].reduce((order, to) => move({ ...order, expiresAt: to === 'pending' ? after(30) : null }, to, note), placing());
};
/** What becomes of it: its state, or the reason or message of a throw. */
const outcomeOf = (change: () => Order): string => {
  try {
    return change().state;
  } catch (error) {
    return (error as { reason?: string }).reason ?? (error as Error).message;
  }
};
const facts = (known: Partial<PaymentFacts>): PaymentFacts => ({ ...NO_PAYMENT, ...known });
const PAID = facts({ progress: 'processing', captured: 10_000 });
const settling = { now: T0, token: 'mine', windowMinutes: 30 };

describe('the machine', () => {
  const ALLOWED = new Set(['placing→pending', 'placing→placed', 'placing→refused', 'pending→placed', 'pending→refused', 'pending→expired', 'pending→cancelled', 'placed→completed', 'placed→cancelled']);
  it.each(STATES.flatMap((from) => STATES.map((to) => ({ from, to, allowed: ALLOWED.has(`${from}→${to}`) }))))('goes from $from to $to: $allowed', ({ from, to, allowed }) => {
    expect(outcomeOf(() => move(orderIn(from), to, note))).toBe(allowed ? to : `An order does not go from ${from} to ${to}.`);
  });

  it('writes each step down and ends the claim', () => {
    const placed = move(placing(), 'placed', { at: after(1), by: 'payment', reason: '' });
    expect(placed).toMatchObject({ claim: null, reason: null, placedAt: after(1), expiresAt: null });
    expect(placed.history).toEqual([
      { state: 'placing', at: T0, by: 'guest', reason: '' },
      { state: 'placed', at: after(1), by: 'payment', reason: '' },
    ]);
  });

  it.each([
    ['placing', 'order_being_placed'], ['pending', 'cancelled'], ['placed', 'cancelled'], ['completed', 'not_cancellable'],
    ['cancelled', 'cancelled'], ['expired', 'not_cancellable'], ['refused', 'not_cancellable'],
  ] as const)('cancels an order that is %s: %s', (state, outcome) => {
    expect(outcomeOf(() => cancel(orderIn(state), note))).toBe(outcome);
  });

  it.each(STATES.flatMap((state) => [NO_PAYMENT, facts({ authorized: 10_000 }), PAID, { ...PAID, refunded: 4_000 }, { ...PAID, refunded: 10_000 }].map((payment) => ({ state, payment }))))(
    'completes an order that is $state with $payment.captured taken and $payment.refunded given back, or not',
    ({ state, payment }) => {
      const may = state === 'completed' || (state === 'placed' && payment.captured - payment.refunded > 0);
      expect(outcomeOf(() => complete({ ...orderIn(state), payment }, note))).toBe(may ? 'completed' : 'not_completable');
    },
  );

  it('changes nothing when an order is cancelled or completed again', () => {
    const [cancelled, completed] = [orderIn('cancelled'), orderIn('completed')];
    expect(cancel(cancelled, note)).toBe(cancelled);
    expect(complete(completed, note)).toBe(completed);
  });

  it('lets an order expire only when it waits, its time is over, and nobody paid', () => {
    for (const state of STATES) expect(isOverdue(orderIn(state), after(60))).toBe(state === 'pending');
    expect(isOverdue(orderIn('pending'), after(29))).toBe(false);
    expect(isOverdue(orderIn('pending'), after(30))).toBe(true);
    expect(isOverdue({ ...orderIn('pending'), payment: PAID }, after(30))).toBe(false);
    expect(expire(orderIn('pending'), after(30))).toMatchObject({ state: 'expired', reason: 'payment_not_received' });
  });
});

describe('what becomes of an order when there is news of its payment', () => {
  const DECLINED = facts({ progress: 'declined', declineReason: 'card_declined' });
  const WAITS = facts({ progress: 'requires_action', nextActionUrl: 'http://pay.test/1' });
  it.each([
    ['placing', 'paid', PAID, 'placed'],
    ['placing', 'held', facts({ authorized: 10_000 }), 'placed'],
    ['placing', 'declined', DECLINED, 'refused'],
    ['placing', 'to be approved', WAITS, 'pending'],
    ['placing', 'undecided', facts({ progress: 'processing' }), 'pending'],
    ['placing', 'taken in part', facts({ captured: 9_999 }), 'pending'],
    ['pending', 'paid', PAID, 'placed'],
    ['pending', 'held', facts({ authorized: 10_000 }), 'placed'],
    ['pending', 'declined', DECLINED, 'refused'],
    ['pending', 'undecided', facts({ progress: 'processing' }), 'pending'],
    ['pending', 'taken and given back', { ...PAID, refunded: 10_000 }, 'pending'],
    ...(['placed', 'completed', 'cancelled', 'expired', 'refused'] as const).flatMap((state) => [
      [state, 'paid', PAID, state] as const,
      [state, 'declined', DECLINED, state] as const,
      [state, 'given back', { ...PAID, refunded: 10_000 }, state] as const,
    ]),
  ] satisfies (readonly [OrderState, string, PaymentFacts, OrderState])[])('%s and %s', (state, _, news, then) => {
    const settled = settle(orderIn(state), news, settling);
    expect(settled.state).toBe(then);
    expect(settled.payment).toMatchObject({ captured: news.captured, refunded: news.refunded });
  });

  it('leaves an order that somebody else is placing to them, with the news', () => {
    for (const token of [null, 'another']) {
      expect(settle(placing(), PAID, { ...settling, token })).toMatchObject({ state: 'placing', payment: { captured: 10_000 }, claim: { token: 'mine' } });
    }
  });
  it('uses what came before the answer: a capture told by an event is not lost to a slow answer', () => {
    const told = settle(placing(), facts({ captured: 10_000 }), { ...settling, token: null });
    expect(settle(told, facts({ progress: 'processing' }), settling).state).toBe('placed');
  });
  it('needs no payment for a total of nothing', () => {
    expect(settle(placing(0), NO_PAYMENT, settling)).toMatchObject({ state: 'placed', placedAt: T0 });
  });
  it('places a late order while it is held, and lets it expire after that', () => {
    expect(settle(orderIn('pending'), PAID, { ...settling, now: after(39) }).state).toBe('placed');
    expect(settle(orderIn('pending'), PAID, { ...settling, now: after(40) }).state).toBe('expired');
  });
  it('keeps the refusal of a declined payment to be answered again', () => {
    expect(settle(placing(), DECLINED, settling).refusal).toMatchObject({ reason: 'payment_declined', details: { orderId: 'order', declineReason: 'card_declined' } });
    expect(settle(orderIn('pending'), DECLINED, settling).refusal).toBeNull();
  });
  it('gives back what a refused order still holds, and money that comes for it later', () => {
    const pending = orderIn('pending');
    const refused = settle(pending, DECLINED, settling);
    expect(leavesSomethingToUndo(pending, refused, false)).toBe(true);
    expect(leavesSomethingToUndo(pending, refused, true)).toBe(false);
    expect(leavesSomethingToUndo(refused, settle(refused, PAID, settling), false)).toBe(true);
    const late = { ...refused, payment: PAID };
    expect(leavesSomethingToUndo(late, settle(late, { ...PAID, refunded: 10_000 }, settling), false)).toBe(false);
    const paidWhilePlacing = { ...placing(), payment: PAID };
    expect(leavesSomethingToUndo(paidWhilePlacing, refuse(paidWhilePlacing, null, T0), true)).toBe(true);
    expect(leavesSomethingToUndo(orderIn('placed'), orderIn('cancelled'), false)).toBe(false);
  });

  const sum = fc.constantFrom(0, 4_000, 10_000);
  const news = fc.record({
    progress: fc.constantFrom('none', 'processing', 'requires_action', 'declined'), authorized: sum, captured: sum, refunded: sum, nextActionUrl: fc.constant(null), declineReason: fc.constant(null),
  }) satisfies fc.Arbitrary<PaymentFacts>;
  const step = fc.oneof(
    fc.record({ news, token: fc.constantFrom('mine', null), minutes: fc.integer({ min: 0, max: 60 }) }).map(({ news, token, minutes }) => (order: Order) => settle(order, news, { now: after(minutes), token, windowMinutes: 30 })),
    fc.constantFrom(
      (order: Order) => cancel(order, note),
      (order: Order) => complete(order, note),
      (order: Order) => (isOverdue(order, after(45)) ? expire(order, after(45)) : order),
    ),
  );
  const attempt = (order: Order, change: (order: Order) => Order) => {
    try {
      return change(order);
    } catch (error) {
      if (!isAppError(error)) throw error;
      return order;
    }
  };

  it('makes a path of the machine of every history, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const order = steps.reduce(attempt, placing());
        const states = order.history.map(({ state }) => state);
        expect(states[0]).toBe('placing');
        expect(states.at(-1)).toBe(order.state);
        for (const [index, state] of states.slice(1).entries()) expect(TRANSITIONS[states[index]!]).toContain(state);
        expect(order.claim === null).toBe(order.state !== 'placing');
        expect(order.expiresAt === null).toBe(order.state !== 'pending');
      }),
      runs,
    );
  });

  it('knows the same of a payment in whatever order and however often it hears of it', () => {
    const sums = fc.record({ authorized: sum, captured: sum, refunded: sum });
    fc.assert(
      fc.property(fc.array(sums, { maxLength: 5 }).chain((told) => fc.tuple(fc.constant(told), fc.shuffledSubarray([...told, ...told], { minLength: told.length * 2 }))), ([told, again]) => {
        const hear = (all: typeof told) => all.reduce((known, one) => learn(known, facts(one)), NO_PAYMENT);
        expect(hear(again)).toEqual(hear(told));
      }),
      runs,
    );
  });
});

describe('the payment status', () => {
  const status = (known: Partial<PaymentFacts>, state: OrderState = 'placed', total = 10_000) => paymentStatus(facts(known), { total, state });
  it.each([
    ['none', status({}, 'placed', 0)],
    ['pending', status({}, 'placing')],
    ['pending', status({ progress: 'processing' }, 'pending')],
    ['requires_action', status({ progress: 'requires_action' }, 'pending')],
    ['authorized', status({ authorized: 10_000 })],
    ['authorized', status({ authorized: 10_000, captured: 4_000 })],
    ['paid', status({ authorized: 10_000, captured: 10_000 })],
    ['partially_refunded', status({ captured: 10_000, refunded: 1 })],
    ['refunded', status({ captured: 10_000, refunded: 10_000 }, 'cancelled')],
    ['failed', status({ progress: 'declined' }, 'refused')],
    ['none', status({ progress: 'requires_action' }, 'expired')],
    ['none', status({ authorized: 10_000 }, 'cancelled')],
    ['paid', status({ captured: 10_000 }, 'expired')],
  ])('is %s', (expected, found) => {
    expect(found).toBe(expected);
  });

  const answer = (state: PaymentAnswer['state'], sums: Partial<PaymentAnswer> = {}): PaymentAnswer => ({ state, authorized: 0, captured: 0, refunded: 0, nextAction: null, declineReason: null, ...sums });
  it('takes money that is on its way back for a failure', () => {
    for (const going of [answer('processing', { captured: 10_000, authorized: 10_000 }), answer('cancelled'), answer('declined')]) {
      expect(factsOf(going)).toMatchObject({ progress: 'declined', authorized: 0 });
    }
    expect(factsOf(answer('processing')).progress).toBe('processing');
    expect(covers(factsOf(answer('captured', { captured: 10_000, authorized: 10_000 })), 10_000)).toBe(true);
  });
  it('counts an order as paid until all of it went back', () => {
    expect([isPaid(PAID, 10_000), isPaid(facts({ captured: 9_999 }), 10_000), isPaid({ ...PAID, refunded: 10_000 }, 10_000), isPaid(NO_PAYMENT, 0)]).toEqual([true, false, false, true]);
  });
});
