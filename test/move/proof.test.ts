import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { inFull } from '../faults/shopping.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { type Journey, journeyOf } from './journey.ts';
import { type Ended, type Interference, type MovingShop, openMovingShop, watchOwners } from './moving-shop.ts';
import { startTraffic, type Traffic, type TrafficOptions } from './shop-traffic.ts';
import { type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } });

/** `npm run test:move` names modules, and the folder for its report. */
const moving = process.env['KERF_MOVE_MODULES']?.split(',') ?? (inFull ? MODULES : ['order']);
const reports = process.env['KERF_MOVE_REPORTS'];
const seed = Number(process.env['KERF_SEED'] ?? 20_261_120);
const slower = Number(process.env['KERF_MOVE_SLOWER'] ?? (inFull ? 1 : 5));
/** Small questions in which a shop shows how it is when nothing moves. */
const BEFORE = inFull ? Math.ceil(1_000 / slower) : 20;
/** Milliseconds. */
const LONGEST_PAUSE = 250;
const PHASES = ['preflight', 'prepare', 'copy', 'compare', 'hold', 'fence', 'catch up', 'flip', 'open'];
const MOST_TRIES = 10;

let home: Server;
let apart: Server;
let folder: string;
beforeAll(async () => {
  [home, apart, folder] = await Promise.all([startServer(), startServer(), temporaryDirectory()]);
});
afterAll(async () => {
  await Promise.all([home.stop(), apart.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe.each(moving)('%s, while people shop at two processes,', (module) => {
  let shop: MovingShop;
  beforeEach(async () => {
    shop = await openMovingShop(module, { home, apart, folder });
  });
  afterEach(() => shop.close());

  /** What each was told is so, nothing is there twice, and at no time there were two who could write. */
  async function whileShopping(patient: TrafficOptions['patient'], work: (traffic: Traffic) => Promise<void>): Promise<void> {
    const { fronts, beside, mail, pair, kerf } = shop;
    const traffic = await startTraffic({ urls: fronts.map(({ url }) => url), patient, beside, adminUrl: pair.source.url, mail, module, seed, slower });
    const watched = watchOwners(pair, module);
    try {
      await work(traffic);
      // However soon that was over, enough people have been told something.
      await expect.poll(() => traffic.ledger.size()).toBeGreaterThan(50);
    } finally {
      await traffic.end();
    }
    const owners = await watched();
    expect(owners.wrong).toEqual([]);
    expect(traffic.ledger.wrongs()).toEqual([]);
    await expect.poll(traffic.amiss, { timeout: 90_000, interval: 500 }).toEqual([]);
    const verified = async () => {
      const { code, output } = await kerf(['verify', '--grace', '0']);
      return code === 0 ? '' : output;
    };
    await expect.poll(verified, { timeout: 60_000 }).toBe('');
  }

  it.runIf(inFull)('leaves and returns, and nobody meets an error', async () => {
    let journeys: Journey[] = [];
    await whileShopping(false, async (traffic) => {
      const from = Date.now();
      await expect.poll(() => traffic.probes.length).toBeGreaterThan(BEFORE);
      const to = Date.now();
      const away = await shop.moved('extract');
      const back = await shop.moved('fold');
      journeys = [journeyOf('extract', away, traffic, { from, to }), journeyOf('fold', back, traffic, { from, to })];
      process.stdout.write(`${module}\n${journeys.map((one) => `${JSON.stringify(one)}\n`).join('')}`);
      if (reports) await writeFile(join(reports, `${module}.json`), JSON.stringify(journeys));
    });
    expect(journeys.filter(({ pause }) => pause > LONGEST_PAUSE)).toEqual([]);
  });

  it('does so with a process that stands still through the flip, and that neither writes nor shows what is old', () =>
    whileShopping([shop.fronts[1].url], async (traffic) => {
      for (const direction of ['extract', 'fold'] as const) await shop.moved(direction, sleepingUntil('open', traffic));
    }));

  it.runIf(inFull)('does so with a process that stands still until what it knew has been dropped', () =>
    whileShopping(true, async (traffic) => {
      const { stroke } = sleepingUntil('open', traffic);
      await shop.moved('extract', { stroke });
      await shop.kerf(['move', 'complete', module]);
      await wake(traffic);
      await shop.moved('fold');
    }));

  it.runIf(inFull)('does so although each command is killed behind each of its phases, and run again', () =>
    whileShopping(true, async () => {
      for (const direction of ['extract', 'fold'] as const) {
        for (const behind of PHASES) await againUntil(null, direction, { stroke: { behind, signal: 'SIGKILL' } });
        await shop.moved(direction);
      }
    }));

  it.runIf(inFull)('does so although a process and both databases are killed on the way', () =>
    whileShopping(true, async () => {
      const [, front] = shop.fronts;
      const faults: Record<string, () => Promise<unknown>> = {
        prepare: () => home.kill(),
        copy: () => apart.kill(),
        compare: () => front.stop('SIGKILL').then(() => front.again()),
        fence: () => apart.kill(),
        'catch up': () => home.kill(),
        open: () => apart.kill(),
      };
      for (const direction of ['extract', 'fold'] as const) await movedAtLast(direction, { ...faults });
    }));

  /** The second process: it hears of nothing from before the hold on. */
  const sleepingUntil = (behind: string, traffic: Traffic): Interference => ({
    stroke: { behind: 'compare', signal: 'SIGSTOP', pid: shop.fronts[1].child.pid! },
    upon: async (phase) => phase === behind && (await wake(traffic)),
  });

  /** Somebody changes something elsewhere, and somebody else is already waiting to see it here. */
  async function wake(traffic: Traffic): Promise<void> {
    const [awake, asleep] = shop.fronts;
    const change = await traffic.change(awake.url);
    const seen = traffic.shows(asleep.url, change);
    asleep.child.kill('SIGCONT');
    expect(await seen).toBe(true);
  }

  /** Each fault strikes once, when its phase is over; the command is run until it is done. */
  async function movedAtLast(direction: 'extract' | 'fold', faults: Record<string, () => Promise<unknown>>): Promise<void> {
    const upon = async (phase: string) => {
      const fault = faults[phase];
      delete faults[phase];
      await fault?.();
    };
    await againUntil(0, direction, { upon });
    expect(faults).toEqual({});
  }

  /** One that says why it stopped may be run again. `code`: null where it is killed. */
  async function againUntil(code: number | null, direction: 'extract' | 'fold', interference: Interference): Promise<void> {
    const runs: Ended[] = [];
    do runs.push(await shop.kerf([direction, module, '--json'], interference));
    while (runs.at(-1)!.code === 2 && runs.length < MOST_TRIES);
    const { code: last, output } = runs.at(-1)!;
    expect(last, output).toBe(code);
    await Promise.all(runs.map(({ acts }) => acts));
  }
});
