import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { paymentContract } from '../../src/modules/payment/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { countOf, crowd, inFull, openShop } from './shopping.ts';

let at: Awaited<ReturnType<typeof openShop>>;
beforeAll(async () => {
  at = await openShop();
});
afterAll(() => at.close());

/** Whatever was fought over: nobody met a deadlock, nothing hangs about, everything adds up. */
afterEach(() => at.expectWhole(), 60_000);

const FORM = inFull
  ? { buyers: 500, pieces: 100, checkouts: 200, uses: 50, clients: 16, rounds: 12, carts: 50, payments: 20, atOnce: 64 }
  : { buyers: 40, pieces: 8, checkouts: 24, uses: 6, clients: 16, rounds: 2, carts: 4, payments: 4, atOnce: 24 };
const timeout = inFull ? 600_000 : 60_000;
const one = (variantId: string) => ({ currency: 'KRW', lines: [{ variantId, quantity: 1 }] });

it(`${FORM.buyers} buyers of ${FORM.pieces} pieces buy exactly ${FORM.pieces}, and who comes too late holds nothing`, { timeout }, async () => {
  const variantId = await at.shop.sell({ price: 60_000, stock: FORM.pieces });
  const answers = await crowd(FORM.buyers, FORM.atOnce, () => at.order({ ...one(variantId), expectedTotal: 60_000 }));
  expect(countOf(answers)).toEqual({ 201: FORM.pieces, out_of_stock: FORM.buyers - FORM.pieces });
  await expect.poll(() => at.shop.level(variantId)).toMatchObject({ onHand: 0, reserved: 0 });
});

it(`${FORM.checkouts} checkouts use a coupon limited to ${FORM.uses} exactly ${FORM.uses} times, and who loses it has neither order nor stock`, { timeout }, async () => {
  const variantId = await at.shop.sell({ price: 60_000, stock: FORM.checkouts });
  const code = `FEW${newId().slice(-8)}`;
  const { id } = await at.shop.promote({ codes: [code], totalLimit: FORM.uses });
  const answers = await crowd(FORM.checkouts, FORM.atOnce, (index) =>
    at.order({ ...one(variantId), codes: [code], expectedTotal: 54_000 }, { token: index % 8 === 7 ? 'sandbox_declined' : 'sandbox_ok' }),
  );
  // A declined payment gives its use back: to another checkout, when one comes after it.
  const { 201: placed = 0, payment_declined: declined = 0, coupon_not_applicable: late = 0, ...others } = countOf(answers);
  expect(others).toEqual({});
  expect(placed + declined + late).toBe(FORM.checkouts);
  expect(placed).toBeLessThanOrEqual(FORM.uses);
  const rest = await crowd(FORM.uses - placed + 1, 1, () => at.order({ ...one(variantId), codes: [code], expectedTotal: 54_000 }));
  expect(rest.map(({ status }) => status)).toEqual([...Array.from({ length: FORM.uses - placed }, () => 201), 409]);
  await expect.poll(() => at.shop.level(variantId)).toMatchObject({ onHand: FORM.checkouts - FORM.uses, reserved: 0 });
  const { rows } = await at.admin.query('select state, count(*)::integer from coupon.redemptions where promotion_id = $1 and state in ($2, $3) group by state', [id, 'reserved', 'consumed']);
  expect(rows).toEqual([{ state: 'consumed', count: FORM.uses }]);
  const discounted = await at.admin.query(`select o.state, count(*)::integer from "order".orders o join "order".order_discounts d on d.order_id = o.id where d.promotion_id = $1 and o.state <> 'refused' group by o.state`, [id]);
  expect(discounted.rows).toEqual([{ state: 'placed', count: FORM.uses }]);
});

