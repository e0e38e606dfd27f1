import type { z } from 'zod';
import type { Basket, Coupon, couponContract, Discount, Promotion, PromotionDraft, Scope } from '../modules/coupon/contract.ts';
import { newId } from '../shared/ids.ts';
import { inSeconds } from './expectation.ts';
import type { Case } from './suite.ts';

export type CouponCases = Record<string, Case<typeof couponContract>['run']>;
export type Draft = z.input<typeof PromotionDraft>;

/** A code that nobody has. */
export const newCode = () => `KIT-${newId()}`.toUpperCase();

export const draftOf = (more: Partial<Draft> = {}): Draft => ({ name: 'Contract kit', class: 'order', benefit: percent(1_000), currency: 'KRW', codes: [newCode()], ...more });

/** 10 % off the order by a code of its own, unless it says otherwise. */
export const promote = (coupon: Coupon, more: Partial<Draft> = {}): Promise<Promotion> => coupon.createPromotion({ id: newId(), draft: draftOf(more) });

type Percent = Extract<Draft['benefit'], { kind: 'percent' }>;
export const percent = (basisPoints: number, more: Partial<Percent> = {}): Draft['benefit'] => ({ kind: 'percent', basisPoints, ...more });
export const fixed = (amount: number): Draft['benefit'] => ({ kind: 'fixed', amount });
export const FREE_SHIPPING: Draft['benefit'] = { kind: 'free_shipping' };

/** Products and categories of this run alone, so that nothing else in the installation is about them. */
export const [PRODUCT_1, PRODUCT_2, KITCHEN, SALE] = [newId(), newId(), newId(), newId()] as const;
export const onlyFor = (...productIds: string[]): z.input<typeof Scope> => ({ productIds });

/** The first product for 30,000 won in the kitchen category, the second for 20,000 on sale; a customer of its own. */
export const basketOf = (codes: readonly string[], more: Partial<Basket> = {}, prices: readonly number[] = [30_000, 20_000]): Basket => ({
  customerId: newId(),
  email: null,
  currency: 'KRW',
  lines: prices.map((unitPrice, index) => ({ lineId: `L${index + 1}`, productId: index === 0 ? PRODUCT_1 : PRODUCT_2, categoryIds: [index === 0 ? KITCHEN : SALE], quantity: 1, unitPrice })),
  shipping: 3_000,
  codes: [...codes],
  ...more,
});

export const basketWith = (promotions: readonly Promotion[], more: Partial<Basket> = {}, prices?: readonly number[]): Basket =>
  basketOf(promotions.flatMap(({ codes }) => codes.slice(0, 1)), more, prices);

/** What an order keeps of its basket in order to reserve: quoted now. */
export async function reservationOf(coupon: Coupon, basket: Basket, seconds = 600) {
  const { discounts } = await coupon.quote(basket);
  return { orderId: newId(), basket, discounts, expiresAt: inSeconds(seconds) };
}

/** Quotes and reserves as an order does; answers the order's id. */
export async function reserve(coupon: Coupon, basket: Basket, seconds?: number): Promise<string> {
  const reservation = await reservationOf(coupon, basket, seconds);
  await coupon.reserve(reservation);
  return reservation.orderId;
}

export const used = async (coupon: Coupon, { id }: Promotion): Promise<number> => (await coupon.getPromotion({ id })).used;
export const amountsOf = (discounts: readonly Discount[], promotions: readonly Promotion[]) => promotions.map(({ id }) => discounts.find(({ promotionId }) => promotionId === id)?.amount ?? 0);
