import { type Database, rows, transaction } from './database.ts';
import type { Failure } from './queue-failure.ts';
import type { QueueName } from './queue.ts';

/*
 * What operators see of a module's queues, and how they mend it: plain statements on the module's own job schema, since
 * pg-boss can neither list by state nor hurry what waits for its next try. Safe beside running workers.
 */

/** The states of pg-boss in words that say what they mean here. What went well is kept for an hour; `dropped` is what a person gave up on. */
const STATE_OF = {
  events: { created: 'waiting', active: 'delivering', retry: 'retrying', failed: 'dead', completed: 'delivered', cancelled: 'dropped' },
  jobs: { created: 'waiting', active: 'running', retry: 'retrying', failed: 'dead', completed: 'done', cancelled: 'dropped' },
} as const;
export type EntryState = (typeof STATE_OF)[QueueName]['created' | 'active' | 'retry' | 'failed' | 'completed' | 'cancelled'];
export const statesOf = (queue: QueueName): readonly EntryState[] => Object.values(STATE_OF[queue]);

/** One delivery of an event to one listener, or one job. */
export interface Entry {
  module: string;
  id: string;
  state: EntryState;
  /** the event's type, or the job's name */
  type: string;
  /** of events only */
  eventId: string | null;
  subject: string | null;
  to: string | null;
  /** tries that began */
  tries: number;
  addedAt: Date;
  /** null once there is none to come */
  nextTryAt: Date | null;
  /** the earlier delivery of the same aggregate that this one waits for */
  behind: string | null;
  error: string | null;
}

/** An entry with all that is known of it. `data`: the CloudEvent, or the job's input. */
export interface EntryInFull extends Entry {
  data: unknown;
  failure: Failure | null;
}

/** What is left out is not asked for. */
export interface EntryFilter {
  ids?: readonly string[] | undefined;
  states?: readonly EntryState[] | undefined;
  type?: string | undefined;
  to?: string | undefined;
}

/** A queue of a module, by the module's own database. */
export interface QueueOf {
  module: string;
  queue: QueueName;
  db: Database;
}

/** Dead ones first, then what is retried, then the oldest. `ids` may be those of entries or of events. */
export async function findEntries(source: QueueOf, filter: EntryFilter, limit: number): Promise<EntryInFull[]> {
  const { module, queue, db } = source;
  const found = await rows<Row>(
    db,
    `select id, state, data, output, singleton_key, retry_count, started_on, created_on, start_after,
       (select b.id from "${module}_jobs".job b where b.name = job.name and b.singleton_key = job.singleton_key and b.id <> job.id
          and b.state in ('active', 'retry', 'failed') and b.policy = 'key_strict_fifo' and job.state = 'created' limit 1) as behind
     from "${module}_jobs".job where ${MATCHES}
     order by state = 'failed' desc, state = 'retry' desc, created_on, id limit :limit`,
    { ...bindings(queue, filter), limit },
  );
  return found.map((row) => entryOf(source, row));
}

/** What a person can do something about. */
export const MENDABLE: readonly EntryState[] = ['dead', 'retrying'];

export async function countEntries({ module, queue, db }: QueueOf, filter: EntryFilter): Promise<number> {
  const [found] = await rows<{ count: string }>(db, `select count(*) from "${module}_jobs".job where ${MATCHES}`, bindings(queue, filter));
  return Number(found!.count);
}

/**
 * Dead entries start anew, and those that wait for their next try get it at once; each is the head of its aggregate, so
 * that order is kept. Answers how many. Harmless when repeated.
 */
export async function tryAgain({ module, queue, db }: QueueOf, filter: EntryFilter): Promise<number> {
  const schema = `"${module}_jobs"`;
  return change(
    db,
    `update ${schema}.job set state = 'retry', start_after = now(), completed_on = null,
       keep_until = now() + q.retention_seconds * interval '1 s', deletion_seconds = q.deletion_seconds,
       retry_count = case job.state when 'failed' then 0 else job.retry_count end,
       started_on = case job.state when 'failed' then null else job.started_on end
     from ${schema}.queue q where q.name = job.name and ${MATCHES}`,
    bindings(queue, { ...filter, states: MENDABLE }),
  );
}

/** Gives up on entries that are dead or retried: the next one of the aggregate goes on. They stay to be seen. Answers how many. */
export const drop = ({ module, queue, db }: QueueOf, filter: EntryFilter): Promise<number> =>
  change(db, `update "${module}_jobs".job set state = 'cancelled', completed_on = now(), deletion_seconds = 0 where ${MATCHES}`, bindings(queue, { ...filter, states: MENDABLE }));

/** After a long outage there can be many. */
const change = (db: Database, sql: string, values: ReturnType<typeof bindings>): Promise<number> =>
  transaction(db, async (trx) => {
    // A limit on the whole transaction that is running already can only be lifted, and older servers have none.
    await trx.raw(`select set_config(name, case name when 'statement_timeout' then '60s' else '0' end, true) from pg_settings where name in ('statement_timeout', 'transaction_timeout')`);
    return (await rows(trx, `${sql} returning 1`, values)).length;
  });

