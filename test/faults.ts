import { availableParallelism } from 'node:os';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { crashEverywhere } from './faults/crash-points.ts';
import { inFull } from './faults/in-full.ts';
import type { LongForm } from './faults/long-form.ts';
import { withCompiled } from './placements/choices.ts';
import { startTestPostgres } from './support/postgres.ts';

/** Every long form, by its name on the command line. */
const LONG_FORMS: Readonly<Record<string, LongForm>> = {
  'crash-points': crashEverywhere,
  partition: inFull('test/faults/partition.test.ts'),
  events: inFull('test/shared/events-guarantees.test.ts'),
  contention: inFull('test/faults/contention.test.ts'),
  shoppers: inFull('test/faults/shop-model.test.ts'),
};

interface Options {
  seed: number;
  only?: string;
  minutes: number;
  parallel: number;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interruption = new AbortController();

async function run(names: string[], { seed, only, minutes, parallel }: Options): Promise<void> {
  const postgres = await startTestPostgres();
  try {
    for (const name of names.length > 0 ? names : Object.keys(LONG_FORMS)) {
      if (interruption.signal.aborted) break;
      const signal = AbortSignal.any([interruption.signal, AbortSignal.timeout(minutes * 60_000)]);
      const began = Date.now();
      say(`${name}, seed ${seed}`);
      const failures = await withCompiled((compiled) => LONG_FORMS[name]!({ server: postgres.adminUrl, compiled, seed, only, parallel, say, signal }));
      for (const failure of failures) say(failure);
      say(`${name}: ${failures.length === 0 ? 'everything holds' : `${failures.length} FAILED; repeat with --seed ${seed}`} (${((Date.now() - began) / 1_000).toFixed(0)} s)`);
      if (failures.length > 0) process.exitCode = 1;
    }
  } finally {
    await postgres.stop();
  }
  if (interruption.signal.aborted) process.exitCode = 130;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('It must be a whole number above zero.');
  return Number(text);
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort());
await new Command('npm run test:faults --')
  .description('Kills, cuts, doubles and crowds in full, where npm test tries some of it.')
  .addArgument(new Argument('[names...]', 'which long forms; default: all').choices(Object.keys(LONG_FORMS)))
  .option('--seed <number>', 'of everything chosen at random, to repeat a run', wholeNumber, 1 + Math.floor(Math.random() * 999_999_999))
  .option('--only <case>', 'one case, as its failure names it')
  .option('--minutes <number>', 'the most for each long form', wholeNumber, 60)
  .option('--parallel <number>', 'how much at a time', wholeNumber, availableParallelism())
  .action(run)
  .parseAsync();
