import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { TEST_SECRET } from '../support/constants.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

export interface Process {
  child: ChildProcess;
  output(): string;
  /** resolves when this can be read in its output */
  says(text: string | RegExp): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Processes of Kerf on one database, by its `start`; `stopAll` ends those that still run. */
export function createProcesses(environment: () => Record<string, string>) {
  const running: Process[] = [];
  const start = (more: Record<string, string>): Process => {
    const env = { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_SECRET: TEST_SECRET, PORT: '0', KERF_INTERNAL_PORT: '0', KERF_SEED: 'false', KERF_LOG_LEVEL: 'silent', KERF_POOL_SIZE: '4', KERF_SHED_FROM: '0', ...environment(), ...more };
    const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    const ended = once(child, 'exit') as Promise<[number | null]>;
    const one: Process = {
      child,
      output: () => output,
      says: (text) => vi.waitFor(() => expect(output).toMatch(text), { timeout: 30_000 }),
      async stop(signal = 'SIGTERM') {
        child.kill(signal);
        return (await ended)[0];
      },
    };
    running.push(one);
    return one;
  };
  return {
    start,
    /** serves, and where */
    async serving(more: Record<string, string>): Promise<Process & { url: string; internal: string }> {
      const one = start(more);
      await one.says(/Kerf is running.*\n/);
      const [, url = ''] = /API (\S+)\/v1/.exec(one.output()) ?? [];
      const [, internal = ''] = /(?:Metrics (\S+)\/metrics| on (\S+)$)/m.exec(one.output())?.filter(Boolean) ?? [];
      return { ...one, url, internal };
    },
    /** does not start: answers its exit code and the sentence */
    async refused(more: Record<string, string>): Promise<[number | null, string]> {
      const one = start(more);
      const [code] = (await once(one.child, 'close')) as [number | null];
      return [code, one.output().trim()];
    },
    async stopAll() {
      await Promise.all(running.splice(0).filter(({ child }) => child.exitCode === null && child.signalCode === null).map((one) => one.stop()));
    },
  };
}
