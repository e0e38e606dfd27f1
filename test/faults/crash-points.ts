import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, FAULTS } from './crash/faults.ts';
import { FLOWS } from './crash/flows.ts';
import { type CrashShop, openCrashShop } from './crash/shop.ts';
import { stepOf, tableOf } from './crash/table.ts';
import { listPoints, NotReached, walk } from './crash/walk.ts';
import type { LongForm, LongRun } from './long-form.ts';

export const nameOfCase = ({ flow, point, fault }: Case) => `${flow}: ${point.name}: ${fault}`;

const DOCUMENT = join(import.meta.dirname, '../../docs/reliability.md');
const SECTION = /(?<=<!-- crash points -->\n)[^]*(?=<!-- \/crash points -->)/;
/** Some steps come by one way or another (a webhook, a planned look): a walk may go the other one. */
const WALKS = 4;

type Place = Pick<LongRun, 'server' | 'compiled' | 'parallel' | 'signal'>;

/** Every fault at every point of every flow, in shops that are started again on what they left. The table goes to docs/reliability.md. */
export const crashEverywhere: LongForm = async ({ only, say, seed, ...place }) => {
  const all = await listCases(Object.keys(FLOWS), place);
  const chosen = spread(only === undefined ? all : all.filter((one) => nameOfCase(one).includes(only)), seed);
  say(`${chosen.length} faults at ${new Set(chosen.map(({ flow, point }) => `${flow} ${point.name}`)).size} points of ${Object.keys(FLOWS).length} flows`);
  const run = new Set<Case>();
  const failures = await runCases(chosen, place, (one, failure) => {
    run.add(one);
    if (failure !== undefined) say(`${nameOfCase(one)}\n  ${failure}`);
    if (run.size % 50 === 0) say(`${run.size} of ${chosen.length}`);
  });
  if (run.size < chosen.length) say(`${run.size} of ${chosen.length} were run in the time there was`);
  if (only === undefined) writeFileSync(DOCUMENT, readFileSync(DOCUMENT, 'utf8').replace(SECTION, `\n${tableOf([...run], new Set(failures.keys()))}\n`));
  return [...failures].map(([one, failure]) => `--only '${nameOfCase(one)}'\n  ${failure}`);
};

/** Points that come every time: those of two walks without a fault. */
async function listCases(flows: readonly string[], place: Place): Promise<Case[]> {
  const [listed, again] = [await listOnce(flows, place), await listOnce(flows, place)];
  const known = new Set(again.map(nameOfCase));
  return listed.filter((one) => known.has(nameOfCase(one)));
}

/** All that can happen in these flows, by one walk through each without a fault. */
export async function listOnce(flows: readonly string[], place: Place): Promise<Case[]> {
  const listed = await inShops(flows, place, async (shop, flow): Promise<Case[]> =>
    (await listPoints(shop, flow)).flatMap((point) => FAULTS[point.kind].map((fault) => ({ flow, point, fault }))),
  );
  return flows.flatMap((flow) => listed.get(flow) ?? []);
}

/** Runs each of them; answers those that fail and why. */
export async function runCases(cases: readonly Case[], place: Place, ended: (one: Case, failure: string | undefined) => void = () => undefined): Promise<Map<Case, string>> {
  const failures = new Map<Case, string>();
  await inShops(cases, place, async (shop, one) => {
    const failure = await tryOut(shop, one);
    if (failure !== undefined) failures.set(one, failure);
    ended(one, failure);
    if (failure !== undefined) throw new Unfit();
  });
  return failures;
}

async function tryOut(shop: CrashShop, { flow, point, fault }: Case): Promise<string | undefined> {
  for (let tries = 1; ; tries += 1) {
    const failure = await walk(shop, flow, { point: point.name, fault }).then(() => undefined, (error: Error) => error);
    if (!(failure instanceof NotReached) || tries === WALKS) return failure?.message;
  }
}

/** The shop has something in it that does not hold: the next one begins in another. */
class Unfit extends Error {}

async function inShops<T, R>(items: readonly T[], { parallel, signal, ...place }: Place, work: (shop: CrashShop, item: T) => Promise<R>): Promise<Map<T, R>> {
  const results = new Map<T, R>();
  const left = [...items];
  const worker = async () => {
    let shop: CrashShop | undefined;
    try {
      for (let item = left.shift(); item !== undefined && !signal.aborted; item = left.shift()) {
        shop ??= await openCrashShop(place);
        try {
          results.set(item, await work(shop, item));
        } catch (error) {
          if (!(error instanceof Unfit)) throw error;
          await shop.stop();
          shop = undefined;
        }
      }
    } finally {
      await shop?.stop();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(parallel, items.length) }, worker));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  return results;
}

/** In an order of this seed, each step with each fault once before any comes again: whatever time there is, it shows much. */
export function spread(cases: readonly Case[], seed: number): Case[] {
  let state = seed;
  const next = () => (state = (state * 48_271) % 2_147_483_647);
  const shuffled = cases.map((one) => ({ one, at: next() })).toSorted((one, other) => one.at - other.at).map(({ one }) => one);
  const rounds = Map.groupBy(shuffled, ({ point, fault }) => `${stepOf(point.name)}: ${fault}`);
  return Array.from({ length: Math.max(...[...rounds.values()].map((those) => those.length), 0) }, (_, round) => [...rounds.values()].flatMap((those) => those[round] ?? [])).flat();
}
