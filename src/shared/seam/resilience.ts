import { AppError, unavailable } from '../errors.ts';
import type { ProtocolReason } from './protocol.ts';

/** What keeps trouble on one edge of the call table from becoming trouble of the caller. Times in milliseconds. */
export interface EdgePolicy {
  /** longest wait for one answer; the deadline of the flow around it counts when it is earlier */
  timeout: number;
  /** calls under way at once; more wait in line, and what does not fit into the line is refused */
  concurrency: number;
  queue: number;
  /** repeats of one call that may be repeated */
  retries: number;
  /** repeats as a share of calls: what a dead peer may add to the load */
  retryBudget: number;
  /** failures in a row after which the peer is left alone, or a single one when nothing was answered for `patience` */
  failures: number;
  patience: number;
  /** how long it is left alone at first and at most; doubled while it stays away */
  pause: number;
  longestPause: number;
}

export const DEFAULT_POLICY: EdgePolicy = {
  timeout: 5_000, concurrency: 64, queue: 256, retries: 2, retryBudget: 0.1, failures: 5, patience: 3_000, pause: 500, longestPause: 5_000,
};

/** Lets `concurrency` flows through at once; more stand in line, for as long as they have time. */
export function createBulkhead({ concurrency, queue }: Pick<EdgePolicy, 'concurrency' | 'queue'>) {
  let inside = 0;
  const line = new Set<() => void>();
  const waitForPlace = (milliseconds: number) =>
    new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(timer);
        line.delete(enter);
        resolve();
      };
      const timer = setTimeout(() => {
        line.delete(enter);
        reject(unavailable());
      }, milliseconds);
      line.add(enter);
    });
  const through = async <T>(milliseconds: number, flow: () => Promise<T>): Promise<T> => {
    if (inside < concurrency) inside += 1;
    else if (line.size < queue) await waitForPlace(milliseconds);
    else throw unavailable('Too many calls wait for this module.');
    try {
      return await flow();
    } finally {
      const [next] = line;
      if (next) next();
      else inside -= 1;
    }
  };
  return Object.assign(through, { waiting: () => line.size });
}

/** Closed while the peer answers; open for a pause once it does not; then one call at a time tries whether it is back. */
export function createBreaker({ failures, patience, pause, longestPause }: Pick<EdgePolicy, 'failures' | 'patience' | 'pause' | 'longestPause'>, now: () => number) {
  let inARow = 0;
  let quietSince = 0;
  let openUntil = 0;
  let nextPause = pause;
  /** when the call that tries whether it is back was let through */
  let probing: number | undefined;
  let leftAlone = new LeftAlone();
  return {
    /** throws LeftAlone at once while the peer is left alone: one and the same in each pause */
    assertClosed(): void {
      if (openUntil === 0) return;
      if (now() < openUntil || probing !== undefined) throw leftAlone;
      probing = now();
    },
    succeeded(): void {
      inARow = 0;
      quietSince = now();
      openUntil = 0;
      probing = undefined;
      nextPause = pause;
    },
    /** `begun`: when the call that failed was made. One from before the pause, or before the call that tries, says nothing new. */
    failed(begun: number): void {
      if (openUntil > 0 && begun < (probing ?? Infinity)) return;
      if (inARow === 0) quietSince = Math.max(quietSince, begun);
      inARow += 1;
      const tired = inARow >= failures || now() - quietSince >= patience;
      if (!tired && probing === undefined) return;
      probing = undefined;
      leftAlone = new LeftAlone();
      openUntil = now() + nextPause * (0.75 + Math.random() / 2);
      nextPause = Math.min(nextPause * 2, longestPause);
    },
    state: (): 'closed' | 'open' | 'half-open' => (openUntil === 0 ? 'closed' : now() < openUntil ? 'open' : 'half-open'),
  };
}

/** Each call earns a share of a repeat; with nothing saved there is none. */
export function createRetryBudget({ retryBudget }: Pick<EdgePolicy, 'retryBudget'>) {
  const most = 10;
  let saved = most / 2;
  return {
    earn: () => void (saved = Math.min(most, saved + retryBudget)),
    spend(): boolean {
      if (saved < 1) return false;
      saved -= 1;
      return true;
    },
  };
}

/** Full jitter: somewhere between nothing and a bound that doubles with each repeat. */
export const backOff = (repeat: number): number => Math.random() * Math.min(1_000, 25 * 2 ** repeat);

/** The peer could not be asked, or its answer was lost or came too late. `reached`: it may have done what was asked; `why` is for the log, not for strangers. */
export class LostCall extends AppError {
  readonly reached: boolean;
  readonly why: string;

  constructor(why: string, reached: boolean) {
    super('unavailable', 'unavailable', unavailable().message);
    this.why = why;
    this.reached = reached;
  }
}

/** The peer was not asked, because it did not answer others. */
export class LeftAlone extends AppError {
  constructor() {
    super('unavailable', 'unavailable', unavailable().message);
  }
}

/** The peer answered that it does not take the call, by the protocol and not by the module: asked again, it would say the same. */
export class RefusedCall extends AppError {
  readonly refusal: ProtocolReason;

  constructor(refusal: ProtocolReason) {
    super('unavailable', 'unavailable', unavailable().message);
    this.refusal = refusal;
  }
}
