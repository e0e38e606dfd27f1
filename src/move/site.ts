import { Client, escapeIdentifier, type QueryResult, type QueryResultRow } from 'pg';
import { schemasOf } from '../shared/statements.ts';

/** One of the two databases of a move, with an administrator's connection that is open. */
export interface Site {
  module: string;
  /** postgres:// address of the administrator, by which the other site's server reaches this one too */
  url: string;
  client: Client;
  /** milliseconds for each answer; absent: as long as it takes */
  within?: number | undefined;
}

/**
 * `synchronous_commit`: what the mover did must not be lost when a server dies, whatever its default is; and the walsender
 * sends only what has been flushed, which a commit that does not wait leaves to the next 200 ms. The rest makes rows the
 * same text on both sides.
 */
const SESSION = 'synchronous_commit=on timezone=UTC datestyle=ISO intervalstyle=postgres bytea_output=hex extra_float_digits=1 search_path=pg_catalog';

export async function openSite(url: string, module: string): Promise<Site> {
  const options = SESSION.split(' ').map((setting) => `-c ${setting}`).join(' ');
  const client = new Client({ connectionString: url, application_name: 'kerf move', connectionTimeoutMillis: 5_000, keepAlive: true, options });
  // The statement that needs the connection says that it broke; an idle one must not end the process.
  client.on('error', () => undefined);
  await client.connect();
  return { module, url, client };
}

/** An address as it may stand in a table. */
export function withoutUser(url: string): string {
  const bare = new URL(url);
  bare.username = bare.password = '';
  for (const name of ['user', 'password']) if (bare.searchParams.has(name)) bare.searchParams.delete(name);
  return bare.toString();
}

export const closeSite = ({ client }: Site): Promise<void> => client.end().catch(() => undefined);

/** One that has no answer in time ends the session: as nothing is said to that server any more, nothing can happen there later. */
export async function ask<Row extends QueryResultRow>({ client, url, within }: Site, sql: string, values: unknown[] = []): Promise<QueryResult<Row>> {
  const answer = client.query<Row>(sql, values);
  if (within === undefined) return answer;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    void client.end();
    reject(new Error(`${withoutUser(url)} did not answer within ${within} ms.`));
  }, within);
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

export const rows = async <Row extends object>(site: Site, sql: string, values?: unknown[]): Promise<Row[]> => (await ask<Row>(site, sql, values)).rows;

/** Runs the statements in one transaction; `work` may throw to take them back. */
export async function atOnce<T>(site: Site, work: () => Promise<T>): Promise<T> {
  await ask(site, 'begin');
  try {
    const result = await work();
    await ask(site, 'commit');
    return result;
  } catch (error) {
    await ask(site, 'rollback').catch(() => undefined);
    throw error;
  }
}

export const loginRole = ({ module }: Site): string => `kerf_${module}`;
export const ownerRole = ({ module }: Site): string => `kerf_${module}_owner`;
export const spaces = ({ module }: Site): readonly string[] => schemasOf(module);
export const spaceList = (site: Site): string => spaces(site).map(escapeIdentifier).join(', ');

/** Publication and subscription of a module: a database has one of each at most, for it is followed by one and follows one. */
export const streamName = ({ module }: Site): string => `kerf_${module}`;

/** Where a mark is written that the other side has to have seen. */
export const markTable = ({ module }: Site): string => `${escapeIdentifier(`${module}_jobs`)}.kerf_mark`;

/** What a database says of its own making, and pg-boss's measurements, whose tables are named after days: neither moves. */
const STAYS = ['migrations', 'migrations_lock', '<jobs>.version', '<jobs>.queue_stats'];

export interface Table {
  /** quoted, with its schema */
  name: string;
  /** of the module's job queue */
  ofQueue: boolean;
  /** `name type` of each, in order */
  columns: string[];
  /** the columns by which a row is found, quoted, and their types; none: nothing says which row was changed */
  key: { name: string; type: string; collated: boolean }[];
}

/** The tables that a move carries. A partitioned one counts as one: its leaves may differ. */
export async function tablesOf(site: Site): Promise<Table[]> {
  const staying = STAYS.map((name) => (name.startsWith('<jobs>') ? name.replace('<jobs>', `${site.module}_jobs`) : `${site.module}.${name}`));
  return rows<Table>(
    site,
    `select quote_ident(nspname) || '.' || quote_ident(relname) as name, nspname <> $3 as "ofQueue",
            array(select quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) from pg_attribute
                  where attrelid = c.oid and attnum > 0 and not attisdropped order by attname) as columns,
            coalesce((select json_agg(json_build_object('name', quote_ident(attname), 'type', format_type(atttypid, null), 'collated', attcollation <> 0) order by place)
                      from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
                      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                      where i.indrelid = c.oid and indisprimary), '[]') as key
     from pg_class c join pg_namespace n on n.oid = relnamespace
     where nspname = any($1) and relkind in ('r', 'p') and not relispartition and nspname || '.' || relname <> all($2)
     order by 1`,
    [spaces(site), staying, site.module],
  );
}

/** By what the database sorts text. */
export async function sortOrder(site: Site): Promise<string> {
  const [database] = await rows<{ order: string }>(
    site,
    `select datlocprovider::text || ':' || coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate) as "order" from pg_database d where datname = current_database()`,
  );
  return database!.order;
}

/** Looks until `found` answers something; undefined when the time is over. */
export async function lookUntil<T>(milliseconds: number, found: () => Promise<T | undefined>): Promise<T | undefined> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const answer = await found();
    if (answer !== undefined || performance.now() > deadline) return answer;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}

/** Milliseconds. */
const LOOK_EVERY = 1;
