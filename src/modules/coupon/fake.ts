import type { z } from 'zod';
import { toAuditPage } from '../../shared/audit.ts';
import { conflict, invalid, notFound } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor } from '../../shared/http.ts';
import { newId } from '../../shared/ids.ts';
import { type Basket, type Coupon, type Promotion, PromotionDraft } from './contract.ts';
import { assertUnchanged, type Candidate, customerKey, quoteBasket, sameDiscounts } from './coupon.ts';
import { assertConsistent, assertStillBrought, normalizeCode, windowOf } from './promotion.ts';
import { cancel, consume, isCounted, isSettled, type Redemption, release } from './redemption.ts';

export interface FakeCoupon extends Coupon {
  /** a promotion with these terms: 10 % off the order in KRW, unless they say otherwise */
  arrange(draft?: Partial<z.input<typeof PromotionDraft>>): Promise<Promotion>;
  /** what order.placed, order.cancelled and order.expired do */
  place(orderId: string): void;
  cancel(orderId: string, options: { wasPlaced: boolean }): void;
  expire(orderId: string): void;
  redemptionsOf(orderId: string): Redemption[];
}

const TEN_PERCENT: z.input<typeof PromotionDraft> = {
  name: '10 % off',
  class: 'order',
  benefit: { kind: 'percent', basisPoints: 1_000 },
  currency: 'KRW',
};

