import { z } from 'zod';
import { Address } from '../../shared/address.ts';
import { auditPage, AuditRange, OwnViolations } from '../../shared/audit.ts';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
import { IdempotencyClaim, page } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Amount, Currency } from '../../shared/money.ts';

const LineQuantity = z.int().min(1).max(999);

/** One line with what it costs: total = unitPrice × quantity − discount. */
export const PricedLine = z
  .object({
    id: Id,
    variantId: Id,
    productId: Id.nullable(),
    sku: z.string(),
    name: z.object({ ko: z.string(), en: z.string() }),
    options: z.record(z.string(), z.string()),
    quantity: LineQuantity,
    unitPrice: Amount,
    /** the line's shares of all discounts */
    discount: Amount,
    total: Amount,
    /** tax contained in `total` */
    taxIncluded: Amount,
  })
  .meta({ id: 'PricedLine' });
export type PricedLine = z.infer<typeof PricedLine>;

/** Σ line totals + shipping − shippingDiscount = total. */
export const Totals = z
  .object({
    /** Σ unitPrice × quantity */
    subtotal: Amount,
    /** everything taken off, shipping included */
    discount: Amount,
    shipping: Amount,
    shippingDiscount: Amount,
    /** tax contained in `total` */
    taxIncluded: Amount,
    total: Amount,
  })
  .meta({ id: 'Totals' });
export type Totals = z.infer<typeof Totals>;

export const AppliedDiscount = z
  .object({ promotionId: Id, name: z.string(), class: z.enum(['item', 'order', 'shipping']), code: z.string().nullable(), amount: Amount })
  .meta({ id: 'AppliedDiscount' });

/** Something that would stop this cart from being ordered now. */
export const CartProblem = z.object({
  lineId: Id,
  reason: z.enum(['unknown_variant', 'not_published', 'no_price', 'out_of_stock']),
  available: z.int().nullable(),
});

/** `active` takes changes; `ordered` belongs to an order; `merged` went into the customer's own cart. */
export const CartState = z.enum(['active', 'ordered', 'merged']);

export const Cart = z
  .object({
    id: Id,
    customerId: Id.nullable(),
    /** a guest gave an address; which one is never answered: the cart's id opens the cart, and no more than that */
    hasEmail: z.boolean(),
    state: CartState,
    currency: Currency,
    version: z.int(),
    lines: z.array(PricedLine),
    /** every entered code, with why it takes nothing off when it does not */
    codes: z.array(z.object({ code: z.string(), applied: z.boolean(), reason: z.string().nullable(), message: z.string() })),
    discounts: z.array(AppliedDiscount),
    totals: Totals,
    problems: z.array(CartProblem),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Cart' });
export type Cart = z.infer<typeof Cart>;

/**
 * - `placing`: being placed right now, or interrupted and about to be finished or undone
 * - `pending`: everything is held, the payment is not decided; it expires if that stays so
 * - `placed`: paid (or held by the provider) and to be fulfilled
 * - `completed`: handed over; `cancelled`, `expired`, `refused`: undone, final
 */
export const OrderState = z
  .enum(['placing', 'pending', 'placed', 'completed', 'cancelled', 'expired', 'refused'])
  .meta({ id: 'OrderState' });
export type OrderState = z.infer<typeof OrderState>;

export const PaymentStatus = z
  .enum(['none', 'pending', 'requires_action', 'authorized', 'paid', 'partially_refunded', 'refunded', 'failed'])
  .meta({ id: 'PaymentStatus' });

export const Order = z
  .object({
    id: Id,
    /** for people: `K-260001042`; not a secret and not a key */
    number: z.string(),
    customerId: Id.nullable(),
    email: z.email(),
    state: OrderState,
    paymentStatus: PaymentStatus,
    currency: Currency,
    lines: z.array(PricedLine),
    discounts: z.array(AppliedDiscount),
    totals: Totals,
    shippingAddress: Address,
    /** what the shopper has to do before the payment can go on */
    nextAction: z.object({ kind: z.literal('redirect'), url: z.url() }).nullable(),
    /** why it was refused, cancelled or expired */
    reason: z.string().nullable(),
    history: z.array(z.object({ state: OrderState, at: z.iso.datetime(), by: z.string(), reason: z.string() })),
    version: z.int(),
    createdAt: z.iso.datetime(),
    placedAt: z.iso.datetime().nullable(),
    expiresAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Order' });
export type Order = z.infer<typeof Order>;

/** Whose cart or order it may be: an account's own, a guest's by its secret, or anybody's for staff. */
export const Viewer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('guest'), secret: z.string().max(200).optional() }),
  z.object({ kind: z.literal('customer'), customerId: Id, secret: z.string().max(200).optional() }),
  z.object({ kind: z.literal('staff'), userId: Id }),
]);
export type Viewer = z.infer<typeof Viewer>;

const OneCart = z.object({ cartId: Id, viewer: Viewer });
const CHANGES_CART = ['not_found', 'cart_not_active', 'version_mismatch'] as const;
/** refuse the change unless the cart is at this version; absent: the change applies to whatever is there */
const version = z.int().optional();

