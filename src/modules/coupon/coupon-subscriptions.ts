import { on, type Subscription } from '../../shared/events.ts';
import { orderContract } from '../order/contract.ts';
import { cancel, release } from './redemption.ts';
import { consumeRedemptions, stepRedemptions } from './redemption-flow.ts';

const { placed, cancelled, expired } = orderContract.events;

/** What became of an order decides what became of its discounts; the instants are those of the order. */
export const couponSubscriptions = (): Subscription[] => [
  on(placed, (trx, { data: { orderId, placedAt } }) => consumeRedemptions(trx, orderId, new Date(placedAt))),
  on(cancelled, (trx, { data: { orderId, wasPlaced, cancelledAt } }) =>
    stepRedemptions(trx, orderId, (redemption) => cancel(redemption, { wasPlaced, at: new Date(cancelledAt) })),
  ),
  on(expired, (trx, { data: { orderId, expiredAt } }) =>
    stepRedemptions(trx, orderId, (redemption) => release(redemption, new Date(expiredAt))),
  ),
];
