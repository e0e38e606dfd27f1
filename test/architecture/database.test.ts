import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modules } from '../../src/composition.ts';
import { readCatalog } from '../../src/boundaries/database/catalog-facts.ts';
import type { Finding } from '../../src/boundaries/database/catalog-world.ts';
import { SCHEMAS } from '../support/constants.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

const JOBS = SCHEMAS.filter((schema) => !['edge', 'placement'].includes(schema)).map((schema) => `${schema}_jobs`);
const ALL = [...SCHEMAS, ...JOBS];

let database: TestDatabase;
let admin: Client;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ database, admin, close } = await openTestDatabase());
});
afterAll(() => close());

const findings = () => readCatalog(async (sql, values) => (await admin.query(sql, values)).rows as never, SCHEMAS);

/** What is planted, how it is found, and by which name. */
const planted: [what: string, sql: string, kind: string, object: RegExp, module?: string | null][] = [
  ['a foreign key', 'alter table coupon.promotions add foreign key (id) references catalog.products (id)', 'foreign key', /promotions_id_fkey on coupon\.promotions/],
  ['a foreign key into the own job queue', 'alter table coupon.promotions add foreign key (name) references coupon_jobs.queue (name)', 'foreign key', /coupon\.promotions/],
  ['a foreign key from outside of all modules', 'create schema report; create table report.p (id uuid references coupon.promotions (id))', 'foreign key', /report\.p/],
  ['a view', 'create view coupon.goods as select id from catalog.products; alter view coupon.goods owner to kerf_coupon_owner', 'view', /^view coupon\.goods$/],
  ['a view outside of all modules', 'create schema report; create view report.goods as select p.id from catalog.products p', 'view', /^view report\.goods$/, 'catalog'],
  ['a materialized view', 'create materialized view coupon.goods as select id from catalog.products; alter materialized view coupon.goods owner to kerf_coupon_owner', 'view', /coupon\.goods/],
  ['a materialized view of its own', 'create materialized view coupon.mine as select id from coupon.promotions; alter materialized view coupon.mine owner to kerf_coupon_owner', 'materialized view', /coupon\.mine/],
  ['a rule', 'create rule also as on insert to coupon.promotions do also delete from catalog.products', 'rule', /also on coupon\.promotions/],
  ['a trigger', 'create trigger stamp before insert on coupon.promotions for each row execute function order_jobs.kerf_stamp()', 'trigger', /stamp on coupon\.promotions/],
  ['a policy', 'create policy bought on coupon.promotions using (exists (select from catalog.products))', 'policy', /bought on coupon\.promotions/],
  ['a policy for another module', 'create policy shared on coupon.promotions to kerf_order using (true)', 'policy', /shared on coupon\.promotions/],
  ['a default', `create sequence catalog.number; alter sequence catalog.number owner to kerf_catalog_owner; alter table coupon.promotions alter priority set default nextval('catalog.number')`, 'default', /coupon\.promotions/],
  ['a partition', 'create table coupon.parts (id int primary key) partition by list (id); create table catalog.part partition of coupon.parts for values in (1); alter table coupon.parts owner to kerf_coupon_owner; alter table catalog.part owner to kerf_catalog_owner', 'inheritance', /catalog\.part/, 'catalog'],
  ['a child', 'create table coupon.child (primary key (id)) inherits (catalog.products); alter table coupon.child owner to kerf_coupon_owner', 'inheritance', /coupon\.child/],
  ['a type', `create type catalog.size as enum ('s'); alter type catalog.size owner to kerf_catalog_owner; alter table coupon.promotions add size catalog.size`, 'type', /coupon\.promotions/],
  ['a function’s type', `create function coupon.f(catalog.products) returns int language sql as 'select 1'; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public`, 'function', /coupon\.f/],
  ['a function’s body', `create function coupon.f() returns bigint language sql begin atomic select count(*) from catalog.products; end; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public`, 'function', /coupon\.f/],
  ['a function’s body in a string', `create function coupon.f() returns bigint language sql as 'select count(*) from catalog.products'; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public`, 'function', /coupon\.f/],
  ['SQL inside of PL/pgSQL', `create function coupon.f() returns void language plpgsql as $$ begin execute format('truncate %I.products', 'catalog'); end $$; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public`, 'function', /coupon\.f/],
  ['a function outside of all modules', `create schema report; create function report.f() returns bigint language sql as 'select count(*) from catalog.products'`, 'function', /report\.f/, 'catalog'],
  ['a function’s search path', `create function coupon.f() returns int language sql set search_path = catalog as 'select 1'; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public`, 'function', /coupon\.f/],
  ['an index over a foreign function', `create function catalog.f(text) returns text language sql immutable as 'select $1'; alter function catalog.f owner to kerf_catalog_owner; revoke execute on function catalog.f from public; create index planted on coupon.promotions (catalog.f(name))`, 'dependency', /coupon\.planted/],
  ['an extension', 'create extension pg_trgm schema coupon', 'extension', /extension pg_trgm/],
  ['a publication', 'create publication out for table coupon.promotions', 'publication', /publication out/],
  ['a publication that is called after another module', 'create publication kerf_order for table coupon.promotions', 'publication', /publication kerf_order/],
  ['a publication of everything', 'create publication out for all tables', 'publication', /publication out/],
  ['a subscription', `set local allow_system_table_mods = on; create subscription taking connection '' publication far with (connect = false, slot_name = none);
    insert into pg_subscription_rel (srsubid, srrelid, srsubstate) select oid, 'coupon.promotions'::regclass, 'r' from pg_subscription`, 'subscription', /subscription taking/],
  ['an event trigger', `create function public.watch() returns event_trigger language plpgsql as 'begin end'; create event trigger watch on ddl_command_end execute function public.watch()`, 'event trigger', /watch/, null],
  ['a grant to another module', 'grant select on coupon.promotions to kerf_order', 'grant', /coupon\.promotions/],
  ['a grant to everybody', 'grant select on coupon.promotions to public', 'grant', /coupon\.promotions/],
  ['a grant on a column', 'grant select (name) on coupon.promotions to kerf_order', 'grant', /coupon\.promotions\.name/],
  ['a grant on a sequence', 'create sequence coupon.number; alter sequence coupon.number owner to kerf_coupon_owner; grant usage on sequence coupon.number to kerf_order', 'grant', /coupon\.number/],
  ['a grant on a function', `create function coupon.f() returns int language sql as 'select 1'; alter function coupon.f owner to kerf_coupon_owner; revoke execute on function coupon.f from public; grant execute on function coupon.f to kerf_order`, 'grant', /coupon\.f/],
  ['a function that everybody may call', `create function coupon.f() returns int language sql as 'select 1'; alter function coupon.f owner to kerf_coupon_owner`, 'grant', /coupon\.f/],
  ['a grant on a type', `create type coupon.size as enum ('s'); alter type coupon.size owner to kerf_coupon_owner; grant usage on type coupon.size to kerf_order`, 'grant', /coupon\.size/],
  ['a grant on a schema', 'grant usage on schema coupon to kerf_order', 'grant', /schema coupon/],
  ['a grant on the job queue', 'grant usage on schema coupon_jobs to kerf_order', 'grant', /schema coupon_jobs/],
  ['more than rows', 'grant truncate on coupon.promotions to kerf_coupon', 'grant', /coupon\.promotions/],
  ['a right to hand on', 'grant select on coupon.promotions to kerf_coupon with grant option', 'grant', /coupon\.promotions/],
  ['a grant elsewhere', 'create schema report; create table report.t (id int); grant select on report.t to kerf_coupon', 'grant', /report\.t/],
  ['a table that everybody may use', 'create schema common; grant usage on schema common to public; create table common.shared (id int primary key); grant all on common.shared to public', 'grant', /table common\.shared/, null],
  ['a function that everybody may use', `create schema common; grant usage on schema common to public; create function common.f() returns int language sql security definer as 'select 1'`, 'grant', /function common\.f/, null],
  ['a right on the database', 'do $$ begin execute format($f$grant connect on database %I to public$f$, current_database()); end $$', 'grant', /database/, null],
  ['a parameter', 'grant set on parameter log_statement to kerf_coupon', 'grant', /parameter log_statement/],
  ['default privileges for another module', 'alter default privileges for role kerf_coupon_owner in schema coupon grant select on tables to kerf_order', 'default privilege', /kerf_coupon_owner/],
  ['default privileges for everybody', 'alter default privileges for role kerf_coupon_owner grant execute on functions to public', 'default privilege', /kerf_coupon_owner/],
  ['default privileges of an administrator', 'alter default privileges in schema coupon grant select on tables to kerf_order', 'default privilege', /default privileges/],
  ['default privileges of an administrator wherever it is', 'alter default privileges grant select on tables to kerf_coupon', 'default privilege', /default privileges/],
  ['default privileges of an administrator for everybody', 'alter default privileges grant select on tables to public', 'default privilege', /default privileges/, null],
  ['default privileges elsewhere', 'create schema common; alter default privileges in schema common grant select on tables to public', 'default privilege', /default privileges/, null],
  ['default privileges for more than rows', 'alter default privileges for role kerf_coupon_owner in schema coupon grant truncate on tables to kerf_coupon', 'default privilege', /kerf_coupon_owner/],
  ['a table of somebody else', 'create table coupon.theirs (id int primary key)', 'owner', /table coupon\.theirs/],
  ['a function of somebody else', `create function coupon.f() returns int language sql as 'select 1'; revoke execute on function coupon.f from public`, 'owner', /coupon\.f/],
  ['a schema of somebody else', 'alter schema coupon owner to current_user', 'owner', /schema coupon/],
  ['a table of a login role', 'alter table coupon.promotions owner to kerf_coupon', 'owner', /coupon\.promotions/],
  ['a schema of a login role', 'create schema mine authorization kerf_coupon', 'owner', /schema mine/],
  ['a table of an owner role elsewhere', 'create schema report; create table report.t (id int); alter table report.t owner to kerf_coupon_owner', 'owner', /report\.t/],
  ['a large object', 'do $$ begin execute format($f$alter large object %s owner to kerf_coupon$f$, lo_create(0)); end $$', 'owner', /large object/],
  ['a right to create in public', 'grant create on schema public to public', 'right to create', /schema public/],
  ['a right to create in its own schema', 'grant create on schema coupon to kerf_coupon', 'right to create', /schema coupon/],
  ['a right to create schemas', 'do $$ begin execute format($f$grant create on database %I to kerf_coupon$f$, current_database()); end $$', 'right to create', /database/],
  ['a right to create temporary tables', 'do $$ begin execute format($f$grant temporary on database %I to public$f$, current_database()); end $$', 'right to create', /database/],
  ['a membership in another module’s role', 'grant kerf_order to kerf_coupon', 'membership', /role kerf_coupon/],
  ['a membership in its own owner', 'grant kerf_coupon_owner to kerf_coupon', 'membership', /role kerf_coupon/],
  ['a membership in a role that reads everything', 'grant pg_read_all_data to kerf_coupon', 'membership', /role kerf_coupon/],
  ['somebody else as a member', 'create role kerf_planted; grant kerf_coupon to kerf_planted', 'membership', /role kerf_planted/],
  ['a superuser', 'alter role kerf_coupon superuser', 'attribute', /role kerf_coupon/],
  ['an owner who logs in', 'alter role kerf_coupon_owner login', 'attribute', /role kerf_coupon_owner/],
  ['a role above row security', 'alter role kerf_coupon bypassrls', 'attribute', /role kerf_coupon/],
  ['a wider search path', 'alter role kerf_coupon set search_path = coupon, catalog', 'search path', /role kerf_coupon/],
  ['a search path in this database only', 'do $$ begin execute format($f$alter role kerf_coupon in database %I set search_path = coupon, public$f$, current_database()); end $$', 'search path', /role kerf_coupon/],
  ['a search path of the database', 'do $$ begin execute format($f$alter database %I set search_path = coupon$f$, current_database()); end $$', 'search path', /database/],
  ['no search path', 'alter role kerf_coupon reset search_path', 'search path', /role kerf_coupon/],
  ['another role from the start', 'alter role kerf_coupon set role = kerf_order', 'setting', /role kerf_coupon/],
  ['row security switched off', 'alter role kerf_coupon set row_security = off', 'setting', /role kerf_coupon/],
  ['a server for everybody', 'create foreign data wrapper w; create server far foreign data wrapper w; grant usage on foreign server far to public', 'way out', /server far/, null],
  ['a user of a server', 'create foreign data wrapper w; create server far foreign data wrapper w; create user mapping for kerf_coupon server far', 'way out', /server far/],
  ['a user of a server who is everybody', 'create foreign data wrapper w; create server far foreign data wrapper w; create user mapping for public server far', 'way out', /server far/, null],
  ['a large object for everybody', 'do $$ begin execute format($f$grant select on large object %s to public$f$, lo_create(0)); end $$', 'way out', /large object/, null],
  ['an extension that reaches other databases', 'create extension dblink schema public', 'way out', /extension dblink/, null],
  ['a table without a primary key', 'create table coupon.heap (id int); alter table coupon.heap owner to kerf_coupon_owner', 'no primary key', /coupon\.heap/],
  ['rows that are identified by nothing', 'alter table coupon.promotions replica identity nothing', 'replica identity', /coupon\.promotions/],
  ['an unlogged table', 'create unlogged table coupon.fast (id int primary key); alter table coupon.fast owner to kerf_coupon_owner', 'not kept', /coupon\.fast/],
  ['a trigger that fires on replicas', 'alter table coupon_jobs.job enable always trigger kerf_stamp', 'trigger on replicas', /coupon_jobs\.job/],
  ['a foreign table', 'create foreign data wrapper w; create server far foreign data wrapper w; create foreign table coupon.far (id int) server far; alter foreign table coupon.far owner to kerf_coupon_owner', 'foreign table', /coupon\.far/],
];

