import { isAppError } from '../../shared/errors.ts';

/** A definite no: nothing was done. Anything else (a lost answer, a failure inside) leaves open whether it was. */
export const isRefusal = (error: unknown) => isAppError(error) && error.code !== 'unavailable' && error.code !== 'internal';

export interface UndoLog {
  /** does `step` and remembers how to undo it, unless it was refused */
  run(step: () => Promise<unknown>, undo: () => Promise<unknown>): Promise<void>;
  /** undoes what was done, latest first */
  undo(): Promise<void>;
}

/** What one run did, so that it undoes that and nothing else. */
export function createUndoLog(): UndoLog {
  const done: (() => Promise<unknown>)[] = [];
  return {
    async run(step, undo) {
      await step().catch((error: unknown) => {
        if (!isRefusal(error)) done.push(undo);
        throw error;
      });
      done.push(undo);
    },
    async undo() {
      for (const step of done.toReversed()) await step();
    },
  };
}
