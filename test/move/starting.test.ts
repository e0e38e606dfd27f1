import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Kerf } from '../../src/composition.ts';
import { rows, withoutUser } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import { openBeside } from '../faults/chaos.ts';
import { inFull } from '../faults/shopping.ts';
import { createProcesses } from '../setup/processes.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { asking, comeShopping, createLedger } from '../support/ledger.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { stocked } from '../support/stocked.ts';
import { makePair, type Pair, type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const ROOT = join(import.meta.dirname, '../..');
const CODE = 'STARTS10';
const HELD = ['hold', 'fence', 'catch up', 'flip'];
const KILLED_BEHIND = inFull ? ['preflight', 'prepare', 'copy', 'compare', ...HELD, 'open'] : ['flip'];

let server: Server;
let folder: string;
let pair: Pair;
let beside: Kerf;
beforeAll(async () => {
  [server, folder] = await Promise.all([startServer(), temporaryDirectory()]);
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  pair = await makePair(server, server, 'coupon');
  beside = openBeside(pair.source.url);
});
const settings = () => ({ KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', NODE_COMPILE_CACHE: folder, DATABASE_URL: pair.source.url });
const { start, serving, stopAll } = createProcesses(settings);
afterEach(async () => {
  const apart = await rows<{ pid: number }>(pair.source, `select distinct (detail #>> '{process,pid}')::int as pid from placement.moves where detail #>> '{process,pid}' is not null`);
  for (const { pid } of apart) end(pid);
  await stopAll();
  await beside.stop();
  await endStream({ from: pair.source, to: pair.target });
  await endStream({ from: pair.target, to: pair.source });
  await pair.close();
});

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

interface Ended {
  code: number | null;
  output: string;
}

/** Runs a command of a person; one that is killed is so as soon as this phase is recorded. */
async function kerf(command: string[], { killedBehind, root = ROOT, ...more }: { killedBehind?: string; root?: string; KERF_APART_DATABASE_URL?: string } = {}): Promise<Ended> {
  const killer = `const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (...said) => (String(said[0]).includes('"phase":"${killedBehind}","over":true') ? process.kill(process.pid, 'SIGKILL') : write(...said));`;
  const preload = killedBehind ? ['--import', `data:text/javascript,${encodeURIComponent(killer)}`] : [];
  const env = { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_SECRET: TEST_SECRET, KERF_SEED: 'false', KERF_LOG_LEVEL: 'silent', KERF_POOL_SIZE: '4', ...settings(), ...more };
  const child = spawn(process.execPath, [...preload, join(root, 'src/cli/kerf.ts'), ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  expect(signal, output).toBe(killedBehind ? 'SIGKILL' : null);
  return { code, output };
}

const apart = () => ({ KERF_APART_DATABASE_URL: pair.target.url });
const extract = (killedBehind?: string) => kerf(['extract', 'coupon', '--json'], { ...apart(), ...(killedBehind && { killedBehind }) });
const verified = async () => {
  const { code, output } = await kerf(['verify', '--json', '--only', 'events,coupon,owner']);
  return { code, output, report: code === 2 && !output.startsWith('{') ? undefined : (JSON.parse(output) as object) };
};

async function buyAt(url: string, variants: readonly string[]): Promise<void> {
  const ledger = createLedger();
  const ask = asking([url], { signal: AbortSignal.timeout(60_000), ledger });
  await comeShopping([{ card: 'sandbox_ok', pieces: [1, 1], code: CODE, cancels: false }], 1, { ask, ledger, variants }).served;
  expect(ledger.wrongs()).toEqual([]);
}

it('starts while a module is on its way, at once or behind the move, and nothing is called broken meanwhile', async () => {
  const variants = await stocked(beside, { code: CODE, limit: 100 });
  await serving({});
  const waiting = [];
  for (const phase of KILLED_BEHIND) {
    await extract(phase);
    const late = start({});
    const held = HELD.includes(phase);
    await late.says(held ? /^Waiting for the move of coupon/m : /Kerf is running/);
    const { code, output } = await verified();
    expect([code, output.includes('The module is being moved.')], output).toEqual([held ? 2 : 0, held]);
    if (held) waiting.push(late);
    else await late.stop();
  }
  expect((await extract()).code).toBe(0);
  for (const late of waiting) {
    await late.says(/Kerf is running/);
    await buyAt(/API (\S+)\/v1/.exec(late.output())![1]!, variants);
  }
  expect(await rows(pair.target, 'select count(*)::int from coupon.redemptions')).toEqual([{ count: waiting.length }]);
  const clean = await verified();
  expect(clean, clean.output).toMatchObject({ code: 0, report: { eventsNotLooked: [], ownerNotLooked: [] } });

  await pair.source.client.query('grant insert on coupon.promotions to kerf_coupon');
  expect((await verified()).report).toMatchObject({ findings: expect.arrayContaining([expect.objectContaining({ invariant: 'owner', violations: 1 })]) });
  await pair.source.client.query('revoke insert on coupon.promotions from kerf_coupon');
  await pair.target.client.query(`insert into coupon_jobs.job (name, data, state) values ('events', '{}', 'failed')`);
  expect(await kerf(['events', 'list'])).toMatchObject({ code: 1, output: expect.stringMatching(/^coupon +dead/m) });
});

it('runs migrations where the data is, and none while a way back would break', async () => {
  const newer = join(folder, 'newer');
  await Promise.all(['src', 'migrations', 'package.json'].map((name) => cp(join(ROOT, name), join(newer, name), { recursive: true })));
  await symlink(join(ROOT, 'node_modules'), join(newer, 'node_modules'));
  await writeFile(join(newer, 'migrations/coupon/0099_planted.sql'), 'create table planted (id uuid primary key);');
  const migrate = (more = {}) => kerf(['migrate'], { root: newer, ...more });
  const starting = () => kerf(['start'], { root: newer });
  const planted = async () => (await Promise.all([pair.source, pair.target].map((site) => rows<{ there: boolean }>(site, `select to_regclass('coupon.planted') is not null as there`)))).map(([row]) => row!.there);

  await serving({});
  await extract('copy');
  expect(await migrate()).toEqual({ code: 2, output: expect.stringMatching(/0099_planted\.sql.*it is being moved: end that with "kerf extract coupon" or "kerf move cancel coupon", then run "kerf migrate"\.\n$/) });
  expect((await extract()).code).toBe(0);
  const wayBack = /\(0099_planted\.sql\), and the way back of its move would break: give that up with "kerf move complete coupon" \(after "kerf fold coupon", if it is to be back\), then run "kerf migrate"\.\n$/;
  expect(await migrate(apart())).toEqual({ code: 2, output: expect.stringMatching(wayBack) });
  expect(await starting()).toEqual({ code: 2, output: expect.stringMatching(wayBack) });
  expect(await planted()).toEqual([false, false]);

  expect((await kerf(['move', 'complete', 'coupon'], apart())).code).toBe(0);
  const where = `at ${withoutUser(pair.target.url)} (0099_planted.sql): run "kerf migrate" with COUPON_DATABASE_URL or KERF_APART_DATABASE_URL as the administrator connection to it.`;
  expect(await starting()).toEqual({ code: 2, output: expect.stringContaining(where) });
  expect((await migrate(apart())).output).toMatch(/The database is up to date\.\n$/);
  expect(await planted()).toEqual([false, true]);
  expect(await rows(pair.target, `select has_table_privilege('kerf_coupon', 'coupon.planted', 'insert') as may`)).toEqual([{ may: true }]);
  expect((await migrate()).code).toBe(0);
});
