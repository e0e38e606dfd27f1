import { ConfigError } from '../setup/config-error.ts';
import { compareNext, type Comparison } from './compare.ts';
import { cancel, complete } from './ending.ts';
import { giveRights, readRights } from './fence.ts';
import { askToPause, beginMove, type Direction, type Host, keptUntil, liveHosts, type Move, openMove, type Phase, placeOf, record, type ShadowWish, startedAt, UNTIL_FLIP } from './journal.ts';
import { goOn } from './mover.ts';
import { preflight, type Preflight } from './preflight.ts';
import { type ApartHost, note, type Progress, type Running } from './running.ts';
import { closeSite, lookUntil, openSite, rows, type Site, withoutUser } from './site.ts';
import { isFollowing } from './stream.ts';

/** What a command is told; addresses are those of administrators. */
export interface Wishes {
  module: string;
  /** the shop's own database, and the one that the configuration names for the module: mostly the same */
  home: string;
  here: string;
  /** the database that the module goes to, or comes back from */
  apart: string;
  /** where the process apart answers */
  address: () => Promise<string>;
  secret: string;
  host: ApartHost;
  /** what is in the way of the module's going, by a process that tells what it has seen */
  readiness: (internal: string) => Promise<Preflight>;
  /** milliseconds that the way back is kept; absent: as an earlier command said, or until it is given up */
  keepReverse?: number | undefined;
  /** absent: as an earlier command said, or none */
  shadow?: (Pick<ShadowWish, 'percent'> & Partial<ShadowWish>) | undefined;
  /** told to stop, it does at the next place where nobody waits for it */
  signal: AbortSignal;
  say: (progress: Progress) => void;
}

interface Sessions {
  home: Site;
  here: Site;
  apart: Site;
}

/** What would happen. Changes nothing. */
export const look = (wishes: Wishes, direction: Direction): Promise<Preflight> =>
  inSessions(wishes, async (sessions) => judge(wishes, sessions, direction, wayBack(wishes, await openMove(sessions.home, wishes.module), direction)));

/** Moves the module, or goes on where an earlier command ended. Answers how it went. */
export const move = (wishes: Wishes, direction: Direction): Promise<Move> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    const instead = wayBack(wishes, known, direction);
    const run = running(wishes, sessions, known && !instead ? known : await begin(wishes, sessions, direction, instead));
    await note(run, { detail: { paused: false, ...(wishes.shadow && { shadow: { milliseconds: SHADOW_FOR, ...run.move.detail.shadow, ...wishes.shadow } }), ...(wishes.keepReverse !== undefined && { keepReverse: wishes.keepReverse }) } });
    await goOn(run);
    if (isDue(run.move)) await complete(run);
    return run.move;
  });

/** The move whose way back this one takes. */
function wayBack({ module, apart }: Wishes, known: Move | undefined, direction: Direction): Move | undefined {
  if (!known || known.direction === direction) return undefined;
  const orCancel = UNTIL_FLIP.includes(known.phase) ? `, or "kerf move cancel ${module}"` : '';
  if (known.phase !== 'settle') throw new ConfigError(`${module} is on its way: run "kerf ${known.direction} ${module}" again until it is done${orCancel}.`);
  if (apartOf(known) !== withoutUser(apart)) throw new ConfigError(`The way back of ${module} to ${apartOf(known)} is still there: name that database, or give it up first with "kerf move complete ${module}".`);
  return known;
}

/** Whatever moves the module stops where nobody waits for it, and it stays there until it is told to move again. */
export async function pause(homeUrl: string, module: string): Promise<Move> {
  const home = await openSite(homeUrl, module);
  try {
    if (!(await askToPause(home, module))) throw new ConfigError(`No move of ${module} can be paused: only one that has not flipped yet; "kerf move status" says how far each is.`);
    await lock(home, PAUSE_WITHIN);
    const stopped = await openMove(home, module);
    if (!stopped || !UNTIL_FLIP.includes(stopped.phase)) throw new ConfigError(`${module} could not be paused any more: "kerf move status" says how far it is.`);
    return stopped;
  } finally {
    await closeSite(home);
  }
}

