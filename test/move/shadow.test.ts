import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Kerf } from '../../src/composition.ts';
import { rows } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import type { ShadowReport } from '../../src/shared/seam/mirror.ts';
import { moduleUrl } from '../../src/setup/provision.ts';
import { openBeside } from '../faults/chaos.ts';
import { inFull } from '../faults/shopping.ts';
import { createProcesses, type Process } from '../setup/processes.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { asking, comeShopping, createLedger, type Plan } from '../support/ledger.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { stocked } from '../support/stocked.ts';
import { makePair, type Pair, type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } });

const KERF = join(import.meta.dirname, '../../src/cli/kerf.ts');
const CODE = 'SHADOW10';
const NOTHING = { held: false, database_url: null, address: null, next_url: null, shadow: null };

let home: Server;
let apart: Server;
let folder: string;
let pair: Pair;
let beside: Kerf;
let shop: Process & { url: string };
let variants: string[];
beforeAll(async () => {
  [home, apart, folder] = await Promise.all([startServer(), startServer(), temporaryDirectory()]);
});
afterAll(async () => {
  await Promise.all([home.stop(), apart.stop()]);
  await rm(folder, { recursive: true, force: true });
});
const settings = () => ({ KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', NODE_COMPILE_CACHE: folder, DATABASE_URL: pair.source.url });
const { serving, stopAll } = createProcesses(settings);
beforeEach(async () => {
  pair = await makePair(home, apart, 'coupon');
  beside = openBeside(pair.source.url);
  variants = await stocked(beside, { code: CODE, limit: 5_000 });
  shop = await serving({});
});
const commands: ChildProcess[] = [];
afterEach(async () => {
  for (const command of commands.splice(0)) command.kill('SIGKILL');
  for (const pid of await apartProcesses()) signal(pid, 'SIGKILL');
  await stopAll();
  await beside.stop();
  await endStream({ from: pair.source, to: pair.target });
  await endStream({ from: pair.target, to: pair.source });
  await pair.close();
});

async function apartProcesses(): Promise<number[]> {
  const found = await rows<{ pid: number }>(pair.source, `select distinct (detail #>> '{process,pid}')::int as pid from placement.moves where detail #>> '{process,pid}' is not null`);
  return found.map(({ pid }) => pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone.
  }
}

interface Said {
  phase: string;
  over: boolean;
  reads?: number;
  shadowed?: ShadowReport;
}

/** Runs a command of a person; `said` are its lines so far. */
function kerf(...command: string[]) {
  const env = { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_SECRET: TEST_SECRET, KERF_SEED: 'false', KERF_LOG_LEVEL: 'silent', KERF_POOL_SIZE: '4', KERF_SHED_FROM: '0', KERF_APART_DATABASE_URL: pair.target.url, ...settings() };
  const child = spawn(process.execPath, [KERF, ...command, '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  commands.push(child);
  const closed = once(child, 'close');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const said = () => output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Said);
  return {
    child,
    said,
    /** its exit code and all it said */
    ended: async () => [((await closed) as [number | null])[0], output] as const,
    /** reads have been answered twice */
    async shadowing() {
      await expect.poll(() => said().findLast(({ phase, over }) => phase === 'shadow' && !over)?.reads ?? 0).toBeGreaterThan(0);
    },
  };
}

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  card: fc.constantFrom('sandbox_ok', 'sandbox_declined'),
  pieces: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  code: fc.constant(CODE),
  cancels: fc.boolean(),
});

/** Shoppers come as long as `work` takes, and each is served. */
async function whileShopping(work: () => Promise<void>): Promise<void> {
  const ledger = createLedger();
  const ask = asking([shop.url], { signal: AbortSignal.timeout(200_000), ledger, patient: false });
  let isOver = false;
  const crowd = async () => {
    for (let seed = 1; !isOver; seed += 1) await comeShopping(fc.sample(anyPlan, { seed, numRuns: 4 }), 100, { ask, ledger, variants }).served;
  };
  const served = crowd();
  await work().finally(() => (isOver = true));
  await served;
  expect(ledger.wrongs()).toEqual([]);
}

const placeOfCoupon = async () => (await rows(pair.source, 'select held, database_url, address, next_url, shadow from placement.modules'))[0];

/** What a role that can only read is answered by the target. */
async function asReader(...statements: string[]): Promise<string> {
  const client = new Client({ connectionString: moduleUrl(pair.target.url, 'coupon_shadow', TEST_SECRET) });
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
    return 'done';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    await client.end();
  }
}

