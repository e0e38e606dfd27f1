import { randomUUID } from 'node:crypto';
import { escapeIdentifier } from 'pg';
import { ask, atOnce, loginRole, lookUntil, markTable, rows, type Site, spaceList, spaces } from './site.ts';

/** What a module's login role may do with one table, column or sequence. */
export interface Right {
  kind: 'table' | 'sequence';
  /** quoted, with its schema */
  name: string;
  column: string | null;
  privileges: string[];
}

/** What the role may do at this site. Nothing, where it is fenced: so it is read, and kept, before. */
export const readRights = (site: Site): Promise<Right[]> =>
  rows<Right>(
    site,
    `select case relkind when 'S' then 'sequence' else 'table' end as kind, quote_ident(nspname) || '.' || quote_ident(relname) as name, column_name as "column", array_agg(privilege_type order by privilege_type) as privileges
     from pg_class c join pg_namespace n on n.oid = relnamespace
     cross join lateral (select null as column_name, relacl as acl union all select quote_ident(attname), attacl from pg_attribute where attrelid = c.oid) as granted
     cross join lateral aclexplode(acl)
     where nspname = any($1) and grantee = to_regrole($2)
     group by 1, 2, 3 order by 2, 3`,
    [spaces(site), loginRole(site)],
  );

/** Gives the role at this site these rights. A table that is not here (a day's leaf of a partitioned one) needs none. */
export async function giveRights(site: Site, rights: readonly Right[]): Promise<void> {
  const here = await rows<{ name: string }>(site, 'select name from unnest($1::text[]) as name where to_regclass(name) is not null', [rights.map(({ name }) => name)]);
  const names = new Set(here.map(({ name }) => name));
  const grants = rights
    .filter(({ name }) => names.has(name))
    .map(({ kind, name, column, privileges }) => `grant ${privileges.map((privilege) => (column ? `${privilege} (${column})` : privilege)).join(', ')} on ${kind} ${name} to ${escapeIdentifier(loginRole(site))};`);
  await atOnce(site, () => ask(site, grants.join('\n')));
}

/** From here on a statement of the role fails with 42501, unless its transaction began before: see `fence`. */
export async function takeRights(site: Site): Promise<void> {
  const [tables, role] = [spaceList(site), escapeIdentifier(loginRole(site))];
  await ask(site, `revoke all on all tables in schema ${tables} from ${role}; revoke all on all sequences in schema ${tables} from ${role}`);
}

export interface Fence {
  /** transactions that had begun and did not end in time, so that they were ended */
  ended: number;
  milliseconds: number;
}

/**
 * Takes the role's rights away and answers once nothing of what it began before is left: then no write of it comes after
 * this. `patience`: milliseconds that open transactions have to finish; what takes longer is ended, without effect.
 */
export async function fence(site: Site, patience = 100): Promise<Fence> {
  const start = performance.now();
  await takeRights(site);
  // A transaction shows itself here before it looks at what has changed: one that is not here saw that the rights are gone.
  const begun = await rows<Session>(site, `select pid, xact_start::text as since ${SESSIONS}`, [loginRole(site)]);
  const over = (end: boolean) => async () => {
    const left = await rows(
      site,
      `select ${end ? 'pg_terminate_backend(pid)' : 'pid'} ${SESSIONS} and (pid, coalesce(xact_start::text, '')) in (select pid, coalesce(since, '') from unnest($2::int[], $3::text[]) as begun (pid, since))`,
      [loginRole(site), begun.map(({ pid }) => pid), begun.map(({ since }) => since)],
    );
    last = left.length;
    return left.length === 0 || undefined;
  };
  let last = begun.length;
  let ended = 0;
  if (begun.length > 0 && !(await lookUntil(patience, over(false)))) {
    ended = last;
    if (!(await lookUntil(END_WITHIN, over(true)))) throw new Error(`${last} transactions of ${loginRole(site)} do not end when they are told to: give the rights back, and look at pg_stat_activity.`);
  }
  return { ended, milliseconds: performance.now() - start };
}

/** A session whose activity is not tracked may be inside a transaction. */
const SESSIONS = `from pg_stat_activity where usename = $1 and datname = current_database() and (xact_start is not null or state = 'disabled')`;
/** Milliseconds. */
const END_WITHIN = 5_000;

interface Session {
  pid: number;
  since: string | null;
}

/** Writes a mark: who has it has everything that was committed here before. */
export async function mark(site: Site): Promise<string> {
  const id = randomUUID();
  await rows(site, `with old as (delete from ${markTable(site)} where made_at < now() - interval '1 hour') insert into ${markTable(site)} values ($1, now())`, [id]);
  return id;
}

/** Whether a follower has a mark of its source within so many milliseconds, and all of its tables keep up. */
export async function caughtUp(site: Site, id: string, within: number): Promise<boolean> {
  const has = await lookUntil(within, async () => {
    const [look] = await rows<{ has: boolean }>(site, `select exists (select from ${markTable(site)} where id = $1) and not exists (${COPYING}) as has`, [id, site.module]);
    return look!.has || undefined;
  });
  return has === true;
}

const COPYING = `select from pg_subscription_rel join pg_subscription s on s.oid = srsubid join pg_database d on d.oid = subdbid
  where datname = current_database() and subname = 'kerf_' || $2 and srsubstate <> 'r'`;

/** No sequence of `to` gives out again what `from` gave out: a stream does not carry them. */
export async function advanceSequences(from: Site, to: Site): Promise<void> {
  const used = await rows<{ name: string; last: string }>(
    from,
    `select format('%I.%I', schemaname, sequencename) as name, last_value::text as last from pg_sequences where schemaname = any($1) and last_value is not null`,
    [spaces(from)],
  );
  await rows(
    to,
    'select setval(name::regclass, greatest(last::bigint, pg_sequence_last_value(name::regclass))) from unnest($1::text[], $2::text[]) as used (name, last)',
    [used.map(({ name }) => name), used.map(({ last }) => last)],
  );
}
