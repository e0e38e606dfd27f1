import { orderContract } from '../modules/order/contract.ts';
import type { paymentContract } from '../modules/payment/contract.ts';
import { newId } from '../shared/ids.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding, throughPages } from './expectation.ts';
import { ALL, becomes, capturing, expectMoved, held, NOTHING, type Pay, type PaymentCases, type PaymentWire, refunding, samePaid, stepUp, wanted } from './payment-goods.ts';
import { type Case, reading, writing } from './suite.ts';

const unknownThings: PaymentCases = {
  'a payment that is not there is not_found': async ({ service: payments }) => {
    await expectRefusal(payments.getPayment({ orderId: newId() }), 'not_found');
    await expectRefusal(payments.getDetails({ paymentId: newId() }), 'not_found');
    await expectRefusal(payments.getSandboxAction({ reference: newId() }), 'not_found');
    expectMatch(await payments.listPayments({ orderId: newId(), limit: 10 }), { items: [], nextCursor: null });
  },
  'a cursor that it has not given is invalid_cursor': async ({ service: payments }) => {
    for (const cursor of ['nonsense', '']) await expectRefusal(payments.listPayments({ cursor, limit: 1 }), 'invalid_cursor');
  },
  'the sandbox is offered, with its tokens (switch it on first)': async ({ service: payments }) => {
    const { providers } = await payments.listProviders({});
    const tokens = providers.find(({ name }) => name === 'sandbox')?.testTokens.map(({ token }) => token) ?? [];
    const missing = ['sandbox_ok', 'sandbox_declined', 'sandbox_action', 'sandbox_timeout', 'sandbox_late'].filter((token) => !tokens.includes(token));
    if (missing.length > 0) throw new Finding('The sandbox takes these tokens, too.', missing, providers);
  },
};

const paying: PaymentCases = {
  'takes the whole sum once, however often it comes': async ({ service: payments }) => {
    const order = wanted();
    const payment = await expectSameAgain(() => payments.pay(order));
    expectMatch(payment, { orderId: order.orderId, provider: 'sandbox', state: 'captured', amount: order.amount, ...ALL, nextAction: null, declineReason: null });
    expectMatch(await payments.getPayment(order), payment, 'The payment, read again,');
    await expectMoved(payments, payment, ['authorization 10000', 'capture 10000']);
  },
  'takes it once when ten come at once': async ({ service: payments }) => {
    const order = wanted();
    expectMatch(countsOf(await atOnce(10, () => payments.pay(order))), { done: 10 }, 'What came of ten');
    await becomes(payments, order, { state: 'captured', ...ALL });
    await expectMoved(payments, await payments.getPayment(order), ['authorization 10000', 'capture 10000']);
  },
  'holds the sum without taking it when captured by hand': async ({ service: payments }) => {
    const payment = await samePaid(payments, wanted({ capture: 'manual' }));
    expectMatch(payment, { state: 'authorized', ...ALL, captured: 0 });
    await expectMoved(payments, payment, ['authorization 10000']);
  },
  'is payment_mismatch on other terms for the same order': async ({ service: payments }) => {
    const order = wanted();
    const payment = await payments.pay(order);
    const others: Partial<Pay>[] = [{ amount: { amount: 10_001, currency: 'KRW' } }, { amount: { amount: 10_000, currency: 'USD' } }, { capture: 'manual' }];
    for (const other of others) await expectRefusal(payments.pay({ ...order, ...other }), 'payment_mismatch');
    expectMatch(await payments.getPayment(order), payment, 'The payment, read again,');
  },
  'answers a refusal by the provider, which is final': async ({ service: payments }) => {
    for (const [token, declineReason] of [['sandbox_declined', 'card_declined'], ['sandbox_insufficient_funds', 'insufficient_funds']] as const) {
      const order = wanted({ token });
      const declined = await samePaid(payments, order);
      expectMatch(declined, { state: 'declined', declineReason, ...NOTHING });
      expectMatch(await payments.pay({ ...order, token: 'sandbox_ok' }), { id: declined.id, state: 'declined', ...NOTHING }, 'The answer with another token');
    }
  },
  'of a sum of nothing asks nobody': async ({ service: payments }) => {
    const payment = await samePaid(payments, wanted({ amount: { amount: 0, currency: 'KRW' }, token: 'sandbox_declined' }));
    expectMatch(payment, { state: 'captured', ...NOTHING });
    expectMatch((await payments.getDetails({ paymentId: payment.id })).events, [], 'What was asked for');
  },
  'is unknown_provider at a provider that is not there, and keeps nothing': async ({ service: payments }) => {
    const order = wanted({ provider: 'nobody' });
    await expectRefusal(payments.pay(order), 'unknown_provider');
    await expectRefusal(payments.getPayment(order), 'not_found');
  },
  'whose answer is lost is processing, never declined; it took effect once': async ({ service: payments }) => {
    const order = wanted({ token: 'sandbox_timeout' });
    expectMatch(await payments.pay(order), { state: 'processing', captured: 0, declineReason: null });
    expectMatch(countsOf(await atOnce(10, () => payments.pay(order))), { done: 10 }, 'What came of ten repeats');
    expectMatch(await payments.refresh(order), { state: 'captured', ...ALL }, 'What the provider says');
    await expectMoved(payments, await payments.pay(order), ['authorization 10000', 'capture 10000']);
  },
  'that is decided late is processing until then, and asked for without anybody waiting': async ({ service: payments }) => {
    const [good, bad] = [wanted({ token: 'sandbox_late' }), wanted({ token: 'sandbox_late_decline' })];
    for (const order of [good, bad]) expectMatch(await payments.pay(order), { state: 'processing', ...NOTHING });
    await becomes(payments, good, { state: 'captured', ...ALL });
    await becomes(payments, bad, { state: 'declined', declineReason: 'card_declined', ...NOTHING });
  },
};