describe('reads that are answered twice before a module moves', () => {
  it.runIf(inFull)('agree while shoppers buy, write nothing, and a command that is killed goes on with them', async () => {
    await whileShopping(async () => {
      const killed = kerf('extract', 'coupon', '--shadow-percent', '100', '--shadow-for', '3m');
      await killed.shadowing();
      expect(await asReader('select from coupon.promotions')).toBe('done');
      expect(await asReader('update coupon.promotions set id = id')).toBe('25006');
      expect(await asReader('set default_transaction_read_only = off', 'update coupon.promotions set id = id')).toBe('42501');
      expect(await asReader('select from coupon_jobs.job')).toBe('42501');
      killed.child.kill('SIGKILL');
      await killed.ended();
      expect(await placeOfCoupon()).toMatchObject({ shadow: { percent: 100 } });
      const [code, output] = await kerf('extract', 'coupon', '--shadow-percent', '50', '--shadow-for', '5s').ended();
      expect(code, output).toBe(0);
      const { shadowed } = JSON.parse(output.trim().split('\n').at(-1)!) as Said;
      expect(shadowed).toMatchObject({ unsettled: 0, different: 0, failed: 0, writing: [], fields: {} });
      expect(shadowed!.methods).toContain('quote');
      expect(shadowed!.alike).toBe(shadowed!.mirrored);
      expect(shadowed!.alike).toBeGreaterThan(0);
      process.stdout.write(`${JSON.stringify(shadowed)}\n`);
    });
    expect(await placeOfCoupon()).toMatchObject({ shadow: null });
    expect(await asReader('select from coupon.promotions')).toBe('28000');
  });

  it('stop the move where the target does not answer, or otherwise, and cost nobody anything', async () => {
    await whileShopping(async () => {
      const quiet = kerf('extract', 'coupon', '--shadow-percent', '100', '--shadow-for', '10s');
      await quiet.shadowing();
      const [pid] = await apartProcesses();
      signal(pid!, 'SIGSTOP');
      const [ended, why] = await quiet.ended();
      signal(pid!, 'SIGCONT');
      expect(ended).toBe(2);
      expect(why).toMatch(/reads of coupon got no answer from the process at/);
      expect(await placeOfCoupon()).toMatchObject({ shadow: null, held: false, database_url: null });

      await rows(pair.target, `select pg_replication_origin_create('by hand'), pg_replication_origin_session_setup('by hand')`);
      await rows(pair.target, `update coupon.promotions set benefit = jsonb_set(benefit, '{basisPoints}', '2000')`);
      const [code, output] = await kerf('extract', 'coupon').ended();
      await rows(pair.target, `select pg_replication_origin_session_reset()`);
      await rows(pair.target, `select pg_replication_origin_drop('by hand')`);
      expect(code).toBe(2);
      expect(output).toMatch(/reads of coupon are answered otherwise from the target \(quote in answer\..*: look into it/);
      expect(await placeOfCoupon()).toMatchObject({ shadow: null, held: false, database_url: null });
      expect((await kerf('move', 'cancel', 'coupon').ended())[0]).toBe(0);
    });
    expect(await placeOfCoupon()).toEqual(NOTHING);
    expect(await asReader('select 1')).toBe('28000');
  });
});
