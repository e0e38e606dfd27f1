import { z } from 'zod';
import { auditPage, AuditRange, OwnViolations } from '../../shared/audit.ts';
import { defineContract, read, type Service, write } from '../../shared/contract.ts';
import { page } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Amount, Currency } from '../../shared/money.ts';

/** As people type it: trimmed, NFKC, upper case when compared; shown as it was created. */
export const Code = z.string().trim().min(1).max(64).meta({ id: 'CouponCode', example: 'WELCOME10' });

/** What is bought, as far as discounts depend on it. Prices are catalogue prices in the basket's currency. */
export const Basket = z.object({
  /** limits per customer count by account, or for a guest by e-mail (NFKC, lower case, no `+tag`); with neither, no limited promotion applies */
  customerId: Id.nullable(),
  email: z.email().nullable(),
  currency: Currency,
  lines: z
    .array(
      z.object({
        lineId: z.string(),
        productId: Id,
        /** the product's categories with all their ancestors */
        categoryIds: z.array(Id),
        quantity: z.int().min(1).max(999),
        unitPrice: Amount,
      }),
    )
    .max(100),
  shipping: Amount,
  /** entered codes; their order makes no difference */
  codes: z.array(Code).max(10),
});
export type Basket = z.infer<typeof Basket>;

/**
 * Which kind of sum a promotion lowers: lines, then what they leave of the order, then the shipping fee. An order takes
 * at most one discount of class order and one of class shipping; of several item promotions each line takes the largest.
 */
export const PromotionClass = z.enum(['item', 'order', 'shipping']);
export type PromotionClass = z.infer<typeof PromotionClass>;

/** What one promotion gives to one basket. Σ lines = amount for class item and order; shipping has no lines. */
export const Discount = z
  .object({
    promotionId: Id,
    name: z.string(),
    class: PromotionClass,
    /** the code it came by, as it was created; null for an automatic promotion */
    code: z.string().nullable(),
    amount: Amount,
    lines: z.array(z.object({ lineId: z.string(), amount: Amount })),
  })
  .meta({ id: 'Discount' });
export type Discount = z.infer<typeof Discount>;

/** Why an entered code takes nothing off. The code stays attached and is looked at again whenever the basket changes. */
export const CodeReason = z
  .enum([
    'unknown_code',
    'not_started',
    'ended',
    'paused',
    'currency_mismatch',
    'no_eligible_items',
    'minimum_not_reached',
    'limit_reached',
    'customer_limit_reached',
    'customer_required',
    'not_combinable',
    'nothing_to_discount',
  ])
  .meta({ id: 'CodeReason' });
export type CodeReason = z.infer<typeof CodeReason>;

/** What became of an entered code. */
export const CodeStatus = z
  .object({
    /** as it was entered */
    code: z.string(),
    applied: z.boolean(),
    reason: CodeReason.nullable(),
    /** one sentence for the shopper; empty when applied */
    message: z.string(),
  })
  .meta({ id: 'CodeStatus' });

/** The answer to a basket: what is taken off, and one status per entered code, in the order they were entered. */
export const Quote = z.object({ discounts: z.array(Discount), codes: z.array(CodeStatus) });
export type Quote = z.infer<typeof Quote>;

/** Items named by product or by category; empty lists mean every item. Exclusions win. */
export const Scope = z.strictObject({
  productIds: z.array(Id).max(500).default([]),
  categoryIds: z.array(Id).max(100).default([]),
  excludedProductIds: z.array(Id).max(500).default([]),
  excludedCategoryIds: z.array(Id).max(100).default([]),
});
export type Scope = z.infer<typeof Scope>;

const NO_SCOPE = { productIds: [], categoryIds: [], excludedProductIds: [], excludedCategoryIds: [] };

export const Benefit = z.discriminatedUnion('kind', [
  /** basis points of the eligible sum (1000 = 10 %), at most `cap`, rounded once to whole `roundTo` minor units */
  z.strictObject({
    kind: z.literal('percent'),
    basisPoints: z.int().min(1).max(10_000),
    cap: Amount.nullable().default(null),
    roundTo: z.union([z.literal(1), z.literal(10), z.literal(100)]).default(1),
    rounding: z.enum(['half_up', 'floor']).default('half_up'),
  }),
  /** a fixed sum, never more than what is eligible */
  z.strictObject({ kind: z.literal('fixed'), amount: Amount.min(1) }),
  /** the whole shipping fee */
  z.strictObject({ kind: z.literal('free_shipping') }),
]);
export type Benefit = z.infer<typeof Benefit>;

