import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { newId } from '../src/shared/ids.ts';
import { commands, endApart, fill, onHand, openShop, type Shop, stall, VARIANTS } from './moving.ts';
import { writePage } from './page.ts';
import { table } from './report.ts';
import { onInterrupt, openPostgres, type Postgres } from './shop.ts';

/*
 * What a move costs whom, by how much there is to move, how many write meanwhile, and how far the target lags in the moment
 * of the hold: `node bench/move.ts --help`. The shop with all modules is this process, its writers count stock through the
 * service of inventory, each waiting for its answer; `kerf extract` and `kerf fold` take that module to another Postgres
 * and back. docs/performance.md says what the figures mean.
 */

interface Options {
  rows: number[];
  writers: number[];
  lag: number[];
  seconds: number;
  grid: boolean;
  json?: string;
  write?: boolean;
}

const DEFAULTS: Options = { rows: [1_000, 100_000], writers: [1, 4, 16], lag: [100, 500], seconds: 2, grid: false };

interface Case {
  rows: number;
  writers: number;
  lag: number;
}

interface Row extends Case {
  way: 'extract' | 'fold';
  /** of a fold there is none: the way back was kept */
  copySeconds?: number;
  /** milliseconds from being told to hold until being told to go on, by the mover's clock and, the longest, by those who held */
  pauseOfMover: number;
  pauseOfHosts: number;
  /** milliseconds that a writer waited at most for an answer, of those that wait between hold and opening */
  longestWrite: number;
  held: number;
  again: number;
  /** statements and transactions by those who held, and writes by those who asked */
  failed: number;
  tries: number;
  writesBefore: number;
  writesDuring: number;
  /** by `kerf move diff` behind the move, queue and all */
  compared: number;
  different: number;
  /** pieces on hand that nobody was told of, or that are missing: what is doubled or lost */
  astray: number;
}

interface Report {
  at: string;
  machine: { cores: number; model: string; node: string; postgres: string; loadBefore: number };
  rows: Row[];
}

interface Moving extends Pick<Shop, 'inventory'> {
  kerf: ReturnType<typeof commands>;
  home: Postgres;
  apart: Postgres;
}

