import { ConfigError } from '../setup/config-error.ts';
import { giveRights } from './fence.ts';
import { type Change, type Detail, type Move, type Phase, record } from './journal.ts';
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

/** The phase before hosts hold: where that was too long, it goes on behind this one. */
export const TRIED_FROM: Phase = 'compare';
/** Behind these, hosts hold, and can still be let go. */
export const HOLDING: readonly Phase[] = ['hold', 'fence', 'catch up'];
export const UNTIL_FLIP: readonly Phase[] = ['preflight', 'prepare', 'copy', 'compare', ...HOLDING, 'cancelling'];

export async function note(run: Running, change: Change): Promise<void> {
  run.move = await record(run.home, run.move, change);
  if (change.phase) run.say({ module: run.move.module, phase: change.phase, over: true });
}

export async function letGo(run: Running): Promise<void> {
  await giveRights(run.from, run.move.rights);
  await note(run, { place: { held: false } });
}

/** Where hosts hold, it goes on: that is over sooner. */
export function stopIfTold({ signal, move: { module, phase, direction } }: Running): void {
  if (!signal.aborted || HOLDING.includes(phase)) return;
  throw new ConfigError(`Stopped behind "${phase}": "kerf ${direction} ${module}" goes on from there${UNTIL_FLIP.includes(phase) ? `, and "kerf move cancel ${module}" takes it back` : ''}.`);
}

export function endApart({ apart, move: { detail } }: Running): Detail {
  return detail.process && apart.end(detail.process) ? { process: null } : {};
}
