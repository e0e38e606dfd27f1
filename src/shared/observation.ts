import { toAppError } from './errors.ts';
import { createMetrics, type Metrics } from './telemetry.ts';

/** What one process was seen to do across its modules' boundaries since it started; `kerf readiness` compares it with what is declared. */
export interface Observed {
  /** ISO instant from which on was counted */
  since: string;
  calls: { from: string; to: string; method: string; count: number }[];
  events: { type: string; from: string; to: string; count: number }[];
  /** statements of a module that name another module's schema; the database refuses them, here they are told apart */
  foreignStatements: { module: string; schema: string; statement: string; count: number }[];
}

export interface Observation {
  /** what to run at the end of each call of that method on that edge */
  calls(from: string, to: string, method: string): (outcome: Outcome, seconds: number) => void;
  delivered(type: string, from: string, to: string, outcome: Outcome): void;
  namedForeignSchema(module: string, schema: string, statement: string): void;
  report(): Observed;
}

/** How a call or delivery ended: `refused` is an answer like any other, the last two are trouble. */
export type Outcome = 'ok' | 'refused' | 'unavailable' | 'internal';

export function outcomeOf(error: unknown): Outcome {
  const { code } = toAppError(error);
  return code === 'unavailable' || code === 'internal' ? code : 'refused';
}

/** Texts are not bounded by the code that makes them, so no more than these are told apart. */
const MOST_STATEMENTS = 200;
const STATEMENT_LENGTH = 500;

/** Counts in memory, and in the metrics: an entry per method of a contract, type of event and distinct statement. */
export function createObservation(now: () => Date, metrics: Pick<Metrics, 'calls' | 'deliveries'> = createMetrics()): Observation {
  const since = now().toISOString();
  const calls = new Map<string, Observed['calls'][number]>();
  const events = new Map<string, Observed['events'][number]>();
  const statements = new Map<string, Observed['foreignStatements'][number]>();
  return {
    calls(from, to, method) {
      const entry = calls.get(`${from} ${to} ${method}`) ?? { from, to, method, count: 0 };
      calls.set(`${from} ${to} ${method}`, entry);
      return (outcome, seconds) => {
        entry.count += 1;
        metrics.calls.observe({ from, to, method, outcome }, seconds);
      };
    },
    delivered: (type, from, to, outcome) => {
      metrics.deliveries.inc({ type, from, to, outcome });
      if (outcome === 'ok') count(events, `${type} ${from} ${to}`, { type, from, to });
    },
    namedForeignSchema: (module, schema, text) => {
      const statement = text.slice(0, STATEMENT_LENGTH);
      count(statements, `${module} ${schema} ${statement}`, { module, schema, statement }, MOST_STATEMENTS);
    },
    report: () => ({ since, calls: [...calls.values()].filter((entry) => entry.count > 0), events: [...events.values()], foreignStatements: [...statements.values()] }),
  };
}

function count<T extends { count: number }>(entries: Map<string, T>, key: string, what: Omit<T, 'count'>, most = Infinity): void {
  const entry = entries.get(key);
  if (entry) entry.count += 1;
  else if (entries.size < most) entries.set(key, { ...what, count: 1 } as T);
}
