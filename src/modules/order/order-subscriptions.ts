import { isAppError } from '../../shared/errors.ts';
import { on, type Subscription } from '../../shared/events.ts';
import type { Transaction } from '../../shared/database.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { paymentContract } from '../payment/contract.ts';
import { userContract } from '../user/contract.ts';
import { createChangeOrder } from './change-order-flow.ts';
import { mergeCart } from './merge-cart-flow.ts';
import { NO_PAYMENT, type PaymentFacts } from './payment-facts.ts';
import { settle } from './settlement.ts';

const { actionRequired, authorized, captured, declined, refunded } = paymentContract.events;
const { loggedIn } = userContract.events;

export const orderListens = [actionRequired, authorized, captured, declined, refunded, loggedIn];

/** News of payments settles what waits for them; a guest's cart follows its owner into the account. */
export function createOrderSubscriptions(context: ModuleContext): Subscription[] {
  const { now, settings } = context;
  const changeOrder = createChangeOrder(context);
  const learn = (trx: Transaction, orderId: string, news: Partial<PaymentFacts>) =>
    changeOrder(trx, orderId, (order) =>
      settle(order, { ...NO_PAYMENT, ...news }, { now: now(), token: null, windowMinutes: settings.paymentWindowMinutes }),
    );

  return [
    on(actionRequired, async (trx, { data }) => void (await learn(trx, data.orderId, { progress: 'requires_action', nextActionUrl: data.url }))),
    on(authorized, async (trx, { data }) => void (await learn(trx, data.orderId, { authorized: data.amount }))),
    on(captured, async (trx, { data }) => void (await learn(trx, data.orderId, { captured: data.captured }))),
    on(declined, async (trx, { data }) => void (await learn(trx, data.orderId, { progress: 'declined', declineReason: data.reason }))),
    on(refunded, async (trx, { data }) => void (await learn(trx, data.orderId, { captured: data.captured, refunded: data.refunded }))),
    on(loggedIn, async (trx, { data: { cartId, userId } }) => {
      if (cartId) await mergeCart(trx, { cartId, customerId: userId }, now()).catch(ignoreUnmergeable);
    }),
  ];
}

/** Refused before anything was written: the cart is gone, ordered, somebody else's, or in another currency. */
function ignoreUnmergeable(error: unknown): void {
  if (!isAppError(error, 'not_found', 'cart_not_active', 'currency_mismatch')) throw error;
}
