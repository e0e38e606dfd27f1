import { transaction } from '../../shared/database.ts';
import { isAppError } from '../../shared/errors.ts';
import type { Background, ModuleContext } from '../../shared/module.ts';
import { deleteForgotten } from './cart-repository.ts';
import { createChangeOrder, UNDO_JOB } from './change-order-flow.ts';
import { deleteOldKeys } from './idempotency-repository.ts';
import { expire, isOverdue } from './order.ts';
import { listOverdue, takeInterrupted } from './order-repository.ts';
import type { Callees } from './order-service.ts';
import { factsOf, NO_PAYMENT, type PaymentFacts } from './payment-facts.ts';
import { type ClaimedOrder, createPlacing, holdsUntil, newClaim } from './placing-flow.ts';
import { settle } from './settlement.ts';

const BATCH = 20;
const OPERATIONS_KEPT_DAYS = 7;
const GUEST_CARTS_KEPT_DAYS = 90;
const KEYS_KEPT_DAYS = 1;

/** What happens to carts and orders by itself. Every sweep may run in many processes at once. */
export function createOrderJobs(context: ModuleContext, callees: Callees) {
  const { db, log, now, settings } = context;
  const { payments } = callees;
  const changeOrder = createChangeOrder(context);
  const { recover, undoAll } = createPlacing({ context, ...callees, changeOrder });

  return {
    jobs: { [UNDO_JOB]: ({ orderId }: { orderId: string }) => undoAll(orderId) },
    sweeps: [
      { name: 'finish interrupted orders', every: 5, run: recoverInterrupted },
      { name: 'expire unpaid orders', every: 10, run: expireOverdue },
      { name: 'forget abandoned carts', every: 3_600, run: tidy },
    ],
  } satisfies Background;

  /** A failure leaves the order to the next sweep after its new claim has run out. */
  async function recoverInterrupted(): Promise<void> {
    const at = now();
    const orders = await takeInterrupted(db, { now: at, claim: newClaim(at), holdsUntil: holdsUntil(at, settings.paymentWindowMinutes), limit: BATCH });
    await Promise.all(
      orders.map((order) =>
        recover(order as ClaimedOrder).catch((error: unknown) => log.warn({ err: error, orderId: order.id }, 'an interrupted order could not be finished yet')),
      ),
    );
    if (orders.length === BATCH) await recoverInterrupted();
  }

  /** A failure leaves the order to the next sweep, and stops no other. */
  async function expireOverdue(): Promise<void> {
    const overdue = await listOverdue(db, now(), BATCH);
    const ended = await Promise.all(
      overdue.map(({ id }) =>
        settleOrExpire(id).catch((error: unknown) => {
          log.warn({ err: error, orderId: id }, 'an overdue order could not be expired yet');
          return false;
        }),
      ),
    );
    if (overdue.length === BATCH && ended.includes(true)) await expireOverdue();
  }

  /** A webhook may have been lost: the payment is asked once more, and what is overdue is decided under the order's lock. */
  async function settleOrExpire(orderId: string): Promise<boolean> {
    const facts = await askPayment(orderId);
    const order = await transaction(db, (trx) =>
      changeOrder(trx, orderId, (found) => {
        const settled = settle(found, facts, { now: now(), token: null, windowMinutes: settings.paymentWindowMinutes });
        return isOverdue(settled, now()) ? expire(settled, now()) : settled;
      }),
    );
    return order.state !== 'pending';
  }

  /**
   * Nothing new when there is no payment, and also when it cannot be asked: the order then expires all the same, for the
   * goods are not held much longer, and payment gives back by itself what it took for an order that expired.
   */
  async function askPayment(orderId: string): Promise<PaymentFacts> {
    try {
      return factsOf(await payments.refresh({ orderId }));
    } catch (error) {
      if (!isAppError(error, 'not_found')) log.warn({ err: error, orderId }, 'an order expires without its payment being asked');
      return NO_PAYMENT;
    }
  }

  async function tidy(): Promise<void> {
    const daysAgo = (days: number) => new Date(now().getTime() - days * 86_400_000);
    await deleteForgotten(db, { operationsBefore: daysAgo(OPERATIONS_KEPT_DAYS), cartsBefore: daysAgo(GUEST_CARTS_KEPT_DAYS) });
    await deleteOldKeys(db, daysAgo(KEYS_KEPT_DAYS));
  }
}
