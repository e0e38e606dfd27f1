import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { MODULES } from '../src/calls.ts';
import { inFull } from './faults/in-full.ts';
import type { Journey } from './move/journey.ts';

const GUIDE = join(import.meta.dirname, '../docs/moving-a-module.md');
const MARKS = ['<!-- reports of moves -->', '<!-- end of reports -->'] as const;

interface Options {
  seed: string;
  only?: string;
  minutes: string;
  slower: string;
  report: boolean;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interruption = new AbortController();

async function run(modules: string[], { seed, only, minutes, slower, report }: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kerf-moves-'));
  process.env['KERF_MOVE_REPORTS'] = folder;
  process.env['KERF_MOVE_SLOWER'] = slower;
  if (modules.length > 0) process.env['KERF_MOVE_MODULES'] = modules.join();
  const files = ['test/move/proof.test.ts', ...(modules.length > 0 ? [] : ['test/move/model.test.ts', 'test/move/mover.test.ts', 'test/move/shadow.test.ts', 'test/move/starting.test.ts', 'test/move/neighbours.test.ts'])];
  const began = Date.now();
  try {
    const signal = AbortSignal.any([interruption.signal, AbortSignal.timeout(Number(minutes) * 60_000)]);
    const { cases, failures } = await inFull(...files)({ server: '', compiled: '', seed: Number(seed), only, parallel: 1, say, signal });
    const journeys = new Map(await Promise.all((await readdir(folder)).map(async (name) => [name.replace('.json', ''), JSON.parse(await readFile(join(folder, name), 'utf8')) as Journey[]] as const)));
    for (const failure of failures) say(failure);
    say(`\n${tableOf(journeys).join('\n')}\n\n${cases} cases, ${failures.length === 0 ? 'everything holds' : `${failures.length} FAILED`}, ${Math.round((Date.now() - began) / 1_000)} seconds`);
    if (failures.length > 0) process.exitCode = 1;
    else if (report) await write(journeys, `npm run test:move -- ${process.argv.slice(2).join(' ')}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Modules that this run did not move keep their lines. */
async function write(journeys: ReadonlyMap<string, Journey[]>, command: string): Promise<void> {
  const guide = await readFile(GUIDE, 'utf8');
  const [before, rest] = guide.split(MARKS[0]);
  const [old, after] = rest?.split(MARKS[1]) ?? [];
  if (before === undefined || old === undefined || after === undefined) throw new Error(`${GUIDE} has no place for the report: ${MARKS.join(' … ')}.`);
  const kept = old.split('\n').filter((line) => /^\| (?!module|---)/.test(line) && !journeys.has(line.split(' ')[1]!));
  const lines = [...tableOf(journeys), ...kept];
  const [head, rule, ...of] = lines;
  const order = (line: string) => MODULES.indexOf(line.split(' ')[1]!);
  const made = `Made by \`${command}\`, on ${availableParallelism()} cores with both servers, the shop and its clients on them, Node ${process.versions.node}.`;
  await writeFile(GUIDE, `${before}${MARKS[0]}\n\n${made}\n\n${[head, rule, ...of.toSorted((one, other) => order(one) - order(other))].join('\n')}\n\n${MARKS[1]}${after}`);
}

const tableOf = (journeys: ReadonlyMap<string, Journey[]>): string[] => [
  '| module | way | pause | no answer for | before | rows | held | run again | requests | failed | p99 | before | tries |',
  `|${' --- |'.repeat(13)}`,
  ...[...journeys].flatMap(([module, both]) =>
    both.map((one) => `| ${[module, one.direction, one.pause, one.gap, one.gapBefore, one.rows, one.held, one.again, one.requests, one.failed, one.p99, one.p99Before, one.tries].join(' | ')} |`),
  ),
];

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interruption.abort());
await new Command('npm run test:move --')
  .description('Moves each module to another server and back while people shop, with everything killed and frozen on the way, where npm test moves one.')
  .addArgument(new Argument('[modules...]', 'which modules, and nothing else of moves; default: all').choices(MODULES))
  .option('--seed <number>', 'of everything chosen at random, to repeat a run', String(1 + Math.floor(Math.random() * 999_999_999)))
  .option('--only <words>', 'cases with these words in their name')
  .option('--minutes <number>', 'the most for all of it', '120')
  .option('--slower <times>', 'people come this many times slower, on a machine that has other things to do', '1')
  .option('--report', 'write the figures into docs/moving-a-module.md', false)
  .action(run)
  .parseAsync();
