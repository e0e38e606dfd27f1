import { z } from 'zod';
import { auditPage, AuditRange, OwnViolations } from '../../shared/audit.ts';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
import { page } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Amount, Currency, Money } from '../../shared/money.ts';

/**
 * - `processing`: the provider has not decided, or its answer was lost; it is asked again until it is known. Also: the
 *   payment is being undone, and not all of the money has gone back yet
 * - `requires_action`: the shopper must do something at `nextAction.url` first
 * - `authorized`: the sum is held and can be captured; `captured`: it is ours (both may be in part refunded)
 * - `declined`, `cancelled` are final: no money is held or taken (should any come late, it is `processing` until that
 *   went back by itself)
 */
export const PaymentState = z
  .enum(['processing', 'requires_action', 'authorized', 'captured', 'declined', 'cancelled'])
  .meta({ id: 'PaymentState' });
export type PaymentState = z.infer<typeof PaymentState>;

/** An order's payment as it stands: sums are what the money events of the payment add up to. */
export const Payment = z
  .object({
    id: Id,
    orderId: Id,
    provider: z.string(),
    state: PaymentState,
    amount: Money,
    /** held, now or before it was captured; what was voided is taken off */
    authorized: Amount,
    captured: Amount,
    refunded: Amount,
    /** refunds asked for and not yet confirmed by the provider */
    refundPending: Amount,
    nextAction: z.object({ kind: z.literal('redirect'), url: z.url() }).nullable(),
    /** the provider's machine reason when `declined`, like `card_declined` or `insufficient_funds` */
    declineReason: z.string().nullable(),
    version: z.int(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Payment' });
export type Payment = z.infer<typeof Payment>;

/** One fact about money, never changed or deleted. `pending` ones are followed by `succeeded` or `failed`. */
export const MoneyEvent = z
  .object({
    id: Id,
    paymentId: Id,
    kind: z.enum(['authorization', 'capture', 'void', 'refund']),
    outcome: z.enum(['pending', 'succeeded', 'failed']),
    amount: Amount,
    /** the provider's reference, or our operation's id while there is none */
    reference: z.string(),
    /** why it was asked for, or why it failed */
    reason: z.string(),
    /** when it happened at the provider */
    at: z.iso.datetime(),
    /** the provider told another amount for this reference before: it counts for nothing, a person has to look */
    conflicting: z.boolean(),
  })
  .meta({ id: 'MoneyEvent' });
export type MoneyEvent = z.infer<typeof MoneyEvent>;

/** The money of one order. `amount` is null where the order was cancelled before it asked for a payment. */
export const PaymentSums = z
  .object({
    orderId: Id,
    state: PaymentState,
    amount: Money.nullable(),
    authorized: Amount,
    captured: Amount,
    refunded: Amount,
    refundPending: Amount,
    /** when the provider is to be asked again; null: nothing is left to be done */
    overdueAt: z.iso.datetime().nullable(),
    /** when the last fact about its money was recorded */
    since: z.iso.datetime(),
  })
  .meta({ id: 'PaymentSums' });
export type PaymentSums = z.infer<typeof PaymentSums>;

const Order = z.object({ orderId: Id });
/** `amount`: the payment's whole sum */
const Happened = z.object({ orderId: Id, paymentId: Id, amount: Amount, currency: Currency });

/**
 * Money in and out, through providers. Provider calls happen outside every transaction and lock; an outcome that was not
 * heard is unknown, never failed, and is asked for again.
 *
 * Listens to `order.cancelled` and `order.expired` (void what is held, refund what was taken). Calls nobody.
 */
export const paymentContract = defineContract({
  module: 'payment',
  methods: {
    /** The providers that can be named in `pay`, with what a client has to know of each. */
    listProviders: read({
      input: z.object({}),
      output: z.object({ providers: z.array(z.object({ name: z.string(), description: z.string(), testTokens: z.array(z.object({ token: z.string(), effect: z.string() })) })) }),
    }),

    /**
     * Asks the provider for the order's whole sum and captures it at once, unless `capture` is `manual`. One payment per
     * order: a repeat answers the payment as it stands and charges nothing more; `payment_mismatch` when it asks for
     * another sum, provider or capture. After `cancel` nothing is charged (`state: cancelled`). A refusal by the provider
     * is an answer (`state: declined`), not an error. Waits for the provider at most 10 s, then answers `processing`. A sum
     * of 0 is `captured` without asking anybody.
     */
    pay: write({
      timeout: 10_000,
      input: z.object({
        orderId: Id,
        amount: Money,
        provider: z.string().min(1).max(50),
        /** the provider's token for the shopper's means of payment; never stored or logged in clear */
        token: z.string().min(1).max(500),
        capture: z.enum(['automatic', 'manual']),
      }),
      output: Payment,
      reasons: ['unknown_provider', 'payment_mismatch'],
      idempotentBy: 'orderId',
    }),

    /** The order's payment after asking the provider how it stands. For the shopper who comes back from a redirect. */
    refresh: write({ input: Order, output: Payment, reasons: ['not_found'], idempotentBy: 'orderId' }),

    /** The order's payment as far as it is known here; asks nobody. */
    getPayment: read({ input: Order, output: Payment, reasons: ['not_found'] }),

    /**
     * Undoes the order's payment: a hold is voided, a captured sum refunded in full, an undecided one is marked so that
     * a late success is given back by itself. Undone before, or declined: nothing happens. No payment: one that is asked
     * for later is not charged. The provider is asked in the background.
     */
    cancel: write({ timeout: 10_000, input: Order, output: z.object({}), idempotentBy: 'orderId' }),

    /**
     * Staff: takes (part of) what is held. `capture_too_large`: more than is held and not yet captured, captures that are
     * under way included; details `{ capturable }`. Refused by the provider: answered as it stands, with a failed event.
     */
    capture: write({
      timeout: 10_000,
      input: z.object({ captureId: Id, paymentId: Id, amount: Amount.min(1) }),
      output: Payment,
      reasons: ['not_found', 'capture_too_large', 'payment_not_capturable'],
      idempotentBy: 'captureId',
    }),

    /**
     * Staff: gives (part of) a captured sum back. Pending refunds count; `refund_too_large`: more than is left; details
     * `{ refundable }`. Refused by the provider: answered as it stands, with a failed event.
     */
    refund: write({
      timeout: 10_000,
      input: z.object({ refundId: Id, paymentId: Id, amount: Amount.min(1), reason: z.string().max(500) }),
      output: Payment,
      reasons: ['not_found', 'refund_too_large'],
      idempotentBy: 'refundId',
    }),

    /** Staff: a payment with its money events, oldest first. */
    getDetails: read({
      input: z.object({ paymentId: Id }),
      output: z.object({ payment: Payment, events: z.array(MoneyEvent) }),
      reasons: ['not_found'],
    }),

    /** Staff: a page of payments, newest first. */
    listPayments: read({
      input: z.object({ orderId: Id.optional(), state: PaymentState.optional(), cursor: z.string().optional(), limit: z.int().min(1).max(100) }),
      output: page(Payment),
      reasons: ['invalid_cursor'],
    }),

    /**
     * A provider's webhook as it came. Verified on the raw body, stored once by the provider's event id, answered at
     * once; the provider's state is read again before anything is changed. One that comes before its payment's reference
     * is known here is kept and tried again; a redelivery of one that still waits has it tried anew. Those dealt with are
     * forgotten after 30 days.
     */
    receiveWebhook: write({
      input: z.object({ provider: z.string(), headers: z.record(z.string(), z.string()), rawBody: z.string() }),
      output: z.object({}),
      reasons: ['unknown_provider', 'invalid_signature'],
    }),

    /** Sandbox only: what the page behind `nextAction.url` shows. */
    getSandboxAction: read({
      input: z.object({ reference: z.string().max(200) }),
      output: z.object({ amount: Money, decided: z.boolean() }),
      reasons: ['not_found'],
    }),

    /** Sandbox only: the shopper's decision there, told by a webhook. The first counts; a repeat answers what it was. */
    completeSandboxAction: write({
      input: z.object({ reference: z.string().max(200), approve: z.boolean() }),
      output: z.object({ approved: z.boolean() }),
      reasons: ['not_found'],
      idempotentBy: 'reference',
    }),

    /** `kerf verify`: the payments of orders, to be laid beside what the orders say. */
    audit: read({ input: AuditRange, output: auditPage(PaymentSums) }),

    /**
     * `kerf verify`: what does not agree within the module, in one look: sums that are not what the money events add up to, a
     * state that they do not allow, more taken than asked for or given back than taken, a second charge of one payment.
     */
    auditOwn: read({ timeout: 30_000, input: z.object({}), output: OwnViolations }),
  },
  /*
   * Once each per fact. What `pay` itself answers is not published: its caller knows. All that is learnt later is, by
   * webhook, `refresh`, a repeat after a lost answer, `cancel` or staff. Who died waiting for `pay` asks `getPayment`.
   */
  events: {
    /** The shopper has to go to `url` before the provider decides. */
    actionRequired: event('payment.action_required', 'orderId', Happened.extend({ url: z.url() })),
    /** The whole sum is held; it will be captured by staff. */
    authorized: event('payment.authorized', 'orderId', Happened),
    /** Money was taken. `captured` is the sum of all captures so far. */
    captured: event('payment.captured', 'orderId', Happened.extend({ captured: Amount })),
    /** The provider refused for good; nothing is held. */
    declined: event('payment.declined', 'orderId', Happened.extend({ reason: z.string() })),
    /** Money went back. `refunded` is the sum of all refunds so far. */
    refunded: event('payment.refunded', 'orderId', Happened.extend({ refunded: Amount, captured: Amount })),
  },
});
export type Payments = Service<typeof paymentContract>;