describe('what the catalogs are asked', () => {
  it('has a table to look at in every schema that is expected', async () => {
    const { rows } = await admin.query<{ schema: string }>('select distinct schemaname as schema from pg_tables where schemaname = any($1)', [ALL]);
    expect(rows.map(({ schema }) => schema).toSorted()).toEqual(ALL.toSorted());
  });

  it('finds nothing in the migrated system', async () => expect(await findings()).toEqual([]));

  it.each([
    ['an extension in a schema of its own', 'create schema extensions; grant usage on schema extensions to public; create extension pg_trgm schema extensions'],
    ['the stream of a move', 'create publication kerf_coupon for table coupon.promotions'],
    ['what Postgres lets everybody do by default', 'alter default privileges grant execute on functions to current_user'],
  ])('finds nothing wrong with %s', async (_what, sql) => expect(await withPlanted(sql, findings)).toEqual([]));

  it.each(planted)('finds %s', async (_what, sql, kind, object, module = 'coupon') => {
    const found = await withPlanted(sql, findings);
    const hit = found.find((finding) => finding.kind === kind && object.test(finding.object) && finding.module === module);
    expect(hit, JSON.stringify(found, null, 2)).toMatchObject({ problem: expect.stringMatching(/^[\s\S]+\.$/), advice: expect.stringMatching(/^[A-Z].+\.$/) });
  });
});