export const Placement = z.object({
  idempotency: IdempotencyClaim,
  /** the order's id when this is the first time */
  orderId: Id,
  viewer: Viewer,
  /** what is bought: a cart, or lines in a currency with codes */
  source: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('cart'), cartId: Id }),
    z.object({
      kind: z.literal('lines'),
      currency: Currency,
      lines: z.array(z.object({ variantId: Id, quantity: LineQuantity })).min(1).max(100),
      codes: z.array(z.string().trim().min(1).max(64)).max(10),
    }),
  ]),
  /** guests: required unless the cart has one; customers: ignored, the order goes by the account's address */
  email: z.email().max(254).optional(),
  /** one of the two, the second for customers only */
  shippingAddress: Address.optional(),
  addressId: Id.optional(),
  payment: z.object({ provider: z.string().min(1).max(50), token: z.string().min(1).max(500) }),
  /** what the shopper was shown */
  expectedTotal: Amount,
});
export type Placement = z.infer<typeof Placement>;

const PLACING_REFUSALS = [
  'idempotency_key_in_use',
  'idempotency_key_reused',
  'not_found',
  'cart_empty',
  'cart_not_active',
  'order_being_placed',
  'currency_not_offered',
  'email_required',
  'address_required',
  'item_unavailable',
  'out_of_stock',
  'coupon_not_applicable',
  'total_changed',
  'payment_declined',
  'unknown_provider',
] as const;

/** What other modules have to agree with: what was bought for how much, and what the order believes was paid. */
export const OrderFacts = z
  .object({
    orderId: Id,
    state: OrderState,
    currency: Currency,
    /** pieces by variant */
    lines: z.array(z.object({ variantId: Id, quantity: z.int() })),
    discounts: z.array(z.object({ promotionId: Id, amount: Amount })),
    total: Amount,
    captured: Amount,
    refunded: Amount,
    /** until when stock and coupons are held for it */
    holdsUntil: z.iso.datetime(),
    /** when a `pending` one is to expire */
    expiresAt: z.iso.datetime().nullable(),
    placedAt: z.iso.datetime().nullable(),
    /** when it came into its state */
    since: z.iso.datetime(),
  })
  .meta({ id: 'OrderFacts' });
export type OrderFacts = z.infer<typeof OrderFacts>;

/**
 * Carts and orders: the only module that calls others, and the one that keeps them in step (docs/architecture.md).
 *
 * Calls user, catalog, inventory, coupon, payment. Listens to `payment.*` (settle, or note what came late) and
 * `user.logged_in` (merge the guest cart).
 */
