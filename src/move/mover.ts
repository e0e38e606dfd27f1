import { cancel, complete } from './ending.ts';
import { catchUp, fenceSource, flip, hold, open, settle } from './hand-over.ts';
import { type Change, type Phase, UNTIL_FLIP } from './journal.ts';
import { compare, copy, prepare } from './prepare.ts';
import { letGoToTryAgain, note, type Running, stopIfTold } from './running.ts';
import { shadow } from './shadow.ts';

/** In their order; each may be done again. Its phase is recorded behind it, at once with what it answers. */
const STEPS: readonly [Phase, (run: Running) => Promise<Change | void>][] = [
  ['prepare', prepare],
  ['copy', copy],
  ['compare', compare],
  ['shadow', shadow],
  ['hold', hold],
  ['fence', fenceSource],
  ['catch up', catchUp],
  ['flip', flip],
  ['open', open],
  ['settle', settle],
];

/** Goes on behind the phase that is recorded, up to where both databases follow each other and the new one is in use. */
export async function goOn(run: Running): Promise<void> {
  if (run.move.phase === 'cancelling') return cancel(run);
  if (run.move.phase === 'completing') return complete(run);
  for (let next = stepBehind(run.move.phase); next; next = stepBehind(run.move.phase)) {
    const [phase, step] = next;
    try {
      await stopIfTold(run);
      await note(run, { phase, ...(await step(run)) });
    } catch (error) {
      await withdraw(run, error as Error).catch(() => undefined);
      throw error;
    }
  }
}

const stepBehind = (phase: Phase) => STEPS[STEPS.findIndex(([name]) => name === phase) + 1];

/** Nobody waits for a command that has ended. Where a session was lost, nothing can be said: the next command goes on. */
async function withdraw(run: Running, { message }: Error): Promise<void> {
  if (run.move.held && UNTIL_FLIP.includes(run.move.phase)) await letGoToTryAgain(run);
  await note(run, { error: message });
}
