import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setInterval as every, setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from './config-error.ts';
import { processCommand, readIfPresent } from './owner-file.ts';
import type { PostgresBinaries, ServerUser } from './postgres-binaries.ts';
import { systemEnvironment } from './system-environment.ts';

/** A cluster on disk, and who serves it with what. */
export interface Site {
  dataDir: string;
  user: ServerUser;
  binaries: PostgresBinaries;
  ownerFile: string;
  passwordFile: string;
  logFile: string;
}

export interface RunningServer {
  pid: number;
  port: number;
  ready: boolean;
}

const pollMs = 10;
const readyWithinMs = 120_000;
const retryWithinMs = 15_000;
const fastShutdownMs = 30_000;
const lookEveryMs = 500;

// Gone at the next try: the port was lost to a race, backends of a killed server are still leaving, or one that was starting won.
const passing = /could not create any TCP\/IP sockets|pre-existing shared memory block|lock file "postmaster.pid" already exists/;

/**
 * Answers a ready server: the one a killed Kerf left, or a new one, at its last port where that is free.
 * Never two on the same data: Postgres holds its own lock there.
 */
export async function ensureServer(site: Site, settings: Record<string, string>, progress: (sentence: string) => void): Promise<RunningServer> {
  const left = await settledServer(site);
  if (left) {
    progress(`Taking over the Postgres (process ${left.pid}) that a killed Kerf left running.`);
    return left;
  }
  // The log of the last run is kept; those before it are not, so that it cannot grow for ever.
  if (existsSync(site.logFile)) renameSync(site.logFile, `${site.logFile}.1`);
  return launched(site, settings, async () => freePort(previousPort(site)));
}

/** Tries until it runs, or will not. */
async function launched(site: Site, settings: Record<string, string>, port: () => Promise<number>): Promise<RunningServer> {
  const deadline = Date.now() + retryWithinMs;
  for (;;) {
    const outcome = await launch(site, await port(), settings);
    if (typeof outcome !== 'string') return outcome;
    if (!passing.test(outcome) || Date.now() > deadline) {
      throw new ConfigError(`Postgres did not start on ${site.dataDir}; the end of ${site.logFile} says:\n${lastLines(outcome)}`);
    }
    await delay(pollMs);
  }
}

/**
 * Starts the server again whenever it has gone, killed by the system perhaps, and at the same port, for every pool knows that one only.
 * Answers how to end that, which waits for a start under way.
 */
export function keepServer(site: Site, port: number, settings: Record<string, string>, progress: (sentence: string) => void): () => Promise<void> {
  const ended = new AbortController();
  const keep = async () => {
    for await (const _ of every(lookEveryMs, undefined, { ref: false, signal: ended.signal })) {
      if (findServer(site)) continue;
      progress('Postgres has gone: it is started again.');
      await launched(site, settings, async () => port).catch((error: Error) => progress(error.message));
    }
  };
  // It only ends by being told to.
  const kept = keep().catch(() => undefined);
  return () => {
    ended.abort();
    return kept;
  };
}

/** The server on this data when it runs, starting and stopping included. */
export function findServer(site: Site): RunningServer | undefined {
  const [pid, , , port, , , , status] = readIfPresent(pidFile(site))?.split('\n') ?? [];
  if (!pid || !serves(site, Number(pid))) return undefined;
  return { pid: Number(pid), port: Number(port), ready: status?.trim() === 'ready' };
}

/** Fast shutdown: open transactions are rolled back, everything committed is on disk. */
export async function stopServer(site: Site): Promise<void> {
  const server = findServer(site);
  if (!server) return;
  signal(server.pid, 'SIGINT');
  const deadline = Date.now() + fastShutdownMs;
  let asked = false;
  while (serves(site, server.pid)) {
    // A replication client that does not take the last changes holds up a fast shutdown; the next start recovers from an immediate one.
    if (!asked && Date.now() > deadline) asked = signal(server.pid, 'SIGQUIT');
    await delay(pollMs);
  }
}

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-8).join('\n');
}

const pidFile = (site: Site) => join(site.dataDir, 'postmaster.pid');

/** By its command line: after a crash of the machine the pid may be anybody's. */
function serves(site: Site, pid: number): boolean {
  return processCommand(pid).includes(`/postgres -D ${site.dataDir} `);
}

async function settledServer(site: Site): Promise<RunningServer | undefined> {
  const deadline = Date.now() + readyWithinMs;
  for (;;) {
    const server = findServer(site);
    if (!server || server.ready) return server;
    if (Date.now() > deadline) throw new ConfigError(`The Postgres already running on ${site.dataDir} (process ${server.pid}) did not become ready; see ${site.logFile}.`);
    await delay(pollMs);
  }
}

/** Answers the ready server, or what it wrote to its log when it ended instead. */
async function launch(site: Site, port: number, settings: Record<string, string>): Promise<RunningServer | string> {
  clearStalePidFile(site);
  const log = openSync(site.logFile, 'a', 0o600);
  const before = fstatSync(log).size;
  // Detached, that is in a session of its own: a Ctrl-C at the terminal goes to Kerf alone, which drains and then stops the database.
  const server = spawn(site.binaries.postgres, serverArguments(site, port, settings), {
    ...site.user.ids,
    cwd: '/',
    env: systemEnvironment,
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  server.unref();
  let ended = false;
  server.once('exit', () => (ended = true));
  let notRun: string | undefined;
  server.once('error', (error) => {
    notRun = error.message;
    ended = true;
  });
  const deadline = Date.now() + readyWithinMs;
  while (!ended) {
    const found = findServer(site);
    if (found?.ready) return found;
    if (Date.now() > deadline) server.kill('SIGQUIT');
    await delay(pollMs);
  }
  return notRun ?? readFileSync(site.logFile).subarray(before).toString();
}

function serverArguments(site: Site, port: number, settings: Record<string, string>): string[] {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    wal_level: 'logical',
    max_connections: '200',
    // Room for every module to be moved, each with its way back.
    max_replication_slots: '30',
    max_wal_senders: '30',
    max_logical_replication_workers: '16',
    max_worker_processes: '24',
    password_encryption: 'scram-sha-256',
    ...settings,
  };
  return ['-D', site.dataDir, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** Postgres clears the file of a dead server itself, with checks of its own, but not an empty one or one whose pid is now somebody else's. */
function clearStalePidFile(site: Site): void {
  const content = readIfPresent(pidFile(site));
  if (content === undefined || findServer(site)) return;
  const pid = Number(content.split('\n')[0]);
  if (!pid || signal(pid, 0)) rmSync(pidFile(site), { force: true });
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Postgres itself notes the command line of its last start. */
function previousPort(site: Site): number {
  return Number(readIfPresent(join(site.dataDir, 'postmaster.opts'))?.match(/"port=(\d+)"/)?.[1] ?? 0);
}

/** The wanted port when it is free, otherwise any that is. */
async function freePort(wanted: number): Promise<number> {
  const probe = createServer();
  try {
    return await new Promise((resolve, reject) => {
      probe.once('error', reject);
      probe.listen(wanted, '127.0.0.1', () => resolve((probe.address() as AddressInfo).port));
    });
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort(0);
  } finally {
    probe.close();
  }
}
