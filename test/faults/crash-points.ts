import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Case, FAULTS } from './crash/faults.ts';
import { FLOWS } from './crash/flows.ts';
import { type CrashShop, openCrashShop } from './crash/shop.ts';
import { isNews, readTable, stepOf, tableOf } from './crash/table.ts';
import { listPoints, NotReached, walk } from './crash/walk.ts';
import type { LongForm, LongRun } from './long-form.ts';

export const nameOfCase = ({ flow, point, fault }: Case) => `${flow}: ${point.name}: ${fault}`;

const DOCUMENT = join(import.meta.dirname, '../../docs/reliability.md');
const SECTION = /(?<=<!-- crash points -->\n)[^]*(?=<!-- \/crash points -->)/;
/** Some steps come by one way or another (a webhook, a planned look): a walk may go the other one. */
const WALKS = 4;
/** The steps of a request of a shopper, and of what makes an order expire. */
export const ALWAYS_COMES = /^(POST \/v1\/(orders|carts)|sweep order)/;

type Place = Pick<LongRun, 'server' | 'compiled' | 'parallel' | 'signal'>;

/**
 * Every fault at every point of every flow, in shops that are started again on what they left. The table goes to
 * docs/reliability.md: first comes what it does not know yet, and what was not tried in this run stays as it was.
 */
export const crashEverywhere: LongForm = async ({ only, say, seed, ...place }) => {
  const all = await listCases(Object.keys(FLOWS), place);
  const known = readTable(SECTION.exec(readFileSync(DOCUMENT, 'utf8'))![0]);
  const inTurn = spread(only === undefined ? all : all.filter((one) => nameOfCase(one).includes(only)), seed);
  const chosen = [...inTurn.filter((one) => isNews(one, known)), ...inTurn.filter((one) => !isNews(one, known))];
  say(`${chosen.length} faults at ${new Set(chosen.map(({ flow, point }) => `${flow} ${point.name}`)).size} points of ${Object.keys(FLOWS).length} flows`);
  const outcomes = await runCases(chosen, place, (one, outcome, done) => {
    if (outcome !== HELD) say(`${nameOfCase(one)}\n  ${outcome}`);
    if (done % 50 === 0) say(`${done} of ${chosen.length}`);
  });
  const held = new Set(chosen.filter((one) => outcomes.get(one) === HELD));
  const failures = failuresOf(outcomes);
  if (only === undefined) writeFileSync(DOCUMENT, readFileSync(DOCUMENT, 'utf8').replace(SECTION, `\n${tableOf(all, { held, failed: new Set(failures.keys()) }, known)}\n`));
  return { cases: outcomes.size, of: chosen.length, failures: [...failures].map(([one, failure]) => `--only '${nameOfCase(one)}'\n  ${failure}`) };
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

/** `HELD`, `MISSED`, or what does not hold. */
type Outcome = string;
const HELD = 'held';
const MISSED = 'The point did not come up this time.';

export const failuresOf = (outcomes: ReadonlyMap<Case, Outcome>) => new Map([...outcomes].filter(([, outcome]) => outcome !== HELD && outcome !== MISSED));

/** Runs each of them, and answers what became of it. */
export async function runCases(cases: readonly Case[], place: Place, ended: (one: Case, outcome: Outcome, done: number) => void = () => undefined): Promise<Map<Case, Outcome>> {
  const outcomes = new Map<Case, Outcome>();
  await inShops(cases, place, async (shop, one) => {
    const outcome = await tryOut(shop, one);
    outcomes.set(one, outcome);
    ended(one, outcome, outcomes.size);
    if (outcome !== HELD && outcome !== MISSED) throw new Unfit();
  });
  return outcomes;
}

async function tryOut(shop: CrashShop, { flow, point, fault }: Case): Promise<Outcome> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await walk(shop, flow, { point: point.name, fault }).then(() => HELD, (error: Error) => error);
    if (!(outcome instanceof Error)) return outcome;
    if (!(outcome instanceof NotReached)) return outcome.message;
    if (tries === WALKS) return ALWAYS_COMES.test(point.name) ? outcome.message : MISSED;
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
        // A machine that is busy elsewhere may need a second try.
        shop ??= await openCrashShop(place).catch(() => openCrashShop(place));
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
