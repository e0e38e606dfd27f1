import { toAuditPage } from '../../shared/audit.ts';
import { type Database, type Transaction, transaction } from '../../shared/database.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findViolations } from '../../shared/violations.ts';
import { COUPON_CHECKS, findRedemptionFacts } from './audit-repository.ts';
import type { Basket, Coupon, Discount } from './contract.ts';
import { assertUnchanged, customerKey, quoteBasket, sameDiscounts } from './coupon.ts';
import { findCandidates } from './promotion-repository.ts';
import { createPromotionService } from './promotion-service.ts';
import { isSettled, release } from './redemption.ts';
import { stepRedemptions } from './redemption-flow.ts';
import { extendReservations, lockPromotions, lockRedemptions, takeUses } from './redemption-repository.ts';

export function createCouponService(context: ModuleContext): Coupon {
  const { db, now } = context;
  return {
    ...createPromotionService(context),

    async quote(basket) {
      const at = now();
      return quoteBasket(basket, await findCandidates(db, { basket, now: at }), at);
    },

    async reserve({ orderId, basket, discounts, expiresAt }) {
      const reservation = { orderId, basket, discounts, expiresAt: new Date(expiresAt), now: now() };
      if (discounts.length === 0) await quoteAgain(db, reservation);
      else await transaction(db, (trx) => reserve(trx, reservation));
      return {};
    },

    async release({ orderId }) {
      const at = now();
      await transaction(db, (trx) => stepRedemptions(trx, orderId, (redemption) => release(redemption, at)));
      return {};
    },

    audit: async (range) => toAuditPage(await findRedemptionFacts(db, range), range.limit),

    auditOwn: async () => ({ violations: await findViolations(db, COUPON_CHECKS) }),
  };
}

interface Reservation {
  orderId: string;
  basket: Basket;
  discounts: readonly Discount[];
  expiresAt: Date;
  now: Date;
}

async function reserve(trx: Transaction, reservation: Reservation): Promise<void> {
  const { orderId, basket, discounts, expiresAt, now } = reservation;
  await lockPromotions(trx, { promotionIds: discounts.map(({ promotionId }) => promotionId), orderId, now });
  const own = await lockRedemptions(trx, orderId);
  if (own.some(isSettled)) return;
  const reserved = own.filter(({ state }) => state === 'reserved');
  if (sameDiscounts(reserved, discounts)) return extendReservations(trx, orderId, expiresAt);

  await quoteAgain(trx, reservation);
  if (reserved.length > 0) await stepRedemptions(trx, orderId, (redemption) => release(redemption, now));
  await takeUses(trx, { orderId, customerKey: customerKey(basket), discounts, expiresAt });
}

/** Only the last look at a code counts: this one. A basket that gets more by now has changed, too. */
async function quoteAgain(db: Database | Transaction, { orderId, basket, discounts, now }: Reservation): Promise<void> {
  assertUnchanged(quoteBasket(basket, await findCandidates(db, { basket, now, reservingFor: orderId }), now), discounts);
}
