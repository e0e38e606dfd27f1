import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { MODULES } from '../src/calls.ts';
import { startEmbeddedPostgres } from '../src/setup/embedded-postgres.ts';
import { moduleUrl } from '../src/setup/provision.ts';

/* The Postgres and the Kerf that are measured, and what they say of themselves. */

export const ROOT = join(import.meta.dirname, '..');
export const SECRET = 'a secret for the bench, known to all who read it';
/** Milliseconds without any event or job done after which the shop is taken to be stuck. */
const PATIENCE = 60_000;

export type Postgres = Awaited<ReturnType<typeof openPostgres>>;

/** What has been used up since the server started; by difference, what a slice of load took. */
export interface Counts {
  /** without the brackets of transactions */
  statements: number;
  commits: number;
  walBytes: number;
  walFlushes: number;
  deadlocks: number;
  /** bytes of each table with its indexes */
  tables: Record<string, number>;
  databaseBytes: number;
}

/** With the settings that Kerf starts its own with, and a count of all statements beside. */
export async function openPostgres(settings: Record<string, string> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
  await chmod(directory, 0o755);
  const server = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), settings: { shared_preload_libraries: 'pg_stat_statements', ...settings } });
  const admin = new Client({ connectionString: server.adminUrl, application_name: 'bench' });
  await admin.connect();
  await admin.query('create extension pg_stat_statements');
  const { rows: [about] } = await admin.query<{ version: string; pid: string }>(`select current_setting('server_version') as version, split_part(pg_read_file('postmaster.pid'), E'\\n', 1) as pid`);
  return {
    directory,
    admin,
    adminUrl: server.adminUrl,
    version: about!.version,
    cpuSeconds: () => cpuSeconds(Number(about!.pid)),
    counts: () => countsOf(admin),
    quiet: () => quiet(admin),
    /** The same data under another name, for what would spoil the original. Nobody else may be connected to that. */
    async copy(name: string): Promise<string> {
      await admin.query(`create database ${name} template ${new URL(server.adminUrl).pathname.slice(1)}`);
      return Object.assign(new URL(server.adminUrl), { pathname: `/${name}` }).toString();
    },
    async stop() {
      await admin.end();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function countsOf(admin: Client): Promise<Counts> {
  const { rows: [counts] } = await admin.query<Record<keyof Counts, unknown>>(`
    with own as (
      select s.calls, s.query ~* '^(begin|commit|rollback)' as bracket, s.query ~* '^commit' as commit
      from pg_stat_statements s join pg_roles r on r.oid = s.userid
      where r.rolname like 'kerf\\_%' and r.rolname <> current_user and s.dbid = (select oid from pg_database where datname = current_database())
    )
    select
      (select coalesce(sum(calls), 0) from own where not bracket) as statements,
      (select coalesce(sum(calls), 0) from own where commit) as commits,
      pg_current_wal_lsn() - '0/0' as "walBytes",
      (select sum(fsyncs) from pg_stat_io where object = 'wal') as "walFlushes",
      (select deadlocks from pg_stat_database where datname = current_database()) as deadlocks,
      (select jsonb_object_agg(oid::regclass, pg_total_relation_size(oid)) from pg_class where relkind in ('r', 'm') and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')) as tables,
      pg_database_size(current_database()) as "databaseBytes"`);
  return Object.fromEntries(Object.entries(counts!).map(([name, value]) => [name, typeof value === 'object' ? value : Number(value)])) as unknown as Counts;
}

/** Waits until no event and no job that is due is left, as long as they become fewer. */
async function quiet(admin: Client): Promise<void> {
  const due = MODULES.map((name) => `select 1 from ${name}_jobs.job where state < 'completed' and start_after <= now()`).join(' union all ');
  let fewest = Infinity;
  for (let until = Date.now() + PATIENCE; Date.now() < until; await setTimeout(50)) {
    const { rows: [left] } = await admin.query<{ count: number }>(`select count(*)::integer as count from (${due}) as left_over`);
    if (left!.count === 0) return;
    if (left!.count < fewest) until = Date.now() + PATIENCE;
    fewest = Math.min(fewest, left!.count);
  }
  throw new Error(`The shop gets no further with what its orders caused: ${fewest} events and jobs are due.`);
}

/** Ends what was started, the last first, also when somebody at the terminal has seen enough: Postgres is in a session of its own. */
export function onInterrupt(ends: readonly (() => unknown)[]): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      for (const end of ends) await end();
      process.exit(130);
    });
  }
}

export type Kerf = Awaited<ReturnType<typeof startKerf>>;

/** A process of its own as by `npm start`, for production, but for limits that would measure themselves. */
export async function startKerf(postgres: Postgres, nodeOptions: readonly string[] = []) {
  const since = performance.now();
  const child = spawn(process.execPath, [...nodeOptions, join(ROOT, 'src/main.ts')], { env: environmentOf(postgres), cwd: postgres.directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const url = await Promise.race([addressOf(child), ended.then(() => undefined)]);
  if (url === undefined) throw new Error('Kerf did not start; its own words are above.');
  return {
    url,
    startMs: performance.now() - since,
    cpuSeconds: () => cpuSeconds(child.pid!),
    /** most memory that it ever had, where the system tells */
    peakBytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${child.pid}/status`))?.[1] ?? Number.NaN) * 1_024,
    async stop() {
      child.kill();
      await ended;
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let output = '';
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    output += String(chunk);
    if (/Kerf is running/.test(output)) break;
  }
  child.stdout!.resume();
  return /API (\S+)\/v1/.exec(output)![1]!;
}

/** What `kerf verify` says at last, and whether everything holds. */
export async function verifyShop(postgres: Postgres): Promise<{ holds: boolean; told: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), 'verify', '--grace', '0'], { env: environmentOf(postgres), cwd: postgres.directory, stdio: ['ignore', 'pipe', 'ignore'] });
  let told = '';
  child.stdout.on('data', (chunk) => (told += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { holds: code === 0, told: told.trim() };
}

export const environmentOf = ({ adminUrl, directory }: Postgres): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production', DATABASE_URL: adminUrl, KERF_DATA_DIR: directory, KERF_SECRET: SECRET,
  KERF_SANDBOX_PAYMENTS: 'true', KERF_RATE_LIMIT: '0', KERF_SHED_FROM: '0', HOST: '127.0.0.1', PORT: '0', KERF_INTERNAL_PORT: '0',
});

export const moduleUrlAt = (adminUrl: string, module: string) => moduleUrl(adminUrl, module, SECRET);

/** Ticks of the clock that Linux counts in, in a second. */
const TICKS = 100;

/** Of a process with its children, and those that have ended; NaN where there is no /proc. */
function cpuSeconds(pid: number): number {
  const own = ticksOf(read(`/proc/${pid}/stat`));
  if (!own) return Number.NaN;
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((name) => ticksOf(read(`/proc/${name}/stat`))).filter((one) => one?.parent === pid);
  return (own.used + own.ended + children.reduce((sum, child) => sum + child!.used, 0)) / TICKS;
}

function ticksOf(stat: string): { parent: number; used: number; ended: number } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  if (fields.length < 15) return undefined;
  return { parent: fields[1]!, used: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! };
}

/** A process may be gone before it is looked at. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
