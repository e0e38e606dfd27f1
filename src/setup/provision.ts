import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Client, escapeIdentifier, escapeLiteral } from 'pg';
import { getConstructionPlans } from 'pg-boss';
import { ConfigError } from './config-error.ts';
import { connect, type Database } from '../shared/database.ts';
import { deriveKey } from '../shared/ids.ts';
import { migrationFiles, pendingJobMigration, readMigration, script, sqlFiles } from './migrations.ts';

/**
 * Makes a database ready for modules: for each its schemas (`coupon`, `coupon_jobs`), an owner without login that only
 * migrations act as (`kerf_coupon_owner`), and the login role it runs under (`kerf_coupon`), which may read and write
 * rows there and nothing else anywhere.
 */
export interface Provisioning {
  /** administrator connection: may create roles and schemas */
  adminUrl: string;
  /** names of modules (and `edge`) that live in this database */
  schemas: readonly string[];
  /** root of the roles' passwords */
  secret: string;
  /** look at everything even when nothing seems to have changed */
  force?: boolean;
  /** a place to move to: the login role may do nothing in it until it is given rights there */
  withoutRights?: boolean;
  onProgress?: (sentence: string) => void;
}

/** docs/rules.md, Times: set per role, so that they hold whatever the client does. */
const ROLE_SETTINGS = {
  statement_timeout: '5s',
  lock_timeout: '2s',
  idle_in_transaction_session_timeout: '10s',
};
/** Older servers do not know them. */
const SETTINGS_FROM_17 = { transaction_timeout: '30s' };

/** The address a module connects to at run time: the administrator's, with the module's own role and password. */
export function moduleUrl(adminUrl: string, schema: string, secret: string): string {
  const url = new URL(adminUrl);
  url.username = loginRole(schema);
  url.password = rolePassword(schema, secret);
  return url.toString();
}

/** The edge and the placement keep rows of their own but queue nothing. */
const hasJobs = (schema: string) => schema !== 'edge' && schema !== 'placement';
const loginRole = (schema: string) => `kerf_${schema}`;
const ownerRole = (schema: string) => `kerf_${schema}_owner`;
const rolePassword = (schema: string, secret: string) => deriveKey(secret, `database role ${schema}`);

/** Idempotent, and safe when several processes start at once. Answers whether there was anything to do. */
export async function provision({ adminUrl, schemas: all, secret, force = false, withoutRights = false, onProgress }: Provisioning): Promise<boolean> {
  const admin = new Client({ connectionString: adminUrl, application_name: 'kerf setup' });
  // A connection that breaks is told to the query that needs it.
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    const trace = deriveKey(secret, 'provisioning').slice(0, 16);
    const before = await recordedMarks(admin, all);
    if (!force && [...before.values()].some((known) => known.secret !== trace)) throw otherSecret();
    const prints = new Map(await Promise.all(all.map(async (schema) => [schema, await fingerprintOf(schema)] as const)));
    const schemas = force ? all : all.filter((schema) => before.get(schema)?.fingerprint !== prints.get(schema));
    if (schemas.length === 0) return false;
    await admin.query(`select pg_advisory_lock(hashtext('kerf setup'))`);
    if (!force && (await rolesOfAnother(admin, schemas, trace))) throw rolesTaken();
    onProgress?.('Creating roles and schemas.');
    await admin.query(await rolesAndSchemas(admin, schemas, { secret, withoutRights }));
    onProgress?.('Running migrations.');
    await Promise.all(schemas.map((schema) => migrate(adminUrl, schema)));
    await Promise.all(schemas.filter(hasJobs).map((schema) => setUpJobs(adminUrl, schema)));
    await admin.query(
      schemas.map((schema) => `comment on schema "${schema}" is 'kerf ${prints.get(schema)} ${trace}'; comment on role ${loginRole(schema)} is 'kerf ${trace}';`).join('\n'),
    );
    return true;
  } finally {
    await admin.end();
  }
}

async function rolesAndSchemas(admin: Client, schemas: readonly string[], given: Pick<Setup, 'secret' | 'withoutRights'>): Promise<string> {
  const { rows } = await admin.query<{ database: string; superuser: boolean; version: number }>(
    `select current_database() as database, rolsuper as superuser, current_setting('server_version_num')::int as version from pg_roles where rolname = current_user`,
  );
  const { database, superuser, version } = rows[0]!;
  const settings = { ...ROLE_SETTINGS, ...(version >= 170_000 && SETTINGS_FROM_17) };
  const shared = [
    `revoke all on schema public from public;`,
    `revoke connect, temporary on database ${escapeIdentifier(database)} from public;`,
    // Anybody may make large objects, which live in no schema. Only a superuser can take that away.
    superuser ? `revoke execute on function lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) from public;` : '',
  ];
  return [...shared, ...schemas.map((schema) => schemaScript(schema, { ...given, database, superuser, settings }))].join('\n');
}

interface Setup {
  database: string;
  superuser: boolean;
  secret: string;
  withoutRights: boolean;
  settings: Readonly<Record<string, string>>;
}