/** A day (`2026-12-31`, meant in the shop's time zone; as an end: the end of that day) or an exact instant. */
export const Moment = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** What staff write down. `class: shipping` goes with `free_shipping` and with nothing else. */
export const PromotionDraft = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    class: PromotionClass,
    benefit: Benefit,
    /** null for free shipping in every currency; required for `fixed`, for a `cap` and for `minimumSpend` */
    currency: Currency.nullable().default(null),
    scope: Scope.default(NO_SCOPE),
    /** merchandise after item discounts, before order discounts, without shipping (docs/rules.md, Discounts) */
    minimumSpend: Amount.default(0),
    startsAt: Moment.nullable().default(null),
    endsAt: Moment.nullable().default(null),
    /** uses in all: consumed ones and live reservations count */
    totalLimit: z.int32().min(1).nullable().default(null),
    perCustomerLimit: z.int().min(1).max(1000).nullable().default(null),
    /** classes it may stand beside; both sides must allow it. With `item`, item promotions share the lines of a basket */
    combinesWith: z.array(PromotionClass).max(3).default([]),
    /** stands alone, whatever `combinesWith` says: wins only when it gives more than everything else together */
    exclusive: z.boolean().default(false),
    /** breaks ties between equal discounts, higher first */
    priority: z.int().min(-1000).max(1000).default(0),
    /** codes that bring it; none: automatic */
    codes: z.array(Code).max(1000).default([]),
    active: z.boolean().default(true),
  })
  .meta({
    id: 'PromotionDraft',
    example: {
      name: '첫 구매 10% 할인',
      class: 'order',
      benefit: { kind: 'percent', basisPoints: 1_000, cap: 20_000 },
      currency: 'KRW',
      minimumSpend: 30_000,
      endsAt: '2027-12-31',
      totalLimit: 1_000,
      perCustomerLimit: 1,
      combinesWith: ['item', 'shipping'],
      codes: ['HELLO10'],
    },
  });
export type PromotionDraft = z.infer<typeof PromotionDraft>;

export const Promotion = z
  .object({
    ...PromotionDraft.shape,
    id: Id,
    scope: Scope,
    version: z.int(),
    /** uses that count towards the limit now */
    used: z.int(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Promotion' });
export type Promotion = z.infer<typeof Promotion>;

/** What became of one promotion's use by one order. */
export const RedemptionState = z.enum(['reserved', 'consumed', 'released', 'returned']).meta({ id: 'RedemptionState' });

/** Every use that one order has or had, in order of promotion. `expiresAt` bounds those that are `reserved`. */
export const RedemptionFacts = z
  .object({
    orderId: Id,
    redemptions: z.array(z.object({ promotionId: Id, code: z.string().nullable(), amount: Amount, state: RedemptionState, expiresAt: z.iso.datetime() })),
  })
  .meta({ id: 'RedemptionFacts' });
export type RedemptionFacts = z.infer<typeof RedemptionFacts>;

const Order = z.object({ orderId: Id });

/**
 * Coupons and promotions: what a basket costs less, and who used up what.
 *
 * A redemption goes `reserved → consumed | released`, and `consumed → returned` when an order is cancelled in time.
 * Limits count what is consumed and what is reserved and not yet run out. Listens to `order.placed` (consume),
 * `order.cancelled` (return, unless the promotion has ended; release when it was not placed) and `order.expired`
 * (release). Calls nobody.
 */
export const couponContract = defineContract({
  module: 'coupon',
  methods: {
    /** What these codes and the automatic promotions give now. Binds nothing: limits are taken by `reserve`. */
    quote: read({ input: Basket, output: Quote }),

    /**
     * Takes one use of each promotion in `discounts` for the order until `expiresAt`, all or none, after quoting the
     * basket again under the locks of the limits. A repeat for the same order answers the same and extends the time;
     * an order's own reservation never stands in its way. No discounts: only makes sure that there are still none.
     *
     * - `discount_changed`: the basket would no longer get exactly these discounts; details carry the new `quote`
     */
    reserve: write({
      input: Order.extend({ basket: Basket, discounts: z.array(Discount), expiresAt: z.iso.datetime() }),
      output: z.object({}),
      reasons: ['discount_changed'],
      idempotentBy: 'orderId',
    }),

    /** Gives the order's reserved uses back. Nothing reserved, or released or consumed before: nothing happens. */
    release: write({ input: Order, output: z.object({}), idempotentBy: 'orderId' }),

    /**
     * Staff: a new promotion with its codes. A repeat with the same id answers the first one.
     *
     * - `promotion_inconsistent`: details `{ errors: [{ path, message }] }` name what contradicts itself
     * - `code_taken`: details `{ codes }` belong to another promotion
     */
    createPromotion: write({
      input: z.object({ id: Id, draft: PromotionDraft }),
      output: Promotion,
      reasons: ['code_taken', 'promotion_inconsistent'],
      idempotentBy: 'id',
    }),

    /**
     * Staff: replaces the promotion if `version` is its current one. Granted uses stay as they were granted: a limit
     * below them only means that there are no more. `promotion_inconsistent` also for taking the last code off an active one.
     */
    updatePromotion: write({
      input: z.object({ id: Id, version: z.int32(), draft: PromotionDraft }),
      output: Promotion,
      reasons: ['not_found', 'version_mismatch', 'code_taken', 'promotion_inconsistent'],
    }),

    /** Staff: one promotion with its codes and uses. */
    getPromotion: read({ input: z.object({ id: Id }), output: Promotion, reasons: ['not_found'] }),

    /** Staff: a page of promotions, newest first. `code` finds the promotion that a code belongs to. */
    listPromotions: read({
      input: z.object({ code: Code.optional(), cursor: z.string().optional(), limit: z.int().min(1).max(100) }),
      output: page(Promotion),
      reasons: ['invalid_cursor'],
    }),

    /** `kerf verify`: the redemptions of orders, to be laid beside what the orders say. Released and returned ones, too. */
    audit: read({ input: AuditRange, output: auditPage(RedemptionFacts) }),

    /**
     * `kerf verify`: what does not agree within the module, in one look: counters that are not what the redemptions say,
     * uses over a promotion's limit as it was granted, dates that do not go with a state, shares that do not add up.
     */
    auditOwn: read({ timeout: 30_000, input: z.object({}), output: OwnViolations }),
  },
  events: {},
});
export type Coupon = Service<typeof couponContract>;
