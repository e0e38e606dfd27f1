import { fromKnex, type JobWithMetadata, PgBoss } from 'pg-boss';
import type { Logger } from 'pino';
import { currentContext, withDeadline, withTrace } from './context.ts';
import { type Database, insideTransaction, outsideTransaction, type Transaction } from './database.ts';
import { unavailable } from './errors.ts';
import { type Failure, failureAfter } from './queue-failure.ts';

/**
 * The job queue of one module: pg-boss in the schema `<module>_jobs`, over the module's own pool, so that it moves with
 * the module. Two queues: `events` (one job per subscriber, in order per aggregate) and `jobs` (the module's own work).
 * Delivery is at least once; handlers are idempotent. What fails for good stays where it is, and for an event the later
 * ones of its aggregate behind it, until a person has it tried again: see queue-view.ts.
 */
export interface Queue {
  /** Adds to `events` inside the caller's transaction: there when it commits, gone when it rolls back. In order per listener and key. */
  addEvents(trx: Transaction, entries: { to: string; key: string; data: object }[]): Promise<void>;
  /** Adds a job inside the caller's transaction. `startAfter`: seconds from now. */
  enqueue(trx: Transaction, name: string, data: object, options?: EnqueueOptions): Promise<void>;
  start(handlers: { events?: Handler; jobs?: Handler }): Promise<void>;
  /** works no more, until it is started again; what is added waits for whoever works it elsewhere */
  rest(): Promise<void>;
  stop(): Promise<void>;
}

export interface EnqueueOptions {
  startAfter?: number;
}

/** Works one entry; a throw means again later with a growing pause, and after the last try that it is dead. */
export type Handler = (entry: { id: string; data: unknown; attempt: number }) => Promise<void>;

export type QueueName = 'events' | 'jobs';

/** About a week at one try every five minutes: longer than any outage. */
const RETRIES = { retryLimit: 2_000, retryDelay: 1, retryBackoff: true, retryDelayMax: 300, expireInSeconds: 60, heartbeatSeconds: 10 } as const;
/** Tries after which a failure is no hiccup any more (some 20 minutes). */
const WORRYING_ATTEMPT = 12;
/** What is done is kept for an hour; what waits, perhaps behind a dead one, is never dropped (ten years). */
const KEEP = { deleteAfterSeconds: 3_600, retentionSeconds: 3_650 * 86_400 } as const;
/** At most so many entries for one listener, or of one kind of job, are worked at once: who hangs takes no more than that. */
const AT_ONCE_OF_ONE = 40;
const WORKER = { batchSize: 20, groupConcurrency: AT_ONCE_OF_ONE, pollingIntervalSeconds: 2, perJobResults: true, includeMetadata: true } as const;
/** Milliseconds after which nobody else waits for the slowest of a batch. */
const RELIEF = 250;
/** Milliseconds for one try: a batch ends with its slowest entry, and all of it expires after a minute. */
const PATIENCE: Readonly<Record<QueueName, number>> = { events: 10_000, jobs: 50_000 };

interface Envelope {
  name: string;
  data: object;
  traceparent?: string | undefined;
}

