import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../setup/config-error.ts';
import type { Met } from '../shared/movable-pool.ts';
import { advanceSequences, caughtUp, fence, giveRights, mark } from './fence.ts';
import { type Change, liveHosts, metSince, metSoFar, shownSince } from './journal.ts';
import { apartIsThere, everybodyReaches } from './prepare.ts';
import { endApart, letGo, letGoToTryAgain, note, pauseOf, type Running, stopIfTold, tell, TRIED_FROM } from './running.ts';
import { lookUntil, rows } from './site.ts';
import { endStream, lag } from './stream.ts';

/** Milliseconds: for hosts to hold, before it goes on without them; for the target to have what the source has, in the hold and before it. */
const HOLD_WITHIN = 100;
const CATCH_UP_WITHIN = 200;
const CLOSE = 100;
const HEAR_WITHIN = 15_000;
const CLOSE_WITHIN = 60_000;
const MOST_TRIES = 5;

/** What an earlier try has held is let go first: shoppers do not wait for this one. */
export async function hold(run: Running): Promise<Change> {
  if (run.move.held) await letGo(run);
  const { home, from, to, move } = run;
  const tries = (move.detail.tries ?? 0) + 1;
  if (tries > MOST_TRIES) {
    await note(run, { detail: { tries: 0 } });
    throw new ConfigError(`${MOST_TRIES} times the target of ${move.module} did not come to where the source was within ${CATCH_UP_WITHIN} ms: run this again when less is written; the module is where it was.`);
  }
  if (tries > 1) await delay(tries * 1_000);
  await apartIsThere(run);
  await everybodyReaches(run);
  const isClose = await lookUntil(CLOSE_WITHIN, async () => {
    if (await caughtUp(to, await mark(from), CLOSE)) return true;
    const { bytes = 0 } = (await lag({ from, to })) ?? {};
    await tell(run, { phase: 'hold', lag: bytes });
    await stopIfTold(run);
    return undefined;
  });
  if (!isClose) throw new ConfigError(`The target of ${move.module} is too far behind to take over: run this again when it keeps up; "kerf move status" says how far it is.`);
  return { place: { held: true }, detail: { tries, heldAt: Date.now(), metBefore: move.detail.metBefore ?? (await metSoFar(home, move.module)) } };
}

export async function fenceSource({ home, from, move }: Running): Promise<Change> {
  await lookUntil(HOLD_WITHIN, async () => (await liveHosts(home, move.module)).every(({ epoch }) => epoch >= move.epoch) || undefined);
  const { ended } = await fence(from);
  return { detail: { ended } };
}

/** Too late: it is tried again. */
export async function catchUp(run: Running): Promise<Change | void> {
  const { from, to } = run;
  if (!(await caughtUp(to, await mark(from), CATCH_UP_WITHIN))) {
    await letGoToTryAgain(run);
    return { phase: TRIED_FROM };
  }
  await advanceSequences(from, to);
  // What a follower was seen to have is on its disk once something that was committed after it is.
  await mark(to);
}

export async function flip({ move: { direction, to, address } }: Running): Promise<Change> {
  return { place: { ...(direction === 'extract' ? { database_url: to, address } : { database_url: null, address: null }), next_url: null } };
}

export async function open({ to, move }: Running): Promise<Change> {
  await giveRights(to, move.rights);
  return { place: { held: false }, detail: pauseOf(move) };
}

/** Processes say every two seconds what their flows met. */
async function metIn({ home, move: { module, detail } }: Running): Promise<Met> {
  const [{ now }] = (await rows<{ now: string }>(home, 'select clock_timestamp()::text as now')) as [{ now: string }];
  await lookUntil(HEAR_WITHIN, async () => (await shownSince(home, now)) || undefined);
  return metSince(detail.metBefore ?? {}, await metSoFar(home, module));
}
export async function settle(run: Running): Promise<Change> {
  const { home, from, to, move } = run;
  await lookUntil(HEAR_WITHIN, async () => (await liveHosts(home, move.module)).every(({ epoch }) => epoch >= move.epoch) || undefined);
  await endStream({ from, to });
  return { detail: { settledAt: Date.now(), met: await metIn(run), ...(move.direction === 'fold' && (await endApart(run))) } };
}
