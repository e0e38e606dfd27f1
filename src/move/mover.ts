import { setTimeout as delay } from 'node:timers/promises';
import { MODULES } from '../calls.ts';
import { ConfigError } from '../setup/config-error.ts';
import { compareNext, type Comparison } from './compare.ts';
import { advanceSequences, caughtUp, fence, giveRights, mark } from './fence.ts';
import { type Change, type Detail, liveHosts, type Move, type Phase, placeOf, record } from './journal.ts';
import { lookUntil, type Site } from './site.ts';
import { copyProgress, endStream, follow, lag, publish } from './stream.ts';
import { dropData, prepareTarget } from './target.ts';

/** A move and the sessions in which one command works on it, and which it never opens again. */
export interface Running {
  home: Site;
  from: Site;
  to: Site;
  move: Move;
  /** root of the roles' passwords */
  secret: string;
  apart: ApartHost;
  signal: AbortSignal;
  say: (progress: Progress) => void;
}

/** How the process apart is started and ended, where that is for the command to do. */
export interface ApartHost {
  start?(address: string, others: string): Promise<NonNullable<Detail['process']>>;
  isRunning(process: NonNullable<Detail['process']>): boolean;
  end(process: NonNullable<Detail['process']>): boolean;
}

/** `phase`: the one that is over, or that is under way where there are figures of it. */
export interface Progress {
  module: string;
  phase: Phase;
  over: boolean;
  rows?: number;
  ofRows?: number;
  /** bytes that the follower is behind */
  lag?: number;
  /** rows a second */
  rate?: number;
}

/** Milliseconds: for hosts to hold, before it goes on without them; for the target to have what the source has, in the hold and before it. */
const HOLD_WITHIN = 100;
const CATCH_UP_WITHIN = 200;
const CLOSE = 100;
const HEAR_WITHIN = 15_000;
const START_WITHIN = 60_000;
const CLOSE_WITHIN = 60_000;
const SAY_EVERY = 500;
const MOST_TRIES = 5;
/** In their order; each may be done again. Its phase is recorded behind it, at once with what it answers. */
const STEPS: readonly [Phase, (run: Running) => Promise<Change | void>][] = [
  ['prepare', prepare],
  ['copy', copy],
  ['compare', compare],
  ['hold', hold],
  ['fence', fenceSource],
  ['catch up', catchUp],
  ['flip', flip],
  ['open', open],
  ['settle', settle],
];
/** Behind these, hosts hold, and can still be let go. */
const HOLDING: readonly Phase[] = ['hold', 'fence', 'catch up'];
const UNTIL_FLIP: readonly Phase[] = ['preflight', 'prepare', 'copy', 'compare', ...HOLDING, 'cancelling'];
/** Goes on behind the phase that is recorded, up to where both databases follow each other and the new one is in use. */
export async function goOn(run: Running): Promise<void> {
  if (run.move.phase === 'cancelling') return cancel(run);
  if (run.move.phase === 'completing') return complete(run);
  for (let next = stepBehind(run.move.phase); next; next = stepBehind(run.move.phase)) {
    const [phase, step] = next;
    try {
      stopIfTold(run);
      await note(run, { phase, ...(await step(run)) });
    } catch (error) {
      await withdraw(run, error as Error).catch(() => undefined);
      throw error;
    }
  }
}

/** Where hosts hold, it goes on: that is over sooner. */
function stopIfTold({ signal, move: { module, phase, direction } }: Running): void {
  if (!signal.aborted || HOLDING.includes(phase)) return;
  throw new ConfigError(`Stopped behind "${phase}": "kerf ${direction} ${module}" goes on from there${UNTIL_FLIP.includes(phase) ? `, and "kerf move cancel ${module}" takes it back` : ''}.`);
}

const stepBehind = (phase: Phase) => STEPS[STEPS.findIndex(([name]) => name === phase) + 1];

async function note(run: Running, change: Change): Promise<void> {
  run.move = await record(run.home, run.move, change);
  if (change.phase) run.say({ module: run.move.module, phase: change.phase, over: true });
}

