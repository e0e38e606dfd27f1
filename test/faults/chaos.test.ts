import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { orderContract } from '../../src/modules/order/contract.ts';
import type { Kerf } from '../../src/composition.ts';
import { newId } from '../../src/shared/ids.ts';
import { sourcesOf, verify } from '../../src/verify/verify.ts';
import { createProcesses } from '../setup/processes.ts';
import { inconsistencies } from '../support/consistency.ts';
import { asking, comeShopping, createLedger, type Plan } from '../support/ledger.ts';
import { STOCK, stocked } from '../support/stocked.ts';
import { type ChaosPostgres, faultsAt, faultsOf, freePort, openBeside, openPlaces, openPostgres, strike, wrongInTheBooks } from './chaos.ts';
import { inFull } from './shopping.ts';

vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 120_000 });

const seed = Number(process.env['KERF_SEED'] ?? 20_261_120);
const { checkouts, comesEvery, faults, every } = inFull
  ? { checkouts: 200, comesEvery: 500, faults: 14, every: [5_000, 10_000] as const }
  : { checkouts: 14, comesEvery: 700, faults: 3, every: [1_000, 2_500] as const };
const CODE = 'CHAOS10';
/** milliseconds in which everything is read back: what is not answered in it is not there */
const LONGEST_LOOK = 40_000;

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  card: fc.constantFrom('sandbox_ok', 'sandbox_declined', 'sandbox_insufficient_funds', 'sandbox_action', 'sandbox_timeout', 'sandbox_late', 'sandbox_late_decline'),
  pieces: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  code: fc.option(fc.constant(CODE)),
  cancels: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
});

const apart = ['coupon', 'payment'];
const rest = MODULES.filter((module) => !apart.includes(module));

/** How the processes of a shop are started: each of the first two serves the public API. */
const groupings: Record<string, (folder: string, port: number) => Record<string, string>[]> = {
  'two processes with all modules each': () => [{}, {}],
  'two processes, and one with coupon and payment apart': (folder, port) => {
    const at = (socket: string) => ({ KERF_INTERNAL_SOCKET: join(folder, socket), KERF_INTERNAL_PORT: '' });
    const shop = { KERF_MODULES: rest.join(), KERF_EDGE: 'true', KERF_COUPON_URL: `unix:${folder}/apart`, KERF_PAYMENT_URL: `unix:${folder}/apart` };
    return [
      { ...shop, ...at('shop'), PORT: `${port}` },
      { ...shop, ...at('other') },
      { KERF_MODULES: apart.join(), ...at('apart'), KERF_ORDER_URL: `unix:${folder}/shop`, KERF_PUBLIC_URL: `http://127.0.0.1:${port}` },
    ];
  },
};

let folder: string;
let postgres: ChaosPostgres;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-chaos-'));
  await chmod(folder, 0o755);
  postgres = await openPostgres(folder);
});
const { start, stopAll } = createProcesses(() => ({ KERF_DATA_DIR: folder, DATABASE_URL: postgres.adminUrl, KERF_RATE_LIMIT: '0', NODE_COMPILE_CACHE: folder }));
afterEach(async () => {
  await stopAll();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

it.each(Object.keys(groupings).slice(0, inFull ? 2 : 1))('while Postgres and processes come and go, nothing is lost, doubled or stuck: %s', async (grouping) => {
  const beside = openBeside(postgres.adminUrl);
  const ledger = createLedger();
  const places = await openPlaces(groupings[grouping]!(folder, await freePort()), start, ledger.wrong);
  const variants = await stocked(beside, { code: CODE, limit: Math.ceil(checkouts / 3) });

  const began = performance.now();
  const patience = new AbortController();
  const askingUntil = (signal: AbortSignal) => asking(places.slice(0, 2).map(({ url }) => url), { signal, ledger });
  const ask = askingUntil(patience.signal);
  const say = (what: string) => void (inFull && process.stdout.write(`${((performance.now() - began) / 1_000).toFixed(1)} s: ${what}\n`));
  const { come, served } = comeShopping(fc.sample(anyPlan, { seed, numRuns: checkouts }), comesEvery, { ask, ledger, variants });
  await Promise.all([come, strike(faultsOf(postgres), { seed, times: faults, every, say }), strike(faultsAt(places), { seed: seed + 1, times: faults, every, say })]);
  const stuck = setTimeout(() => patience.abort(), 60_000);
  await served;
  expect(ledger.wrongs()).toEqual([]);

  const amiss = async () => [
    ...(await unsettled(beside)),
    ...(await inconsistencies(beside, { received: new Map(variants.map((variantId) => [variantId, STOCK])), acknowledged: [] })),
    ...(await wrongInTheBooks(postgres.adminUrl)),
    ...(await ledger.judge(askingUntil(AbortSignal.timeout(LONGEST_LOOK)), await allOrders(beside))),
  ];
  await expect.poll(amiss, { timeout: 60_000, interval: 500 }).toEqual([]);
  clearTimeout(stuck);
  say(`${ledger.size()} answers are kept`);
  expect(ledger.wrongs()).toEqual([]);
  expect(ledger.size()).toBeGreaterThan(checkouts * 5);
  await beside.stop();
});

async function unsettled(beside: Kerf): Promise<string[]> {
  const { findings, events } = await verify(sourcesOf(beside), { databases: beside.databases, now: () => new Date(), grace: 0 });
  return [
    ...findings.flatMap(({ invariant, told, settling }) => [...told.map(({ message }) => message), ...(settling > 0 ? [`${invariant}: ${settling} do not agree yet`] : [])]),
    ...events.flatMap(({ module, waiting, retrying, dead }) => (waiting + retrying + dead > 0 ? [`events of ${module} are left`] : [])),
  ];
}

async function allOrders(beside: Kerf) {
  const orders = beside.service(orderContract);
  const { items, nextCursor } = await orders.listOrders({ viewer: { kind: 'staff', userId: newId() }, limit: 100 });
  const all = [...items];
  for (let cursor = nextCursor; cursor !== null; ) {
    const page = await orders.listOrders({ viewer: { kind: 'staff', userId: newId() }, limit: 100, cursor });
    all.push(...page.items);
    cursor = page.nextCursor;
  }
  return all;
}
