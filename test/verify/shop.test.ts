import { Client } from 'pg';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdempotencyStore } from '../../src/edge/idempotency.ts';
import type { Invariant } from '../../src/shared/audit.ts';
import { connect, type Database } from '../../src/shared/database.ts';
import { newId } from '../../src/shared/ids.ts';
import { readKept } from '../../src/verify/verify-kept.ts';
import { type Promised, sourcesOf, verify, type Violation } from '../../src/verify/verify.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { withoutChecks } from '../support/planting.ts';

const shippingAddress = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

/** What is planted into a placed order of two pieces with a coupon, by its id ($1), and the sentence that finds it. */
const PLANTED: [what: string, invariant: Invariant, sql: string, sentence: RegExp][] = [
  ['a total that the lines do not come to', 'money', `update "order".orders set total = total + 1 where id = $1`, /comes to 54001, and its lines with shipping come to 54000/],
  ['a subtotal that the lines do not cost', 'money', `update "order".orders set subtotal = subtotal + 1 where id = $1`, /costs 60001 before discounts, and its lines cost 60000/],
  ['a discount that nobody granted', 'money', `update "order".orders set discount = discount + 1 where id = $1`, /6001 taken off, and its discounts come to 6000/],
  ['a discount that no line bears', 'money', `update "order".orders set discount = discount + 1 where id = $1`, /6001 taken off, and its lines and shipping bear 6000/],
  ['a line that costs something else', 'money', `update "order".order_lines set total = total + 1 where order_id = $1`, /is 2 x 30000 less 6000, and its total is 54001/],
  ['shares that are not the discount', 'money', `update "order".order_discounts set amount = amount - 1 where order_id = $1`, /come to 6000, and it takes 5999 off/],
  ['a step that the machine does not have', 'history', `insert into "order".order_history values ($1, 90, 'refused', now(), 'test', '')`, /went from placed to refused/],
  ['a history that ends elsewhere', 'history', `insert into "order".order_history values ($1, 90, 'completed', now(), 'test', '')`, /is placed, and its history ends with completed/],
  ['an order that is being placed for ever', 'ending', `update "order".orders set state = 'placing' where id = $1`, /is still being placed/],

  ['pieces that the ledger does not know', 'stock', `update inventory.stock_items set on_hand = on_hand + 1 where variant_id = (select variant_id from inventory.reservation_lines where order_id = $1)`, /9 are on hand, and the ledger comes to 8/],
  ['a reserve that nobody holds', 'stock', `update inventory.stock_items set reserved = reserved + 1 where variant_id = (select variant_id from inventory.reservation_lines where order_id = $1)`, /1 are reserved, and orders hold 0/],
  ['more reserved than there is', 'stock', `update inventory.stock_items set reserved = 99 where variant_id = (select variant_id from inventory.reservation_lines where order_id = $1)`, /8 are on hand and 99 reserved/],
  ['a sale that the ledger does not know', 'stock', `delete from inventory.stock_movements where cause_id = $1`, /2 pieces of variant .* left with order .*, and the ledger says 0/],
  ['a reservation whose lines say otherwise', 'history', `update inventory.reservations set state = 'released' where order_id = $1`, /is released, and its lines say otherwise/],
  ['an order that got fewer pieces', 'stock', `update inventory.reservation_lines set sold = 1 where order_id = $1`, /was sold 2 pieces of variant .*, and 1 were there/],
  ['stock held for nobody', 'stock', `with held as (insert into inventory.reservations values (gen_random_uuid(), 'held', now() + interval '1 h') returning order_id)
    insert into inventory.reservation_lines select held.order_id, variant_id, 1, true, 0 from held, inventory.reservation_lines l where l.order_id = $1`, /Stock is held for order .*, which does not exist/],

  ['a counter that counts nothing', 'coupon', `update coupon.uses set used = used + 1 where promotion_id = (select promotion_id from coupon.redemptions where order_id = $1)`, /is counted 2 times for everyone, and its redemptions say 1/],
  ['a use over the limit', 'coupon', `update coupon.uses set allowed = 0 where promotion_id = (select promotion_id from coupon.redemptions where order_id = $1)`, /is used 1 times for everyone, and only 0 were allowed/],
  ['a use with other shares', 'coupon', `update coupon.redemptions set amount = 5999 where order_id = $1`, /come to 6000, and it takes 5999 off/],
  ['a use whose dates say otherwise', 'history', `update coupon.redemptions set consumed_at = null where order_id = $1`, /is consumed, and its dates say otherwise/],
  ['a discount without its use', 'coupon', `delete from coupon.redemptions where order_id = $1`, /has 6000 off by promotion .*, and its redemption is not there/],
  ['a use that no order shows', 'coupon', `delete from "order".order_discounts where order_id = $1`, /is consumed for order .*, which does not show it/],
  ['a use of no order', 'coupon', `insert into coupon.redemptions select gen_random_uuid(), promotion_id, customer_key, code, amount, lines, 'consumed', expires_at, now() from coupon.redemptions where order_id = $1`, /is consumed for order .*, which does not exist/],

  ['more taken than asked for', 'money', `update payment.payments set captured = captured + 1 where order_id = $1`, /54001 were taken, and 54000 were asked for/],
  ['more given back than taken', 'money', `update payment.payments set refunded = captured + 1 where order_id = $1`, /54001 were given back, and 54000 taken/],
  ['sums that the money events do not come to', 'money', `update payment.payments set refunded = 1 where order_id = $1`, /54000 taken and 1 given back, and its money events come to 54000 held, 54000 taken and 0 given back/],
  ['a second charge', 'once', `insert into payment.money_events select gen_random_uuid(), payment_id, kind, outcome, amount, 'charged again', null, reason, at, recorded_at
    from payment.money_events where kind = 'authorization' and outcome = 'succeeded' and payment_id = (select id from payment.payments where order_id = $1)`, /was charged 2 times: .*charged again/],
  ['a state that the sums do not allow', 'history', `update payment.payments set state = 'authorized' where order_id = $1`, /is authorized with 54000 held, 54000 taken/],
  ['a payment that nobody asks about', 'ending', `update payment.payments set state = 'processing' where order_id = $1`, /is undecided, and nobody is to ask/],
  ['an order that believes something else', 'money', `update "order".orders set refunded = 1 where id = $1`, /believes that 54000 were taken and 1 given back, and its payment says 54000 and 0/],
  ['a payment of nobody', 'money', `update payment.payments set order_id = gen_random_uuid() where order_id = $1`, /There is a payment, captured, for order .*, which does not exist/],
];

