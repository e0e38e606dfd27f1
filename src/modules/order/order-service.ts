import { z } from 'zod';
import { toAuditPage } from '../../shared/audit.ts';
import { transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import { CursorInstant, encodeCursor, readCursor } from '../../shared/http.ts';
import { deriveKey, Id, sameSecret } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findViolations } from '../../shared/violations.ts';
import type { Catalog } from '../catalog/contract.ts';
import type { Coupon } from '../coupon/contract.ts';
import type { Inventory } from '../inventory/contract.ts';
import type { Payments } from '../payment/contract.ts';
import type { Users } from '../user/contract.ts';
import { findOrderFacts, ORDER_CHECKS } from './audit-repository.ts';
import { createCartService } from './cart-service.ts';
import { createChangeOrder } from './change-order-flow.ts';
import { createCheckout } from './checkout-flow.ts';
import { createClaim } from './claim-order-flow.ts';
import { type Orders, Placement, type Viewer } from './contract.ts';
import { cancel, complete, type Order } from './order.ts';
import { findOrder, listOrders } from './order-repository.ts';
import { actorOf, assertVisibleTo, presentOrder } from './order-view.ts';
import { factsOf } from './payment-facts.ts';
import { createPlaceOrder } from './place-order-flow.ts';
import { createPlacing } from './placing-flow.ts';
import { createPricing } from './pricing-service.ts';
import { settle } from './settlement.ts';

/** The modules that order calls. */
export interface Callees {
  users: Users;
  catalog: Catalog;
  inventory: Inventory;
  coupon: Coupon;
  payments: Payments;
}

export function createOrderService(context: ModuleContext, callees: Callees): Orders {
  const { db, now, settings } = context;
  const { users, payments } = callees;
  const price = createPricing(callees);
  const changeOrder = createChangeOrder(context);
  const placeOrder = createPlaceOrder({
    prepare: createCheckout({ db, users, price }),
    claim: createClaim(context),
    carryOut: createPlacing({ context, ...callees, changeOrder }).carryOut,
  });
  const secretOf = orderSecrets(settings.secret);

  return {
    ...createCartService(context, { ...callees, price }),

    async placeOrder(input) {
      const { order, replayed } = await placeOrder(Placement.parse(input));
      return { order: presentOrder(order, input.viewer), secret: secretOf(order.id), replayed };
    },

    async confirmPayment({ orderId, viewer }) {
      const order = await visible(orderId, viewer);
      if (order.state !== 'pending') return presentOrder(order, viewer);
      const facts = factsOf(await payments.refresh({ orderId }));
      return change(orderId, viewer, (found) => settle(found, facts, { now: now(), token: null, windowMinutes: settings.paymentWindowMinutes }));
    },

    async getOrder({ orderId, viewer }) {
      return presentOrder(await visible(orderId, viewer), viewer);
    },

    async listOrders({ viewer, cursor, limit, ...filter }) {
      if (viewer.kind === 'guest') return { items: [], nextCursor: null };
      const customerId = viewer.kind === 'customer' ? viewer.customerId : undefined;
      const found = await listOrders(db, { ...filter, customerId, after: cursor === undefined ? undefined : positionOf(cursor), limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      return {
        items: items.map((order) => presentOrder(order, viewer)),
        nextCursor: last ? encodeCursor([last.createdAt.toISOString(), last.id]) : null,
      };
    },

    async cancelOrder({ orderId, viewer, reason }) {
      await visible(orderId, viewer);
      return change(orderId, viewer, (order) => cancel(order, { at: now(), by: actorOf(viewer), reason }));
    },

    async completeOrder({ orderId, viewer }) {
      if (viewer.kind !== 'staff') throw notFound('order');
      await visible(orderId, viewer);
      return change(orderId, viewer, (order) => complete(order, { at: now(), by: actorOf(viewer), reason: '' }));
    },

    audit: async (range) => toAuditPage(await findOrderFacts(db, range), range.limit),

    auditOwn: async () => ({ violations: await findViolations(db, ORDER_CHECKS) }),
  };

  async function visible(orderId: string, viewer: Viewer): Promise<Order> {
    const order = await findOrder(db, orderId);
    assertVisibleTo(order, viewer, (given) => sameSecret(given, secretOf(orderId.toLowerCase())), now());
    return order;
  }

  async function change(orderId: string, viewer: Viewer, decide: (order: Order) => Order) {
    return presentOrder(await transaction(db, (trx) => changeOrder(trx, orderId, decide)), viewer);
  }
}

/** The secret that opens a guest's order: derived from its id, so that it can be answered again and is stored nowhere. */
const orderSecrets = (secret: string) => {
  const key = deriveKey(secret, 'order secrets');
  return (orderId: string) => deriveKey(key, orderId);
};

const Position = z.tuple([CursorInstant, Id]);

function positionOf(cursor: string): { createdAt: Date; id: string } {
  const [createdAt, id] = readCursor(Position, cursor);
  return { createdAt: new Date(createdAt), id };
}
