import { join } from 'node:path';
import { Command } from 'commander';
import { MODULES } from '../src/calls.ts';
import { runAlone, type Verdict } from './alone/run.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interruption = new AbortController();

const command: Command = new Command('npm run test:alone --')
  .description("Runs a module's type check and tests in a tree without any other module's inside: of the others only contracts and fakes are there.")
  .argument('[module]', `one of ${MODULES.join(', ')}, or all`)
  .argument('[filters...]', "parts of names of test files, when it shall not be all of the module's")
  .option('--keep', 'leave the trees where they are and say where that is', false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(async (name: string | undefined, filters: string[], { keep }: { keep: boolean }) => {
    if (name === undefined) command.error(`Say which module is to stand alone: ${MODULES.join(', ')} or all.`);
    if (name !== 'all' && !MODULES.includes(name)) command.error(`There is no module "${name}"; there are ${MODULES.join(', ')}, and all of them together as all.`);
    const verdicts: Verdict[] = [];
    for (const module of name === 'all' ? MODULES : [name]) {
      if (interruption.signal.aborted) break;
      verdicts.push(await runAlone(module, { root: join(import.meta.dirname, '..'), filters, keep, say, signal: interruption.signal }));
    }
    say(`\n${table(verdicts)}`);
    if (interruption.signal.aborted) process.exitCode = 130;
    else if (verdicts.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
  });

function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ module, files, tests, seconds, failures }) => [module, `${files}`, `${tests}`, seconds.toFixed(1), failures.join(', ') || 'green']);
  return [['module', 'files', 'tests', 'seconds', 'verdict'], ...rows]
    .map(([module, files, tests, seconds, verdict]) => `${module!.padEnd(12)}${files!.padStart(6)}${tests!.padStart(7)}${seconds!.padStart(9)}  ${verdict}`)
    .join('\n');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
await command.parseAsync();