function schemaScript(schema: string, { database, superuser, secret, withoutRights, settings }: Setup): string {
  const [login, owner] = [loginRole(schema), ownerRole(schema)];
  const password = escapeLiteral(rolePassword(schema, secret));
  const limits = Object.entries(settings).map(([name, value]) => `alter role ${login} set ${name} = '${value}';`);
  const spaces = [schema, ...(hasJobs(schema) ? [`${schema}_jobs`] : [])].map((space) => `
    create schema if not exists "${space}" authorization ${owner};
    grant usage on schema "${space}" to ${login};
    ${withoutRights ? '' : rightsToBe(space, owner, login)}
    alter default privileges for role ${owner} revoke execute on functions from public;
    alter default privileges for role ${owner} in schema "${space}" grant execute on functions to ${login};`);
  return `
    do $$ begin create role ${owner} nologin; exception when duplicate_object or unique_violation then null; end $$;
    do $$ begin create role ${login} login; exception when duplicate_object or unique_violation then null; end $$;
    alter role ${login} password ${password};
    alter role ${login} set search_path = "${schema}";
    ${limits.join('\n')}
    ${superuser ? '' : `grant ${owner} to current_user;`}
    grant connect on database ${escapeIdentifier(database)} to ${login};
    ${spaces.join('\n')}`;
}

const rightsToBe = (space: string, owner: string, login: string) => `
    alter default privileges for role ${owner} in schema "${space}" grant select, insert, update, delete on tables to ${login};
    alter default privileges for role ${owner} in schema "${space}" grant usage, select on sequences to ${login};`;

async function asOwner<T>(adminUrl: string, schema: string, space: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = connect({ url: adminUrl, applicationName: 'kerf setup', poolSize: 1, searchPath: space, actAs: ownerRole(schema) });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

const migrate = (adminUrl: string, schema: string) =>
  asOwner(adminUrl, schema, schema, (db) =>
    db.migrate.latest({ migrationSource: sqlFiles(schema), schemaName: schema, tableName: 'migrations' }),
  );

/** The module's job queue: pg-boss's own construction, or its migrations, run as the owner. */
const setUpJobs = (adminUrl: string, schema: string) =>
  asOwner(adminUrl, schema, `${schema}_jobs`, async (db) => {
    const space = `${schema}_jobs`;
    const found = await db.raw<{ rows: { present: boolean }[] }>(`select to_regclass('${space}.version') is not null as present`);
    if (found.rows[0]?.present) {
      const current = await db.raw<{ rows: { version: number }[] }>(`select version from "${space}".version`);
      const plan = pendingJobMigration(space, current.rows[0]!.version);
      if (plan) await db.raw(script(plan));
    } else {
      await db.raw(script(getConstructionPlans(space, { createSchema: false })));
    }
    await db.raw(inOrderOfInsertion(space));
  });

/**
 * pg-boss orders a queue by the start of the transactions that filled it. An aggregate's events are written under its
 * lock, so the instant of the insertion is their order; the start of the transaction, which may have waited, is not.
 * A try that failed inserts its entry anew, which stays as old as it is; one that failed for good is never deleted.
 */
const inOrderOfInsertion = (space: string) => `
  create or replace function "${space}".kerf_stamp() returns trigger language plpgsql as $$ begin
    if new.state = 'created' then new.created_on := clock_timestamp(); end if;
    if new.state = 'failed' then new.deletion_seconds := 0; end if;
    return new;
  end $$;
  create or replace trigger kerf_stamp before insert on "${space}".job for each row execute function "${space}".kerf_stamp();
  create index if not exists kerf_dead on "${space}".job (name, created_on) where state = 'failed';`;

/** What a schema was made by, kept in its comment: everything the outcome depends on, and a trace of the secret. */
interface Mark {
  fingerprint: string;
  secret: string;
}

async function fingerprintOf(schema: string): Promise<string> {
  const hash = createHash('sha256').update(getConstructionPlans('x'));
  hash.update(await readFile(import.meta.filename));
  for (const file of await migrationFiles(schema)) hash.update(`${schema}/${file}`).update(await readMigration(schema, file));
  return hash.digest('hex').slice(0, 32);
}

async function recordedMarks(admin: Client, schemas: readonly string[]): Promise<Map<string, Mark>> {
  const { rows } = await admin.query<{ schema: string; comment: string | null }>(
    `select nspname as schema, obj_description(oid, 'pg_namespace') as comment from pg_namespace where nspname = any($1)`,
    [schemas],
  );
  return new Map(
    rows.flatMap(({ schema, comment }) => {
      const [, fingerprint, secret] = /^kerf (\w+) (\w+)$/.exec(comment ?? '') ?? [];
      return fingerprint && secret ? [[schema, { fingerprint, secret }] as const] : [];
    }),
  );
}

/** Roles belong to the whole server: another installation's passwords must not be changed under it. */
async function rolesOfAnother(admin: Client, schemas: readonly string[], secret: string): Promise<boolean> {
  const { rows } = await admin.query<{ comment: string | null }>(
    `select shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = any($1)`,
    [schemas.map(loginRole)],
  );
  return rows.some(({ comment }) => comment?.startsWith('kerf ') && comment !== `kerf ${secret}`);
}

const rolesTaken = () =>
  new ConfigError('The roles kerf_… on this server belong to a Kerf with another KERF_SECRET: use that one, or another server, or run "npm run migrate" to take them over.');

/** Going on would lock out every process that has the other secret, and leave signing keys that nobody can open. */
const otherSecret = () =>
  new ConfigError('KERF_SECRET (or the file "secret" in the data directory) is not the one this database was set up with: bring it back, or run "npm run migrate" to go over to this one.');
