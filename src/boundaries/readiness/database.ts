import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Database, rows } from '../../shared/database.ts';
import { schemasOf } from '../../shared/statements.ts';
import { readCatalog } from '../database/catalog-facts.ts';
import { type Ask, type Finding, WORLD } from '../database/catalog-world.ts';
import type { DatabaseReading, Looked, NotSetUp } from './readiness.ts';

/** Where everything that has schemas lives, and the code it should fit. */
export interface Databases {
  /** modules and `edge` */
  names: readonly string[];
  /** address of a module's database under its own role, which sees all that is needed here */
  url(name: string): string;
  root: string;
}

/** Reads for each of `modules` what its database says. Catalogs are read once per database. */
export async function readDatabases(modules: readonly string[], databases: Databases): Promise<Map<string, Looked<DatabaseReading | NotSetUp>>> {
  const catalogs = new Map<string, Promise<Finding[]>>();
  const readings = new Map<string, Looked<DatabaseReading | NotSetUp>>();
  for (const module of modules) {
    const db = connect({ url: databases.url(module), applicationName: 'kerf readiness', poolSize: 1 });
    const place = placeOf(databases.url(module));
    const catalog = async () => {
      const here = databases.names.filter((name) => placeOf(databases.url(name)) === place);
      if (!catalogs.has(place)) catalogs.set(place, readCatalog(askThrough(db), here, databases.names));
      return (await catalogs.get(place)!).filter(({ module: whose, other }) => whose === null || whose === module || other === module);
    };
    readings.set(module, await readDatabase(db, { module, place, root: databases.root }, catalog).catch((error: unknown) => explain(error, module, place)).finally(() => db.destroy()));
  }
  return readings;
}

function placeOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
}

/** A statement with `$1` and its values as knex takes them. */
const askThrough =
  (db: Database): Ask =>
  (sql, values) =>
    rows(db, sql.replaceAll(/\$\d+/g, '?'), [...sql.matchAll(/\$(\d+)/g)].map(([, number]) => values[Number(number) - 1] as string));

interface Whose {
  module: string;
  place: string;
  root: string;
}

async function readDatabase(db: Database, { module, place, root }: Whose, catalog: () => Promise<Finding[]>): Promise<{ facts: DatabaseReading | NotSetUp }> {
  const ask = askThrough(db);
  const missing = await ask<{ name: string }>('select name from unnest($1::text[]) as name where to_regnamespace(quote_ident(name)) is null', [schemasOf(module)]);
  if (missing.length > 0) return { facts: { place, why: `The database has no schema ${missing.map(({ name }) => name).join(', ')}.` } };
  const [server] = await ask<Pick<DatabaseReading, 'serverVersion' | 'walLevel' | 'slots' | 'senders'>>(SERVER, []);
  const [space] = await ask<Pick<DatabaseReading, 'hasInbox' | 'tables' | 'sequences' | 'extensions'>>(`${WORLD} ${SPACE}`, [[module]]);
  const ran = (await ask<{ name: string }>('select name from migrations order by name', [])).map(({ name }) => name);
  const written = (await readdir(join(root, 'migrations', module)).catch(() => [])).filter((file) => file.endsWith('.sql')).toSorted();
  return {
    facts: {
      place,
      ...server!,
      ...space!,
      pending: written.filter((file) => !ran.includes(file)),
      unknown: ran.filter((file) => !written.includes(file)),
      findings: await catalog(),
    },
  };
}

const SERVER = `
  select current_setting('server_version_num')::int as "serverVersion", current_setting('wal_level') as "walLevel",
         current_setting('max_replication_slots')::int as slots, current_setting('max_wal_senders')::int as senders`;

const SPACE = `
  , relations as (select c.oid, s.name || '.' || relname as name, relkind from pg_class c join spaces s on s.oid = relnamespace)
  select to_regclass('inbox') is not null as "hasInbox",
         (select coalesce(json_agg(json_build_object('name', name, 'bytes', pg_total_relation_size(oid)) order by name), '[]') from relations where relkind = 'r') as tables,
         array(select name from relations where relkind = 'S' order by name) as sequences,
         array(select distinct e.extname::text from pg_depend d
               join placed a on a.class = d.classid and a.oid = d.objid join spaces s on s.oid = a.space
               join pg_depend m on m.classid = d.refclassid and m.objid = d.refobjid and m.deptype = 'e'
               join pg_extension e on e.oid = m.refobjid where e.extname <> 'plpgsql' order by 1) as extensions`;

/** A role or database that is not there is an answer; a server that does not answer is none. */
function explain(error: unknown, module: string, place: string): Looked<NotSetUp> {
  const { code = '' } = error as { code?: string };
  if (code.startsWith('28') || code === '3D000' || code === '42501' || code === '42P01') {
    return { facts: { place, why: `The database does not let the role kerf_${module} in, or not to its tables (${code}).` } };
  }
  if (/^E[A-Z_]+$/.test(code) || (error as Error).name === 'KnexTimeoutError') return { notLooked: `${place} does not answer${code && ` (${code})`}.` };
  throw error;
}