/**
 * Compares both sides while the shop runs, and goes on where an earlier command stopped less than an hour ago. Until the flip the target has to
 * be as the source is, and behind it, as long as the way back is kept, the source as the target is.
 */
export const diff = (wishes: Wishes): Promise<Comparison> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    if (!known || !BOTH_SIDES.includes(known.phase)) throw new ConfigError(`There are no two sides of ${wishes.module} to compare: only behind "copy", until the way back is given up.`);
    const run = running(wishes, sessions, known);
    const stream = known.phase === 'settle' ? { from: run.to, to: run.from } : run;
    const { diff: earlier } = known.detail;
    const goesOn = earlier?.phase === known.phase && !earlier.done && Date.now() - earlier.at < DIFF_WITHIN;
    const { phase, at } = goesOn ? earlier : { phase: known.phase, at: Date.now() };
    let comparison: Comparison | undefined = goesOn ? earlier : undefined;
    do {
      if (wishes.signal.aborted) throw new ConfigError(`Stopped behind ${comparison?.rows ?? 0} rows: the same command goes on from there.`);
      comparison = await compareNext(stream, comparison);
      await note(run, { detail: { diff: { ...comparison, phase, at } } });
      wishes.say({ module: wishes.module, phase: 'compare', over: comparison.done, rows: comparison.rows });
    } while (!comparison.done);
    return comparison;
  });

/** Milliseconds. */
const DIFF_WITHIN = 3_600_000;
const SHADOW_FOR = 30_000;
const BOTH_SIDES: readonly Phase[] = ['copy', 'compare', 'shadow', 'settle'];

const isDue = (move: Move) => (keptUntil(move)?.getTime() ?? Infinity) <= Date.now();

/** Takes back a move before its flip, or gives up the way back of one that is done. */
export const end = (wishes: Wishes, how: 'cancel' | 'complete'): Promise<Move> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    if (!known) throw new ConfigError(`No move of ${wishes.module} is under way.`);
    const run = running(wishes, sessions, known);
    await (how === 'cancel' ? cancel : complete)(run);
    return run.move;
  }, how === 'cancel' ? letGoFirst : undefined);

/** A target that is gone is in nobody's way: shoppers do not wait for its answer. */
async function letGoFirst({ module }: Wishes, home: Site, here: Site): Promise<void> {
  const known = await openMove(home, module);
  if (!known?.held || known.direction !== 'extract' || known.from !== withoutUser(here.url) || !UNTIL_FLIP.includes(known.phase)) return;
  const cancelling = await record(home, known, { phase: 'cancelling' });
  await giveRights(here, known.rights);
  await record(home, cancelling, { place: { held: false } });
}

/** Gives up the way back if its time is over; undefined: nothing is due. */
export const endDue = (wishes: Wishes): Promise<Move | undefined> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    if (!known || (known.phase !== 'completing' && !isDue(known))) return undefined;
    const run = running(wishes, sessions, known);
    await complete(run);
    return run.move;
  });

async function begin(wishes: Wishes, sessions: Sessions, direction: Direction, instead: Move | undefined): Promise<Move> {
  const { blockers } = await judge(wishes, sessions, direction, instead);
  if (blockers.length > 0) throw new ConfigError(blockers.join('\n'));
  const { from, to } = sidesOf(sessions, direction);
  const address = (await placeOf(sessions.home, wishes.module)).address ?? (await wishes.address());
  const begun = await beginMove(
    sessions.home,
    {
      module: wishes.module,
      direction,
      from: withoutUser(from.url),
      to: withoutUser(to.url),
      address,
      rights: await readRights(from),
      detail: direction === 'extract' ? { startsApart: wishes.host.start !== undefined } : { process: await startedAt(sessions.home, wishes.module, address) },
    },
    instead,
  );
  wishes.say({ module: wishes.module, phase: 'preflight', over: true });
  return begun;
}

