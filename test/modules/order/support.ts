import { createFakeCatalog } from '../../../src/modules/catalog/fake.ts';
import { createFakeCoupon } from '../../../src/modules/coupon/fake.ts';
import { createFakeInventory } from '../../../src/modules/inventory/fake.ts';
import type { Input } from '../../../src/shared/contract.ts';
import type { orderContract, Viewer } from '../../../src/modules/order/contract.ts';
import { createOrderJobs } from '../../../src/modules/order/order-jobs.ts';
import { createOrderService } from '../../../src/modules/order/order-service.ts';
import { createOrderSubscriptions } from '../../../src/modules/order/order-subscriptions.ts';
import { createFakePayments } from '../../../src/modules/payment/fake.ts';
import { createFakeUsers } from '../../../src/modules/user/fake.ts';
import { unavailable } from '../../../src/shared/errors.ts';
import { createInbox } from '../../../src/shared/events.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext } from '../../support/module-context.ts';

export type Shop = Awaited<ReturnType<typeof createShop>>;
export type PlacementInput = Input<typeof orderContract, 'placeOrder'>;

export const GUEST: Viewer = { kind: 'guest' };
export const STAFF: Viewer = { kind: 'staff', userId: '0197c9a0-0000-7000-8000-00000000aaaa' };
export const ADDRESS = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', region: '', city: '서울특별시', line1: '중구 세종대로 110', line2: '' };

export const customer = (customerId: string): Viewer => ({ kind: 'customer', customerId });

/**
 * What goes wrong at a call: the process dies (nothing comes back, ever) or the callee is unavailable, before or after
 * the call took effect.
 */
export type Fault = 'dies before' | 'dies after' | 'fails before' | 'fails after';