const steppingUp: PaymentCases = {
  'approved, the sum is taken once, however often anybody asks': async ({ service: payments }) => {
    const { order, payment, reference } = await stepUp(payments);
    expectMatch(await payments.getSandboxAction({ reference }), { amount: order.amount, decided: false });
    expectMatch(await expectSameAgain(() => payments.completeSandboxAction({ reference, approve: true })), { approved: true });
    await atOnce(10, () => payments.refresh(order));
    expectMatch(await expectSameAgain(() => payments.refresh(order)), { id: payment.id, state: 'captured', ...ALL, nextAction: null });
    await expectMoved(payments, payment, ['authorization 10000', 'capture 10000']);
  },
  'refused, it is declined': async ({ service: payments }) => {
    const { order, reference } = await stepUp(payments);
    expectMatch(await payments.completeSandboxAction({ reference, approve: false }), { approved: false });
    expectMatch(await payments.refresh(order), { state: 'declined', ...NOTHING, nextAction: null });
  },
  'is decided once: the first decision counts': async ({ service: payments }) => {
    const { reference } = await stepUp(payments);
    const [first, ...others] = await atOnce(10, (index) => payments.completeSandboxAction({ reference, approve: index % 2 === 0 }));
    for (const other of others) expectMatch(other, first, 'One of ten decisions');
    expectMatch(await payments.getSandboxAction({ reference }), { decided: true });
    await expectRefusal(payments.completeSandboxAction({ reference: newId(), approve: true }), 'not_found');
  },
};

