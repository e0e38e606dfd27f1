import type { Payment, paymentContract, Payments } from '../modules/payment/contract.ts';
import { newId } from '../shared/ids.ts';
import { eventually, expectMatch, expectSameAgain } from './expectation.ts';
import type { Case } from './suite.ts';
import type { Wire } from './wire.ts';

export type PaymentCases = Record<string, Case<typeof paymentContract>['run']>;
export type PaymentWire = Wire<typeof paymentContract>;
export type Pay = Parameters<Payments['pay']>[0];

/** An order of 10,000 won at the sandbox, whose tokens decide what happens. */
export const wanted = (more: Partial<Pay> = {}): Pay => ({ orderId: newId(), amount: { amount: 10_000, currency: 'KRW' }, provider: 'sandbox', token: 'sandbox_ok', capture: 'automatic', ...more });
export const held = (payments: Payments) => payments.pay(wanted({ capture: 'manual' }));
export const ALL = { authorized: 10_000, captured: 10_000, refunded: 0, refundPending: 0 };
export const NOTHING = { authorized: 0, captured: 0, refunded: 0, refundPending: 0 };
export const capturing = ({ id: paymentId }: Payment, amount: number) => ({ captureId: newId(), paymentId, amount });
export const refunding = ({ id: paymentId }: Payment, amount: number) => ({ refundId: newId(), paymentId, amount, reason: 'Contract kit' });

/** What really moved, as the ledger has it: `['authorization 10000', 'capture 10000']`. */
export async function expectMoved(payments: Payments, { id: paymentId }: Payment, moved: string[]): Promise<void> {
  const { events } = await payments.getDetails({ paymentId });
  expectMatch(events.filter(({ outcome, amount }) => outcome === 'succeeded' && amount > 0).map(({ kind, amount }) => `${kind} ${amount}`), moved, 'What was moved');
}

export const samePaid = (payments: Payments, order: Pay): Promise<Payment> => expectSameAgain(() => payments.pay(order));

/** What is done in the background, or decided later by the provider. */
export const becomes = (payments: Payments, { orderId }: Pick<Pay, 'orderId'>, expected: object) =>
  eventually(async () => expectMatch(await payments.getPayment({ orderId }), expected, 'What became of the payment'), Date.now() + 15_000);

/** A payment that waits for its shopper, and the name of what they have to decide. */
export async function stepUp(payments: Payments) {
  const order = wanted({ token: 'sandbox_action' });
  const payment = await payments.pay(order);
  expectMatch(payment, { state: 'requires_action', nextAction: { kind: 'redirect' }, ...NOTHING });
  return { order, payment, reference: new URL(payment.nextAction!.url).pathname.split('/').at(-1)! };
}
