import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LongForm } from './long-form.ts';

/** What vitest says in JSON, as far as it is read here. */
interface Report {
  testResults: { assertionResults: { title: string; status: string }[] }[];
}

/** Test files that have a long form themselves, on a Postgres of their own. `--only` is a part of a test's name. */
export function inFull(...files: string[]): LongForm {
  return async ({ seed, only, signal }) => {
    const folder = await mkdtemp(join(tmpdir(), 'kerf-faults-'));
    const report = join(folder, 'report.json');
    const named = only === undefined ? [] : ['--testNamePattern', RegExp.escape(only)];
    const options = ['--disableConsoleIntercept', '--reporter=verbose', '--reporter=json', `--outputFile.json=${report}`];
    const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...options, ...files, ...named], {
      env: { ...process.env, KERF_FAULTS: 'all', KERF_SEED: `${seed}` },
      stdio: 'inherit',
    });
    const stop = () => vitest.kill('SIGTERM');
    signal.addEventListener('abort', stop, { once: true });
    const [code] = (await once(vitest, 'exit')) as [number | null];
    signal.removeEventListener('abort', stop);
    const { cases, failures } = signal.aborted ? { cases: 0, failures: [] } : read(report);
    await rm(folder, { recursive: true });
    if (code === 0) return { cases, failures: cases === 0 ? [`No test has ${only} in its name.`] : [] };
    return { cases, failures: failures.length > 0 ? failures : [`${files.join(', ')} ${signal.aborted ? 'did not end in time.' : 'failed: see above.'}`] };
  };
}

function read(report: string) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const ended = testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'passed' || status === 'failed'));
  return { cases: ended.length, failures: ended.filter(({ status }) => status === 'failed').map(({ title }) => `--only '${title}'`) };
}
