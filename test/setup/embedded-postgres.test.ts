import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { afterEach, expect, it, vi } from 'vitest';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/setup/embedded-postgres.ts';
import { processCommand, readIfPresent } from '../../src/setup/owner-file.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const checkout = resolve(import.meta.dirname, '../..');
const isRoot = process.getuid?.() === 0;
const settings = { fsync: 'off' };
const cleanUp: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

it('creates the database once and keeps data and port over a restart', async () => {
  const dataDir = newDataDir();
  const first = await start(dataDir);
  expect(first.created).toBe(true);
  expect(await query(first.adminUrl, `SELECT lower('ÄΣЖ') AS lower, current_user AS name, current_setting('wal_level') AS wal`)).toEqual([
    { lower: 'äσж', name: 'kerf_admin', wal: 'logical' },
  ]);
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 7 AS value');
  await first.stop();
  await expect(query(first.adminUrl, 'SELECT')).rejects.toThrow('ECONNREFUSED');

  const second = await start(dataDir);
  expect(second).toMatchObject({ created: false, adminUrl: first.adminUrl });
  expect(await query(second.adminUrl, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
});

it('keeps the password in a file that only its owner reads', async () => {
  const dataDir = newDataDir();
  const { adminUrl } = await start(dataDir);
  const file = statSync(beside(dataDir, 'admin-password'));
  expect(file.mode & 0o777).toBe(0o600);
  expect(file.uid).toBe(statSync(dataDir).uid);
  await expect(query(adminUrl.replace(/:[0-9a-f]+@/, ':wrong@'), 'SELECT')).rejects.toMatchObject({ code: '28P01' });
});

it('takes another port when the last one is taken', async () => {
  const dataDir = newDataDir();
  const first = await start(dataDir);
  await first.stop();
  const squatter = createServer().listen(portOf(first), '127.0.0.1');
  cleanUp.push(() => squatter.close());
  await once(squatter, 'listening');

  const second = await start(dataDir);
  expect(portOf(second)).not.toBe(portOf(first));
  await query(second.adminUrl, 'SELECT');
});

it('starts a server that has gone again at its own port, which every pool knows, also when that is taken for a while', async () => {
  const dataDir = newDataDir();
  const said: string[] = [];
  const { adminUrl, stop } = await startEmbeddedPostgres({ dataDir, settings, onProgress: (sentence) => said.push(sentence) });
  cleanUp.push(stop);
  const gone = serverPid(dataDir);
  process.kill(gone, 'SIGKILL');
  const squatter = createServer();
  await expect.poll(() => once(squatter.listen(portOf({ adminUrl }), '127.0.0.1'), 'listening').then(() => true)).toBe(true);
  await expect.poll(() => readFileSync(beside(dataDir, 'postgres.log'), 'utf8')).toContain('could not create any TCP/IP sockets');
  squatter.close();
  await expect.poll(() => query(adminUrl, 'SELECT 7 AS value').catch(() => []), { timeout: 20_000 }).toEqual([{ value: 7 }]);
  expect(said.filter((sentence) => sentence.startsWith('Postgres has gone'))).toHaveLength(1);
});

it.each([
  ['killed', (kerf: ChildProcess) => kerf.kill('SIGKILL')],
  ['interrupted with Ctrl-C, which reaches its whole process group', (kerf: ChildProcess) => process.kill(-kerf.pid!, 'SIGINT')],
])('takes over the server of a Kerf that was %s', async (_, end) => {
  const dataDir = newDataDir();
  const kerf = startElsewhere(dataDir);
  const { adminUrl } = await kerf.started;
  const server = serverPid(dataDir);
  end(kerf.process);
  await once(kerf.process, 'exit');
  await query(adminUrl, 'CREATE TABLE kept AS SELECT 7 AS value');

  const said: string[] = [];
  const next = await startEmbeddedPostgres({ dataDir, settings, onProgress: (sentence) => said.push(sentence) });
  expect(next).toMatchObject({ adminUrl, created: false });
  expect(said).toEqual([`Taking over the Postgres (process ${server}) that a killed Kerf left running.`]);
  expect(serverPid(dataDir)).toBe(server);
  await next.stop();
  expect(processCommand(server)).toBe('');
});

it('recovers when Postgres itself was killed, and stop is then harmless', async () => {
  const dataDir = newDataDir();
  const first = await start(dataDir);
  await query(first.adminUrl, 'CREATE TABLE kept AS SELECT 7 AS value');
  await killServer(dataDir);
  await first.stop();

  const second = await start(dataDir);
  expect(await query(second.adminUrl, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
});

it('is not misled by pids that belong to other processes since the machine died', async () => {
  const dataDir = newDataDir();
  const first = await start(dataDir);
  const pidFile = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8');
  await killServer(dataDir);
  await first.stop();
  // Run by the server's own user: Postgres would take any such process for a rival.
  const { uid, gid } = statSync(dataDir);
  const unrelated = spawn('sleep', ['60'], isRoot ? { uid, gid } : {});
  cleanUp.push(() => unrelated.kill());
  writeFileSync(join(dataDir, 'postmaster.pid'), pidFile.replace(/^\d+/, String(unrelated.pid)));
  writeFileSync(beside(dataDir, 'owner.pid'), `${unrelated.pid}\nanother start\n`);

  await start(dataDir);
  expect(serverPid(dataDir)).not.toBe(unrelated.pid);
  expect(unrelated.exitCode).toBe(null);
});

it('starts over when the first initdb was killed half-way', async () => {
  const dataDir = newDataDir();
  const halves = () => readdirSync(dirname(dataDir)).filter((name) => name.startsWith('postgres.initdb-'));
  const kerf = startElsewhere(dataDir);
  await vi.waitUntil(() => halves().some((half) => existsSync(join(dirname(dataDir), half, 'PG_VERSION'))), { timeout: 10_000, interval: 5 });
  kerf.process.kill('SIGKILL');
  await once(kerf.process, 'exit');
  expect(existsSync(dataDir)).toBe(false);

  const next = await start(dataDir);
  expect(next.created).toBe(true);
  expect(halves()).toEqual([]);
});

it('refuses data that another live process owns, and attaches to it when asked', async () => {
  const dataDir = newDataDir();
  const kerf = startElsewhere(dataDir);
  const { adminUrl } = await kerf.started;
  await expect(start(dataDir)).rejects.toMatchObject({
    code: 'KERF_ALREADY_RUNNING',
    message: `Kerf is already running as process ${kerf.process.pid} on the data in ${dataDir}; stop that one first.`,
  });

  const attached = await start(dataDir, { attach: true });
  expect(attached).toMatchObject({ adminUrl, created: false });
  await attached.stop();
  await query(adminUrl, 'SELECT');
});

it('attaches to an owner that is still starting', async () => {
  const dataDir = newDataDir();
  const [owner, attached] = await Promise.all([start(dataDir), start(dataDir, { attach: true })]);
  expect(attached).toMatchObject({ adminUrl: owner.adminUrl, created: false });
});

it('lets one of several simultaneous starts win', async () => {
  const dataDir = newDataDir();
  for (const round of ['empty folder', 'dead owner']) {
    const kerfs = [1, 2, 3, 4].map(() => startElsewhere(dataDir));
    const outcomes = await Promise.all(kerfs.map((kerf) => kerf.started.then(() => 'started', (error) => error.message)));
    expect(outcomes.sort(), round).toEqual(['KERF_ALREADY_RUNNING', 'KERF_ALREADY_RUNNING', 'KERF_ALREADY_RUNNING', 'started']);
    await Promise.all(kerfs.map((kerf) => kill(kerf.process)));
  }
});

it('says what Postgres said when it does not start', async () => {
  const dataDir = newDataDir();
  await expect(start(dataDir, { settings: { work_mem: 'plenty' } })).rejects.toThrow('invalid value for parameter "work_mem": "plenty"');
  await start(dataDir);
});

it('refuses data of another major version', async () => {
  const dataDir = newDataDir();
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'PG_VERSION'), '15\n');
  await expect(start(dataDir)).rejects.toThrow(`The data in ${dataDir} was written by Postgres 15, but Kerf comes with Postgres 18`);
});

it('refuses a folder with something else in it', async () => {
  const dataDir = newDataDir();
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'thesis.txt'), '');
  await expect(start(dataDir)).rejects.toThrow(`${dataDir} is not empty and holds no Postgres data`);
});