/** How a queue stands, for metrics: read from partial indexes, so that it costs little however much was done lately. */
export interface QueueDepth {
  module: string;
  queue: QueueName;
  waiting: number;
  retrying: number;
  dead: number;
  /** of what is due and not done, dead ones left out; 0 when there is none */
  oldestSeconds: number;
}

export async function depths(module: string, db: Database): Promise<QueueDepth[]> {
  const counted = await rows<Record<keyof Omit<QueueDepth, 'module'>, string>>(
    db,
    `select name as queue, sum(waiting) as waiting, sum(retrying) as retrying, sum(dead) as dead,
       coalesce(extract(epoch from now() - min(oldest)), 0) as "oldestSeconds"
     from (
       select name, count(*) filter (where state = 'created') as waiting, count(*) filter (where state = 'retry') as retrying, 0 as dead,
         min(created_on) filter (where state = 'retry' or start_after <= now()) as oldest
       from "${module}_jobs".job where state < 'active' and not blocked group by name
       union all
       select name, 0, 0, count(*), null from "${module}_jobs".job where state = 'failed' group by name
     ) as counted group by name`,
  );
  return (['events', 'jobs'] as const).map((queue) => {
    const found = counted.find((row) => row.queue === queue);
    return { module, queue, waiting: Number(found?.waiting ?? 0), retrying: Number(found?.retrying ?? 0), dead: Number(found?.dead ?? 0), oldestSeconds: Number(found?.oldestSeconds ?? 0) };
  });
}

/**
 * Deliveries that were due, or in hand with a sign of life, more than `grace` milliseconds ago, and how long for. None while
 * anything is in hand with a newer sign of life or ended since: a backlog is worked off. What waits behind another is not due.
 */
export async function neglectedDeliveries(module: string, db: Database, grace: number): Promise<{ count: number; seconds: number }> {
  const job = `"${module}_jobs".job`;
  const [found] = await rows<{ count: string; seconds: string }>(
    db,
    `select count(*), coalesce(extract(epoch from now() - min(due)), 0) as seconds from (
       select distinct on (singleton_key) case state when 'active' then heartbeat_on when 'failed' then null else start_after end as due
       from ${job} where name = 'events' and state in ('created', 'retry', 'active', 'failed') and not blocked
       order by singleton_key, state = 'failed' desc, state desc, created_on, id
     ) as head where due < now() - :grace * interval '1 ms'
       and not exists (select 1 from ${job} where name = 'events'
         and (state = 'active' and heartbeat_on >= now() - :grace * interval '1 ms' or completed_on >= now() - :grace * interval '1 ms'))`,
    { grace },
  );
  return { count: Number(found!.count), seconds: Number(found!.seconds) };
}

interface Row {
  id: string;
  state: keyof (typeof STATE_OF)[QueueName];
  data: { to?: string; event?: { id: string; type: string; subject: string; time: string }; name?: string; data?: unknown };
  /** `value`: what pg-boss itself says of a try that never ended */
  output: (Partial<Failure> & { value?: { message?: string } }) | null;
  retry_count: number;
  started_on: Date | null;
  created_on: Date;
  start_after: Date;
  behind: string | null;
}

const MATCHES = `job.name = :queue and state = any(:states)
  and (:ids::text[] is null or id::text = any(:ids) or data->'event'->>'id' = any(:ids))
  and (:type::text is null or coalesce(data->'event'->>'type', data->>'name') = :type)
  and (:to::text is null or data->>'to' = :to)`;

const bindings = (queue: QueueName, { ids, states = statesOf(queue), type, to }: EntryFilter) => ({
  queue,
  ids: (ids ?? null) as never,
  states: Object.entries(STATE_OF[queue]).flatMap(([state, word]) => (states.includes(word) ? [state] : [])),
  type: (type ?? null) as never,
  to: (to ?? null) as never,
});

function entryOf({ module, queue }: QueueOf, { id, state, data, output, retry_count: repeats, started_on: startedOn, created_on: addedAt, start_after: nextTry, behind }: Row): EntryInFull {
  const message = output?.message ?? output?.value?.message;
  const failure = message === undefined || state === 'completed' ? null : { tries: [], ...output, message };
  const comes = state === 'created' || state === 'retry';
  return {
    module,
    id,
    state: STATE_OF[queue][state],
    type: data.event?.type ?? data.name ?? '',
    eventId: data.event?.id ?? null,
    subject: data.event?.subject ?? null,
    to: data.to ?? null,
    tries: startedOn ? repeats + 1 : 0,
    addedAt,
    nextTryAt: comes ? nextTry : null,
    behind,
    error: failure?.message ?? null,
    data: data.event ?? data.data,
    failure,
  };
}