async function judge(wishes: Wishes, sessions: Sessions, direction: Direction, instead: Move | undefined): Promise<Preflight> {
  const { module } = wishes;
  const { from, to } = sidesOf(sessions, direction);
  const { database_url: at } = await placeOf(sessions.home, module);
  if (direction === 'extract' && at !== null) return { blockers: [`${module} is at ${at} already: fold it first.`], notes: [] };
  if (direction === 'fold' && at !== withoutUser(from.url)) return { blockers: [`${module} is at ${at ?? 'home'} and not at ${withoutUser(from.url)}: name the database that it is to come from.`], notes: [] };
  const hosts = await liveHosts(sessions.home, module);
  const { blockers, notes } = await preflight({ from, to }, { goesBack: instead !== undefined && (await isFollowing(to)) });
  const leaving = direction === 'extract' && hosts[0] ? await judgeLeaving(wishes, hosts) : { blockers: [], notes: [] };
  return {
    blockers: [
      ...blockers,
      ...leaving.blockers,
      ...(hosts.length === 0 ? ['No process of the shop runs on this database: start it, for what follows no move would be refused after it.'] : []),
      ...((await readRights(from)).length === 0 ? [`kerf_${module} has no rights at the source, so ${module} does not live there.`] : []),
    ],
    notes: [...notes, ...leaving.notes],
  };
}

/** A process that is not there yet is asked when it is. */
async function judgeLeaving({ host, address, readiness }: Wishes, hosts: readonly Host[]): Promise<Preflight> {
  const [busiest] = hosts.toSorted((one, other) => other.modules.length - one.modules.length);
  const { blockers, notes } = await readiness(busiest!.address);
  const refusal = host.start ? undefined : await host.refusal(await address());
  return { blockers: [...blockers, ...(refusal ? [refusal] : [])], notes: [...notes, `Whether all ${hosts.length} processes of the shop reach the target shows when its role is there, in "prepare".`] };
}

const apartOf = ({ direction, from, to }: Move) => (direction === 'extract' ? to : from);

const sidesOf = ({ here, apart }: Sessions, direction: Direction) => (direction === 'extract' ? { from: here, to: apart } : { from: apart, to: here });

function running({ apart: url, secret, host, signal, say }: Wishes, sessions: Sessions, known: Move): Running {
  if (withoutUser(url) !== apartOf(known)) throw new ConfigError(`The move of ${known.module} that is under way is one of ${apartOf(known)}: name that database.`);
  const here = known.direction === 'extract' ? known.from : known.to;
  if (withoutUser(sessions.here.url) !== here) throw new ConfigError(`The move of ${known.module} that is under way is one of ${here}: configure that address for the module again, until the move and its way back have ended.`);
  return { home: sessions.home, ...sidesOf(sessions, known.direction), move: known, secret, apart: host, signal, say };
}

/** One session for each database, with a lock in each: another command would have to wait for the end of this one, however late that is. */
async function inSessions<T>(wishes: Wishes, work: (sessions: Sessions) => Promise<T>, first?: (wishes: Wishes, home: Site, here: Site) => Promise<void>): Promise<T> {
  const { module, home: homeUrl, here: hereUrl, apart: apartUrl } = wishes;
  const opened: Site[] = [];
  const open = async (url: string) => {
    const site = await openSite(url, module).catch(({ message }: Error) => {
      throw new ConfigError(`${withoutUser(url)} does not let this command in: ${message}.`);
    });
    opened.push(site);
    await lock(site);
    return site;
  };
  if (withoutUser(hereUrl) === withoutUser(apartUrl)) throw new ConfigError(`${withoutUser(apartUrl)} is the database that ${module} has by the configuration: name another one.`);
  try {
    const home = await open(homeUrl);
    const here = hereUrl === homeUrl ? home : await open(hereUrl);
    await first?.(wishes, home, here);
    return await work({ home, here, apart: await open(apartUrl) });
  } finally {
    await Promise.all(opened.map(closeSite));
  }
}

/** A command that was killed may take a moment to be gone. */
async function lock(site: Site, within = LOCK_WITHIN): Promise<void> {
  const isLocked = await lookUntil(within, async () => {
    const [lock] = await rows<{ taken: boolean }>(site, `select pg_try_advisory_lock(hashtext('kerf move ' || $1)) as taken`, [site.module]);
    return lock!.taken || undefined;
  });
  if (!isLocked) throw new ConfigError(`Another command moves ${site.module}, or compares its sides: wait until it has ended, or end it.`);
}

/** Milliseconds. */
const LOCK_WITHIN = 5_000;
const PAUSE_WITHIN = 90_000;
