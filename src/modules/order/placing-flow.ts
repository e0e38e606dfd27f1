import { transaction } from '../../shared/database.ts';
import { AppError, isAppError, unavailable } from '../../shared/errors.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Coupon } from '../coupon/contract.ts';
import type { Inventory } from '../inventory/contract.ts';
import type { Payments } from '../payment/contract.ts';
import type { ChangeOrder } from './change-order-flow.ts';
import type { Placement } from './contract.ts';
import { isLive, type Order, type PlacingClaim, type Refusal, refuse } from './order.ts';
import { findOrder } from './order-repository.ts';
import { factsOf, hasFailed, learn, NO_PAYMENT, type PaymentFacts } from './payment-facts.ts';
import { basketOf } from './pricing-service.ts';
import { paymentDeclined, settle } from './settlement.ts';
import { createUndoLog, isRefusal, type UndoLog } from './undo-log.ts';

export interface PlacingDependencies {
  context: ModuleContext;
  inventory: Inventory;
  coupon: Coupon;
  payments: Payments;
  changeOrder: ChangeOrder;
}

/** An order under the claim of the run that is placing it. */
export type ClaimedOrder = Order & { claim: PlacingClaim };

/** How long a run has for everything; after that recovery takes the order over. */
const CLAIM_SECONDS = 15;
/** `pay` answers within 10 s: with less left it is not begun, so that recovery never meets a charge under way. */
const PAYMENT_SECONDS = 11;
/** A call whose answer was lost may still be on its way, and be overtaken by the one that undoes it: so much later it is undone once more. */
const SLOW_CALL_SECONDS = 15;
/** Stock and coupon are held longer than the shopper may take to pay, so that a payment in the last moment still counts. */
const SLACK_MINUTES = 10;

export const newClaim = (now: Date): PlacingClaim => ({ token: newId(), until: new Date(now.getTime() + CLAIM_SECONDS * 1_000) });
export const holdsUntil = (now: Date, windowMinutes: number) => new Date(now.getTime() + (windowMinutes + SLACK_MINUTES) * 60_000);

export type Placing = ReturnType<typeof createPlacing>;

/**
 * What happens to an order between its claim and its settlement (docs/architecture.md, Placing an order): `carryOut` by the request
 * itself, `recover` by whoever takes an interrupted order over. Every call is idempotent by the order's id.
 */