it('has an inbox for each module that listens', async () => {
  const { rows } = await admin.query<{ schemaname: string }>(`select schemaname from pg_tables where tablename = 'inbox'`);
  const listening = modules.filter(({ listens }) => listens.length > 0).map(({ contract }) => contract.module);
  expect(rows.map(({ schemaname }) => schemaname).toSorted()).toEqual(listening.toSorted());
});

it('names the module at the other end, too', async () => {
  const found = await withPlanted(`alter table coupon.promotions add foreign key (id) references catalog.products (id);
    create function order_jobs.f() returns int language sql as 'select 1 from catalog.products'`, findings);
  expect(found.filter(({ other }) => other === 'catalog').map(({ module, kind }) => [module, kind])).toEqual([['coupon', 'foreign key'], ['order', 'function']]);
});

/** Plants, looks and takes back: roles belong to the whole server, where other tests are at work. */
async function withPlanted(sql: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  await admin.query('begin');
  try {
    await admin.query(sql);
    return await look();
  } finally {
    await admin.query('rollback');
  }
}

const DENIED = '42501';
/** Postgres only warns where a grant gives nothing. */
const NOTHING_GRANTED = '01007';

describe.each(SCHEMAS)('the role that %s runs under', (module) => {
  let role: Client;
  beforeAll(async () => {
    role = new Client({ connectionString: database.url(module) });
    await role.connect();
  });
  afterAll(() => role.end());

  const other = module === 'order' ? 'coupon' : 'order';
  const forbidden: [string, string][] = [
    ['create in public', 'create table public.mine (id int)'],
    ['create in its own schema', `create table "${module}".mine (id int)`],
    ['create in another module’s schema', `create table "${other}".mine (id int)`],
    ['create a temporary table', 'create temporary table mine (id int)'],
    ['create a schema', 'create schema mine'],
    ['create a role', 'create role mine'],
    ['create a database', 'create database mine'],
    ['create a function', `create function "${module}".mine() returns int language sql as 'select 1'`],
    ['create a large object', 'select lo_create(0)'],
    ['create a large object with content', `select lo_from_bytea(0, 'x')`],
    ['create an extension', 'create extension if not exists pg_trgm'],
    ['publish', 'create publication mine for all tables'],
    ['change its tables', `alter table "${module}".migrations add column mine int`],
    ['drop its tables', `drop table "${module}".migrations`],
    ['empty its tables at once', `truncate "${module}".migrations`],
    ['read another module’s tables', `select * from "${other}".migrations`],
    ['write another module’s tables', `delete from "${other}".migrations`],
    ['read another module’s jobs', `select * from ${other}_jobs.job`],
    ['call another module’s functions', `select ${other}_jobs.create_queue('mine', '{}'::jsonb)`],
    ['act as another module', `set role kerf_${other}`],
    ['act as its owner', `set role kerf_${module}_owner`],
    ['give its rights away', `grant select on "${module}".migrations to kerf_${other}`],
    ['give its schema away', `grant usage on schema "${module}" to kerf_${other}`],
    ['read passwords', 'select * from pg_authid'],
    ['read files', `select pg_read_file('postgresql.conf')`],
    ['run programs', `copy (select 1) to program 'true'`],
  ];

  it.each(forbidden)('may not %s', async (_what, sql) => {
    const warnings: (string | undefined)[] = [];
    const warn = ({ code }: { code?: string | undefined }) => void warnings.push(code);
    role.on('notice', warn);
    const refusal = await role.query(sql).then(() => warnings.find((code) => code === NOTHING_GRANTED) ?? 'done', (error: { code: string }) => error.code);
    role.off('notice', warn);
    expect([DENIED, NOTHING_GRANTED]).toContain(refusal);
  });
});
