import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { LongForm } from './long-form.ts';

/** Test files that have a long form themselves, on a Postgres of their own. `--only` is a part of a test's name. */
export function inFull(...files: string[]): LongForm {
  return async ({ seed, only, signal }) => {
    const named = only === undefined ? [] : ['--testNamePattern', only];
    const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files, ...named], {
      env: { ...process.env, KERF_FAULTS: 'all', KERF_SEED: `${seed}` },
      stdio: 'inherit',
    });
    const stop = () => vitest.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const [code] = (await once(vitest, 'exit')) as [number | null];
    signal.removeEventListener('abort', stop);
    if (code === 0) return [];
    return [signal.aborted ? `${files.join(', ')} did not end in time.` : `${files.join(', ')} failed: see above.`];
  };
}
