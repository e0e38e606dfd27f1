import { escapeIdentifier, escapeLiteral } from 'pg';
import { atOnce, lookUntil, markTable, ownerRole, rows, type Site, streamName, tablesOf } from './site.ts';

/** A stream of one module's changes from a database to another that follows it. The way back is one more, the other way around. */
export interface Stream {
  from: Site;
  to: Site;
}

/** A slot belongs to the whole server: this one to the module in this database. */
const slotOf = `'kerf_' || $1 || '_' || left(md5(current_database()), 8)`;

/**
 * From here on the database keeps what is written to the module's tables, until a follower has it or `endStream`. The slot
 * is made here and not by the subscription, which would wait for itself inside one server.
 */
export async function publish(site: Site): Promise<void> {
  await makeMarkTable(site);
  const published = await rows(site, 'select from pg_publication where pubname = $1', [streamName(site)]);
  if (published.length === 0) {
    // Tables one by one: only a superuser may publish whole schemas.
    const tables = (await tablesOf(site)).map(({ name }) => name).join(', ');
    await site.client.query(`create publication ${escapeIdentifier(streamName(site))} for table ${tables} with (publish_via_partition_root = true)`);
  }
  await rows(site, `select pg_create_logical_replication_slot(${slotOf}, 'pgoutput') where not exists (select from pg_replication_slots where slot_name = ${slotOf})`, [site.module]);
}

async function makeMarkTable(site: Site): Promise<void> {
  await site.client.query(`
    create table if not exists ${markTable(site)} (id uuid primary key, made_at timestamptz not null);
    alter table ${markTable(site)} owner to ${escapeIdentifier(ownerRole(site))};`);
}

/**
 * `to` follows `from`, which is published; with `copy` it first takes what is there, else only what is written from the
 * slot on. It waits for its disk: a follower that does not may tell the source, once it was started again, that it has what
 * it then loses in a crash.
 */
export async function follow({ from, to }: Stream, { copy }: { copy: boolean }): Promise<void> {
  await makeMarkTable(to);
  const name = streamName(to);
  if (await subscriptionOf(to)) return;
  const tables = await tablesOf(from);
  const different = await differentStructure(tables, to);
  if (different) throw new Error(`${different} is not the same table on both sides: run the same version of Kerf's migrations on both, then move.`);
  const [slot] = await rows<{ name: string }>(from, `select ${slotOf} as name`, [from.module]);
  await atOnce(to, async () => {
    await keepOutOfLogs(to);
    await to.client.query(
      `create subscription ${escapeIdentifier(name)} connection ${escapeLiteral(reachedBy(from))} publication ${escapeIdentifier(name)}
       with (create_slot = false, slot_name = ${escapeLiteral(slot!.name)}, copy_data = ${copy}, origin = none, synchronous_commit = on)`,
    );
    const subscribed = await rows<{ count: number }>(to, 'select count(*)::int from pg_subscription_rel where srsubid = $1', [await subscriptionOf(to)]);
    const { count } = subscribed[0]!;
    if (count !== tables.length) throw new Error(`Of ${tables.length} tables of ${from.module}, ${count} are published where the target's server connects to: is that the source?`);
  });
}

/**
 * Until the end of the transaction no log of the server keeps what is said, as the address of a subscription with its
 * password: also where it is refused. Only as far as the administrator may say so.
 */
export async function keepOutOfLogs(site: Site): Promise<void> {
  await rows(
    site,
    `select set_config(name, value, true) from (values ('log_statement', 'none'), ('log_min_error_statement', 'panic'), ('log_min_duration_statement', '-1')) as quiet (name, value)
     where has_parameter_privilege(name, 'set')`,
  );
}

export const isFollowing = async (site: Site): Promise<boolean> => (await subscriptionOf(site)) !== undefined;

