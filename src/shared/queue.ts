import { fromKnex, type Job, PgBoss } from 'pg-boss';
import type { Logger } from 'pino';
import { currentContext, withTrace } from './context.ts';
import { type Database, insideTransaction, outsideTransaction, type Transaction } from './database.ts';

/**
 * The job queue of one module: pg-boss in the schema `<module>_jobs`, over the module's own pool, so that it moves with
 * the module. Two queues: `events` (one job per subscriber, in order per aggregate) and `jobs` (the module's own work).
 * Delivery is at least once; handlers are idempotent.
 */
export interface Queue {
  /** Adds to `events` inside the caller's transaction: there when it commits, gone when it rolls back. */
  addEvents(trx: Transaction, entries: { key: string; data: object }[]): Promise<void>;
  /** Adds a job inside the caller's transaction. `startAfter`: seconds from now. */
  enqueue(trx: Transaction, name: string, data: object, options?: EnqueueOptions): Promise<void>;
  start(handlers: { events?: Handler; jobs?: Handler }): Promise<void>;
  stop(): Promise<void>;
}

export interface EnqueueOptions {
  startAfter?: number;
}

/** Works one entry; a throw means again later with a growing pause, and the dead-letter queue after the last try. */
export type Handler = (entry: { id: string; data: unknown; attempt: number }) => Promise<void>;

const EVENTS = 'events';
const JOBS = 'jobs';
/** About a week at one try every five minutes: longer than any outage, shorter than entries are kept. */
const RETRIES = { retryLimit: 2_000, retryDelay: 1, retryBackoff: true, retryDelayMax: 300, expireInSeconds: 60 } as const;
/** Tries after which a failure is no hiccup any more (some 20 minutes). */
const WORRYING_ATTEMPT = 12;
const KEEP = { deleteAfterSeconds: 3_600, retentionSeconds: 14 * 86_400 } as const;
const WORKER = { batchSize: 20, pollingIntervalSeconds: 2, burstWhenBatchFull: true, perJobResults: true } as const;

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
    superviseIntervalSeconds: 15,
    monitorIntervalSeconds: 15,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'the job queue met an error and goes on'));
  const workers = new Map<string, string>();
  let ready: Promise<void> | undefined;

  const prepared = () =>
    (ready ??= prepare(boss).catch((error: unknown) => {
      ready = undefined;
      throw error;
    }));
  const add = async (trx: Transaction, queue: string, jobs: Parameters<PgBoss['insert']>[1]) => {
    await prepared();
    await boss.insert(queue, jobs, { db: fromKnex(trx) });
    void trx.executionPromise.then(() => outsideTransaction(() => wake(queue)), () => undefined);
  };
  const wake = (queue: string) => {
    const worker = workers.get(queue);
    if (worker) boss.notifyWorker(worker);
  };
  const work = async (queue: string, handler: Handler) => {
    const id = await boss.work<Envelope, unknown, typeof WORKER>(queue, WORKER, (jobs) =>
      Promise.all(jobs.map((job) => settle(job, handler, log))),
    );
    workers.set(queue, id);
  };

  return {
    addEvents: (trx, entries) =>
      add(trx, EVENTS, entries.map(({ key, data }) => ({ singletonKey: key, data }))),
    enqueue: (trx, name, data, { startAfter = 0 } = {}) =>
      add(trx, JOBS, [{ startAfter, data: { name, data, traceparent: currentContext()?.traceparent } satisfies Envelope }]),
    async start({ events, jobs }) {
      await prepared();
      if (events) await work(EVENTS, events);
      if (jobs) await work(JOBS, jobs);
    },
    async stop() {
      if (ready) await boss.stop({ graceful: true, timeout: 10_000, close: false });
    },
  };
}

async function prepare(boss: PgBoss): Promise<void> {
  if (insideTransaction()) return outsideTransaction(() => prepare(boss));
  await boss.start();
  for (const name of [EVENTS, JOBS]) {
    await boss.createQueue(`${name}_dead`, { policy: 'standard', retentionSeconds: 90 * 86_400 });
    const policy = name === EVENTS ? 'key_strict_fifo' : 'standard';
    await boss.createQueue(name, { policy, deadLetter: `${name}_dead`, ...RETRIES, ...KEEP });
    // The first insert looks the queue up on the pool; the one after it, inside a transaction, must not.
    await boss.insert(name, []);
  }
}

async function settle(job: Job<Envelope>, handler: Handler, log: Logger) {
  try {
    await withTrace(job.data.traceparent, () => handler({ id: job.id, data: job.data, attempt: job.retryCount + 1 }));
    return { id: job.id, status: 'completed' as const };
  } catch (error) {
    const attempt = job.retryCount + 1;
    log[attempt < WORRYING_ATTEMPT ? 'warn' : 'error']({ err: error, job: job.id, queue: job.name, attempt }, 'a queue entry failed; it is tried again for about a week');
    return { id: job.id, status: 'failed' as const, output: { message: String(error) } };
  }
}
