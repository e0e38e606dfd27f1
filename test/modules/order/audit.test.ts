import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { orderContract } from '../../../src/modules/order/contract.ts';
import type { Violation } from '../../../src/shared/audit.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { withoutChecksOf } from '../../support/planting.ts';
import { createShop, lines, type Shop } from './support.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await createShop();
});
afterAll(() => shop.close());

const orders = () => overWire(orderContract, shop.orders);
const own = async () => (await orders().auditOwn({})).violations;

/** Two pieces for 60,000 won each with 10 % off, paid. */
async function placed(): Promise<string> {
  const [variantId, promotion] = [shop.sell(), await shop.coupon.arrange({})];
  const { order } = await shop.place({ source: lines(variantId, 2, promotion.codes), expectedTotal: 108_000 });
  await shop.deliver();
  return order.id;
}

it('the facts of orders come in order of their ids, page by page, and from any order on', async () => {
  const ids = [await placed(), await placed(), await placed()].toSorted();
  const first = await orders().audit({ from: null, limit: 2 });
  expect(first).toMatchObject({ items: [{ orderId: ids[0] }, { orderId: ids[1] }], next: ids[2] });
  const { items, next } = await orders().audit({ from: ids[2]!, limit: 2 });
  expect({ items, next }).toEqual({
    items: [{
      orderId: ids[2], state: 'placed', currency: 'KRW', lines: [{ variantId: expect.any(String), quantity: 2 }], discounts: [{ promotionId: expect.any(String), amount: 12_000 }],
      total: 108_000, captured: 108_000, refunded: 0, holdsUntil: expect.any(String), expiresAt: null, placedAt: expect.any(String), since: expect.any(String),
    }],
    next: null,
  });
  expect(await own()).toEqual([]);
});

describe('what does not agree within the module', () => {
  beforeAll(() => shop.context.administer(`${withoutChecksOf('order')} drop index "order".one_live_order_per_cart`));

  it.each<[what: string, invariant: Violation['invariant'], plant: string, mend: string, sentence: RegExp]>([
    ['a total', 'money', 'update orders set total = total + 1 where id = ?', 'update orders set total = total - 1 where id = ?', /comes to 108001, and its lines with shipping come to 108000/],
    ['a subtotal', 'money', 'update orders set subtotal = subtotal + 1 where id = ?', 'update orders set subtotal = subtotal - 1 where id = ?', /costs 120001 before discounts, and its lines cost 120000/],
    ['a discount that nobody granted', 'money', 'update orders set discount = discount + 1 where id = ?', 'update orders set discount = discount - 1 where id = ?', /has 12001 taken off, and its discounts come to 12000/],
    ['a discount that no line bears', 'money', 'update orders set discount = discount + 1 where id = ?', 'update orders set discount = discount - 1 where id = ?', /has 12001 taken off, and its lines and shipping bear 12000/],
    ['a line', 'money', 'update order_lines set total = total + 1 where order_id = ?', 'update order_lines set total = total - 1 where order_id = ?', /is 2 x 60000 less 12000, and its total is 108001/],
    ['the shares of a discount', 'money', 'update order_discounts set amount = amount + 1 where order_id = ?', 'update order_discounts set amount = amount - 1 where order_id = ?', /come to 12000, and it takes 12001 off/],
    ['a step that the machine does not have', 'history', `insert into order_history values (?, 90, 'pending', now(), 'test', '')`, 'delete from order_history where order_id = ? and position = 90', /went from placed to pending, which the machine does not have/],
    ['a history that ends elsewhere', 'history', `insert into order_history values (?, 90, 'completed', now(), 'test', '')`, 'delete from order_history where order_id = ? and position = 90', /is placed, and its history ends with completed/],
    ['two live orders of a cart', 'once', `update orders set cart_id = (select id from carts limit 1) where state = 'placed' and ?::uuid is not null`, `update orders set cart_id = null where ?::uuid is not null`, /^Cart .* has \d+ live orders: /],
    ['an event of what never happened', 'events', `insert into order_jobs.job (name, data) select 'events', jsonb_build_object('event', jsonb_build_object('type', 'order.cancelled', 'subject', ?::text))`, `delete from order_jobs.job where data->'event'->>'subject' = ?`, /order\.cancelled was published for order .*, which never was cancelled/],
  ])('is %s', async (_, invariant, plant, mend, sentence) => {
    const id = await placed();
    await shop.openCart({ kind: 'guest' });
    await shop.rows(plant, [id]);
    const found = await own();
    await shop.rows(mend, [id]);
    expect(found).toContainEqual({ invariant, orderId: invariant === 'once' ? null : id, message: expect.stringMatching(sentence) });
    expect(await own()).toEqual([]);
  });
});