/** The catalog of subscriptions is the whole server's. */
async function subscriptionOf(site: Site): Promise<number | undefined> {
  const found = await rows<{ oid: number }>(site, 'select s.oid from pg_subscription s join pg_database d on d.oid = subdbid where subname = $1 and datname = current_database()', [streamName(site)]);
  return found[0]?.oid;
}

async function differentStructure(tables: Awaited<ReturnType<typeof tablesOf>>, to: Site): Promise<string | undefined> {
  const there = new Map((await tablesOf(to)).map(({ name, columns }) => [name, columns.join()]));
  const here = new Map(tables.map(({ name, columns }) => [name, columns.join()]));
  return [...here.keys(), ...there.keys()].find((name) => here.get(name) !== there.get(name));
}

/** The address of a site for the other one's server. A server that is cut off shows within seconds. */
export function reachedBy({ url }: Site): string {
  const address = new URL(url);
  if (!address.searchParams.has('connect_timeout')) address.searchParams.set('connect_timeout', '5');
  return address.toString();
}

export interface CopyProgress {
  tables: { name: string; state: 'waiting' | 'copying' | 'copied'; rows: number; ofRows: number; bytes: number }[];
  rows: number;
  /** by the statistics of the source: an estimate */
  ofRows: number;
  /** size of the tables at the source */
  bytes: number;
  done: boolean;
  /** milliseconds since 1970, for the rate between two looks */
  at: number;
}

export async function copyProgress({ from, to }: Stream): Promise<CopyProgress> {
  const subscription = await subscriptionOf(to);
  const published = await tablesOf(from);
  const [states, sizes] = await Promise.all([
    rows<{ name: string; state: string; copied: number }>(
      to,
      `select quote_ident(nspname) || '.' || quote_ident(relname) as name, srsubstate as state, coalesce(tuples_processed, 0)::float8 as copied
       from pg_subscription_rel join pg_class c on c.oid = srrelid join pg_namespace n on n.oid = relnamespace
       left join pg_stat_progress_copy p on p.relid = srrelid and p.datname = current_database() where srsubid = $1 order by 1`,
      [subscription],
    ),
    rows<{ name: string; count: number; bytes: number }>(
      from,
      `select t.name, sum(greatest(reltuples, n_live_tup, 0))::float8 as count, sum(pg_table_size(relid))::float8 as bytes
       from unnest($1::text[]) as t (name) cross join lateral pg_partition_tree(t.name::regclass) join pg_class c on c.oid = relid
       left join pg_stat_user_tables using (relid) where isleaf group by 1`,
      [published.map(({ name }) => name)],
    ),
  ]);
  const tables = states.map(({ name, state, copied }) => {
    const { count = 0, bytes = 0 } = sizes.find((size) => size.name === name) ?? {};
    if (state !== 'i' && state !== 'd') return { name, state: 'copied' as const, rows: count, ofRows: count, bytes };
    return { name, state: copied > 0 ? ('copying' as const) : ('waiting' as const), rows: copied, ofRows: Math.max(count, copied), bytes };
  });
  const sum = (of: (table: (typeof tables)[number]) => number) => tables.reduce((total, table) => total + of(table), 0);
  return {
    tables,
    rows: sum((table) => table.rows),
    ofRows: sum((table) => table.ofRows),
    bytes: sum((table) => table.bytes),
    done: states.length > 0 && states.every(({ state }) => state === 'r'),
    at: Date.now(),
  };
}

export interface Lag {
  /** somebody reads the stream now */
  connected: boolean;
  /** the source threw away what the follower had not read yet: only a new copy helps */
  lost: boolean;
  bytes: number;
  seconds: number;
  /** how often the follower failed to copy or apply; its server's log says why */
  errors: number;
}

