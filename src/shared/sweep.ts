import type { Logger } from 'pino';
import { withTrace } from './context.ts';
import { inSpan } from './spans.ts';

/** What is done again and again: `every` seconds after the last run ended. */
export interface Sweep {
  name: string;
  every: number;
  run(): Promise<void>;
}

/** How a sweep stands in one process. Instants are ISO; null: no run has ended, or the last one went well. */
export interface SweepStatus {
  module: string;
  name: string;
  /** seconds from the end of a run to the next one */
  every: number;
  running: boolean;
  lastEndedAt: string | null;
  error: string | null;
  failedInARow: number;
  /** when the next run begins, or the present one began */
  nextAt: string;
}

export interface Sweeping {
  status(): SweepStatus;
  /** waits for a run under way */
  stop(): Promise<void>;
}

/** Repeats `run` until stopped, each time in a trace of its own; a failure is logged and the next turn comes all the same. */
export function sweep(module: string, { name, every, run }: Sweep, log: Logger): Sweeping {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const status: SweepStatus = { module, name, every, running: false, lastEndedAt: null, error: null, failedInARow: 0, nextAt: '' };
  const ended = (error: unknown) => {
    const message = (error as Error | null)?.message ?? null;
    Object.assign(status, { running: false, lastEndedAt: new Date().toISOString(), error: message, failedInARow: error === null ? 0 : status.failedInARow + 1 });
    if (error !== null) log.warn({ err: error }, 'a sweep failed; the next one comes');
    plan();
  };
  const turn = () => {
    status.running = true;
    running = withTrace(undefined, () => inSpan(`sweep ${module}: ${name}`, {}, run)).then(() => ended(null), ended);
  };
  const plan = () => {
    status.nextAt = new Date(Date.now() + every * 1_000).toISOString();
    if (!stopped) timer = setTimeout(turn, every * 1_000).unref();
  };
  plan();
  return {
    status: () => ({ ...status }),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Seconds since the last run should have ended: its turn came, and nothing was heard of it. */
export const lateSeconds = ({ nextAt }: Pick<SweepStatus, 'nextAt'>, now: Date): number => Math.max(0, (now.getTime() - Date.parse(nextAt)) / 1_000);
