import { Command } from 'commander';
import { MODULES } from '../calls.ts';
import { readConfig } from '../config.ts';
import { ConfigError } from '../setup/config-error.ts';
import { openInstallation, SCHEMAS } from '../setup/database.ts';
import { ROOT } from '../setup/paths.ts';

/**
 * Exit codes: 0 nothing is in the way of any of them as far as was looked, 1 something is, 2 it could not be looked at
 * (no database, or one of them is not known). A question creates nothing.
 * With --json `{ modules: Readiness[] }`.
 */
export const readinessCommand = new Command('readiness')
  .description('say what would stop a module, or each one, from being extracted today')
  .argument('[module]', `one of ${MODULES.join(', ')}; default: all`)
  .option('--internal <url>', 'internal port of a running Kerf, which tells what it has seen; default: http://127.0.0.1:<KERF_INTERNAL_PORT or 3001>')
  .option('--json', 'print { modules: [{ module, verdict, blockers, notes, looked, notLooked }] }', false)
  .action(async (module: string | undefined, { internal, json }: { internal?: string; json: boolean }) => {
    if (module !== undefined && !MODULES.includes(module)) throw new ConfigError(`There is no module "${module}": it is one of ${MODULES.join(', ')}.`);
    const config = readConfig();
    const address = internal ?? `http://127.0.0.1:${config.internalPort || 3001}`;
    if (!URL.canParse(address) || !/^https?:/.test(address)) throw new ConfigError(`--internal must look like http://127.0.0.1:3001, and "${address}" does not.`);
    const [{ gatherFacts }, { judge }, { formatReadiness }] = await Promise.all([
      import('../boundaries/readiness/facts.ts'),
      import('../boundaries/readiness/readiness.ts'),
      import('../boundaries/readiness/report.ts'),
    ]);
    const installation = await openInstallation(config, { attach: true, existing: true, onProgress: (sentence) => void process.stderr.write(`${sentence}\n`) });
    const names = module ? [module] : MODULES;
    // Where that cannot be read, the facts say so of each module.
    const moved = installation.moved().catch((error: unknown): Awaited<ReturnType<typeof installation.moved>> => {
      if (error instanceof ConfigError) return new Map();
      throw error;
    });
    const gathered = moved.then((at) =>
      gatherFacts(names, { names: SCHEMAS, url: (name) => installation.url(name, at.get(name)?.databaseUrl ?? undefined), root: ROOT, internal: address }),
    );
    const facts = await gathered.finally(() => installation.close());
    const modules = facts.map(judge);
    process.stdout.write(`${json ? JSON.stringify({ modules }, undefined, 2) : formatReadiness(modules)}\n`);
    if (modules.some(({ verdict }) => verdict === 'not known')) process.exitCode = 2;
    if (modules.some(({ verdict }) => verdict === 'not ready')) process.exitCode = 1;
  });