export function createPlacing({ context, inventory, coupon, payments, changeOrder }: PlacingDependencies) {
  const { db, log, now, settings } = context;
  return { carryOut, recover, undoAll };

  async function carryOut(order: ClaimedOrder, means: Placement['payment']): Promise<Order> {
    const undo = createUndoLog();
    try {
      await reserve(order, undo);
      assertTimeToPay(order.claim);
    } catch (error) {
      throw await giveUp(order, undo, error);
    }
    const facts = await pay(order, means, undo);
    return settleOrder(order, facts);
  }

  async function reserve(order: Order, undo: UndoLog): Promise<void> {
    const { id: orderId, lines, discounts } = order;
    const expiresAt = order.holdsUntil.toISOString();
    const wanted = lines.map(({ variantId, quantity }) => ({ variantId, quantity }));
    await undo.run(
      () => inventory.reserve({ orderId, lines: wanted, expiresAt }),
      () => inventory.release({ orderId }),
    );
    if (discounts.length === 0) return;
    const basket = basketOf({ ...order, shipping: order.totals.shipping });
    await undo.run(
      () => coupon.reserve({ orderId, basket, discounts, expiresAt }),
      () => coupon.release({ orderId }),
    );
  }

  function assertTimeToPay({ until }: PlacingClaim): void {
    if (until.getTime() - now().getTime() < PAYMENT_SECONDS * 1_000) throw unavailable();
  }

  /** A payment whose answer was lost is unknown, not failed: the order stays claimed, and recovery asks. */
  async function pay(order: ClaimedOrder, means: Placement['payment'], undo: UndoLog): Promise<PaymentFacts> {
    const { id, currency, totals } = order;
    if (totals.total === 0) return NO_PAYMENT;
    const payment = await payments
      .pay({ orderId: id, amount: { amount: totals.total, currency }, ...means, capture: 'automatic' })
      .catch(async (error: unknown) => {
        if (isRefusal(error)) throw await giveUp(order, undo, error);
        log.warn({ err: error, orderId: id }, 'the outcome of a payment is unknown; recovery will ask');
        throw unavailable();
      });
    const facts = factsOf(payment);
    if (hasFailed(payment)) throw await giveUp(order, undo, toError(paymentDeclined({ ...order, payment: facts })));
    return facts;
  }

  function settleOrder({ id, claim }: ClaimedOrder, facts: PaymentFacts): Promise<Order> {
    return transaction(db, (trx) =>
      changeOrder(trx, id, (order) => settle(order, facts, { now: now(), token: claim.token, windowMinutes: settings.paymentWindowMinutes })),
    );
  }

  /** Undoes what this run did and answers the error to throw. What cannot be undone now is left, claimed, to recovery. */
  async function giveUp(order: ClaimedOrder, undo: UndoLog, error: unknown): Promise<unknown> {
    if (hasLapsed(order.claim)) return leave(order, undo);
    const refusal = refusalFor(error);
    try {
      await undo.undo();
      await refuseOrder(order, refusal, { undone: isRefusal(error), undoAfter: SLOW_CALL_SECONDS });
    } catch (trouble) {
      log.warn({ err: trouble, orderId: order.id }, 'an order could not be undone; recovery will');
      return unavailable();
    }
    return refusal ? toError(refusal) : error;
  }

  /** What this run came to hold after the order was undone, nobody else gives back; before that it is recovery's to decide. */
  async function leave({ id }: ClaimedOrder, undo: UndoLog): Promise<unknown> {
    try {
      const current = await findOrder(db, id);
      if (current && !isLive(current)) await undo.undo();
    } catch (trouble) {
      log.error({ err: trouble, orderId: id }, 'what a late run holds for an order that was undone could not be given back');
    }
    return unavailable();
  }

  /** Somebody else may have taken the order over, and holds for it what we would give back. */
  function hasLapsed({ until }: PlacingClaim): boolean {
    return now() >= until;
  }

  function refuseOrder({ id, claim }: ClaimedOrder, refusal: Refusal | null, how: { undone: boolean; undoAfter?: number }): Promise<Order> {
    return transaction(db, (trx) =>
      changeOrder(trx, id, (order) => (order.claim?.token === claim.token ? refuse(order, refusal, now()) : order), how),
    );
  }

  /** What a recovery that outlived its own claim came to hold, the next one may have missed: nothing stays held for an order that ended. */
  async function recover(order: ClaimedOrder): Promise<Order> {
    try {
      return await finishOrUndo(order);
    } finally {
      const current = hasLapsed(order.claim) ? await findOrder(db, order.id) : undefined;
      if (current && !isLive(current)) await undoAll(order.id);
    }
  }

  /** Finishes what was interrupted when its payment is known or none is needed, and undoes it otherwise. */
  async function finishOrUndo(order: ClaimedOrder): Promise<Order> {
    const payment = await findPayment(order.id);
    if (order.totals.total > 0 && (!payment || hasFailed(payment))) {
      const declined = payment?.state === 'declined' && paymentDeclined({ ...order, payment: learn(order.payment, factsOf(payment)) });
      return undoAndRefuse(order, declined || null);
    }
    try {
      await reserve(order, createUndoLog());
    } catch (error) {
      if (isRefusal(error)) return undoAndRefuse(order, refusalFor(error));
      throw error;
    }
    return settleOrder(order, payment ? factsOf(payment) : NO_PAYMENT);
  }

  function findPayment(orderId: string) {
    return payments.getPayment({ orderId }).catch((error: unknown) => {
      if (isAppError(error, 'not_found')) return undefined;
      throw error;
    });
  }

  async function undoAndRefuse(order: ClaimedOrder, refusal: Refusal | null): Promise<Order> {
    if (hasLapsed(order.claim)) throw unavailable();
    await undoAll(order.id);
    // Once more after the refusal: the run that was interrupted may only be slow, and hold something by then.
    return refuseOrder(order, refusal, { undone: false });
  }

  /** Gives back whatever the order may hold; the payment first, so that no charge comes after the goods are gone. */
  async function undoAll(orderId: string): Promise<void> {
    await payments.cancel({ orderId });
    await coupon.release({ orderId });
    await inventory.release({ orderId });
  }
}

/** What the shopper is told about a refused step; null for trouble on our side, after which the key may be used again. */
function refusalFor(error: unknown): Refusal | null {
  if (isAppError(error, 'out_of_stock', 'unknown_provider', 'payment_declined')) return asRefusal(error);
  if (!isAppError(error, 'discount_changed')) return null;
  return {
    code: 'conflict',
    reason: 'coupon_not_applicable',
    message: 'A discount no longer applies to this order; look at the cart again.',
    details: { codes: (error.details?.quote as { codes?: unknown } | undefined)?.codes ?? [] },
  };
}

const asRefusal = ({ code, reason, message, details }: AppError): Refusal => ({ code: code as Refusal['code'], reason, message, details });

export const toError = ({ code, reason, message, details }: Refusal) => new AppError(code, reason, message, details);
