import { ConfigError } from '../setup/config-error.ts';
import { UNTIL_FLIP } from './journal.ts';
import { endApart, letGo, note, type Running } from './running.ts';
import { endShadow } from './shadow.ts';
import { endStream, isFollowing } from './stream.ts';
import { dropData } from './target.ts';

/** Takes everything back, before the flip. */
export async function cancel(run: Running): Promise<void> {
  if (!UNTIL_FLIP.includes(run.move.phase)) throw new ConfigError(`${run.move.module} has moved already: bring it back with "kerf ${run.move.direction === 'extract' ? 'fold' : 'extract'} ${run.move.module}".`);
  const { phase, detail: { unprepared = phase === 'preflight' && !(await isFollowing(run.to)) } } = run.move;
  await note(run, { phase: 'cancelling', detail: { unprepared } });
  await letGo(run);
  await endShadow(run);
  await note(run, { place: { next_url: null } });
  await endStream({ from: run.from, to: run.to });
  await endStream({ from: run.to, to: run.from });
  if (!unprepared) await dropData(run.to);
  await note(run, { phase: 'cancelled', ended: true, ...(run.move.direction === 'extract' && { detail: await endApart(run) }) });
}

/** Gives up the way back. */
export async function complete(run: Running): Promise<void> {
  if (run.move.phase !== 'settle' && run.move.phase !== 'completing') throw new ConfigError(`The move of ${run.move.module} is at "${run.move.phase}": run "kerf ${run.move.direction} ${run.move.module}" until it is done, then complete it.`);
  await note(run, { phase: 'completing' });
  await endStream({ from: run.to, to: run.from });
  await dropData(run.from);
  await note(run, { phase: 'complete', ended: true });
}
