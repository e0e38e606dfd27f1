import type { Logger } from 'pino';
import { withTrace } from './context.ts';
import { inSpan } from './spans.ts';

/** What is done again and again: `every` seconds after the last run ended. */
export interface Sweep {
  name: string;
  every: number;
  run(): Promise<void>;
}

/** Repeats `run` until stopped, each time in a trace of its own; a failure is logged and the next turn comes all the same. `stop` waits for a run under way. */
export function sweep({ name, every, run }: Sweep, log: Logger): { stop(): Promise<void> } {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const turn = () => {
    running = withTrace(undefined, () => inSpan(`sweep ${name}`, {}, run)).catch((error: unknown) => log.warn({ err: error }, 'a sweep failed; the next one comes'));
    void running.then(plan);
  };
  const plan = () => {
    if (!stopped) timer = setTimeout(turn, every * 1_000).unref();
  };
  plan();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