/** Nobody waits for a command that has ended. Where a session was lost, nothing can be said: the next command goes on. */
async function withdraw(run: Running, { message }: Error): Promise<void> {
  if (HOLDING.includes(run.move.phase)) {
    await note(run, { phase: 'compare' });
    await letGo(run);
  }
  await note(run, { error: message });
}

async function letGo(run: Running): Promise<void> {
  await giveRights(run.from, run.move.rights);
  await note(run, { place: { held: false } });
}

async function prepare(run: Running): Promise<void> {
  await prepareTarget(run.to, run.secret);
  await apartIsThere(run);
  await note(run, { place: { next_url: run.move.to } });
  await everybodyReaches(run);
  await publish(run.from);
}

async function apartIsThere(run: Running): Promise<void> {
  const { module, direction, address, detail } = run.move;
  if (direction === 'fold') return;
  const isThere = async () => (await liveHosts(run.home, module)).some((host) => host.address === address && host.modules.includes(module)) || undefined;
  if (await isThere()) return;
  if (!detail.process || !run.apart.isRunning(detail.process)) {
    if (!run.apart.start) throw new ConfigError(`No process with ${module} shows itself at ${address}: start it there, then run this again.`);
    await note(run, { detail: { process: await run.apart.start(address, await addressOfOthers(run)) } });
  }
  if (!(await lookUntil(START_WITHIN, isThere))) throw new ConfigError(`The process of ${module} that was started does not show itself at ${address}: look into its log, then run this again.`);
}

/** Of a process that has all other modules. */
async function addressOfOthers({ home, move }: Running): Promise<string> {
  const needed = MODULES.filter((name) => name !== move.module);
  const found = (await liveHosts(home, move.module)).find(({ modules }) => needed.every((name) => modules.includes(name)));
  if (!found) throw new ConfigError(`No process has all modules but ${move.module}, so a process apart cannot be told where they are: start it yourself, and say where it is with --at.`);
  return found.address;
}

async function everybodyReaches({ home, move }: Running): Promise<void> {
  let unable: string[] = [];
  const all = await lookUntil(HEAR_WITHIN, async () => {
    unable = (await liveHosts(home, move.module)).flatMap(({ reaches, address }) => (reaches === move.to ? [] : [address]));
    return unable.length === 0 || undefined;
  });
  if (!all) throw new ConfigError(`The process at ${unable.join(', ')} cannot reach ${move.to} as kerf_${move.module}: see that it can, then run this again.`);
}

async function copy(run: Running): Promise<void> {
  const { from, to } = run;
  await follow({ from, to }, { copy: true });
  for (let [now, before] = [await copyProgress({ from, to }), 0]; ; ) {
    run.say({ module: run.move.module, phase: 'copy', over: false, rows: now.rows, ofRows: now.ofRows, rate: Math.max(0, Math.round(((now.rows - before) * 1_000) / SAY_EVERY)) });
    if (now.done) break;
    stopIfTold(run);
    if ((await lag({ from, to }))?.lost) throw new ConfigError('The source threw away what the target had not read yet: raise its max_slot_wal_keep_size, cancel this move and begin again.');
    await delay(SAY_EVERY);
    [before, now] = [now.rows, await copyProgress({ from, to })];
  }
  await publish(to);
  await follow({ from: to, to: from }, { copy: false });
}

async function compare(run: Running): Promise<void> {
  const { from, to, move } = run;
  let comparison: Comparison | undefined = move.detail.comparison;
  while (!comparison?.done) {
    stopIfTold(run);
    comparison = await compareNext({ from, to }, comparison);
    await note(run, { detail: { comparison } });
    run.say({ module: move.module, phase: 'compare', over: false, rows: comparison.rows, rate: Math.round((comparison.rows * 1_000) / comparison.milliseconds) });
  }
  const different = comparison.tables.find((table) => table.different.length > 0);
  if (different) throw new ConfigError(`${different.name} is not the same on both sides, as with the key ${different.different[0]!.join()}: cancel this move, find out who wrote there, and begin again.`);
}