/** Promotions in memory: the same decisions, with nothing kept and nobody locked out. */
export function createFakeCoupon({ now = () => new Date(), timeZone = 'Asia/Seoul' } = {}): FakeCoupon {
  const promotions = new Map<string, Promotion>();
  const redemptions = new Map<string, Redemption>();

  const written = (input: z.input<typeof PromotionDraft>) => {
    const draft = PromotionDraft.parse(input);
    assertConsistent(draft, windowOf(draft, timeZone));
    return draft;
  };
  const assertFree = (id: string, codes: readonly string[]) => {
    const others = new Set([...promotions.values()].filter((other) => other.id !== id).flatMap((other) => other.codes.map(normalizeCode)));
    const taken = codes.filter((code) => others.has(normalizeCode(code)));
    if (taken.length > 0) throw conflict('code_taken', `The code ${taken[0]} belongs to another promotion.`, { codes: taken });
  };

  /** What ran out stops counting, as it does in the database. */
  const takeBackLapsed = () => {
    for (const [key, redemption] of redemptions) if (redemption.expiresAt <= now()) redemptions.set(key, release(redemption, now()));
  };
  const counted = (promotionId: string) => {
    takeBackLapsed();
    return [...redemptions.values()].filter((redemption) => redemption.promotionId === promotionId && isCounted(redemption));
  };
  const withUses = (promotion: Promotion): Promotion => ({ ...promotion, used: counted(promotion.id).length });
  const get = (id: string) => {
    const promotion = promotions.get(id);
    if (!promotion) throw notFound('promotion');
    return withUses(promotion);
  };

  const candidates = (basket: Basket, orderId?: string): Candidate[] => {
    const entered = new Set(basket.codes.map(normalizeCode));
    return [...promotions.values()].flatMap((promotion) => {
      const codes = promotion.codes.filter((code) => entered.has(normalizeCode(code)));
      if (codes.length === 0 && promotion.codes.length > 0) return [];
      const uses = counted(promotion.id).filter((use) => use.orderId !== orderId);
      const terms = { ...promotion, ...windowOf(promotion, timeZone) };
      return [{ terms, codes, used: uses.length, usedByCustomer: uses.filter((use) => use.customerKey === customerKey(basket)).length }];
    });
  };
  const redemptionsOf = (orderId: string) => [...redemptions.values()].filter((redemption) => redemption.orderId === orderId);
  const save = (changed: readonly Redemption[]) => {
    for (const redemption of changed) redemptions.set(`${redemption.orderId} ${redemption.promotionId}`, redemption);
  };
  const step = (orderId: string, next: (redemption: Redemption) => Redemption) => save(redemptionsOf(orderId).map(next));

  const fake: FakeCoupon = {
    arrange: (draft) => fake.createPromotion({ id: newId(), draft: { ...TEN_PERCENT, ...draft } }),
    place: (orderId) => step(orderId, (redemption) => consume(redemption, now())),
    cancel: (orderId, { wasPlaced }) => step(orderId, (redemption) => cancel(redemption, { wasPlaced, at: now() })),
    expire: (orderId) => step(orderId, (redemption) => release(redemption, now())),
    redemptionsOf,

    quote: async (basket) => quoteBasket(basket, candidates(basket), now()),

    async reserve({ orderId, basket, discounts, expiresAt }) {
      takeBackLapsed();
      if (discounts.length === 0) {
        assertUnchanged(quoteBasket(basket, candidates(basket, orderId), now()), discounts);
        return {};
      }
      const own = redemptionsOf(orderId);
      if (own.some(isSettled)) return {};
      const until = new Date(expiresAt);
      const reserved = own.filter((redemption) => redemption.state === 'reserved');
      if (reserved.length > 0 && sameDiscounts(reserved, discounts)) {
        save(reserved.map((redemption) => ({ ...redemption, expiresAt: until > redemption.expiresAt ? until : redemption.expiresAt })));
        return {};
      }
      assertUnchanged(quoteBasket(basket, candidates(basket, orderId), now()), discounts);
      step(orderId, (redemption) => release(redemption, now()));
      save(
        discounts.map(({ promotionId, code, amount, lines }) => {
          const { endsAt } = windowOf(get(promotionId), timeZone);
          return { state: 'reserved', orderId, promotionId, customerKey: customerKey(basket), code, amount, lines, expiresAt: until, endsAt };
        }),
      );
      return {};
    },

    async release({ orderId }) {
      step(orderId, (redemption) => release(redemption, now()));
      return {};
    },

    async audit({ from, limit }) {
      const orders = Map.groupBy(redemptions.values(), ({ orderId }) => orderId);
      const facts = [...orders].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([orderId, uses]) => ({
        orderId,
        redemptions: uses.map(({ promotionId, code, amount, state, expiresAt }) => ({ promotionId, code, amount, state, expiresAt: expiresAt.toISOString() })),
      }));
      return toAuditPage(facts.filter(({ orderId }) => from === null || orderId >= from), limit);
    },
    auditOwn: async () => ({ violations: [] }),

    async createPromotion({ id, draft: input }) {
      const draft = written(input);
      if (!promotions.has(id)) {
        assertFree(id, draft.codes);
        promotions.set(id, { ...draft, id, version: 1, used: 0, createdAt: now().toISOString() });
      }
      return get(id);
    },

    async updatePromotion({ id, version, draft: input }) {
      const draft = written(input);
      const current = get(id);
      if (current.version !== version) throw conflict('version_mismatch', 'The promotion was changed in the meantime.', { version: current.version });
      assertStillBrought(current, draft);
      assertFree(id, draft.codes);
      promotions.set(id, { ...current, ...draft, version: version + 1 });
      return get(id);
    },

    getPromotion: async ({ id }) => get(id),

    async listPromotions({ code, cursor, limit }) {
      const [after] = cursor === undefined ? [] : (decodeCursor(cursor) ?? [undefined]);
      if (cursor !== undefined && !promotions.has(String(after))) throw invalid('invalid_cursor', 'The cursor is not one of ours.');
      const newest = [...promotions.values()].toReversed();
      const from = newest.slice(newest.findIndex(({ id }) => id === after) + 1);
      const wanted = from.filter(({ codes }) => code === undefined || codes.some((own) => normalizeCode(own) === normalizeCode(code)));
      const items = wanted.slice(0, limit).map(withUses);
      return { items, nextCursor: wanted.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
    },
  };
  return fake;
}
