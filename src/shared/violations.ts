import type { Knex } from 'knex';
import { MOST_VIOLATIONS, type Violation } from './audit.ts';
import { type Database, rows } from './database.ts';

/** A statement that answers `message` for whatever does not hold, and as `"orderId"` whose it is, or null. */
export interface Check {
  invariant: Violation['invariant'];
  sql: string;
  bindings?: Knex.ValueDict;
}

/**
 * The events that a module has published, as its queue still knows them: all that are not done, and those that were
 * within the hour. A table of `type`, `subject` and `told` (the data), for a check that each tells of what happened.
 */
export const published = (module: string): string =>
  `(select distinct data->'event'->>'type' as type, (data->'event'->>'subject')::uuid as subject, data->'event'->'data' as told
    from "${module}_jobs".job where name = 'events') as published`;

/** Each statement sees one instant, so that what a running shop changes meanwhile is no violation. One after the other: shoppers go first. */
export async function findViolations(db: Database, checks: readonly Check[]): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const { invariant, sql, bindings = {} } of checks) {
    const found = await rows<Omit<Violation, 'invariant'>>(db, `${sql} limit :most`, { ...bindings, most: MOST_VIOLATIONS });
    violations.push(...found.map((one) => ({ invariant, ...one })));
  }
  return violations.slice(0, MOST_VIOLATIONS);
}