const operating: PaymentCases = {
  'capture: takes what is held in parts, each once, and no more': async ({ service: payments }) => {
    const payment = await held(payments);
    const part = capturing(payment, 4_000);
    expectMatch(countsOf(await atOnce(10, () => payments.capture(part))), { done: 10 }, 'What came of ten of the same');
    expectMatch(await expectSameAgain(() => payments.capture(part)), { state: 'captured', ...ALL, captured: 4_000 });
    const { details } = await expectRefusal(payments.capture(capturing(payment, 6_001)), 'capture_too_large');
    expectMatch(details, { capturable: 6_000 }, 'The details');
    expectMatch(await payments.capture(capturing(payment, 6_000)), ALL);
    await expectMoved(payments, payment, ['authorization 10000', 'capture 4000', 'capture 6000']);
  },
  'capture: many at once take no more than is held': async ({ service: payments }) => {
    const payment = await held(payments);
    const { done } = countsOf(await atOnce(15, () => payments.capture(capturing(payment, 2_000))));
    expectMatch(done, 5, 'How many of fifteen captures of a fifth went through');
    expectMatch(await payments.getPayment(payment), ALL, 'The payment');
  },
  'capture: is refused where nothing is held, or nothing is known': async ({ service: payments }) => {
    await expectRefusal(payments.capture(capturing(await payments.pay(wanted()), 1)), 'payment_not_capturable');
    await expectRefusal(payments.capture({ captureId: newId(), paymentId: newId(), amount: 1 }), 'not_found');
  },
  'refund: gives back in parts, each once, and no more': async ({ service: payments }) => {
    const payment = await payments.pay(wanted());
    const part = refunding(payment, 4_000);
    expectMatch(countsOf(await atOnce(10, () => payments.refund(part))), { done: 10 }, 'What came of ten of the same');
    expectMatch(await expectSameAgain(() => payments.refund(part)), { state: 'captured', ...ALL, refunded: 4_000 });
    const { details } = await expectRefusal(payments.refund(refunding(payment, 6_001)), 'refund_too_large');
    expectMatch(details, { refundable: 6_000 }, 'The details');
    expectMatch(await payments.refund(refunding(payment, 6_000)), { ...ALL, refunded: 10_000 });
    await expectMoved(payments, payment, ['authorization 10000', 'capture 10000', 'refund 4000', 'refund 6000']);
  },
  'refund: many at once give back no more than was taken': async ({ service: payments }) => {
    const payment = await payments.pay(wanted());
    expectMatch(countsOf(await atOnce(15, () => payments.refund(refunding(payment, 2_000)))), { done: 5, refund_too_large: 10 }, 'What came of fifteen refunds of a fifth');
    expectMatch(await payments.getPayment(payment), { ...ALL, refunded: 10_000 }, 'The payment');
  },
  'refund: is refused where nothing was taken, or nothing is known': async ({ service: payments }) => {
    await expectRefusal(payments.refund(refunding(await held(payments), 1)), 'refund_too_large');
    await expectRefusal(payments.refund({ refundId: newId(), paymentId: newId(), amount: 1, reason: '' }), 'not_found');
  },
};

const cancelling: PaymentCases = {
  'gives a sum that was taken back in full, once': async ({ service: payments }) => {
    const payment = await payments.pay(wanted());
    await payments.refund(refunding(payment, 1_000));
    expectMatch(await expectSameAgain(() => payments.cancel(payment)), {});
    await becomes(payments, payment, { state: 'cancelled', ...ALL, refunded: 10_000 });
    await payments.cancel(payment);
    await expectMoved(payments, payment, ['authorization 10000', 'capture 10000', 'refund 1000', 'refund 9000']);
  },
  'voids what is held': async ({ service: payments }) => {
    const payment = await held(payments);
    expectMatch(countsOf(await atOnce(10, () => payments.cancel(payment))), { done: 10 }, 'What came of ten');
    await becomes(payments, payment, { state: 'cancelled', ...NOTHING });
    await expectMoved(payments, payment, ['authorization 10000', 'void 10000']);
    await expectRefusal(payments.capture(capturing(payment, 1)), 'payment_not_capturable');
  },
  'before there is a payment: one that comes later is not charged': async ({ service: payments }) => {
    const order = wanted();
    await expectSameAgain(() => payments.cancel(order));
    expectMatch(await payments.pay(order), { state: 'cancelled', ...NOTHING });
  },
  'while the shopper decides: approving afterwards takes nothing': async ({ service: payments }) => {
    const { order, payment, reference } = await stepUp(payments);
    await payments.cancel(order);
    await becomes(payments, order, { state: 'cancelled', nextAction: null });
    expectMatch(await payments.completeSandboxAction({ reference, approve: true }), { approved: false });
    expectMatch(await payments.refresh(order), { state: 'cancelled', ...NOTHING });
    await expectMoved(payments, payment, []);
  },
  'changes nothing about one that was declined': async ({ service: payments }) => {
    const declined = await payments.pay(wanted({ token: 'sandbox_declined' }));
    await payments.cancel(declined);
    expectMatch(await payments.getPayment(declined), { state: 'declined', ...NOTHING });
  },
};

