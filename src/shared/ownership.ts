import { connect, type Database, rows } from './database.ts';
import { isAway } from './errors.ts';

/** A database server's database as the configuration names it, and how a module enters it under its own role. */
export interface Place {
  /** host and database, to be shown */
  name: string;
  url(module: string): string;
}

/** What a module finds in one place under its own role. */
interface Holding {
  /** the same for the same database, by whatever address */
  identity: string;
  /** the module may change rows of its schema here */
  writable: boolean;
  /** roles that may change them besides the module's own, its owner's, and administrators */
  others: string[];
}

/**
 * Who may write a module's data, seen from these places: in at most one of them may the module's schema be writable, and by
 * nobody but the module. A sentence for each thing that is otherwise. Administrators (superusers, and members of the
 * owner's role that are no module's) are left out: they set all this up. `onAway`: is told of a place that does not answer,
 * which is not looked at.
 */
export async function findForeignWriters(module: string, places: readonly Place[], onAway?: (name: string) => void): Promise<string[]> {
  const held = new Map<string, Holding & { name: string }>();
  for (const { name, url } of places) {
    const holding = await holdingOf(module, url(module)).catch((error: unknown) => {
      if (!onAway || !isAway(error)) throw error;
      onAway(name);
    });
    if (holding?.writable && !held.has(holding.identity)) held.set(holding.identity, { ...holding, name });
  }
  const holdings = [...held.values()];
  const twice = `The data of ${module} can be written in ${holdings.length} places, ${holdings.map(({ name }) => name).join(' and ')}: take the rights of kerf_${module} away in all but the one where it lives.`;
  const shared = holdings.flatMap(({ name, others }) => others.map((role) => `${role} may write the data of ${module} in ${name}: revoke it.`));
  return [...(holdings.length > 1 ? [twice] : []), ...shared];
}

/** Undefined where the module has no way in. */
async function holdingOf(module: string, url: string): Promise<Holding | undefined> {
  const db = connect({ url, applicationName: 'kerf operator', poolSize: 1 });
  try {
    return await lookAround(module, db);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  } finally {
    await db.destroy();
  }
}

async function lookAround(module: string, db: Database): Promise<Holding> {
  const [found] = await rows<Holding>(
    db,
    `with tables as (
       select oid, relnamespace from pg_class where relkind in ('r', 'p') and relnamespace in (to_regnamespace(:schema), to_regnamespace(:jobs))
     ), writing as (
       select r.oid, r.rolname from pg_roles r where exists (
         select from tables t where has_schema_privilege(r.oid, t.relnamespace, 'usage') and has_table_privilege(r.oid, t.oid, 'insert, update, delete, truncate')
       )
     )
     select pg_postmaster_start_time() || ' ' || (select oid from pg_database where datname = current_database()) as identity,
       current_setting('transaction_read_only') = 'off' and exists (select from writing where rolname = current_user) as writable,
       array(
         select rolname::text from writing w
         where rolname not in (current_user, :owner) and rolname not like 'pg\\_%' and not (select rolsuper from pg_roles where oid = w.oid)
           and (rolname like 'kerf\\_%' or not pg_has_role(w.oid, to_regrole(:owner), 'member')) order by rolname
       ) as others`,
    { schema: `"${module}"`, jobs: `"${module}_jobs"`, owner: `kerf_${module}_owner` },
  );
  return found!;
}

/** No such role, another password, no right to connect, no such database. */
const isRefusal = (error: unknown) => /^(28|3D000|42501)/.test((error as { code?: string }).code ?? '');
