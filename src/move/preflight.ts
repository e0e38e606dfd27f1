import { escapeIdentifier, escapeLiteral } from 'pg';
import { readRights } from './fence.ts';
import { loginRole, ownerRole, rows, type Site, sortOrder, tablesOf } from './site.ts';
import { isFollowing, keepOutOfLogs, reachedBy, type Stream } from './stream.ts';
import { firstTableInUse } from './target.ts';

export interface Preflight {
  /** sentences that say what is in the way and what to do; none: it can begin */
  blockers: string[];
  /** what to know */
  notes: string[];
}

/** Whether two databases can do what a move asks of them. Leaves nothing behind. `goesBack`: along the way back of an earlier move. */
export async function preflight({ from, to }: Stream, { goesBack = false } = {}): Promise<Preflight> {
  const [source, target] = await Promise.all([readServer(from), readServer(to, { isSetUp: !goesBack })]);
  if (source.system === target.system && source.database === target.database) return { blockers: ['Source and target are the same database: name another one.'], notes: [] };
  const servers = judgeServers(source, target);
  const blockers = [
    ...servers,
    ...(await withoutKey(from)),
    ...(goesBack ? [] : await inUse(to)),
    // What follows tries things out, for which the rights have to be there.
    ...(servers.length > 0 ? [] : [await unreachable('target', to, 'source', from), await unreachable('source', from, 'target', to)].flat()),
  ];
  const notes = target.order === source.order ? [] : [`The target sorts text by ${target.order} and the source by ${source.order}: lists sorted by text will come in another order.`];
  return { blockers, notes };
}

/** Slots, senders and workers that a server needs free: while it is copied from (two tables at a time), and to follow. */
const COPYING = { slots: 3, senders: 3, workers: 1 };
const FOLLOWING = { slots: 1, senders: 1, workers: 3 };

export interface Server {
  system: string;
  database: string;
  major: number;
  encoding: string;
  order: string;
  walLevel: string;
  free: { slots: number; senders: number; workers: number };
  /** what the administrator may not do, as what would let it */
  missing: string[];
}

async function readServer(site: Site, { isSetUp = false } = {}): Promise<Server> {
  const [server] = await rows<Server>(
    site,
    `select system_identifier::text as system, current_database() as database, current_setting('server_version_num')::int / 10000 as major,
            pg_encoding_to_char(encoding) as encoding, current_setting('wal_level') as "walLevel",
            json_build_object(
              'slots', current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots),
              'senders', current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication),
              'workers', current_setting('max_logical_replication_workers')::int - (select count(*) from pg_stat_subscription where pid is not null)) as free
     from pg_control_system(), pg_database where datname = current_database()`,
  );
  return { ...server!, order: await sortOrder(site), missing: server!.major >= OLDEST ? await missingRights(site, isSetUp) : [] };
}

const OLDEST = 16;

/** A superuser may do all of it. Elsewhere administrators have to be let. `isSetUp`: schemas and roles are to be made there. */
async function missingRights(site: Site, isSetUp: boolean): Promise<string[]> {
  const missing = await rows<{ todo: string }>(
    site,
    `select todo from pg_roles me, lateral (values
       (rolreplication, format('alter role %I replication', rolname)),
       (has_database_privilege(current_database(), 'create'), format('grant create on database %I to %I', current_database(), rolname)),
       (pg_has_role('pg_create_subscription', 'usage'), format('grant pg_create_subscription to %I', rolname)),
       (pg_has_role('pg_read_all_stats', 'usage'), format('grant pg_read_all_stats to %I', rolname)),
       (pg_has_role('pg_signal_backend', 'usage'), format('grant pg_signal_backend to %I', rolname)),
       (coalesce((select pg_has_role(oid, 'usage') from pg_roles where rolname = $1), true), format('grant %I to %I', $1, rolname))
     ) as needed (granted, todo) where me.rolname = current_user and not rolsuper and not granted
     union all
     select todo from pg_roles me, lateral (
       values (rolcreaterole, format('alter role %I createrole', me.rolname)),
              (has_database_privilege(current_database(), 'connect with grant option'), format('grant connect on database %I to %I with grant option', current_database(), me.rolname))
       union all
       select pg_has_role(of.oid, 'usage with admin option'), format('grant %I to %I with admin option', of.rolname, me.rolname) from pg_roles of where of.rolname in ($1, $2)
     ) as needed (granted, todo) where $3 and me.rolname = current_user and not rolsuper and not granted`,
    [ownerRole(site), loginRole(site), isSetUp],
  );
  return missing.map(({ todo }) => todo);
}