const { cancelled, expired } = orderContract.events;
const TOLD: Record<string, (wire: PaymentWire, orderId: string, id: string) => Promise<void>> = {
  'order.cancelled': (wire, orderId, id) => wire.tell(cancelled, { orderId, wasPlaced: true, cancelledAt: new Date().toISOString(), reason: '' }, id),
  'order.expired': (wire, orderId, id) => wire.tell(expired, { orderId, expiredAt: new Date().toISOString() }, id),
};

const listening: PaymentCases = Object.fromEntries(
  Object.entries(TOLD).flatMap(([event, tell]): [string, PaymentCases[string]][] => [
    [`${event} undoes the payment once, however often it comes`, async (wire) => {
      const [payment, id] = [await wire.service.pay(wanted()), newId()];
      await Promise.all(Array.from({ length: 10 }, () => tell(wire, payment.orderId, id)));
      await becomes(wire.service, payment, { state: 'cancelled', ...ALL, refunded: 10_000 });
      await expectMoved(wire.service, payment, ['authorization 10000', 'capture 10000', 'refund 10000']);
    }],
    [`${event} before the payment: it is not charged`, async (wire) => {
      const order = wanted();
      await tell(wire, order.orderId, newId());
      expectMatch(await wire.service.pay(order), { state: 'cancelled', ...NOTHING });
    }],
  ]),
);

const receiving: PaymentCases = {
  'is refused unless a provider that is there has signed it': async ({ service: payments }) => {
    const webhook = { headers: { 'content-type': 'application/json' }, rawBody: JSON.stringify({ id: newId(), reference: newId() }) };
    await expectRefusal(payments.receiveWebhook({ provider: 'nobody', ...webhook }), 'unknown_provider');
    await expectRefusal(payments.receiveWebhook({ provider: 'sandbox', ...webhook }), 'invalid_signature');
  },
};

const listing: PaymentCases = {
  'gives every payment once, newest first, page by page': async ({ service: payments }) => {
    const made = [await payments.pay(wanted()), await held(payments), await payments.pay(wanted())].map(({ id }) => id);
    const found = await throughPages((page) => payments.listPayments(page), ({ id }) => id, made);
    expectMatch(found.map(({ id }) => id).filter((id) => made.includes(id)), made.toReversed(), 'What was made, oldest last,');
  },
  'keeps those of an order, and those in a state': async ({ service: payments }) => {
    const { id, orderId } = await held(payments);
    expectMatch(await payments.listPayments({ orderId, limit: 10 }), { items: [{ id }], nextCursor: null });
    expectMatch(await payments.listPayments({ orderId, state: 'captured', limit: 10 }), { items: [] });
  },
};

export const paymentSuite: Case<typeof paymentContract>[] = [
  ...reading('unknown things', unknownThings),
  ...writing('pay', paying),
  ...writing('a step of the shopper', steppingUp),
  ...writing('capture and refund', operating),
  ...writing('cancel', cancelling),
  ...writing('events', listening),
  ...writing('receiveWebhook', receiving),
  ...writing('listPayments', listing),
];
