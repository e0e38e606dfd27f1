import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { MODULES } from '../src/calls.ts';
import { CHOICES, type Run, runApart, wayOf, withCompiled } from './placements/choices.ts';
import { differenceBetween } from './placements/transcript.ts';
import { startTestPostgres } from './support/postgres.ts';

interface Options {
  only?: readonly string[];
  from: number;
  parallel: number;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interruption = new AbortController();
const width = `${CHOICES.length}`.length;

async function run({ only, from, parallel }: Options): Promise<void> {
  const chosen = CHOICES.map((out, index) => ({ out, number: index + 1 })).filter(({ out, number }) => number >= from && out.length > 0 && (!only || only.join() === out.join()));
  const started = Date.now();
  const postgres = await startTestPostgres();
  try {
    const failed = await withCompiled((compiled) => compareAll(chosen, { server: postgres.adminUrl, compiled, parallel }));
    const seconds = ((Date.now() - started) / 1_000).toFixed(0);
    say(interruption.signal.aborted ? 'Interrupted.' : `${chosen.length - failed} of ${chosen.length} choices behave like one process, in ${seconds} s.`);
    process.exitCode = interruption.signal.aborted ? 130 : Math.min(failed, 1);
  } finally {
    await postgres.stop();
  }
}

/** Answers how many differ. */
async function compareAll(chosen: readonly { out: readonly string[]; number: number }[], { parallel, ...place }: { server: string; compiled: string; parallel: number }): Promise<number> {
  const { signal } = interruption;
  const expected = await runApart([], wayOf(1), { ...place, signal });
  if (expected.stopped) throw new Error([expected.stopped, ...expected.transcript.slice(-12), ...expected.said].join('\n'));
  say(`${'1'.padStart(width)}  one process: ${expected.transcript.filter((line) => line.startsWith('# ')).length} entries in ${expected.transcript.length} lines`);
  const left = [...chosen];
  let failed = 0;
  const work = async () => {
    for (let next = left.shift(); next && !signal.aborted; next = left.shift()) {
      const began = Date.now();
      const way = wayOf(next.number);
      const found = await runApart(next.out.map((module) => [module]), way, { ...place, signal }).catch((error: Error) => ({ transcript: [], said: [], stopped: error.message }));
      if (signal.aborted) return;
      const problem = problemOf(expected, found);
      if (problem !== undefined) failed += 1;
      say(`${`${next.number}`.padStart(width)}  ${next.out.join(', ')}, by ${way.by}${way.ownDatabases ? ', a database each' : ''}: ${problem === undefined ? 'the same' : `DIFFERENT\n${problem}`} (${((Date.now() - began) / 1_000).toFixed(0)} s)`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));
  return failed;
}

/** The first difference, why the run stopped if it did, and what its processes had to say. */
function problemOf(expected: Run, found: Run): string | undefined {
  const difference = differenceBetween(expected.transcript, found.transcript);
  if (difference === undefined && found.stopped === undefined) return undefined;
  return [difference, found.stopped && `  ${found.stopped}`, ...found.said.map((line) => `  ${line}`)].filter(Boolean).join('\n');
}

function modulesIn(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !MODULES.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no module "${unknown}"; there are ${MODULES.join(', ')}.`);
  return MODULES.filter((name) => names.includes(name));
}

function numberUpTo(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < 1 || number > most) throw new InvalidArgumentError(`It must be a number from 1 to ${most}.`);
    return number;
  };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interruption.abort());
await new Command('npm run test:placements --')
  .description('Makes the same purchases with every choice of modules in processes of their own, and compares answers, calls, events and spans with those of one process.')
  .option('--only <modules>', 'only the choice in which exactly these are out, separated by commas', modulesIn)
  .option('--from <number>', 'begin with this choice', numberUpTo(CHOICES.length), 1)
  .option('--parallel <number>', 'how many choices at a time', numberUpTo(CHOICES.length), availableParallelism())
  .action(run)
  .parseAsync();