const say = (sentence: string) => void process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${sentence}\n`);

async function run({ rows: sizes, writers: crowds, lag: lags, seconds, grid }: Options): Promise<Report> {
  const loadBefore = loadavg()[0]!;
  const ends: (() => unknown)[] = [];
  let ended: Promise<void> | undefined;
  const endAll = async () => {
    for (const end of ends) await end();
  };
  // Somebody who has seen enough also makes the command fail that is under way.
  const end = () => (ended ??= endAll());
  onInterrupt([end]);
  try {
    const apart = await openPostgres();
    ends.unshift(() => apart.stop());
    const home = await openPostgres();
    ends.unshift(() => home.stop());
    const { inventory, close } = await openShop(home, say);
    ends.unshift(() => endApart(home), close);
    const moving: Moving = { inventory, kerf: commands(home, apart, say), home, apart };
    const middle = crowds[Math.floor(crowds.length / 2)]!;
    const cases: Case[] = [
      ...sizes.flatMap((rows, index) => (grid || index === 0 ? crowds : [middle]).map((writers) => ({ rows, writers, lag: 0 }))),
      ...lags.map((lag) => ({ rows: sizes[0]!, writers: middle, lag })),
    ];
    const rows: Row[] = [];
    for (const one of cases) {
      say(`${one.rows} rows, ${one.writers} writers, a target that stands still for ${one.lag} ms.`);
      await fill(home, one.rows);
      for (const way of ['extract', 'fold'] as const) {
        const row = await measure(moving, one, way, seconds);
        say(`${way}: a pause of ${row.pauseOfMover} ms, ${row.tries} ${row.tries === 1 ? 'try' : 'tries'}, ${row.failed} failed, ${row.different} different, ${row.astray} astray.`);
        rows.push(row);
      }
      await moving.kerf(['move', 'complete', 'inventory']);
    }
    return { at: new Date().toISOString(), machine: { cores: cpus().length, model: cpus()[0]?.model.trim() ?? '', node: process.versions.node, postgres: home.version, loadBefore }, rows };
  } finally {
    await end();
  }
}

async function measure({ inventory, kerf, home, apart }: Moving, one: Case, way: Row['way'], seconds: number): Promise<Row> {
  const target = way === 'extract' ? apart : home;
  const at = new Map<string, number>();
  let stalled: Promise<void> | undefined;
  const had = await onHand(way === 'extract' ? home : apart);
  const writers = startWriters(inventory, one.writers);
  const began = performance.now();
  await setTimeout(seconds * 1_000);
  const before = writers.perSecond(began, performance.now());
  const moved = await kerf([way, 'inventory'], (phase) => {
    // It may be held more than once: the first time counts, and is the one that is made late.
    if (phase === 'hold' && at.has(phase)) return;
    at.set(phase, performance.now());
    if (phase === 'hold' && one.lag > 0) stalled = stall(target, one.lag);
    stalled?.catch(() => undefined);
  }).finally(() => writers.stop());
  await stalled;
  const { rows: compared, tables } = await kerf<{ rows: number; tables: { different: unknown[] }[] }>(['move', 'diff', 'inventory']);
  return {
    ...one, way,
    ...(way === 'extract' && { copySeconds: (at.get('copy')! - at.get('prepare')!) / 1_000 }),
    pauseOfMover: moved.pause, pauseOfHosts: moved.met.pause, longestWrite: writers.longest(at.get('hold')!, at.get('open')!),
    held: moved.met.held, again: moved.met.again, failed: moved.met.failed + writers.failed(), tries: moved.tries,
    writesBefore: before, writesDuring: writers.perSecond(at.get('preflight')!, at.get('open')!),
    compared, different: tables.reduce((sum, { different }) => sum + different.length, 0), astray: (await onHand(target)) - had - writers.acknowledged(),
  };
}

/** Each counts one piece of something, and waits for the answer. */
function startWriters(inventory: Moving['inventory'], count: number) {
  /** instant of each answer, and the milliseconds that it took */
  const answers: { at: number; took: number }[] = [];
  let [failed, stopped] = [0, false];
  const all = Promise.all(Array.from({ length: count }, async () => {
    while (!stopped) {
      const asked = performance.now();
      const variantId = VARIANTS[Math.floor(Math.random() * VARIANTS.length)]!;
      try {
        await inventory.adjust({ adjustmentId: newId(), adjustments: [{ variantId, kind: 'received', delta: 1 }] });
        answers.push({ at: performance.now(), took: performance.now() - asked });
      } catch (error) {
        failed += 1;
        say(`A write failed: ${(error as Error).message}`);
        await setTimeout(100);
      }
    }
  }));
  return {
    acknowledged: () => answers.length,
    failed: () => failed,
    perSecond: (from: number, to: number) => answers.filter(({ at }) => at >= from && at <= to).length / ((to - from) / 1_000),
    /** of those that were under way at any time between the two */
    longest: (from: number, to: number) => answers.filter(({ at, took }) => at >= from && at - took <= to).reduce((most, { took }) => Math.max(most, took), 0),
    async stop() {
      stopped = true;
      await all;
    },
  };
}

const whole = (milliseconds: number) => Math.round(milliseconds);
const markdown = ({ at, machine, rows }: Report) => [
  `Run of ${at.slice(0, 16).replace('T', ' ')} UTC: ${machine.cores} cores (${machine.model}) shared by writers, shop, process apart, mover and both servers, with a load of ${machine.loadBefore.toFixed(2)} before it began; Node ${machine.node}, Postgres ${machine.postgres} with fsync and default durability.`,
  table(['rows', 'writers', 'lag ms', 'way', 'copy s', 'pause: mover ms', 'hosts ms', 'longest write ms', 'held', 'run again', 'failed', 'tries', 'writes/s before', 'during', 'rows compared', 'different', 'astray'], rows.map((row) => [
    row.rows.toLocaleString('en'), row.writers, row.lag, row.way, row.copySeconds ?? '', whole(row.pauseOfMover), whole(row.pauseOfHosts), whole(row.longestWrite), row.held, row.again, row.failed, row.tries,
    row.writesBefore, row.writesDuring, row.compared.toLocaleString('en'), row.different, row.astray,
  ])),
].join('\n\n');

const [BEGIN, END] = ['<!-- node bench/move.ts --write -->', '<!-- the end of what a move costs -->'];

const list = (least: number) => (text: string) => {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((number) => Number.isInteger(number) && number >= least)) throw new InvalidArgumentError(`It must be whole numbers from ${least} on with commas between them.`);
  return numbers;
};
const number = (text: string) => {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return Number(text);
};

await new Command('node bench/move.ts')
  .description('moves inventory to another Postgres and back while writers count stock: the pause by rows, writers, and lag of the target')
  .option('--rows <list>', `movements of stock that are there already (default: ${DEFAULTS.rows.join(',')})`, list(1))
  .option('--writers <list>', `writers that wait for their answers (default: ${DEFAULTS.writers.join(',')})`, list(1))
  .option('--lag <list>', `milliseconds that the target stands still once shoppers are held, at the first number of rows and the middle one of writers; 0 is measured anyway (default: ${DEFAULTS.lag.join(',')})`, list(1))
  .option('--no-lag', 'nothing of the kind')
  .option('--grid', 'every number of rows with every one of writers; default: the first of rows with each, and the others with the middle one of writers')
  .option('--seconds <number>', `of writing before each move (default: ${DEFAULTS.seconds})`, number)
  .option('--json <file>', 'write all figures there')
  .option('--write', 'put the table into docs/performance.md')
  .action(async ({ lag, ...given }: Partial<Omit<Options, 'lag'>> & { lag?: number[] | boolean }) => {
    const options: Options = { ...DEFAULTS, ...given, lag: lag === false ? [] : Array.isArray(lag) ? lag : DEFAULTS.lag };
    const report = await run(options);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    if (options.write) writePage(BEGIN, END, markdown(report));
    process.stdout.write(`${markdown(report)}\n`);
  })
  .parseAsync();
