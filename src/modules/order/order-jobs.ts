import { transaction } from '../../shared/database.ts';
import type { Background, ModuleContext } from '../../shared/module.ts';
import { deleteForgotten } from './cart-repository.ts';
import { createChangeOrder, UNDO_JOB } from './change-order-flow.ts';
import { expire, isOverdue } from './order.ts';
import { listOverdue, takeInterrupted } from './order-repository.ts';
import type { Callees } from './order-service.ts';
import { type ClaimedOrder, createPlacing, holdsUntil, newClaim } from './placing-flow.ts';

const BATCH = 20;
const OPERATIONS_KEPT_DAYS = 7;
const GUEST_CARTS_KEPT_DAYS = 90;

/** What happens to carts and orders by itself. Every sweep may run in many processes at once. */
export function createOrderJobs(context: ModuleContext, callees: Callees) {
  const { db, log, now, settings } = context;
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

  async function expireOverdue(): Promise<void> {
    const overdue = await listOverdue(db, now(), BATCH);
    for (const { id } of overdue) {
      await transaction(db, (trx) => changeOrder(trx, id, (order) => (isOverdue(order, now()) ? expire(order, now()) : order)));
    }
    if (overdue.length === BATCH) await expireOverdue();
  }

  async function tidy(): Promise<void> {
    const daysAgo = (days: number) => new Date(now().getTime() - days * 86_400_000);
    await deleteForgotten(db, { operationsBefore: daysAgo(OPERATIONS_KEPT_DAYS), cartsBefore: daysAgo(GUEST_CARTS_KEPT_DAYS) });
  }
}
