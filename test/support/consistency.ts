import { couponContract } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { type Order, orderContract } from '../../src/modules/order/contract.ts';
import { paymentContract } from '../../src/modules/payment/contract.ts';
import type { Kerf } from '../../src/composition.ts';

interface Known {
  /** pieces of each variant that were ever received */
  received: ReadonlyMap<string, number>;
  /** orders that a shopper was told of */
  acknowledged: readonly { id: string; state: string }[];
}

const STAFF = { kind: 'staff', userId: '00000000-0000-7000-8000-000000000000' } as const;
const ALIVE = ['pending', 'placed', 'completed'];

/** What does not add up between the modules of a shop, in sentences; none once all that was begun is done or undone. */
export async function inconsistencies({ service }: Pick<Kerf, 'service'>, { received, acknowledged }: Known): Promise<string[]> {
  const [orders, inventory, coupon, payments] = [service(orderContract), service(inventoryContract), service(couponContract), service(paymentContract)];
  const [ofAll, refused, ofPayment, promotions, { levels }] = await Promise.all([
    everything((page) => orders.listOrders({ viewer: STAFF, ...page })),
    everything((page) => orders.listOrders({ viewer: STAFF, state: 'refused', ...page })),
    everything((page) => payments.listPayments(page)),
    everything((page) => coupon.listPromotions(page)),
    inventory.getLevels({ variantIds: [...received.keys()] }),
  ]);
  const all = new Map([...ofAll, ...refused].map((order) => [order.id, order]));
  const pieces = (variantId: string, states: readonly string[]) => sum(ofAll.filter(({ state }) => states.includes(state)).flatMap(({ lines }) => lines.filter((line) => line.variantId === variantId)), ({ quantity }) => quantity);
  const uses = (promotionId: string) => ofAll.filter(({ state, discounts }) => ALIVE.includes(state) && discounts.some((discount) => discount.promotionId === promotionId)).length;
  const due = ({ state, totals }: Order) => (state === 'placed' || state === 'completed' ? totals.total : 0);
  const heldBy = (orderId: string) => sum(ofPayment.filter((payment) => payment.orderId === orderId), ({ captured, refunded }) => captured - refunded);

  return [
    ...ofAll.filter(({ state }) => state === 'placing').map(({ id }) => `order ${id} is still being placed`),
    ...acknowledged.filter(({ id, state }) => !isPath(state, all.get(id)?.state)).map(({ id, state }) => `order ${id} was answered as ${state} and is ${all.get(id)?.state}`),
    ...levels.flatMap(({ variantId, onHand, reserved }) => [
      ...differs(`on hand of ${variantId}`, onHand, received.get(variantId)! - pieces(variantId, ['placed', 'completed'])),
      ...differs(`held of ${variantId}`, reserved, pieces(variantId, ['pending'])),
    ]),
    ...promotions.flatMap(({ id, name, used }) => differs(`uses of ${name}`, used, uses(id))),
    ...[...all.values()].flatMap((order) => differs(`money held for order ${order.id} (${order.state})`, heldBy(order.id), due(order))),
    ...ofPayment.filter(({ orderId, captured, refunded }) => !all.has(orderId) && captured > refunded).map(({ orderId }) => `money was taken for ${orderId}, which is no order`),
    ...[...Map.groupBy(ofPayment, ({ orderId }) => orderId)].filter(([, several]) => several.length > 1).map(([orderId]) => `order ${orderId} has several payments`),
  ];
}

/** An order that a shopper was told of stays, and goes on only where its machine leads. */
const isPath = (told: string, found: string | undefined) => found === told || (found !== undefined && (told === 'pending' || (told === 'placed' && ['completed', 'cancelled'].includes(found))));
const differs = (what: string, found: number, expected: number) => (found === expected ? [] : [`${what}: ${found} instead of ${expected}`]);
const sum = <T>(items: readonly T[], of: (item: T) => number) => items.reduce((total, item) => total + of(item), 0);

async function everything<T>(list: (page: { limit: number; cursor?: string }) => Promise<{ items: T[]; nextCursor: string | null }>): Promise<T[]> {
  const { items, nextCursor } = await list({ limit: 100 });
  const found = [...items];
  for (let cursor = nextCursor; cursor !== null; ) {
    const next = await list({ limit: 100, cursor });
    found.push(...next.items);
    cursor = next.nextCursor;
  }
  return found;
}