export const judgeServers = (source: Server, target: Server): string[] => [
  ...judgeServer('source', source, COPYING),
  ...judgeServer('target', target, FOLLOWING),
  ...(target.major < source.major ? [`The target is Postgres ${target.major} and the source is ${source.major}: move to a server that is not older.`] : []),
  ...(target.encoding === source.encoding ? [] : [`The target's encoding is ${target.encoding} and the source's is ${source.encoding}: make the target with the same.`]),
];

function judgeServer(side: string, { major, walLevel, free, missing }: Server, need: Server['free']): string[] {
  if (major < OLDEST) return [`The ${side} is Postgres ${major}: a move needs ${OLDEST} or newer on both sides.`];
  const settings = { slots: 'max_replication_slots', senders: 'max_wal_senders', workers: 'max_logical_replication_workers (and max_worker_processes)' };
  return [
    ...(walLevel === 'logical' ? [] : [`The ${side} has wal_level = ${walLevel}: set it to logical and start that server again.`]),
    ...(['slots', 'senders', 'workers'] as const)
      .filter((what) => free[what] < need[what])
      .map((what) => `The ${side} has ${free[what]} replication ${what} free and needs ${need[what]}: raise ${settings[what]}.`),
    ...missing.map((todo) => `The administrator of the ${side} may not do all that a move needs: have a superuser run "${todo}".`),
  ];
}

async function withoutKey(site: Site): Promise<string[]> {
  const tables = await tablesOf(site);
  if (tables.length === 0) return [`The source has no tables of ${site.module}: is that where ${loginRole(site)} works?`];
  return tables.filter(({ key }) => key.length === 0).map(({ name }) => `${name} has no primary key, so a changed row of it could not be found again: give it one in a migration.`);
}

async function inUse(site: Site): Promise<string[]> {
  if (await isFollowing(site)) return [`The target already follows another database for ${site.module}: end that move first.`];
  if ((await readRights(site)).length > 0) return [`${loginRole(site)} may use the target already, so ${site.module} of some shop lives there: name another database, or drop the schemas of ${site.module} there if no shop uses them.`];
  const table = await firstTableInUse(site);
  return table ? [`${table} at the target has rows already: look whose they are, and drop the schemas of ${site.module} there.`] : [];
}

/**
 * The server, not this process, will connect: so it is asked to, for a publication without tables, which is there only if it
 * comes to the right server. The subscription is taken back before anybody else sees it.
 */
async function unreachable(side: string, site: Site, otherSide: string, other: Site): Promise<string[]> {
  const name = `kerf_${site.module}_preflight`;
  const quoted = escapeIdentifier(name);
  let wrong = false;
  const onNotice = ({ code }: { code?: string | undefined }) => {
    wrong ||= code === '42704';
  };
  site.client.on('notice', onNotice);
  try {
    await other.client.query(`drop publication if exists ${quoted}; create publication ${quoted}`);
    await site.client.query('begin');
    await keepOutOfLogs(site);
    await site.client.query(
      `create subscription ${quoted} connection ${escapeLiteral(reachedBy(other))} publication ${quoted}
       with (slot_name = none, create_slot = false, enabled = false, copy_data = false)`,
    );
    return wrong ? [`By the address of the ${otherSide}, the ${side}'s server comes to another database than this process: give an address that means the same to both.`] : [];
  } catch (error) {
    return [`The ${side}'s server cannot follow the ${otherSide}: ${(error as Error).message}. Both servers have to reach each other by the addresses given here.`];
  } finally {
    site.client.off('notice', onNotice);
    await site.client.query('rollback');
    await other.client.query(`drop publication if exists ${quoted}`);
  }
}
