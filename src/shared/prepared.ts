import { createHash } from 'node:crypto';
import type { Client, QueryConfig } from 'pg';

/** Texts that are kept; those beyond are planned each time. */
const MOST = 400;
/** A statement with more is put together for so many rows, and its like does not come often. */
const MOST_PARAMETERS = 60;
const names = new Map<string, string>();
let round = 0;

/**
 * Has Postgres keep the statements of this connection parsed and planned: that is most of the work in statements as short
 * as these. What has no parameters (BEGIN, COMMIT) needs no plan.
 */
export function preparing(connection: Client): void {
  const query = connection.query.bind(connection) as (config: unknown, ...rest: unknown[]) => unknown;
  const prepared = (config: QueryConfig | string, ...rest: unknown[]) => query(typeof config === 'string' ? config : named(config), ...rest);
  connection.query = prepared as Client['query'];
}

function named(config: QueryConfig): QueryConfig {
  const parameters = config.values?.length ?? 0;
  const name = parameters > 0 && parameters <= MOST_PARAMETERS && (names.get(config.text) ?? nameFor(config.text));
  return name ? { ...config, name } : config;
}

/** The same text has the same name in every process: a pooler between may give them the same connection. */
function nameFor(text: string): string | undefined {
  if (names.size >= MOST) return undefined;
  const name = `kerf_${round}_${createHash('sha256').update(text).digest('base64url').slice(0, 24)}`;
  names.set(text, name);
  return name;
}

/**
 * A table that is read whole has got another column since the statement was planned, as when a newer build migrates while
 * this one serves (0A000, also for other things: told apart by what no server translates); or the connection has lost the
 * statement (26000). It had no effect; once forgotten, it is planned anew.
 */
export function forgetsStalePlan(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as { code?: string; routine?: string };
  if (code !== '26000' && !(code === '0A000' && routine === 'RevalidateCachedQuery')) return false;
  names.clear();
  round += 1;
  return true;
}
