import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../../../src/shared/database.ts';
import { violatedConstraint } from '../../../src/shared/errors.ts';
import { newId } from '../../../src/shared/ids.ts';
import { basketWith, createTestCoupon, orderPlaced, promote, reserve, type TestCoupon } from './service-support.ts';

let subject: TestCoupon;
beforeAll(async () => {
  subject = await createTestCoupon();
});
afterAll(() => subject.context.close());

const sql = (statement: string, bindings: string[] = []) => rows(subject.context.db, statement, bindings);
const violation = (statement: string, bindings: string[] = []) => sql(statement, bindings).then(() => undefined, violatedConstraint);

describe('the database refuses', () => {
  it('a use over the limit, for everyone and for a customer, also when a limit is used up', async () => {
    const promotion = await promote(subject.coupon, { totalLimit: 2, perCustomerLimit: 1 });
    await reserve(subject.coupon, basketWith([promotion]), { now: subject.context.now() });
    await sql(`update uses set used = used + 1 where promotion_id = ? and counted_for = 'everyone'`, [promotion.id]);
    expect(await violation(`update uses set used = used + 1 where promotion_id = ? and counted_for = 'everyone'`, [promotion.id])).toBe('never_over_the_limit');
    expect(await violation(`update uses set used = used + 1 where promotion_id = ? and counted_for <> 'everyone'`, [promotion.id])).toBe('never_over_the_limit');
    expect(await violation(`update uses set used = used - 3 where promotion_id = ?`, [promotion.id])).toBe('never_below_zero');
  });

  it('a second redemption of a promotion by an order', async () => {
    const promotion = await promote(subject.coupon);
    const orderId = await reserve(subject.coupon, basketWith([promotion]), { now: subject.context.now() });
    expect(
      await violation(
        `insert into redemptions (order_id, promotion_id, amount, lines, state, expires_at) select order_id, promotion_id, amount, lines, state, expires_at from redemptions where order_id = ?`,
        [orderId],
      ),
    ).toBe('redemptions_pkey');
  });

  it('a state without its date, and a date without its state', async () => {
    const promotion = await promote(subject.coupon);
    const orderId = await reserve(subject.coupon, basketWith([promotion]), { now: subject.context.now() });
    const change = (assignment: string) => violation(`update redemptions set ${assignment} where order_id = ?`, [orderId]);
    expect(await change(`state = 'consumed'`)).toBe('consumed_once');
    expect(await change(`state = 'released'`)).toBe('released_when_let_go');
    expect(await change(`state = 'returned', returned_at = now()`)).toBe('consumed_once');
    expect(await change(`state = 'returned', consumed_at = now()`)).toBe('returned_after_consumed');
    expect(await change(`state = 'lost'`)).toBe('redemptions_state_check');
    await subject.deliver(orderPlaced(orderId, subject.context.now()));
    expect(await change(`state = 'reserved'`)).toBe('consumed_once');
  });

  it('promotions that contradict themselves', async () => {
    const { id } = await promote(subject.coupon, { benefit: { kind: 'fixed', amount: 1 } });
    const change = (assignment: string) => violation(`update promotions set ${assignment} where id = ?`, [id]);
    expect(await change(`class = 'shipping'`)).toBe('shipping_is_free_shipping');
    expect(await change(`currency = null`)).toBe('sums_have_a_currency');
    expect(await change(`starts_at = '2026-01-01', ends_at = '2026-01-01'`)).toBe('starts_before_it_ends');
    expect(await change(`total_limit = 0`)).toBe('promotions_total_limit_check');
  });

  it('one code for two promotions', async () => {
    const [one, other] = [await promote(subject.coupon), await promote(subject.coupon)];
    expect(await violation(`insert into promotion_codes values (?, 'x', ?, 9)`, [one.codes[0]!, other.id])).toBe('promotion_codes_pkey');
  });

  it('to forget a promotion, a counter or a redemption', async () => {
    for (const table of ['promotions', 'uses', 'redemptions']) await expect(sql(`delete from ${table}`)).rejects.toMatchObject({ code: '42501' });
  });
});

it('keeps what each line got with the redemption', async () => {
  const promotion = await promote(subject.coupon, { perCustomerLimit: 1 });
  const basket = basketWith([promotion], { customerId: newId() });
  const orderId = await reserve(subject.coupon, basket, { now: subject.context.now() });
  const placedAt = subject.context.now();
  await subject.deliver(orderPlaced(orderId, placedAt));
  expect(await sql('select * from redemptions where order_id = ?', [orderId])).toMatchObject([
    {
      promotion_id: promotion.id, customer_key: basket.customerId, code: promotion.codes[0], amount: '5000', state: 'consumed', consumed_at: placedAt,
      lines: [{ lineId: 'L1', amount: 3_000 }, { lineId: 'L2', amount: 2_000 }],
    },
  ]);
});

it('settles a placed order without waiting for who else uses its promotion', async () => {
  const promotion = await promote(subject.coupon, { totalLimit: 2 });
  const orderId = await reserve(subject.coupon, basketWith([promotion]), { now: subject.context.now() });
  await subject.context.elsewhere.transaction(async (busy) => {
    await busy.raw('select from promotions where id = ? for no key update', [promotion.id]);
    await subject.deliver(orderPlaced(orderId, subject.context.now()));
  });
  expect(await sql('select state from redemptions where order_id = ?', [orderId])).toEqual([{ state: 'consumed' }]);
  expect(await sql(`select used from uses where promotion_id = ? and counted_for = 'everyone'`, [promotion.id])).toEqual([{ used: 1 }]);
});