/** One of each kind: that they are seen over the seam. */
const ONE_OF_EACH = PLANTED.filter(([, invariant], index) => PLANTED.findIndex((other) => other[1] === invariant) === index);

describe.each([
  { where: 'in one process', apart: [], planted: PLANTED },
  { where: 'with every module apart', apart: [['inventory'], ['coupon'], ['payment'], ['order']], planted: ONE_OF_EACH },
])('a shop $where', ({ apart, planted }) => {
  let shop: TestKerf;
  let admin: Client;
  let edge: Database;
  beforeAll(async () => {
    shop = await startTestKerf({ apart });
    edge = connect({ url: shop.database.url('edge'), applicationName: 'test operator', poolSize: 1 });
    admin = new Client({ connectionString: shop.database.adminUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await edge.destroy();
    await shop.stop();
  });

  const now = () => new Date(Date.now() + shop.clock.ahead);
  const check = (grace = 0, more: { only?: Promised[]; now?: () => Date } = {}) =>
    verify(sourcesOf(shop.kerf), {
      databases: shop.databases, readKept: () => readKept(createIdempotencyStore(edge, now), shop.kerf), places: [{ name: 'the test database', url: shop.database.url }], now, grace, ...more,
    });
  const told = async () => (await check()).findings.flatMap((finding) => finding.told);
  const api = () => request(shop.app);
  /** two pieces of 30,000 won with 10 % off */
  const order = async (token = 'sandbox_ok'): Promise<{ id: string; secret: string }> => {
    const variantId = await shop.sell({ price: 30_000, stock: 10 });
    const code = `CODE${newId().slice(-8)}`;
    await shop.promote({ codes: [code], totalLimit: 5 });
    const placement = { currency: 'KRW', lines: [{ variantId, quantity: 2 }], codes: [code], email: 'guest@example.com', shippingAddress, expectedTotal: 54_000, payment: { provider: 'sandbox', token } };
    return (await api().post('/v1/orders').set('idempotency-key', newId()).send(placement)).body;
  };
  const allHolds = async () => {
    await expect.poll(told, { timeout: 15_000 }).toEqual([]);
  };

  it('holds while it works, and after orders were placed, declined, left waiting and cancelled', async () => {
    const orders = await Promise.all(['sandbox_ok', 'sandbox_declined', 'sandbox_action', 'sandbox_late', 'sandbox_timeout', 'sandbox_ok'].map(order));
    expect(await check(60_000)).toMatchObject({ holds: true, orders: 6, unconfirmed: 0 });
    await api().post(`/v1/orders/${orders[0]!.id}/cancel`).set('x-order-secret', orders[0]!.secret).send({ reason: 'no' }).expect(200);
    expect((await check(60_000)).holds).toBe(true);
    await allHolds();
  });

  it('says what settles apart from what is wrong', async () => {
    const { id } = await order();
    await allHolds();
    await admin.query(`update "order".orders set refunded = 1 where id = $1`, [id]);
    const settling = await check(60_000);
    expect(settling.holds).toBe(true);
    expect(settling.findings.find(({ invariant }) => invariant === 'money')).toEqual({ looked: true, invariant: 'money', violations: 0, settling: 1, told: [] });
    shop.clock.ahead = 90_000;
    expect((await check(60_000)).holds).toBe(false);
    shop.clock.ahead = 0;
    await admin.query(`update "order".orders set refunded = 0 where id = $1`, [id]);
  });

  describe('in which something was planted', () => {
    beforeAll(() => admin.query(`${withoutChecks('order', 'payment', 'inventory', 'coupon')} drop index "order".one_live_order_per_cart`));

    it.each(planted)('is seen to have %s', async (_, invariant, sql, sentence) => {
      const { id } = await order();
      const before = new Set((await settled()).map(({ message }) => message));
      expect((await admin.query(sql, [id])).rowCount).toBeGreaterThan(0);
      const found = (await told()).filter(({ message }) => !before.has(message));
      expect(found).toContainEqual<Violation>({ invariant, orderId: expect.toBeOneOf([expect.any(String), null]), message: expect.stringMatching(sentence) });
      const about = found.find(({ message }) => sentence.test(message))!;
      expect(about.orderId === null || about.orderId === id || /does not exist/.test(about.message)).toBe(true);
      expect((await check(0, { only: [invariant] })).findings.map((finding) => finding.invariant)).toEqual([invariant]);
    });

    /** In an hour, for what is due now is mended before one looks. */
    it.each([
      [`update "order".orders set state = 'pending', expires_at = now() + interval '1 h' where id = $1`, /waits for its payment, and its time is over/],
      [`update payment.payments set overdue_at = now() + interval '1 h' where order_id = $1`, /has not been asked since it was due/],
    ])('is seen to have left something halfway: %s', async (sql, sentence) => {
      const { id } = await order();
      await settled();
      await admin.query(sql, [id]);
      const { findings } = await check(0, { only: ['ending'], now: () => new Date(Date.now() + 2 * 3_600_000) });
      expect(findings.flatMap((finding) => finding.told)).toContainEqual<Violation>({ invariant: 'ending', orderId: id, message: expect.stringMatching(sentence) });
    });

    it('is seen to have lost what a client was told', async () => {
      const staff = await shop.as('admin');
      const post = async (path: string, body: object) => {
        const answer = await api().post(path).set(staff.headers).set('idempotency-key', newId()).send(body);
        expect(answer.status, answer.text).toBeLessThan(300);
        return answer.body as { id: string };
      };
      const { id: productId } = await post('/v1/admin/products', { slug: `p-${newId()}`, name: { ko: '컵', en: 'Cup' } });
      const { id: promotionId } = await post('/v1/admin/promotions', { name: 'Told', class: 'shipping', benefit: { kind: 'free_shipping' }, codes: [`T${newId()}`] });
      const { id: cartId } = await post('/v1/carts', { currency: 'KRW' });
      const variantId = await shop.sell({ stock: 5 });
      await post(`/v1/carts/${cartId}/items`, { variantId, quantity: 1 });
      await post('/v1/admin/inventory/adjustments', { adjustments: [{ variantId, kind: 'received', delta: 1 }] });
      const { id: orderId } = await order();
      const payment = (await admin.query<{ id: string }>('select id from payment.payments where order_id = $1', [orderId])).rows[0]!;
      await post(`/v1/admin/payments/${payment.id}/refunds`, { amount: 100, reason: 'scratch' });

      const kept = async () => (await check(0, { only: ['kept'] })).findings.flatMap((finding) => finding.told.map(({ message }) => message));
      expect(await kept()).toEqual([]);
      await admin.query(`delete from catalog.products where id = $1`, [productId]);
      await admin.query(`update coupon.promotions set version = 0 where id = $1`, [promotionId]);
      await admin.query(`update "order".carts set version = 1 where id = $1`, [cartId]);
      await admin.query(`update inventory.stock_items set version = 1 where variant_id = $1`, [variantId]);
      await admin.query(`update payment.payments set version = 1 where id = $1`, [payment.id]);
      expect((await kept()).toSorted()).toEqual([
        expect.stringMatching(`told of the cart ${cartId} in version 2 \\(addCartItem\\), and it is in version 1`),
        expect.stringMatching(`told of the payment ${payment.id} in version \\d \\(refundPayment\\), and it is in version 1`),
        expect.stringMatching(`told of the product ${productId} in version 1 \\(createProduct\\), and it is not there`),
        expect.stringMatching(`told of the promotion ${promotionId} in version 1 \\(createPromotion\\), and it is in version 0`),
        expect.stringMatching(`told of the stock of variant ${variantId} in version 2 \\(adjustStock\\), and it is in version 1`),
      ]);
    });

    it('is seen to let somebody else write the data of a module', async () => {
      await admin.query('grant usage on schema coupon to kerf_order; grant update on coupon.uses to kerf_order');
      const { findings } = await check(0, { only: ['owner'] });
      await admin.query('revoke usage on schema coupon from kerf_order; revoke update on coupon.uses from kerf_order');
      expect(findings).toMatchObject([{ invariant: 'owner', violations: 1, told: [{ message: 'kerf_order may write the data of coupon in the test database: revoke it.' }] }]);
    });

    it.each([
      ['order', 'order.placed', /order\.placed was published for .*, which never was placed/],
      ['payment', 'payment.captured', /payment\.captured was published for .*, and nothing of the kind happened to its payment/],
      ['inventory', 'inventory.availability_changed', /inventory\.availability_changed was published for variant .* in version \d+, which it never had/],
    ])('is seen to have told what never happened: %s', async (publisher, type, sentence) => {
      await order('sandbox_timeout');
      const queue = `"${publisher}_jobs".job`;
      const ofType = `from ${queue} where name = 'events' and data->'event'->>'type' = $1`;
      await expect.poll(async () => (await admin.query(`select ${ofType}`, [type])).rowCount, { timeout: 15_000 }).toBeGreaterThan(0);
      await settled();
      const { rows: [planted] } = await admin.query<{ id: string; subject: string }>(
        `insert into ${queue} (name, data, state, policy, singleton_key) select name, jsonb_set(data, '{event,subject}', to_jsonb(gen_random_uuid())), 'completed', policy, singleton_key ${ofType} limit 1
         returning id, data->'event'->>'subject' as subject`,
        [type],
      );
      expect((await told()).filter(({ message }) => message.includes(planted!.subject))).toEqual([
        { invariant: 'events', orderId: expect.toBeOneOf([expect.any(String), null]), message: expect.stringMatching(sentence) },
      ]);
      await admin.query(`delete from ${queue} where id = $1`, [planted!.id]);
    });

    it('is seen to have two live orders of one cart', async () => {
      const [one, other] = [await order(), await order()];
      await admin.query(`with cart as (insert into "order".carts (id, state, currency, order_id, created_at, updated_at) values (gen_random_uuid(), 'ordered', 'KRW', $1, now(), now()) returning id)
        update "order".orders set cart_id = cart.id from cart where orders.id in ($1, $2)`, [one.id, other.id]);
      expect(await told()).toContainEqual<Violation>({ invariant: 'once', orderId: null, message: expect.stringMatching(/^Cart .* has 2 live orders: /) });
    });

    /** Nothing is on its way any more: two looks in a row tell the same. */
    async function settled(): Promise<Violation[]> {
      let before: Violation[] = [];
      await expect.poll(async () => {
        const [last, next] = [before, await told()];
        before = next;
        return JSON.stringify(last) === JSON.stringify(next);
      }, { timeout: 15_000 }).toBe(true);
      return before;
    }
  });
});
