import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client, escapeIdentifier } from 'pg';
import { MODULES } from '../calls.ts';
import type { Config } from '../config.ts';
import { hasEmbeddedData, startEmbeddedPostgres } from './embedded-postgres.ts';
import { listen } from './listen.ts';
import { dataDirectory, ROOT } from './paths.ts';
import { readOrMakeSecret } from './secret.ts';
import { readSplitShop, splitDatabase, splitDatabaseUrl, splitShopFile, writeSplitShop } from './split-shop.ts';

/** Milliseconds that a part gets to finish what is under way. */
const PATIENCE = 60_000;

/** One process of a split Kerf: what it is called and what it is told. */
export interface Part {
  name: string;
  environment: Record<string, string>;
}

/**
 * Processes for every group of modules, and one for the public API alone (or with the modules that are in no group), that
 * find each other by unix sockets in `sockets` and keep each module in a database of its own on one server.
 */
export function partsOf(groups: readonly (readonly string[])[], { sockets, databaseUrl }: { sockets: string; databaseUrl: (module: string) => string }): Part[] {
  const inGroups = groups.flat();
  const rest = MODULES.filter((name) => !inGroups.includes(name));
  const socket = (group: readonly string[]) => join(sockets, `${group.length > 0 ? group.join('-') : 'edge'}.sock`.slice(-60));
  const all = [...groups.map((group) => ({ name: group.join('+'), group, edge: false })), { name: ['edge', ...rest].join('+'), group: rest, edge: true }];
  return all.map(({ name, group, edge }) => ({
    name,
    environment: {
      ...(group.length > 0 && { KERF_MODULES: group.join(',') }),
      KERF_EDGE: String(edge),
      KERF_INTERNAL_SOCKET: socket(group),
      KERF_INTERNAL_PORT: '',
      ...Object.fromEntries(group.map((module) => [`${module.toUpperCase()}_DATABASE_URL`, databaseUrl(module)])),
      ...(edge && { DATABASE_URL: databaseUrl('edge') }),
      ...Object.fromEntries(all.filter((other) => other.group !== group).flatMap((other) => other.group.map((module) => [`KERF_${module.toUpperCase()}_URL`, `unix:${socket(other.group)}`]))),
    },
  }));
}

export interface Split {
  /** answers the name of the first part that ends */
  ended: Promise<string>;
  /** lets every part finish, the public API first, then stops the database */
  stop(): Promise<void>;
  /** for a stop that takes too long: ends every part at once */
  kill(): void;
}

/** Every module in a process of its own on this machine, each with its own database, until `stop`. */
export async function startSplit(config: Config, { say, environment }: { say: (line: string) => void; environment: NodeJS.ProcessEnv }): Promise<Split> {
  const port = await freePort(config);
  const directory = dataDirectory(config.dataDir);
  const secret = config.secret ?? (await readOrMakeSecret(directory));
  const dataDir = config.dataDir && `${directory}/postgres`;
  if (hasEmbeddedData(dataDir) && !readSplitShop(directory)) say(`The shop that "npm start" made stays as it is, and this is another one, which "npm start" and all commands find from now on. To go back: remove ${splitShopFile(directory)}.`);
  const postgres = await startEmbeddedPostgres({ onProgress: say, ...(dataDir && { dataDir }) });
  const sockets = await mkdtemp(join(tmpdir(), 'kerf-'));
  const names = [...MODULES, 'edge'];
  const publicUrl = config.publicUrl ?? `http://localhost:${port}`;
  await createDatabases(postgres.adminUrl, names.map(splitDatabase));
  await writeSplitShop(directory, { publicUrl });
  const parts = partsOf(MODULES.map((name) => [name]), { sockets, databaseUrl: (module) => splitDatabaseUrl(postgres.adminUrl, module) });
  const width = Math.max(...names.map((name) => name.length));
  const shared = { KERF_SECRET: secret, PORT: String(port), KERF_PUBLIC_URL: publicUrl };
  const run = (part: Part) => startPart(part, { ...environment, ...shared }, (line) => say(`${part.name.padEnd(width)} | ${line}`));
  const modules = parts.slice(0, -1).map(run);
  let stopping = false;
  let front: RunningPart | undefined;
  /** last, because it calls them all: a front that finds a module away serves without it, and fills no shop */
  const frontEnded = Promise.all(modules.map(({ serves }) => serves)).then(() => {
    if (!stopping) front = run(parts.at(-1)!);
    return front?.ended ?? Promise.race(modules.map(({ ended }) => ended));
  });
  return {
    ended: Promise.race([...modules.map(({ ended }) => ended), frontEnded]),
    async stop() {
      stopping = true;
      if (front) await terminated(front.child);
      await Promise.all(modules.map(({ child }) => terminated(child)));
      await rm(sockets, { recursive: true, force: true });
      await postgres.stop();
    },
    kill() {
      for (const { child } of [...modules, ...(front ? [front] : [])]) child.kill('SIGKILL');
    },
  };
}

/** Known before any part starts: the address of the public API stands in access tokens and mails, which others make. */
async function freePort({ host, port }: Config): Promise<number> {
  const taken = await listen({ host, port, preferred: 3_000, variable: 'PORT' });
  await taken.close(0);
  return taken.port;
}

async function createDatabases(adminUrl: string, names: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    const missing = names.filter((name) => !rows.some(({ datname }) => datname === name));
    for (const name of missing) await client.query(`create database ${escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

interface RunningPart {
  child: ChildProcess;
  /** once it says that it runs, or is gone */
  serves: Promise<unknown>;
  /** answers its name */
  ended: Promise<string>;
}

/**
 * In a process group of its own: a Ctrl-C at the terminal is for whoever started it, who stops the parts in order. The
 * channel says nothing; by its end a part knows that whoever started it is gone, however that came.
 */
function startPart({ name, environment }: Part, inherited: NodeJS.ProcessEnv, say: (line: string) => void): RunningPart {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts')], { env: { ...inherited, ...environment }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
  for (const stream of [child.stdout!, child.stderr!]) createInterface({ input: stream }).on('line', say);
  const ended = once(child, 'exit').then(() => name);
  const running = new Promise<void>((resolve) => createInterface({ input: child.stdout! }).on('line', (line) => line.startsWith('Kerf is running') && resolve()));
  return { child, ended, serves: Promise.race([running, ended]) };
}

async function terminated(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  child.kill('SIGTERM');
  await exit;
  clearTimeout(timer);
}