export function createQueue(module: string, db: Database, log: Logger): Queue {
  const boss = new PgBoss({
    db: fromKnex(db),
    schema: `${module}_jobs`,
    migrate: false,
    createSchema: false,
    schedule: false,
    reindex: false,
    monitorVacuum: false,
    // With a heartbeat of 10 s: what a killed process was working on is tried again within half a minute.
    superviseIntervalSeconds: 10,
    monitorIntervalSeconds: 10,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'the job queue met an error and goes on'));
  const workers = new Map<string, string>();
  let ready: Promise<void> | undefined;

  const prepared = () =>
    (ready ??= prepare(boss).catch((error: unknown) => {
      ready = undefined;
      throw error;
    }));
  const add = async (trx: Transaction, queue: QueueName, jobs: Parameters<PgBoss['insert']>[1]) => {
    await prepared();
    await boss.insert(queue, jobs, { db: fromKnex(trx) });
    void trx.executionPromise.then(() => outsideTransaction(() => wake(queue)), () => undefined);
  };
  const wake = (queue: QueueName) => {
    const worker = workers.get(queue);
    if (worker) boss.notifyWorker(worker);
  };
  const work = async (queue: QueueName, handler: Handler) => {
    const id = await boss.work<Envelope, unknown, typeof WORKER>(queue, WORKER, async (jobs) => {
      // From then on another worker fetches, and this one settles each entry by itself, ends with the slowest and is gone.
      const late = Promise.withResolvers<void>();
      const relief = setTimeout(() => {
        late.resolve();
        if (workers.get(queue) !== id) return;
        void work(queue, handler);
        void boss.offWork(queue, { id, wait: false });
      }, RELIEF);
      const settled = await Promise.all(jobs.map(async (job) => {
        const outcome = await settle(job, handler, { patience: PATIENCE[queue], log });
        void late.promise.then(() => settleEarly(queue, job, outcome));
        return outcome;
      })).finally(() => clearTimeout(relief));
      // The next of an aggregate could not be fetched before this one was settled: look again at once.
      wake(queue);
      return settled;
    });
    workers.set(queue, id);
  };
  /** Harmless when the batch settles it again: only the try that was fetched is settled, and once. */
  const settleEarly = async (queue: QueueName, job: JobWithMetadata<Envelope>, { status, output }: Outcome) => {
    const settling = status === 'completed' ? boss.complete(queue, job) : boss.fail(queue, job, output);
    await settling.then(() => wake(queue), (error: unknown) => log.warn({ err: error, job: job.id }, 'a queue entry is settled with its batch'));
  };

  return {
    addEvents: (trx, entries) =>
      add(trx, 'events', entries.map(({ to, key, data }) => ({ singletonKey: `${to}/${key}`, group: { id: to }, data }))),
    enqueue: (trx, name, data, { startAfter = 0 } = {}) =>
      add(trx, 'jobs', [{ startAfter, group: { id: name }, data: { name, data, traceparent: currentContext()?.traceparent } satisfies Envelope }]),
    async start({ events, jobs }) {
      await prepared();
      if (events) await work('events', events);
      if (jobs) await work('jobs', jobs);
    },
    async rest() {
      const worked = [...workers.keys()];
      workers.clear();
      await Promise.all(worked.map((queue) => boss.offWork(queue, { wait: true })));
    },
    async stop() {
      workers.clear();
      if (ready) await boss.stop({ graceful: true, timeout: 10_000, close: false });
    },
  };
}

async function prepare(boss: PgBoss): Promise<void> {
  if (insideTransaction()) return outsideTransaction(() => prepare(boss));
  await boss.start();
  for (const name of ['events', 'jobs'] as const) {
    await boss.createQueue(name, { policy: name === 'events' ? 'key_strict_fifo' : 'standard', ...RETRIES, ...KEEP });
    await boss.updateQueue(name, { ...RETRIES, ...KEEP, deadLetter: null });
    // The first insert looks the queue up on the pool; the one after it, inside a transaction, must not.
    await boss.insert(name, []);
  }
}

interface Outcome {
  id: string;
  status: 'completed' | 'failed';
  output?: Failure;
}

async function settle(job: JobWithMetadata<Envelope>, handler: Handler, { patience, log }: { patience: number; log: Logger }): Promise<Outcome> {
  const attempt = job.retryCount + 1;
  try {
    await withTrace(job.data.traceparent, () =>
      withDeadline(patience, () => within(patience, handler({ id: job.id, data: job.data, attempt }))),
    );
    return { id: job.id, status: 'completed' };
  } catch (error) {
    log[attempt < WORRYING_ATTEMPT ? 'warn' : 'error']({ err: error, job: job.id, queue: job.name, attempt }, 'a queue entry failed; it is tried again for about a week');
    return { id: job.id, status: 'failed', output: failureAfter(job.output, error, new Date()) };
  }
}

/** A try that takes too long counts as failed and may still end well: the next one finds what it did. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(unavailable(`It took longer than ${milliseconds / 1_000} s.`, 'timed_out')), milliseconds);
  await Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
