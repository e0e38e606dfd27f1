import { z } from 'zod';
import { Id } from './ids.ts';

/**
 * What must hold in a shop, by name (docs/reliability.md). `stock`, `coupon`, `money`: the sums agree, within a module and
 * between them. `once`: one order per checkout, one charge per order. `history`: states follow each other as the machine
 * allows. `ending`: nothing is left halfway. `events`: nothing that happened waits unseen.
 */
export const Invariant = z.enum(['stock', 'coupon', 'money', 'once', 'history', 'ending', 'events']).meta({ id: 'Invariant' });
export type Invariant = z.infer<typeof Invariant>;

/** One thing that does not hold, in a sentence with the ids that lead to it. */
export const Violation = z
  .object({ invariant: Invariant, orderId: Id.nullable(), message: z.string() })
  .meta({ id: 'Violation' });
export type Violation = z.infer<typeof Violation>;

/** Orders from this id on, or from the first, in order of id: what modules that hold a part of an order's truth are asked by. */
export const AuditRange = z.object({ from: Id.nullable(), limit: z.int().min(1).max(1_000) });
export type AuditRange = z.infer<typeof AuditRange>;

/** Facts by order, in order of `orderId`; `next` is the first order after them, null when there is none. */
export const auditPage = <T extends z.ZodType<{ orderId: string }>>(facts: T) => z.object({ items: z.array(facts), next: Id.nullable() });

/** The page out of what was found with one more than `limit`. */
export const toAuditPage = <T extends { orderId: string }>(found: readonly T[], limit: number): { items: T[]; next: string | null } => ({
  items: found.slice(0, limit),
  next: found[limit]?.orderId ?? null,
});

/** What a module finds wrong in its own data, at most this many of it. */
export const MOST_VIOLATIONS = 1_000;
export const OwnViolations = z.object({ violations: z.array(Violation).max(MOST_VIOLATIONS) });
