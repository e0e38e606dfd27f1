import { resolve } from 'node:path';
import { Command } from 'commander';
import { ConfigError } from '../setup/config-error.ts';
import { fail } from '../setup/fail.ts';
import { ROOT } from '../setup/paths.ts';

/**
 * Exit codes: 0 nobody leans on what is not theirs, 1 somebody does, 2 the tree could not be read. With --json the whole
 * BoundaryReport: `{ modules, files, edges, milliseconds, violations: [{ rule, file, line, column, to, advice }] }`.
 */
export const boundariesCommand = new Command('boundaries')
  .description('check who leans on what is not theirs, and say what to do instead')
  .option('--root <folder>', 'the checkout to read', ROOT)
  .option('--json', 'print { modules, files, edges, milliseconds, violations }', false)
  .action(async ({ root, json }: { root: string; json: boolean }) => {
    const { lintBoundaries, formatReport } = await developmentTools();
    const report = await lintBoundaries(resolve(root));
    process.stdout.write(`${json ? JSON.stringify(report, null, 2) : formatReport(report)}\n`);
    if (report.violations.length > 0) process.exitCode = 1;
  });

async function developmentTools() {
  try {
    const [{ lintBoundaries }, { formatReport }] = await Promise.all([import('../boundaries/lint/lint.ts'), import('../boundaries/lint/report.ts')]);
    return { lintBoundaries, formatReport };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ConfigError('The boundary check needs the development packages: run npm ci without --omit=dev.', { cause: error });
  }
}

// `npm run lint:boundaries`: by itself it need not wait for all that the other commands load.
if (import.meta.main) await boundariesCommand.parseAsync().catch(fail);