export const orderContract = defineContract({
  module: 'order',
  methods: {
    /**
     * A customer has one active cart: creating a second answers the first. Asked for in another currency, that changes its
     * currency when it is empty; `currency_mismatch` when it is not: details `{ currency }`, the cart's. `not_found`: the id
     * is that of somebody else's cart. `currency_not_offered`: there are no sales terms for it.
     */
    createCart: write({
      input: z.object({ cartId: Id, viewer: Viewer, currency: Currency }),
      output: Cart,
      reasons: ['not_found', 'currency_not_offered', 'currency_mismatch'],
      idempotentBy: 'cartId',
    }),
    /** The cart, priced now: nothing in it is promised until the order is placed. */
    getCart: read({ input: OneCart, output: Cart, reasons: ['not_found'] }),
    /**
     * Adds to what is there already of that variant; parallel adds lose nothing, a repeat of `operationId` adds nothing.
     * `item_unavailable`: the variant cannot be bought in the cart's currency. `cart_full`: more than 100 lines or 999 pieces.
     */
    addItem: write({
      input: OneCart.extend({ operationId: Id, variantId: Id, quantity: LineQuantity, version }),
      output: Cart,
      reasons: [...CHANGES_CART, 'item_unavailable', 'cart_full'],
      idempotentBy: 'operationId',
    }),
    /** Sets how many pieces a line has; 0 removes it. */
    setItemQuantity: write({
      input: OneCart.extend({ itemId: Id, quantity: z.int().min(0).max(999), version }),
      output: Cart,
      reasons: [...CHANGES_CART, 'item_not_found'],
      idempotentBy: 'itemId',
    }),
    /** Who the guest is, so that codes with a limit per customer can be priced; placing the order uses it unless told otherwise. */
    setEmail: write({ input: OneCart.extend({ email: z.email().max(254), version }), output: Cart, reasons: CHANGES_CART, idempotentBy: 'cartId' }),
    /** Attaches a code, which stays whether or not it takes something off. `unknown_code` is refused; `too_many_codes` past ten. */
    addCode: write({
      input: OneCart.extend({ code: z.string().trim().min(1).max(64), version }),
      output: Cart,
      reasons: [...CHANGES_CART, 'unknown_code', 'too_many_codes'],
      idempotentBy: 'code',
    }),
    /** Takes the code off; one that is not there is fine. */
    removeCode: write({ input: OneCart.extend({ code: z.string().trim().min(1).max(64), version }), output: Cart, reasons: CHANGES_CART, idempotentBy: 'code' }),
    /** Moves a guest cart's items and codes into the customer's own cart and answers that. A second merge changes nothing. */
    mergeCart: write({
      input: z.object({ cartId: Id, customerId: Id }),
      output: Cart,
      reasons: ['not_found', 'cart_not_active', 'currency_mismatch'],
      idempotentBy: 'cartId',
    }),

    /**
     * Places the order as in docs/architecture.md, or says why not, having undone what it did. `replayed`: the key was used
     * in the last 24 hours, or the cart was ordered before by the same shopper, and this is that order as it stands; a refusal is
     * replayed as the same refusal, with `replayed: true` among its details. `secret` opens the order for a guest. An order in state `pending` waits for the shopper
     * (`nextAction`) or the provider. `unavailable`: nothing was decided; repeat it with the same key.
     *
     * - `item_unavailable`, `out_of_stock`, `coupon_not_applicable`: details name lines or codes. A code attached to a cart
     *   may take nothing off; one that comes with lines has to
     * - `order_being_placed`: the cart is being ordered by another request right now
     * - `total_changed`: details `{ expected, total }`; show it and ask again
     * - `payment_declined`: details `{ orderId, declineReason }`; the cart is free again, use a new key
     */
    placeOrder: write({
      input: Placement,
      output: z.object({ order: Order, secret: z.string(), replayed: z.boolean() }),
      reasons: PLACING_REFUSALS,
      idempotentBy: 'idempotency', timeout: 20_000,
    }),
    /** After the shopper came back from the provider: asks how the payment stands, and settles. */
    confirmPayment: write({ input: z.object({ orderId: Id, viewer: Viewer }), output: Order, reasons: ['not_found'], idempotentBy: 'orderId', timeout: 20_000 }),
    /** One order, for whom it belongs to. */
    getOrder: read({ input: z.object({ orderId: Id, viewer: Viewer }), output: Order, reasons: ['not_found'] }),
    /** A page of orders, newest first; a customer's own, or all for staff. Attempts that were refused are not listed unless asked for. */
    listOrders: read({
      input: z.object({
        viewer: Viewer,
        state: OrderState.optional(),
        email: z.string().max(254).optional(),
        number: z.string().max(30).optional(),
        cursor: z.string().optional(),
        limit: z.int().min(1).max(100),
      }),
      output: page(Order),
      reasons: ['invalid_cursor'],
    }),
    /**
     * Undoes an order before fulfilment: stock, coupon and money go back by `order.cancelled`. Cancelling what is cancelled answers it.
     * `order_being_placed`: try again in a moment. `not_cancellable`: it is completed, refused or expired.
     */
    cancelOrder: write({
      input: z.object({ orderId: Id, viewer: Viewer, reason: z.string().trim().max(500) }),
      output: Order,
      reasons: ['not_found', 'order_being_placed', 'not_cancellable'],
      idempotentBy: 'orderId', timeout: 20_000,
    }),
    /** Staff: handed over to the shopper. `not_completable`: not placed, or not paid. */
    completeOrder: write({
      input: z.object({ orderId: Id, viewer: Viewer }),
      output: Order,
      reasons: ['not_found', 'not_completable'],
      idempotentBy: 'orderId',
    }),

    /** `kerf verify`: all orders, refused ones too, to be laid beside what the other modules say of them. */
    audit: read({ input: AuditRange, output: auditPage(OrderFacts) }),

    /**
     * `kerf verify`: what does not agree within the module, in one look: sums of lines, discounts and shares that are not
     * the order's, a second live order of a cart, a history that is no path of the machine or does not end in the state.
     */
    auditOwn: read({ timeout: 30_000, input: z.object({}), output: OwnViolations }),
  },
  events: {
    /** An order is paid and to be fulfilled: inventory commits the hold, coupon consumes the reservation. */
    placed: event(
      'order.placed',
      'orderId',
      z.object({
        orderId: Id,
        number: z.string(),
        customerId: Id.nullable(),
        email: z.string(),
        currency: Currency,
        total: Amount,
        lines: z.array(z.object({ lineId: Id, variantId: Id, productId: Id.nullable(), quantity: z.int(), total: Amount })),
        placedAt: z.iso.datetime(),
      }),
    ),
    /** An order that was placed or pending is undone: stock, coupon and money go back. `wasPlaced` tells a sale undone from a hold let go. */
    cancelled: event(
      'order.cancelled',
      'orderId',
      z.object({ orderId: Id, wasPlaced: z.boolean(), cancelledAt: z.iso.datetime(), reason: z.string() }),
    ),
    /** An order's payment did not come in time: holds are let go, a late payment is given back. */
    expired: event('order.expired', 'orderId', z.object({ orderId: Id, expiredAt: z.iso.datetime() })),
  },
});
export type Orders = Service<typeof orderContract>;
