import { Command } from 'commander';
import { addModule, type Written } from './new-module/new-module.ts';
import { Interrupted } from './new-module/tree.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

const HELP = `
The name is one word of 2 to 30 lower-case letters: the folder, the database schema and the role are called so. What the
module keeps is called by the same word and its plural, or by the one given with --of. There will be one to create, read,
list and archive, for staff below /v1/admin, with an event, a table and tests of all of it: rename from there.`;

/** `kerf new …` */
export const newCommand = new Command('new').description('begin something new').helpCommand(false);

newCommand
  .command('module <name>')
  .description('write a module that passes every check: contract, service, repository, migration, routes, tests, wiring')
  .option('--of <word>', 'what it keeps, one of it, when that has another name: new module gallery --of picture')
  .option('--dry-run', 'check everything, list what would be written, and write nothing')
  .addHelpText('after', HELP)
  .action(async (module: string, { of, dryRun = false }: { of?: string; dryRun?: boolean }) => {
    const written = await addModule({ module, of, dryRun, onProgress: say }).catch(whenInterrupted);
    if (!written) return;
    const files = linesOf(written);
    const head = `The module ${module} ${dryRun ? 'would be written' : 'is there'}, in ${files.length} files:`;
    say([head, ...files, `Its routes: ${written.routes}`, dryRun ? 'Its contract.json and the map in docs/ would be made from them.' : nextSteps(module)].join('\n'));
  });

function whenInterrupted(error: unknown): void {
  if (!(error instanceof Interrupted)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 130;
}

const linesOf = ({ added, wired, derived }: Written) => [
  ...added.map((path) => `  ${path}`),
  ...wired.map((path) => `  ${path} (a line)`),
  ...derived.filter((path) => !added.includes(path)).map((path) => `  ${path} (generated)`),
];

const nextSteps = (module: string) => `
Next:
  npx vitest run test/modules/${module}: its tests, on a Postgres of their own
  npm run test:alone ${module}: the same, with every other module's inside absent
  npm run check: types, lint, boundaries, contracts, dead code
  npm start: makes its schema, roles and table, and serves its routes (see /docs, below admin)
What to rename first is in src/modules/${module}/README.md.`;
