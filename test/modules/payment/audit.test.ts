import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { paymentContract } from '../../../src/modules/payment/contract.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { rows } from '../../../src/shared/database.ts';
import { withoutChecksOf } from '../../support/planting.ts';
import { createTestPayments, order, type TestPayments } from './support.ts';

let subject: TestPayments;
beforeAll(async () => {
  subject = await createTestPayments();
});
afterAll(() => subject.context.close());

const payments = () => overWire(paymentContract, subject.payments);
const own = async () => (await payments().auditOwn({})).violations;
const paid = async (token = 'sandbox_ok') => {
  const request = order({ token });
  await subject.payments.pay(request);
  return request.orderId;
};

it('the sums of payments come in order of their orders, page by page, and from any order on', async () => {
  const ids = [await paid(), await paid(), await paid('sandbox_declined')];
  const [first, second, third] = ids.toSorted();
  expect(await payments().audit({ from: null, limit: 2 })).toMatchObject({ items: [{ orderId: first }, { orderId: second }], next: third });
  expect((await payments().audit({ from: third!, limit: 2 })).next).toBeNull();
  const { items } = await payments().audit({ from: null, limit: 10 });
  const sums = { amount: { amount: 12_900, currency: 'KRW' }, refunded: 0, refundPending: 0, overdueAt: null, since: subject.context.now().toISOString() };
  expect(items.find(({ orderId }) => orderId === ids[0])).toEqual({ ...sums, orderId: ids[0], state: 'captured', authorized: 12_900, captured: 12_900 });
  expect(items.find(({ orderId }) => orderId === ids[2])).toEqual({ ...sums, orderId: ids[2], state: 'declined', authorized: 0, captured: 0 });
  expect(await own()).toEqual([]);
});

describe('what does not agree within the module', () => {
  beforeAll(() => subject.context.administer(withoutChecksOf('payment')));

  it.each([
    { what: 'more taken than asked for', plant: 'update payments set amount = 12899 where order_id = ?', mend: 'update payments set amount = 12900 where order_id = ?', sentence: /12900 were taken, and 12899 were asked for/ },
    { what: 'more given back than taken', plant: 'update payments set refunded = 12901 where order_id = ?', mend: 'update payments set refunded = 0 where order_id = ?', sentence: /12901 were given back, and 12900 taken/ },
    { what: 'sums that the money events do not come to', plant: 'update payments set captured = 1 where order_id = ?', mend: 'update payments set captured = 12900 where order_id = ?', sentence: /12900 held, 1 taken and 0 given back, and its money events come to 12900 held, 12900 taken/ },
    {
      what: 'a second charge', invariant: 'once',
      plant: `insert into money_events select gen_random_uuid(), payment_id, kind, outcome, 0, 'charged again', null, reason, at, recorded_at from money_events where kind = 'authorization' and outcome = 'succeeded' and payment_id = (select id from payments where order_id = ?)`,
      mend: `delete from money_events where reference = 'charged again' and payment_id = (select id from payments where order_id = ?)`, sentence: /was charged 2 times: .*charged again/,
    },
    { what: 'a state that the sums do not allow', invariant: 'history', plant: `update payments set state = 'authorized' where order_id = ?`, mend: `update payments set state = 'captured' where order_id = ?`, sentence: /is authorized with 12900 held, 12900 taken and 0 given back/ },
    { what: 'a payment that nobody asks about', invariant: 'ending', plant: `update payments set state = 'processing' where order_id = ?`, mend: `update payments set state = 'captured' where order_id = ?`, sentence: /is undecided, and nobody is to ask the provider again/ },
    {
      what: 'an event of what never happened', invariant: 'events',
      plant: `insert into payment_jobs.job (name, data) select 'events', jsonb_build_object('event', jsonb_build_object('type', 'payment.refunded', 'subject', ?::text))`,
      mend: `delete from payment_jobs.job where data->'event'->>'subject' = ?`, sentence: /payment\.refunded was published for order .*, and nothing of the kind happened to its payment/,
    },
  ])('is $what', async ({ invariant = 'money', plant, mend, sentence }) => {
    const orderId = await paid();
    await rows(subject.context.db, plant, [orderId]);
    const found = await own();
    await rows(subject.context.db, mend, [orderId]);
    expect(found).toContainEqual({ invariant, orderId, message: expect.stringMatching(sentence) });
    expect(await own()).toEqual([]);
  });
});
