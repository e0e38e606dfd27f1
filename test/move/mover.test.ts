import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Kerf } from '../../src/composition.ts';
import { readRights } from '../../src/move/fence.ts';
import { rows, type Site } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import { openBeside, wrongInTheBooks } from '../faults/chaos.ts';
import { inFull } from '../faults/shopping.ts';
import { createProcesses } from '../setup/processes.ts';
import { inconsistencies } from '../support/consistency.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { asking, comeShopping, createLedger, type Plan } from '../support/ledger.ts';
import { STOCK, stocked } from '../support/stocked.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { allOrders } from './shop-traffic.ts';
import { makePair, type Pair, type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } });

const KERF = join(import.meta.dirname, '../../src/cli/kerf.ts');
const CODE = 'MOVES10';
const PHASES = ['preflight', 'prepare', 'copy', 'compare', 'hold', 'fence', 'catch up', 'flip', 'open'];
const KILLED_BEHIND = inFull ? { extract: PHASES, fold: PHASES } : { extract: ['copy', 'fence'], fold: ['flip'] };

let home: Server;
let apart: Server;
let folder: string;
let pair: Pair;
let beside: Kerf;
beforeAll(async () => {
  [home, apart, folder] = await Promise.all([startServer(), startServer(), temporaryDirectory()]);
});
afterAll(async () => {
  await Promise.all([home.stop(), apart.stop()]);
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  pair = await makePair(home, apart, 'coupon');
  beside = openBeside(pair.source.url);
});
const settings = () => ({ KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', NODE_COMPILE_CACHE: folder, DATABASE_URL: pair.source.url });
const { serving, stopAll } = createProcesses(settings);
afterEach(async () => {
  for (const pid of await apartProcesses()) if (isThere(pid)) process.kill(pid, 'SIGKILL');
  await stopAll();
  await beside.stop();
  await endStream({ from: pair.source, to: pair.target });
  await endStream({ from: pair.target, to: pair.source });
  await pair.close();
});

const slots = (site: Site) => rows(site, 'select slot_name from pg_replication_slots where database = current_database()');

async function apartProcesses(): Promise<number[]> {
  const found = await rows<{ pid: number }>(pair.source, `select distinct (detail #>> '{process,pid}')::int as pid from placement.moves where detail #>> '{process,pid}' is not null`);
  return found.map(({ pid }) => pid);
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

interface Ended {
  code: number | null;
  output: string;
  report: { phase: string; pause: number; rows: number; tries: number };
}

/** Runs a command of a person, who names the database apart; one that is killed is so as soon as this phase is recorded. */
async function kerf(command: string[], killedBehind?: string): Promise<Ended> {
  const killer = `const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (...said) => (String(said[0]).includes('"phase":"${killedBehind}","over":true') ? process.kill(process.pid, 'SIGKILL') : write(...said));`;
  const preload = killedBehind ? ['--import', `data:text/javascript,${encodeURIComponent(killer)}`] : [];
  const env = { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_SECRET: TEST_SECRET, KERF_SEED: 'false', KERF_LOG_LEVEL: 'silent', KERF_POOL_SIZE: '4', KERF_SHED_FROM: '0', KERF_APART_DATABASE_URL: pair.target.url, ...settings() };
  const child = spawn(process.execPath, [...preload, KERF, ...command, '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  expect(signal, output).toBe(killedBehind ? 'SIGKILL' : null);
  return { code, output, report: (code === 0 ? JSON.parse(output.trim().split('\n').at(-1)!) : {}) as Ended['report'] };
}

async function moved(direction: 'extract' | 'fold', killedBehind: string[] = []): Promise<Ended['report']> {
  for (const phase of killedBehind) await kerf([direction, 'coupon'], phase);
  const { code, output, report } = await kerf([direction, 'coupon']);
  expect(output).toContain('"phase":"settle"');
  expect(code).toBe(0);
  return report;
}

const whereRightsAre = async () => (await Promise.all([readRights(pair.source), readRights(pair.target)])).map(({ length }) => length > 0);
const AT_HOME = [true, false];
const APART = [false, true];

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  card: fc.constantFrom('sandbox_ok', 'sandbox_declined', 'sandbox_action', 'sandbox_late'),
  pieces: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  code: fc.constantFrom(CODE, CODE, CODE, null),
  cancels: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
});

/** Shoppers come as long as `work` takes, and what they were told is kept. */
async function whileShopping(url: string, patient: boolean, work: () => Promise<void>): Promise<void> {
  const variants = await stocked(beside, { code: CODE, limit: 5_000 });
  const ledger = createLedger();
  const patience = new AbortController();
  const ask = asking([url], { signal: patience.signal, ledger, patient });
  let isOver = false;
  const crowd = async () => {
    for (let seed = 1; !isOver; seed += 1) await comeShopping(fc.sample(anyPlan, { seed, numRuns: 4 }), 100, { ask, ledger, variants }).served;
  };
  const served = Promise.all([crowd(), crowd()]);
  await work().finally(() => (isOver = true));
  const stuck = setTimeout(() => patience.abort(), 60_000);
  await served;
  clearTimeout(stuck);
  expect(ledger.wrongs()).toEqual([]);
  const amiss = async () => [
    ...(await inconsistencies(beside, { received: new Map(variants.map((variantId) => [variantId, STOCK])), acknowledged: [] })),
    ...(await wrongInTheBooks(pair.source.url)),
    ...(await ledger.judge(asking([url], { signal: AbortSignal.timeout(40_000), ledger }), await allOrders(beside))),
  ];
  await expect.poll(amiss, { timeout: 60_000, interval: 500 }).toEqual([]);
  expect(ledger.size()).toBeGreaterThan(50);
}

describe('coupon, while shoppers buy', () => {
  it.runIf(inFull)('goes to a database and a process of its own, and comes back, and nobody meets an error', async () => {
    const shop = await serving({});
    await whileShopping(shop.url, false, async () => {
      const away = await moved('extract');
      expect(await whereRightsAre()).toEqual(APART);
      const back = await moved('fold');
      expect(await whereRightsAre()).toEqual(AT_HOME);
      process.stdout.write(`${JSON.stringify({ away, back })}\n`);
    });
    expect(await rows(pair.source, 'select count(*)::int from placement.moves where ended_at is null')).toEqual([{ count: 1 }]);
    await kerf(['move', 'complete', 'coupon']);
    expect([await slots(pair.source), await slots(pair.target)]).toEqual([[], []]);
    expect(await rows(pair.target, `select to_regclass('coupon.promotions') as there`)).toEqual([{ there: null }]);
  });

  it('does so although each command is killed, and run again', async () => {
    const shop = await serving({});
    await whileShopping(shop.url, true, async () => {
      await moved('extract', KILLED_BEHIND.extract);
      expect(await whereRightsAre()).toEqual(APART);
      await moved('fold', KILLED_BEHIND.fold);
      expect(await whereRightsAre()).toEqual(AT_HOME);
    });
  });
});

describe('a way back that was given up', () => {
  it.runIf(inFull)('leaves no second place, whoever starts meanwhile, and the module comes back by a new copy', async () => {
    const shop = await serving({});
    await whileShopping(shop.url, true, async () => {
      expect((await kerf(['extract', 'coupon', '--keep-reverse', '0'])).report.phase).toBe('complete');
      await serving({});
      expect(await whereRightsAre()).toEqual(APART);
      await moved('fold');
      expect(await whereRightsAre()).toEqual(AT_HOME);
    });
  });
});

describe('a move that has not flipped', () => {
  it('leaves all as it was when it is cancelled', async () => {
    const shop = await serving({});
    const rights = await readRights(pair.source);
    await whileShopping(shop.url, true, async () => {
      await kerf(['extract', 'coupon'], 'fence');
      const [started] = await apartProcesses();
      expect((await kerf(['fold', 'coupon'])).output).toMatch(/^coupon is on its way: run "kerf extract coupon" again/);
      expect((await kerf(['move', 'cancel', 'coupon'])).report.phase).toBe('cancelled');
      await expect.poll(() => isThere(started!)).toBe(false);
    });
    expect(await readRights(pair.source)).toEqual(rights);
    expect([await slots(pair.source), await slots(pair.target)]).toEqual([[], []]);
    expect(await rows(pair.target, `select nspname from pg_namespace where nspname like 'coupon%'`)).toEqual([]);
    expect(await rows(pair.source, `select held, database_url, address, next_url from placement.modules`)).toEqual([{ held: false, database_url: null, address: null, next_url: null }]);
  });
});
