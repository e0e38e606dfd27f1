import type { Client, QueryConfig } from 'pg';

/** Texts that are kept; statements put together for so many rows have as many, and those beyond are planned each time. */
const MOST = 400;
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
  if (!config.values?.length) return config;
  const known = names.get(config.text);
  if (known === undefined && names.size >= MOST) return config;
  const name = known ?? `kerf_${round}_${names.size}`;
  if (known === undefined) names.set(config.text, name);
  return { ...config, name };
}

/**
 * A table that is read whole has got another column since the statement was planned, as when a newer build migrates while
 * this one serves. The statement had no effect; once forgotten, it is planned anew.
 */
export function forgetsStalePlan(error: unknown): boolean {
  const { code, message = '' } = (error ?? {}) as { code?: string; message?: string };
  if (code !== '0A000' || !message.includes('cached plan')) return false;
  names.clear();
  round += 1;
  return true;
}
