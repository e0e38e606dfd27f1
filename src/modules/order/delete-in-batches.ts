import { type Database, rows } from '../../shared/database.ts';

const BATCH = 2_000;

/**
 * Runs a delete that takes at most `:limit` rows until nothing is left for it, so that no statement locks many. It has to
 * choose its rows `for update skip locked`: several processes may delete at once, and a row in use is left for later.
 */
export async function deleteInBatches(db: Database, sql: string, bindings: Record<string, Date>): Promise<void> {
  const deleted = await rows(db, `${sql} returning 1`, { ...bindings, limit: BATCH });
  if (deleted.length === BATCH) await deleteInBatches(db, sql, bindings);
}
