import { readFile, writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { Environment, readConfig } from '../config.ts';
import { start } from '../main.ts';
import { userContract } from '../modules/user/contract.ts';
import { ConfigError } from '../setup/config-error.ts';
import { openInstallation } from '../setup/database.ts';
import { exportProducts } from '../setup/export-products.ts';
import { fail } from '../setup/fail.ts';
import { type FileReport, importCategories, importProducts } from '../setup/import-products.ts';
import { type OpenKerf, openKerf } from '../setup/kerf.ts';
import { seedShop } from '../setup/seed.ts';
import { Role } from '../shared/http.ts';
import { newSecret } from '../shared/ids.ts';
import { boundariesCommand } from './boundaries-command.ts';
import { checkCommand } from './check-command.ts';
import { contractsCommand } from './contracts-command.ts';
import { eventsCommand } from './events-command.ts';
import { jobsCommand } from './jobs-command.ts';
import { mapCommand } from './map-command.ts';
import { extractCommand, foldCommand, moveCommand } from './move-command.ts';
import { newCommand } from './new-module-command.ts';
import { readinessCommand } from './readiness-command.ts';
import { serviceKeysCommand } from './service-keys-command.ts';
import { splitCommand } from './split-command.ts';
import { verifyCommand } from './verify-command.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);
const progress = (line: string) => void process.stderr.write(`${line}\n`);

/** Runs `work` on this installation's shop, beside a running Kerf or without one. */
async function withKerf(work: (opened: OpenKerf) => Promise<void>): Promise<void> {
  const config = readConfig();
  const opened = await openKerf(config, { attach: true, onProgress: progress, publicUrl: config.publicUrl ?? 'http://localhost:3000' });
  await work(opened).finally(() => opened.close());
}

/** Every command that does something, however deep. */
const leaves = (command: Command): Command[] => (command.commands.length === 0 ? [command] : command.commands.flatMap(leaves));
const pathOf = (command: Command): string => (command.parent?.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name());

const program = new Command('kerf')
  .description('A modular commerce backend: one process and one Postgres, whose modules can be cut out and folded back.')
  .version('0.1.0')
  .helpCommand(false)
  .configureHelp({
    visibleCommands: (command) => command.commands.flatMap(leaves),
    subcommandTerm: (command) => `${pathOf(command)} ${command.usage().replace('[options] ', '').replace('[options]', '')}`.trim(),
  });

program.command('start').description('set up what is missing and serve the shop (what `npm start` does)').action(() => start());

program
  .command('migrate')
  .description('create roles, schemas and tables that are missing; touches no goods')
  .action(async () => {
    const installation = await openInstallation(readConfig(), { attach: true, onProgress: progress });
    await installation.migrate({ force: true }).finally(() => installation.close());
    say('The database is up to date.');
  });

program
  .command('seed')
  .description('fill the shop with the demo goods, promotions and accounts; what is there stays as it is')
  .action(() =>
    withKerf(async ({ kerf }) => {
      await seedShop(kerf, { onProgress: say, force: true });
      say('The demo shop is there.');
    }),
  );

const importing = program.command('import').description('load a CSV file; all rows or, with any error, none');
const file = { products: importProducts, categories: importCategories };
for (const [what, load] of Object.entries(file)) {
  importing
    .command(`${what} <file>`)
    .description(`load ${what}; the columns are those of seed/${what}.csv, and the same file again changes nothing`)
    .option('--dry-run', 'check everything and change nothing', false)
    .action((path: string, { dryRun }: { dryRun: boolean }) =>
      readFile(path)
        .catch(() => {
          throw new ConfigError(`There is no readable file "${path}".`);
        })
        .then((content) => withKerf(async ({ kerf }) => report(path, await load(kerf, content, { dryRun }), dryRun))),
    );
}

function report(path: string, { created, updated, unchanged, errors }: FileReport, dryRun: boolean): void {
  for (const { line, reason, message } of errors) say(`${path}:${line}: ${message} (${reason})`);
  if (errors.length > 0) {
    say(`Nothing was changed: ${errors.length} ${errors.length === 1 ? 'row is' : 'rows are'} not usable.`);
    process.exitCode = 1;
    return;
  }
  say(`${dryRun ? 'Would be' : 'Done:'} ${created} created, ${updated} updated, ${unchanged} unchanged.`);
}

const exporting = program.command('export').description('write a CSV file');
exporting
  .command('products <file>')
  .description('write all products in the form that `import products` reads')
  .action((path: string) =>
    withKerf(async ({ kerf }) => {
      const { file: content, products } = await exportProducts(kerf);
      await writeFile(path, content).catch((error: NodeJS.ErrnoException) => {
        throw new ConfigError(`${path} cannot be written (${error.code}).`);
      });
      say(`${products} products written to ${path}.`);
    }),
  );

const user = program.command('user').description('accounts');
user
  .command('create <email>')
  .description('make a verified account and print its password once')
  .addOption(new Option('--role <role>', 'what it may do').choices(Role.options).default('customer'))
  .option('--name <name>', 'how it is addressed', 'Kerf')
  .action((email: string, options: { role: Role; name: string }) =>
    withKerf(async ({ kerf }) => {
      const password = newSecret().slice(0, 20);
      const account = userContract.methods.ensureUser.input.safeParse({ email, password, name: options.name, role: options.role });
      if (!account.success) throw new ConfigError(`${String(account.error.issues[0]?.path[0])}: ${account.error.issues[0]?.message}.`);
      const { created } = await kerf.service(userContract).ensureUser(account.data);
      if (created) say(`${email} / ${password} (shown this once)`);
      else throw new ConfigError(`There is an account for ${email} already; it stays as it is.`);
    }),
  );

const keys = program.command('keys').description('keys that sign');
keys
  .command('rotate')
  .description('sign access tokens with a new key from now on; tokens signed with the old one stay good until they end')
  .action(() => withKerf(async ({ kerf }) => say(`Signing with ${(await kerf.service(userContract).rotateSigningKeys({})).keyId}.`)));

program
  .command('config')
  .description('list every environment variable that Kerf reads')
  .action(() => {
    for (const [name, schema] of Object.entries(Environment.shape)) say(`${name.padEnd(30)} ${schema.meta()?.['description'] ?? ''}`);
  });

keys.addCommand(serviceKeysCommand);

for (const command of [splitCommand, extractCommand, foldCommand, moveCommand, verifyCommand, eventsCommand, jobsCommand]) program.addCommand(command);
for (const command of [boundariesCommand, checkCommand, contractsCommand, mapCommand, newCommand, readinessCommand]) {
  program.addCommand(command);
  for (const leaf of leaves(command)) leaf.helpGroup('Developing:');
}

/** Bad usage is like any other thing that could not be run: 2. Asked for help or the version: 0. */
const every = (command: Command): Command[] => [command, ...command.commands.flatMap(every)];
for (const command of every(program)) command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

/** Whoever reads along may have read enough: `kerf contracts | head -1`. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit() : fail(error)));

await program.parseAsync().catch(fail);