it(`${FORM.clients} shoppers with three hot products in opposite orders meet no deadlock, and all that is left can be sold`, { timeout }, async () => {
  const stock = FORM.clients * FORM.rounds;
  const hot = await Promise.all([20_000, 21_000, 22_000].map((price) => at.shop.sell({ price, stock })));
  let sold = 0;
  await crowd(FORM.clients, FORM.clients, async (client) => {
    for (let round = 0; round < FORM.rounds; round += 1) {
      const turned = hot.map((_, place) => hot[(place + client + round) % hot.length]!);
      const cartId = await at.fill(...(client % 2 === 0 ? turned : turned.toReversed()));
      const placed = await at.order({ cartId, expectedTotal: 63_000 }, { token: client % 5 === 4 ? 'sandbox_declined' : 'sandbox_ok' });
      expect(placed.body).toMatchObject(client % 5 === 4 ? { reason: 'payment_declined' } : { state: 'placed' });
      if (placed.status === 402) continue;
      const kept = client % 4 === 1 ? await at.cancel(placed) : placed;
      expect(kept.body.state).toBe(client % 4 === 1 ? 'cancelled' : 'placed');
      if (kept === placed) sold += 1;
    }
  });
  for (const variantId of hot) await expect.poll(() => at.shop.level(variantId), { timeout: 20_000 }).toMatchObject({ onHand: stock - sold, reserved: 0 });
  const rest = { currency: 'KRW', lines: hot.map((variantId) => ({ variantId, quantity: stock - sold })), expectedTotal: 63_000 * (stock - sold) };
  expect((await at.order(rest)).status).toBe(201);
  for (const variantId of hot) await expect.poll(() => at.shop.level(variantId)).toMatchObject({ onHand: 0, reserved: 0 });
});

it('two checkouts of one cart make one order, with whatever payment each of them came', { timeout }, async () => {
  const variantId = await at.shop.sell({ price: 60_000, stock: FORM.carts });
  const tokens = ['sandbox_ok', 'sandbox_action', 'sandbox_ok'];
  const live = await crowd(FORM.carts, FORM.atOnce, async () => {
    const cartId = await at.fill(variantId);
    const email = `${newId()}@example.com`;
    const answers = await Promise.all(tokens.map((token) => at.order({ cartId, email, expectedTotal: 60_000 }, { token })));
    expect(countOf(answers)).toEqual({ 201: tokens.length });
    return [...new Set(answers.map(({ body }) => body.id))];
  });
  expect(live.map((ids) => ids.length)).toEqual(live.map(() => 1));
  const placed = await at.admin.query(`select count(*)::integer from "order".orders where id = any ($1) and state <> 'refused'`, [live.flat()]);
  expect(placed.rows).toEqual([{ count: FORM.carts }]);
});

it('an order that is paid from everywhere at once is charged once', { timeout }, async () => {
  const variantId = await at.shop.sell({ price: 60_000, stock: FORM.payments });
  const payments = at.shop.kerf.service(paymentContract);
  await crowd(FORM.payments, FORM.atOnce, async () => {
    const key = newId();
    const wanted = { ...one(variantId), expectedTotal: 60_000 };
    const [waiting, ...same] = await Promise.all(Array.from({ length: 4 }, () => at.order(wanted, { token: 'sandbox_action', key })));
    expect(new Set([waiting, ...same].map((told) => told!.body.id)).size).toBe(1);
    const { id: orderId, secret, nextAction } = waiting!.body;
    const approve = () => at.ask('POST', new URL(nextAction!.url).pathname.replace('/v1', ''), { body: { approve: true } });
    const confirm = () => at.ask('POST', `/orders/${orderId}/confirm-payment`, { headers: { 'x-order-secret': secret } });
    const payAgain = () => payments.pay({ orderId, amount: { amount: 60_000, currency: 'KRW' }, provider: 'sandbox', token: 'sandbox_ok', capture: 'automatic' }).catch(() => undefined);
    await Promise.all([approve(), payAgain(), confirm(), approve(), confirm(), payAgain(), confirm()]);
    await expect.poll(async () => (await at.read(waiting!)).body, { timeout: 15_000 }).toMatchObject({ state: 'placed', paymentStatus: 'paid' });
    expect(await payments.getPayment({ orderId })).toMatchObject({ state: 'captured', captured: 60_000 });
    const charged = await at.admin.query(
      `select count(*)::integer from payment.money_events e join payment.payments p on p.id = e.payment_id where p.order_id = $1 and e.kind = 'authorization' and e.outcome = 'succeeded'`,
      [orderId],
    );
    expect(charged.rows).toEqual([{ count: 1 }]);
  });
});
