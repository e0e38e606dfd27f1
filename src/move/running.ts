import { ConfigError } from '../setup/config-error.ts';
import { giveRights } from './fence.ts';
import { type Change, type Detail, type Figures, isPaused, liveHosts, type Move, type Phase, record, UNTIL_FLIP } from './journal.ts';
import type { Site } from './site.ts';

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
  start?(address: string): Promise<NonNullable<Detail['process']>>;
  end(process: NonNullable<Detail['process']>): boolean;
  /** why the module cannot be called there, and what to do */
  refusal(address: string): Promise<string | undefined>;
}

/** `phase`: the one that is over, or that is under way where there are figures of it. */
export interface Progress extends Figures {
  module: string;
  over: boolean;
}

/** Milliseconds for a server to answer a statement while shoppers wait. */
const ANSWER_WITHIN = 5_000;

/** The phase before hosts hold: where that was too long, it goes on behind this one. */
export const TRIED_FROM: Phase = 'shadow';

export async function note(run: Running, { detail, ...change }: Change): Promise<void> {
  run.move = await record(run.home, run.move, { ...change, detail: { ...detail, ...(change.phase && { progress: null }) } });
  for (const site of [run.home, run.from, run.to]) site.within = run.move.held ? ANSWER_WITHIN : undefined;
  if (change.phase) run.say({ module: run.move.module, phase: change.phase, over: true });
}

/** Says how far it is, and writes it down every second for "kerf move status". */
export async function tell(run: Running, figures: Figures): Promise<void> {
  run.say({ module: run.move.module, over: false, ...figures });
  const { progress } = run.move.detail;
  if (!progress || Date.now() - progress.at >= 1_000) await note(run, { detail: { progress: { ...figures, at: Date.now() } } });
}

/** `rows` of `ofRows`, of which `done` took so many milliseconds. */
export function pace(done: number, milliseconds: number, { rows, ofRows }: { rows: number; ofRows: number }): Pick<Figures, 'rows' | 'ofRows' | 'rate' | 'left'> {
  const rate = Math.round((done * 1_000) / Math.max(1, milliseconds));
  return { rows: Math.round(rows), ofRows: Math.round(ofRows), rate, ...(rate > 0 && { left: Math.ceil(Math.max(0, ofRows - rows) / rate) }) };
}

export async function letGo(run: Running): Promise<void> {
  await giveRights(run.from, run.move.rights);
  await note(run, { place: { held: false }, detail: pauseOf(run.move) });
}

/** What undoes is recorded before its first step: nobody goes on forwards from the middle of it. */
export async function letGoToTryAgain(run: Running): Promise<void> {
  await note(run, { phase: TRIED_FROM });
  await letGo(run);
}

export const pauseOf = ({ held, detail: { pause = 0, heldAt = Date.now() } }: Move): Detail => (held ? { pause: Math.max(pause, Date.now() - heldAt) } : {});

/** Where hosts hold, it goes on, or lets go: that is over sooner. Behind the flip nobody can pause it. */
export async function stopIfTold({ signal, home, move }: Running): Promise<void> {
  const { module, phase, direction, held } = move;
  if (held) return;
  const isPausing = UNTIL_FLIP.includes(phase) && (await isPaused(home, move));
  if (!signal.aborted && !isPausing) return;
  throw new ConfigError(`${isPausing ? 'Paused' : 'Stopped'} behind "${phase}": "kerf ${direction} ${module}" goes on from there${UNTIL_FLIP.includes(phase) ? `, and "kerf move cancel ${module}" takes it back` : ''}.`);
}

/** Only while it shows itself where it was started: its number may have gone to another process since. */
export async function endApart({ home, apart, move: { module, address, detail } }: Running): Promise<Detail> {
  const started = detail.process;
  const shown = started && (await liveHosts(home, module)).some((host) => host.address === address && host.pid === started.pid && host.machine === started.machine);
  return shown && apart.end(started) ? { process: null } : {};
}