it('refuses an explicit folder that the server cannot reach', async () => {
  const closed = newFolder('/tmp', isRoot ? 0o700 : 0);
  cleanUp.push(() => chmodSync(closed, 0o700));
  await expect(start(join(closed, 'postgres'))).rejects.toThrow(`cannot reach ${closed}/postgres; choose another folder, or set DATABASE_URL.`);
});

it('says which binaries are missing', async () => {
  const copy = copyCheckout('/tmp', ['embedded-postgres']);
  const kerf = startElsewhere(newDataDir(), copy);
  await expect(kerf.started).rejects.toThrow(`(@embedded-postgres/${process.platform}-${process.arch}) are not installed`);
});

it('keeps data beside the binaries in /var/lib/kerf when the checkout is closed to the server', async ({ skip }) => {
  skip(!isRoot, 'only root hands the server to another user');
  const copy = copyCheckout('/root', ['embedded-postgres', '@embedded-postgres']);
  chmodSync(copy, 0o700);
  const moved = `/var/lib/kerf/${createHash('sha256').update(copy).digest('hex').slice(0, 12)}`;
  removeAfterwards(...(existsSync('/var/lib/kerf') ? [moved] : ['/var/lib/kerf']));
  cleanUp.push(() => killServer(join(moved, 'postgres')));

  const kerf = startElsewhere(undefined, copy);
  const { adminUrl } = await kerf.started;
  expect(await query(adminUrl, 'SHOW data_directory')).toEqual([{ data_directory: join(moved, 'postgres') }]);
  expect(existsSync(join(copy, '.kerf'))).toBe(false);
  await kill(kerf.process);
});

