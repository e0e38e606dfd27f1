/** Runs one statement and answers its rows. A reader of catalogs needs no driver of its own. */
export type Ask = <Row>(sql: string, values: unknown[]) => Promise<Row[]>;

/** Something in a database that crosses the line between modules, or stands in the way of moving one. */
export interface Finding {
  kind: string;
  /** whose it is; null: it concerns every module of this database */
  module: string | null;
  /** the module at the other end, which cannot leave either */
  other?: string;
  /** what it is and its name, as Postgres identifies it */
  object: string;
  /** one sentence */
  problem: string;
  /** what to do instead, one sentence */
  advice: string;
}

/** One question to the catalogs. Its statement follows WORLD and answers `module`, `object`, `problem`. */
export interface CatalogCheck {
  kind: string;
  advice: string;
  sql: string;
}

/**
 * What every check starts from; `$1` holds the names of the modules. `spaces`: their schemas. `roles`: their login and
 * owner roles. `system`: schemas of Postgres itself. `objects`: what has an owner and may be granted. `placed`: in which
 * schema anything is that depends, or is depended on.
 */
export const WORLD = `
with spaces as (
  select n.oid, n.nspname::text as name, m.module
  from unnest($1::text[]) as m (module) join pg_namespace n on n.nspname in (m.module, m.module || '_jobs')
),
roles as (
  select r.oid, r.rolname::text as name, m.module, r.rolname = 'kerf_' || m.module as login
  from unnest($1::text[]) as m (module) join pg_roles r on r.rolname in ('kerf_' || m.module, 'kerf_' || m.module || '_owner')
),
system as (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema'),
objects as (
  select 'pg_class'::regclass::oid as class, oid, relnamespace as space, relowner as owner, relacl as acl,
         case relkind when 'S' then 's'::"char" else 'r' end as acl_type
  from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  union all
  select 'pg_proc'::regclass, oid, pronamespace, proowner, coalesce(proacl, acldefault('f', proowner)), 'f' from pg_proc
  where oid >= 16384 or proacl is not null
  union all
  select 'pg_type'::regclass, oid, typnamespace, typowner, typacl, 'T'
  from pg_type t where typelem = 0 and (typrelid = 0 or (select relkind from pg_class c where c.oid = t.typrelid) = 'c')
  union all
  select 'pg_namespace'::regclass, oid, oid, nspowner, nspacl, 'n' from pg_namespace
),
placed as (
  select 'pg_class'::regclass::oid as class, oid, relnamespace as space from pg_class
  union all select 'pg_proc'::regclass, oid, pronamespace from pg_proc
  union all select 'pg_type'::regclass, oid, typnamespace from pg_type
  union all select 'pg_constraint'::regclass, oid, connamespace from pg_constraint
  union all select 'pg_rewrite'::regclass, r.oid, relnamespace from pg_rewrite r join pg_class c on c.oid = ev_class
  union all select 'pg_trigger'::regclass, t.oid, relnamespace from pg_trigger t join pg_class c on c.oid = tgrelid where not tgisinternal
  union all select 'pg_policy'::regclass, p.oid, relnamespace from pg_policy p join pg_class c on c.oid = polrelid
  union all select 'pg_attrdef'::regclass, d.oid, relnamespace from pg_attrdef d join pg_class c on c.oid = adrelid
  union all select 'pg_statistic_ext'::regclass, oid, stxnamespace from pg_statistic_ext
  union all select 'pg_operator'::regclass, oid, oprnamespace from pg_operator
  union all select 'pg_opclass'::regclass, oid, opcnamespace from pg_opclass
  union all select 'pg_opfamily'::regclass, oid, opfnamespace from pg_opfamily
  union all select 'pg_collation'::regclass, oid, collnamespace from pg_collation
  union all select 'pg_ts_config'::regclass, oid, cfgnamespace from pg_ts_config
  union all select 'pg_ts_dict'::regclass, oid, dictnamespace from pg_ts_dict
  union all select 'pg_namespace'::regclass, oid, oid from pg_namespace
)`;

/** SQL that answers how Postgres identifies an object: `table coupon.promotions`. */
export const identity = (classId: string, objectId: string, column = '0') => `(select type || ' ' || identity from pg_identify_object(${classId}, ${objectId}, ${column}))`;

export async function runChecks(checks: readonly CatalogCheck[], ask: Ask, modules: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { kind, advice, sql } of checks) {
    const rows = await ask<Pick<Finding, 'module' | 'object' | 'problem'>>(`${WORLD}\n${sql}`, [modules]);
    findings.push(...rows.map(({ module, object, problem }) => ({ kind, module, object, problem, advice })));
  }
  return findings;
}
