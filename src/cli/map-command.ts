import { Command, Option } from 'commander';
import { describeModules } from '../boundaries/map/module-facts.ts';
import { ConfigError } from '../setup/config-error.ts';
import { ROOT } from '../setup/paths.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

export const mapCommand = new Command('map')
  .description('draw who calls whom, whose events go where and what each module offers, into docs/')
  .option('--check', 'write nothing; fail when something there is stale')
  .addOption(new Option('--json', 'print the facts instead').conflicts('check'))
  .action(async ({ check, json }: { check?: boolean; json?: boolean }) => {
    const modules = await describeModules();
    if (json) say(JSON.stringify({ modules }, undefined, 2));
    else await draw(modules, check ?? false);
  });

async function draw(modules: Awaited<ReturnType<typeof describeModules>>, check: boolean): Promise<void> {
  const [{ readSources }, { MAP_COMMAND, mapFiles, staleFiles, writeFiles }] = await developmentParts();
  const files = await mapFiles(modules, readSources(modules), ROOT);
  const stale = await staleFiles(files, ROOT);
  if (!check) await writeFiles(files, stale, ROOT);
  for (const path of stale) say(`${path} ${check ? 'is stale' : files.get(path) === undefined ? 'removed' : 'written'}`);
  const listening = modules.reduce((sum, { listens }) => sum + listens.length, 0);
  const calls = modules.reduce((sum, module) => sum + module.calls.length, 0);
  say(`The map has ${modules.length} modules, ${calls} calls and ${listening} event subscriptions.`);
  if (!check || stale.length === 0) return;
  say(`Run "${MAP_COMMAND}" and commit what it changes.`);
  process.exitCode = 1;
}

/** What reads the sources and draws the picture stands on development dependencies. */
const developmentParts = () =>
  Promise.all([import('../boundaries/map/source-facts.ts'), import('../boundaries/map/map-files.ts')]).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('Drawing the map needs the development dependencies: run "npm ci" first. `kerf map --json` works without them.');
  });
