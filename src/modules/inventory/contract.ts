import { z } from 'zod';
import { auditPage, AuditRange, OwnViolations } from '../../shared/audit.ts';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
import { page } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';

/** Pieces of one variant. */
const Quantity = z.int().min(1).max(999_999);

/** available = on hand − reserved; with `backorder` more than that may be sold. */
export const StockLevel = z
  .object({
    variantId: Id,
    onHand: z.int(),
    /** held by live checkouts and pending orders */
    reserved: z.int(),
    available: z.int(),
    backorder: z.boolean(),
    version: z.int(),
  })
  .meta({ id: 'StockLevel' });
export type StockLevel = z.infer<typeof StockLevel>;

export const MovementKind = z
  .enum(['received', 'correction', 'damaged', 'returned', 'sold', 'cancelled'])
  .meta({ id: 'MovementKind', description: '`sold` and `cancelled` come from orders; staff write the others' });
export type MovementKind = z.infer<typeof MovementKind>;

/** One line of the append-only ledger: on hand is the sum of all deltas. */
export const Movement = z
  .object({
    id: Id,
    variantId: Id,
    kind: MovementKind,
    /** pieces added to on hand; negative takes away; 0 only for a sale of pieces that were gone (`note` says how many) */
    delta: z.int(),
    /** the order or adjustment that caused it; unique per variant and kind */
    causeId: z.string(),
    note: z.string(),
    at: z.iso.datetime(),
  })
  .meta({ id: 'StockMovement' });
export type Movement = z.infer<typeof Movement>;

/** Which way each kind that staff record goes: pieces come (1) or go (-1); a correction may do either. */
const SIGN = { received: 1, returned: 1, damaged: -1, correction: undefined };

/** What staff record: `delta` is never 0, above it for `received` and `returned`, below it for `damaged`. */
export const Adjustment = z
  .strictObject({
    variantId: Id,
    kind: z.enum(['received', 'correction', 'damaged', 'returned']),
    delta: z
      .int()
      .min(-999_999)
      .max(999_999)
      .refine((delta) => delta !== 0, 'must not be 0')
      .meta({ description: 'Pieces: above 0 for `received` and `returned`, below 0 for `damaged`, either for `correction`' }),
    note: z.string().trim().max(500).default(''),
  })
  .refine(({ kind, delta }) => Math.sign(delta) === (SIGN[kind] ?? Math.sign(delta)), {
    path: ['delta'],
    error: ({ input }) => ((input as { kind: string }).kind === 'damaged' ? 'must be below 0 for what is damaged' : 'must be above 0 for what is received or returned'),
  });
export type Adjustment = z.infer<typeof Adjustment>;

/** What is kept of one order: `expiresAt` bounds one that is `held`. `sold`: pieces that left with it, whether or not they came back since. */
export const ReservationFacts = z
  .object({
    orderId: Id,
    state: z.enum(['held', 'committed', 'released', 'cancelled']),
    expiresAt: z.iso.datetime().nullable(),
    lines: z.array(z.object({ variantId: Id, quantity: z.int(), sold: z.int() })),
  })
  .meta({ id: 'ReservationFacts' });
export type ReservationFacts = z.infer<typeof ReservationFacts>;

/**
 * Stock: what is on hand, what is held, what can be sold.
 *
 * A reservation goes `held → committed | released`, and out of time by itself (decided by time in the query; a sweeper
 * tidies up); a cancelled order's is `cancelled` for good. Listens to `order.placed` (commit: the pieces leave), `order.cancelled` (they come back) and
 * `order.expired` (release). Calls nobody.
 */
export const inventoryContract = defineContract({
  module: 'inventory',
  methods: {
    /** Levels of these variants, in the order asked for; an unknown variant has nothing on hand. */
    getLevels: read({ input: z.object({ variantIds: z.array(Id).max(500) }), output: z.object({ levels: z.array(StockLevel) }) }),

    /**
     * Holds the lines for the order until `expiresAt`, all or nothing. Rows are locked in order of variant id. A repeat
     * for the same order answers the same and extends the time; after it ran out or was released it is taken anew; once
     * the order is placed it changes nothing.
     *
     * - `out_of_stock`: details `{ lines: [{ variantId, requested, available }] }` name what is short
     * - `reservation_conflict`: the order was reserved with other lines before, or is cancelled
     */
    reserve: write({
      input: z.object({
        orderId: Id,
        lines: z.array(z.object({ variantId: Id, quantity: Quantity })).min(1).max(100),
        expiresAt: z.iso.datetime(),
      }),
      output: z.object({}),
      reasons: ['out_of_stock', 'reservation_conflict'],
      idempotentBy: 'orderId',
    }),

    /** Gives the order's held pieces back. Nothing held, or given back before: nothing happens. */
    release: write({ input: z.object({ orderId: Id }), output: z.object({}), idempotentBy: 'orderId' }),

    /**
     * Staff and import: adds movements, all or none; entries of the same variant and kind become one. `adjustmentId` makes
     * a repeat harmless: it answers the levels as they are now.
     *
     * - `adjustment_conflict`: the id was used with other entries
     * - `below_reserved`: details `{ variants: [{ variantId, onHand, reserved }] }` name where less would be on hand than
     *   is held
     */
    adjust: write({
      input: z.object({ adjustmentId: z.string().min(1).max(100), adjustments: z.array(Adjustment).min(1).max(2_000) }),
      output: z.object({ levels: z.array(StockLevel) }),
      reasons: ['below_reserved', 'adjustment_conflict'],
      idempotentBy: 'adjustmentId',
    }),

    /** Staff: whether a variant may be sold beyond what is there. `below_reserved`: more is held than is on hand. */
    setBackorder: write({
      input: z.object({ variantId: Id, backorder: z.boolean() }),
      output: StockLevel,
      reasons: ['below_reserved'],
      idempotentBy: 'variantId',
    }),

    /** Staff: all levels, by variant id; `below` keeps those with fewer than that many available. */
    listLevels: read({
      input: z.object({ below: z.int().optional(), cursor: z.string().optional(), limit: z.int().min(1).max(100) }),
      output: page(StockLevel),
      reasons: ['invalid_cursor'],
    }),

    /** Staff: the ledger of one variant, newest first. */
    listMovements: read({
      input: z.object({ variantId: Id, cursor: z.string().optional(), limit: z.int().min(1).max(100) }),
      output: page(Movement),
      reasons: ['invalid_cursor'],
    }),

    /** `kerf verify`: the reservations of orders, to be laid beside what the orders say. Released and cancelled ones, too. */
    audit: read({ input: AuditRange, output: auditPage(ReservationFacts) }),

    /**
     * `kerf verify`: what does not agree within the module, in one look: on hand that is not the ledger's sum, reserved that
     * is not what is held or more than is there, sales and returns that the ledger tells otherwise than the reservation.
     */
    auditOwn: read({ timeout: 30_000, input: z.object({}), output: OwnViolations }),
  },
  events: {
    /** The number that can be sold changed. `version` grows with each change of the variant: keep the highest. */
    availabilityChanged: event(
      'inventory.availability_changed',
      'variantId',
      z.object({ variantId: Id, available: z.int(), backorder: z.boolean(), version: z.int() }),
    ),
  },
});
export type Inventory = Service<typeof inventoryContract>;
