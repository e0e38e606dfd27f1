import type { Discount } from './contract.ts';

/**
 * One use of a promotion by one order.
 *
 * `reserved → consumed | released`, `consumed → returned` (final). A released one may be `reserved` again by a repeat of
 * the same order, or be `consumed`: it ran out, and the order was placed with its discount all the same.
 */
export type Redemption = Grant &
  (
    | { state: 'reserved' }
    | { state: 'consumed'; consumedAt: Date }
    | { state: 'released'; releasedAt: Date }
    | { state: 'returned'; consumedAt: Date; returnedAt: Date }
  );

interface Grant extends Pick<Discount, 'promotionId' | 'code' | 'amount' | 'lines'> {
  orderId: string;
  customerKey: string | null;
  expiresAt: Date;
  /** when the promotion ends */
  endsAt: Date | null;
}

/** Counts towards the limits: consumed, or reserved and not yet taken back. */
export const isCounted = ({ state }: Redemption): boolean => state === 'reserved' || state === 'consumed';

/** The order has been placed: what it was granted is settled, whatever became of it since. */
export const isSettled = ({ state }: Redemption): boolean => state === 'consumed' || state === 'returned';

/** The order is placed with this discount, so this is a use of it: also when the reservation had run out by then. */
export function consume(redemption: Redemption, at: Date): Redemption {
  return isSettled(redemption) ? redemption : { ...grantOf(redemption), state: 'consumed', consumedAt: at };
}

export function release(redemption: Redemption, at: Date): Redemption {
  return redemption.state === 'reserved' ? { ...grantOf(redemption), state: 'released', releasedAt: at } : redemption;
}

/**
 * The whole order is cancelled. One that was placed gives the use back unless the promotion has ended by then; that the
 * order was placed may become known only afterwards, and changes nothing any more.
 */
export function cancel(redemption: Redemption, { wasPlaced, at }: { wasPlaced: boolean; at: Date }): Redemption {
  if (!wasPlaced) return release(redemption, at);
  const consumed = consume(redemption, at);
  const ended = consumed.endsAt !== null && at >= consumed.endsAt;
  return consumed.state !== 'consumed' || ended ? consumed : { ...consumed, state: 'returned', returnedAt: at };
}

const grantOf = ({ orderId, promotionId, customerKey, code, amount, lines, expiresAt, endsAt }: Redemption): Grant => ({
  orderId, promotionId, customerKey, code, amount, lines, expiresAt, endsAt,
});