/** The order module on a real database, with the other modules' fakes around it. */
export async function createShop() {
  const context = await createTestContext('order');
  const { now } = context;
  const users = createFakeUsers({ now });
  const catalog = createFakeCatalog(now);
  const inventory = createFakeInventory({ now });
  const coupon = createFakeCoupon({ now });
  const payments = createFakePayments(now);

  const faults = new Map<string, { fault: Fault; times: number; met: () => void }>();
  const calls: string[] = [];
  const wrapped = <Service extends object>(module: string, service: Service): Service =>
    new Proxy(service, {
      get(target, name: string) {
        const method = target[name as keyof Service];
        if (typeof method !== 'function') return method;
        return async (input: unknown) => {
          const call = `${module}.${name}`;
          calls.push(call);
          const due = faults.get(call);
          if (!due || due.times === 0) return method(input);
          due.times -= 1;
          if (due.fault.endsWith('after')) await method(input);
          due.met();
          if (due.fault.startsWith('dies')) return new Promise(() => undefined);
          throw unavailable(`${call} is out of order.`);
        };
      },
    });
  const callees = {
    users: wrapped('users', users),
    catalog: wrapped('catalog', catalog),
    inventory: wrapped('inventory', inventory),
    coupon: wrapped('coupon', coupon),
    payments: wrapped('payments', payments),
  };
  const orders = createOrderService(context, callees);
  const background = createOrderJobs(context, callees);
  const sweep = (name: string) => background.sweeps.find((candidate) => candidate.name.startsWith(name))!.run;
  const inbox = createInbox(context.db, createOrderSubscriptions(context));
  const told = { orders: 0, payments: 0, logins: 0 };

  const hear = (type: string, data: object, id = newId()) =>
    inbox({ specversion: '1.0', id, source: 'kerf/test', type, subject: '', time: now().toISOString(), datacontenttype: 'application/json', data });

  return {
    context,
    users,
    catalog,
    inventory,
    coupon,
    payments,
    orders,
    calls,
    recover: sweep('finish'),
    expire: sweep('expire'),
    tidy: sweep('forget'),

    /** what becomes of the next calls of this method; resolves when the first one met it */
    break(call: string, fault: Fault, times = Infinity): Promise<void> {
      return new Promise((met) => faults.set(call, { fault, times, met: () => met() }));
    },
    repair: () => faults.clear(),

    /** minutes or seconds go by */
    pass({ minutes = 0, seconds = 0 }: { minutes?: number; seconds?: number }) {
      context.clock.now = new Date(context.clock.now.getTime() + minutes * 60_000 + seconds * 1_000);
    },

    /** a variant that can be bought */
    sell({ price = 60_000, stock = 10, prices = { KRW: price } as Record<string, number> } = {}): string {
      const { variantId } = catalog.addProduct({ prices });
      inventory.arrange(variantId, stock);
      return variantId;
    },

    async openCart(viewer: Viewer, ...items: [variantId: string, quantity: number][]): Promise<string> {
      const { id } = await orders.createCart({ cartId: newId(), viewer, currency: 'KRW' });
      for (const [variantId, quantity] of items) await orders.addItem({ cartId: id, viewer, operationId: newId(), variantId, quantity });
      return id;
    },

    place: (change: Change = {}) => orders.placeOrder(placement(change)),

    /** what was published since goes to whom it concerns */
    async deliver(): Promise<void> {
      for (const { type, data } of context.published.slice(told.orders)) heard(type, data as never);
      told.orders = context.published.length;
      for (const { type, data } of payments.published.slice(told.payments)) await hear(type, data);
      told.payments = payments.published.length;
      for (const data of users.logins.slice(told.logins)) await hear('user.logged_in', data);
      told.logins = users.logins.length;
    },
    hear,

    /** the module's own jobs that were queued */
    async work(): Promise<void> {
      for (const { name, data } of context.enqueued.splice(0)) await background.jobs[name as 'undo-order'](data as never);
    },

    order: (orderId: string) => orders.getOrder({ orderId, viewer: STAFF }),
    level: async (variantId: string) => (await inventory.getLevels({ variantIds: [variantId] })).levels[0]!,
    rows: async <Row>(sql: string, bindings: string[] = []) => (await context.db.raw<{ rows: Row[] }>(sql, bindings)).rows,
    close: () => context.close(),
  };

  function heard(type: string, data: { orderId: string; lines: { variantId: string; quantity: number }[]; wasPlaced: boolean }): void {
    const { orderId } = data;
    if (type === 'order.placed') {
      inventory.place(orderId, data.lines);
      coupon.place(orderId);
    } else if (type === 'order.cancelled') {
      inventory.cancel(orderId);
      coupon.cancel(orderId, { wasPlaced: data.wasPlaced });
      void payments.cancel({ orderId });
    } else if (type === 'order.expired') {
      inventory.expire(orderId);
      coupon.expire(orderId);
      void payments.cancel({ orderId });
    }
  }
}

type Change = Partial<PlacementInput> & { key?: string; token?: string };

/** A placement that works, except for what is changed. */
export function placement({ key = newId(), token = 'sandbox_ok', ...change }: Change = {}): PlacementInput {
  return {
    idempotency: { scope: 'guest', key, fingerprint: 'the body' },
    orderId: newId(),
    viewer: GUEST,
    source: { kind: 'lines', currency: 'KRW', lines: [], codes: [] },
    email: 'mina@example.com',
    shippingAddress: ADDRESS,
    payment: { provider: 'sandbox', token },
    expectedTotal: 60_000,
    ...change,
  };
}

export const lines = (variantId: string, quantity = 1, codes: string[] = []) =>
  ({ kind: 'lines', currency: 'KRW', lines: [{ variantId, quantity }], codes }) satisfies PlacementInput['source'];

/** Settled results by what became of them: ids of orders, and how often each reason. */
export async function outcomes(placements: Promise<{ order: { id: string } }>[]) {
  const results = await Promise.allSettled(placements);
  const orders = new Set(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.order.id] : [])));
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { reason?: string }).reason ?? String(result.reason)] : []));
  return { orders: [...orders], reasons: [...new Set(reasons)].toSorted(), placed: results.length - reasons.length };
}