function newDataDir(): string {
  const dataDir = join(newFolder('/tmp', 0o755), 'postgres');
  cleanUp.push(() => killServer(dataDir));
  return dataDir;
}

function newFolder(parent: string, mode: number): string {
  const folder = mkdtempSync(join(parent, 'kerf-embedded-'));
  chmodSync(folder, mode);
  removeAfterwards(folder);
  return folder;
}

function removeAfterwards(...folders: string[]): void {
  cleanUp.push(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })));
}

async function start(dataDir: string, more: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, settings, ...more });
  cleanUp.push(() => postgres.stop());
  return postgres;
}

/** Another Kerf: a process of its own, in a process group of its own as a shell would give it. */
function startElsewhere(dataDir?: string, from = checkout): { process: ChildProcess; started: Promise<{ adminUrl: string }> } {
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(join(from, 'src/setup/embedded-postgres.ts'))});
    const report = await startEmbeddedPostgres(${JSON.stringify({ dataDir, settings })}).catch((error) => ({ refusal: error.code ?? error.message }));
    console.log(JSON.stringify(report));
    if (report.adminUrl) setInterval(() => {}, 1_000);`;
  const kerf = spawn(process.execPath, ['--input-type=module', '-e', script], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  cleanUp.push(() => kill(kerf));
  const started = once(createInterface(kerf.stdout), 'line').then(([line]) => {
    const report = JSON.parse(line);
    if (report.refusal) throw new Error(report.refusal);
    return report;
  });
  return { process: kerf, started };
}

async function kill(kerf: ChildProcess): Promise<void> {
  if (kerf.exitCode !== null || kerf.signalCode !== null) return;
  kerf.kill('SIGKILL');
  await once(kerf, 'exit');
}

/** A checkout with the files that starting takes; packages are copied where they lie matters, and linked otherwise. */
function copyCheckout(parent: string, copied: string[]): string {
  const copy = newFolder(parent, 0o755);
  mkdirSync(join(copy, 'node_modules'));
  cpSync(join(checkout, 'package.json'), join(copy, 'package.json'));
  cpSync(join(checkout, 'src/setup'), join(copy, 'src/setup'), { recursive: true });
  for (const name of copied) cpSync(join(checkout, 'node_modules', name), join(copy, 'node_modules', name), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(checkout, 'node_modules/pg'), join(copy, 'node_modules/pg'));
  return copy;
}

async function killServer(dataDir: string): Promise<void> {
  const pid = serverPid(dataDir);
  const alive = () => processCommand(pid).includes(`-D ${dataDir} `);
  if (!alive()) return;
  process.kill(pid, 'SIGKILL');
  await vi.waitUntil(() => !alive(), { timeout: 10_000, interval: 5 });
}

const beside = (dataDir: string, name: string) => join(dirname(dataDir), name);
const serverPid = (dataDir: string) => Number(readIfPresent(join(dataDir, 'postmaster.pid'))?.split('\n')[0]);
const portOf = (postgres: Pick<EmbeddedPostgres, 'adminUrl'>) => Number(new URL(postgres.adminUrl).port);

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