/** How far `to` is behind. Undefined: there is no slot. */
export async function lag({ from, to }: Stream): Promise<Lag | undefined> {
  const [[slot], [failures]] = await Promise.all([
    rows<Omit<Lag, 'errors'>>(
      from,
      `select active as connected, wal_status is not distinct from 'lost' as lost,
              coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::float8 as bytes, coalesce(extract(epoch from replay_lag), 0)::float8 as seconds
       from pg_replication_slots left join pg_stat_replication on pid = active_pid where slot_name = ${slotOf}`,
      [from.module],
    ),
    rows<{ errors: number }>(to, 'select (apply_error_count + sync_error_count)::float8 as errors from pg_stat_subscription_stats where subid = $1', [await subscriptionOf(to)]),
  ]);
  return slot && { ...slot, errors: failures?.errors ?? 0 };
}

/**
 * Ends a stream and everything it left, in any state; a side that is gone for good is left out. Slots go before the
 * subscription: its number, by which the slots of copies that were under way are known, goes with it.
 */
export async function endStream({ from, to }: Partial<Stream>): Promise<void> {
  const follower = to && (await stopFollowing(to));
  if (from) {
    await dropSlots(from, follower ?? (to ? '' : ANY_COPY));
    await from.client.query(`drop publication if exists ${escapeIdentifier(streamName(from))}`);
  }
  if (to && follower) await to.client.query(`drop subscription if exists ${escapeIdentifier(streamName(to))}`);
  for (const site of [from, to]) if (site) await dropMarkTable(site);
}

/** What a follower that is gone for good left can only be told by that nobody reads it. */
const ANY_COPY = 'pg_%_sync_%';

/** Takes the subscription off its slot, so that dropping it needs nobody. Answers how its copies' slots are called at the source. */
async function stopFollowing(site: Site): Promise<string | undefined> {
  const [name, subscription] = [escapeIdentifier(streamName(site)), await subscriptionOf(site)];
  if (!subscription) return undefined;
  await site.client.query(`alter subscription ${name} disable; alter subscription ${name} set (slot_name = none)`);
  const ended = await lookUntil(PATIENCE, async () => {
    const running = await rows(site, 'select pg_terminate_backend(pid) from pg_stat_subscription where subid = $1 and pid is not null', [subscription]);
    return running.length === 0 || undefined;
  });
  if (!ended) throw new Error(`The processes that follow ${site.module} do not end: look at pg_stat_subscription, then try again.`);
  const [server] = await rows<{ id: string }>(site, 'select system_identifier as id from pg_control_system()');
  return `pg_${subscription}_sync_%_${server!.id}`;
}

/** Also while somebody reads them. */
async function dropSlots(site: Site, copies: string): Promise<void> {
  const gone = await lookUntil(PATIENCE, async () => {
    const slots = await rows<{ slot_name: string; ended: boolean | null }>(
      site,
      `select slot_name, pg_terminate_backend(active_pid) as ended from pg_replication_slots
       where database = current_database() and (slot_name = ${slotOf} or slot_name like $2 and ($3 or not active))`,
      [site.module, copies.replaceAll('_', '\\_'), copies !== ANY_COPY],
    );
    for (const { slot_name, ended } of slots) if (ended === null) await dropSlot(site, slot_name);
    return slots.length === 0 || undefined;
  });
  if (!gone) throw new Error(`The slots of ${site.module} are still being read: look at pg_replication_slots, then try again.`);
}

const dropSlot = (site: Site, name: string) =>
  rows(site, 'select pg_drop_replication_slot($1)', [name]).catch((error: { code?: string }) => {
    // Somebody reads it again, or has dropped it: the next look tells.
    if (error.code !== '55006' && error.code !== '42704') throw error;
  });

/** The last stream that is dropped takes the table of marks with it. */
async function dropMarkTable(site: Site): Promise<void> {
  const published = await rows(site, 'select from pg_publication where pubname = $1', [streamName(site)]);
  if (published.length === 0 && !(await subscriptionOf(site))) await site.client.query(`drop table if exists ${markTable(site)}`);
}

/** Milliseconds for processes that were told to end. */
const PATIENCE = 10_000;
