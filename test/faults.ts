import { availableParallelism } from 'node:os';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { crashEverywhere } from './faults/crash-points.ts';
import { inFull } from './faults/in-full.ts';
import type { LongForm, LongOutcome } from './faults/long-form.ts';
import { withCompiled } from './placements/choices.ts';
import { startTestPostgres } from './support/postgres.ts';

/** Every long form, by its name on the command line. */
const LONG_FORMS: Readonly<Record<string, LongForm>> = {
  'crash-points': crashEverywhere,
  partition: inFull('test/faults/partition.test.ts'),
  chaos: inFull('test/faults/chaos.test.ts'),
  events: inFull('test/shared/events-guarantees.test.ts', 'test/modules/payment/webhooks.test.ts'),
  contention: inFull('test/faults/contention.test.ts'),
  overload: inFull('test/faults/overload.test.ts'),
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

async function run(names: string[], options: Options): Promise<void> {
  const postgres = await startTestPostgres();
  const summary: string[] = [];
  try {
    for (const name of names.length > 0 ? names : Object.keys(LONG_FORMS)) {
      if (interruption.signal.aborted) break;
      summary.push(await runOne(name, postgres.adminUrl, options));
    }
  } finally {
    await postgres.stop();
  }
  say(`\n${['form           cases  outcome              seconds', ...summary].join('\n')}`);
  if (interruption.signal.aborted) process.exitCode = 130;
}

/** A line for the summary. */
async function runOne(name: string, server: string, { seed, only, minutes, parallel }: Options): Promise<string> {
  const signal = AbortSignal.any([interruption.signal, AbortSignal.timeout(minutes * 60_000)]);
  const began = Date.now();
  say(`${name}, seed ${seed}`);
  const { cases, of = cases, failures }: LongOutcome = await withCompiled((compiled) => LONG_FORMS[name]!({ server, compiled, seed, only, parallel, say, signal })).catch((error: unknown) => ({
    cases: 0,
    failures: [`It could not be run: ${String(error)}`],
  }));
  for (const failure of failures) say(failure);
  if (failures.length > 0) {
    say(`Repeat with: npm run test:faults -- ${name} --seed ${seed}`);
    process.exitCode = 1;
  }
  // What was not tried is not known to hold: whoever reads the exit code alone has to hear of it.
  const isWhole = cases === of;
  if (!isWhole) process.exitCode ||= 3;
  const outcome = failures.length === 0 ? (isWhole ? 'everything holds' : `these hold, of ${of}`) : `${failures.length} FAILED`;
  return `${name.padEnd(14)} ${String(cases).padStart(5)}  ${outcome.padEnd(20)} ${((Date.now() - began) / 1_000).toFixed(0).padStart(7)}`;
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
