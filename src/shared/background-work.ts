import type { Logger } from 'pino';
import type { Database } from './database.ts';
import { type Event, tidyInbox } from './events.ts';
import type { Background, Module } from './module.ts';
import type { Handler, Queue } from './queue.ts';
import { inSpan } from './spans.ts';
import { sweep, type Sweeping, type SweepStatus } from './sweep.ts';

/** What a module does in the background of one process: delivers its events, works its jobs, sweeps. */
export interface BackgroundWork {
  /** begins it or ends it, after what was asked before; resolves when it is so */
  set(should: boolean): Promise<void>;
  sweeps(): SweepStatus[];
  /** ends it for good, with the queue; what takes too long is left to the next process */
  stop(): Promise<void>;
}

interface Worker {
  module: Module;
  db: Database;
  queue: Queue;
  background: Background;
  deliver: (from: string, to: string, event: Event) => Promise<void>;
  now: () => Date;
  log: Logger;
}

export function createBackgroundWork({ module: { contract, listens }, db, queue, background, deliver, now, log }: Worker): BackgroundWork {
  const name = contract.module;
  const { jobs, sweeps: own = [] } = background;
  const forget = { name: 'forget handled events', every: 3_600, run: () => tidyInbox(db, now()) };
  const recurring = [...own, ...(listens.length > 0 ? [forget] : [])];
  const publishes = Object.keys(contract.events).length > 0;
  let sweeping: Sweeping[] = [];
  let turn = Promise.resolve();
  let atWork = false;

  const begin = async () => {
    await queue.start({ ...(publishes && { events: toSubscriber(name, deliver) }), ...(jobs && { jobs: toJob(name, jobs) }) });
    sweeping = recurring.map((job) => sweep(name, job, log.child({ sweep: job.name })));
  };
  const endSweeps = async () => {
    await Promise.all(sweeping.map((running) => running.stop()));
    sweeping = [];
  };
  const end = async () => {
    await endSweeps();
    await queue.rest();
  };
  return {
    set(should) {
      const next = turn.then(async () => {
        if (should === atWork) return;
        await (should ? begin() : end());
        atWork = should;
      });
      turn = next.catch(() => undefined);
      return next;
    },
    async stop() {
      await endSweeps();
      await queue.stop();
    },
    sweeps: () => sweeping.map((running) => running.status()),
  };
}

const toSubscriber = (from: string, deliver: Worker['deliver']): Handler => async ({ data }) => {
  const { to, event } = data as { to: string; event: Event };
  await deliver(from, to, event);
};

const toJob = (module: string, jobs: NonNullable<Background['jobs']>): Handler => async ({ data }) => {
  const { name, data: input } = data as { name: string; data: never };
  const job = jobs[name];
  if (!job) throw new Error(`Nobody handles the job "${name}".`);
  await inSpan(`job ${module}: ${name}`, {}, () => job(input));
};