/** What an earlier try has held is let go first: shoppers do not wait for this one. */
async function hold(run: Running): Promise<Change> {
  const { home, from, to, move } = run;
  if ((await placeOf(home, move.module)).held) await letGo(run);
  const tries = (move.detail.tries ?? 0) + 1;
  if (tries > MOST_TRIES) {
    await note(run, { detail: { tries: 0 } });
    throw new ConfigError(`${MOST_TRIES} times the target of ${move.module} did not come to where the source was within ${CATCH_UP_WITHIN} ms: run this again when less is written; the module is where it was.`);
  }
  if (tries > 1) await delay(tries * 1_000);
  await apartIsThere(run);
  const isClose = await lookUntil(CLOSE_WITHIN, async () => {
    if (await caughtUp(to, await mark(from), CLOSE)) return true;
    const { bytes = 0 } = (await lag({ from, to })) ?? {};
    run.say({ module: move.module, phase: 'hold', over: false, lag: bytes });
    return undefined;
  });
  if (!isClose) throw new ConfigError(`The target of ${move.module} is too far behind to take over: run this again when it keeps up; "kerf move status" says how far it is.`);
  return { place: { held: true }, detail: { tries, heldAt: Date.now() } };
}

async function fenceSource({ home, from, move }: Running): Promise<Change> {
  await lookUntil(HOLD_WITHIN, async () => (await liveHosts(home, move.module)).every(({ epoch }) => epoch >= move.epoch) || undefined);
  const { ended } = await fence(from);
  return { detail: { ended } };
}

/** Too late: as behind `compare`, from where it is tried again. */
async function catchUp({ from, to }: Running): Promise<Change | void> {
  if (!(await caughtUp(to, await mark(from), CATCH_UP_WITHIN))) return { phase: 'compare' };
  await advanceSequences(from, to);
  // What a follower was seen to have is on its disk once something that was committed after it is.
  await mark(to);
}

async function flip({ move: { direction, to, address } }: Running): Promise<Change> {
  return { place: { ...(direction === 'extract' ? { database_url: to, address } : { database_url: null, address: null }), next_url: null } };
}

async function open({ to, move }: Running): Promise<Change> {
  await giveRights(to, move.rights);
  return { place: { held: false }, detail: { pause: Date.now() - (move.detail.heldAt ?? Date.now()) } };
}

async function settle(run: Running): Promise<Change | void> {
  const { home, from, to, move } = run;
  await lookUntil(HEAR_WITHIN, async () => (await liveHosts(home, move.module)).every(({ epoch }) => epoch >= move.epoch) || undefined);
  await endStream({ from, to });
  if (move.direction === 'fold') return { detail: endApart(run) };
}

function endApart({ apart, move: { detail } }: Running): Detail {
  return detail.process && apart.end(detail.process) ? { process: null } : {};
}

/** Takes everything back, before the flip. */
export async function cancel(run: Running): Promise<void> {
  if (!UNTIL_FLIP.includes(run.move.phase)) throw new ConfigError(`${run.move.module} has moved already: bring it back with "kerf ${run.move.direction === 'extract' ? 'fold' : 'extract'} ${run.move.module}".`);
  await note(run, { phase: 'cancelling' });
  await letGo(run);
  await note(run, { place: { next_url: null } });
  await endStream({ from: run.from, to: run.to });
  await endStream({ from: run.to, to: run.from });
  await dropData(run.to);
  await note(run, { phase: 'cancelled', ended: true, ...(run.move.direction === 'extract' && { detail: endApart(run) }) });
}

/** Gives up the way back. */
export async function complete(run: Running): Promise<void> {
  if (run.move.phase !== 'settle' && run.move.phase !== 'completing') throw new ConfigError(`The move of ${run.move.module} is at "${run.move.phase}": run "kerf ${run.move.direction} ${run.move.module}" until it is done, then complete it.`);
  await note(run, { phase: 'completing' });
  await endStream({ from: run.to, to: run.from });
  await dropData(run.from);
  await note(run, { phase: 'complete', ended: true });
}
