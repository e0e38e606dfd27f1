import type { Job, Slice } from './driver.ts';
import { type Cost, quantilesOf, type Row } from './report.ts';
import type { Counts, Kerf, Postgres } from './shop.ts';

/* A row is measured in several slices, in turn with others: what else the machine does falls on each alike. */

/** How often each row of a round has its turn. */
const TURNS = 4;

export interface Measured {
  postgres: Postgres;
  kerf: Kerf;
  /** statements and commits of an idle shop, taken off what a row is said to cost */
  idle: { statements: number; commits: number };
  say(sentence: string): void;
}

export interface Course {
  what: string;
  /** without Kerf, in another database */
  bare?: boolean;
  run(job: Job): Promise<Slice>;
  /** as the worker knows it; default: as the row is called */
  as?: string;
}

interface Used extends Record<'kerf' | 'postgres' | 'seconds', number> {
  counts: Counts;
}

export async function measure({ postgres, kerf, idle, say }: Measured, courses: readonly Course[], clients: number, seconds: number): Promise<{ rows: Row[]; tables: Record<string, number> }> {
  const slices = courses.map((): { slice: Slice; before: Used; after: Used }[] => []);
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [index, { what, run, as }] of courses.entries()) {
      const before = await used({ postgres, kerf });
      const slice = await run({ what: as ?? what, clients, seconds: seconds / TURNS });
      // What orders cause afterwards is theirs, and not the next row's.
      await postgres.quiet();
      slices[index]!.push({ slice, before, after: await used({ postgres, kerf }) });
    }
  }
  const rows = courses.map(({ what, bare }, index) => {
    const row = rowOf(what, clients, slices[index]!, idle);
    return bare ? { ...row, cost: { ...row.cost, ...UNSAID } } : row;
  });
  for (const row of rows) say(`${row.what}, ${clients} clients: ${row.perSecond.toFixed(0)} a second, p99 ${row.p99.toFixed(1)} ms`);
  return { rows, tables: growthOf(slices[0]!, rows[0]!.count) };
}

/** What is counted in the shop's database tells nothing of work outside of it. */
const UNSAID = { kerfMs: Number.NaN, statements: Number.NaN, commits: Number.NaN, growthKB: Number.NaN };

const used = async ({ postgres, kerf }: Pick<Measured, 'postgres' | 'kerf'>): Promise<Used> => ({ kerf: kerf.cpuSeconds(), postgres: postgres.cpuSeconds(), seconds: performance.now() / 1_000, counts: await postgres.counts() });

function rowOf(what: string, clients: number, slices: readonly { slice: Slice; before: Used; after: Used }[], idle: Measured['idle']): Row {
  const sum = (of: (one: (typeof slices)[number]) => number) => slices.reduce((total, one) => total + of(one), 0);
  const grown = (of: (used: Used) => number) => sum(({ before, after }) => of(after) - of(before));
  const count = sum(({ slice }) => slice.took.length);
  const elapsed = grown(({ seconds }) => seconds);
  const completing = slices.flatMap(({ slice }) => slice.completing);
  const failures: Record<string, number> = {};
  for (const { slice } of slices) for (const [reason, times] of Object.entries(slice.failures)) failures[reason] = (failures[reason] ?? 0) + times;
  const cost: Cost = {
    kerfMs: (1_000 * grown(({ kerf }) => kerf)) / count,
    postgresMs: (1_000 * grown(({ postgres }) => postgres)) / count,
    clientMs: (1_000 * sum(({ slice }) => slice.cpuSeconds)) / count,
    statements: (grown(({ counts }) => counts.statements) - idle.statements * elapsed) / count,
    commits: (grown(({ counts }) => counts.commits) - idle.commits * elapsed) / count,
    walKB: grown(({ counts }) => counts.walBytes) / 1_024 / count,
    walFlushes: grown(({ counts }) => counts.walFlushes) / count,
    growthKB: grown(({ counts }) => counts.databaseBytes) / 1_024 / count,
  };
  return {
    what, clients, count, failures, cost, perSecond: count / sum(({ slice }) => slice.seconds), ...quantilesOf(slices.flatMap(({ slice }) => slice.took)), ...(completing.length > 0 && { completing: quantilesOf(completing) }),
  };
}

/** KB of each table for one of `count`. */
function growthOf(slices: readonly { before: Used; after: Used }[], count: number): Record<string, number> {
  const names = Object.keys(slices.at(-1)!.after.counts.tables);
  const grown = (name: string) => slices.reduce((sum, { before, after }) => sum + (after.counts.tables[name] ?? 0) - (before.counts.tables[name] ?? 0), 0) / 1_024 / count;
  return Object.fromEntries(names.map((name) => [name, grown(name)] as const).filter(([, kilobytes]) => kilobytes > 0).toSorted(([, a], [, b]) => b - a).slice(0, 12));
}

/** Statements and commits a second of a shop that nobody visits. */
export async function idleness(postgres: Postgres, wait: () => Promise<unknown>): Promise<Measured['idle']> {
  await postgres.quiet();
  const [before, since] = [await postgres.counts(), performance.now()];
  await wait();
  const [after, seconds] = [await postgres.counts(), (performance.now() - since) / 1_000];
  return { statements: (after.statements - before.statements) / seconds, commits: (after.commits - before.commits) / seconds };
}
