import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODULES } from '../../src/calls.ts';
import { copyTemplate } from '../support/postgres.ts';
import { startProcesses } from './processes.ts';
import { createRecorder } from './recorder.ts';
import { goShopping } from './shopping.ts';
import type { Transcript } from './transcript.ts';

/** Every choice of which modules are out, few of them first. */
export const CHOICES: readonly (readonly string[])[] = Array.from({ length: 2 ** MODULES.length }, (_, bits) => MODULES.filter((_module, index) => bits & (1 << index)))
  .toSorted((one, other) => one.length - other.length);

export interface Place {
  /** administrator's address of a Postgres with the template */
  server: string;
  /** where compiled code is kept between processes */
  compiled: string;
  /** ends the run early */
  signal?: AbortSignal;
}

/** What was seen of a run. */
export interface Run {
  transcript: Transcript;
  /** the last lines that its processes wrote */
  said: string[];
  /** why it could not go on to its end */
  stopped?: string;
}

/** The scripted run while each of these groups is a process of its own. */
export async function runApart(groups: readonly (readonly string[])[], { server, compiled, signal }: Place): Promise<Run> {
  const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(new Error('Interrupted.'))));
  aborted.catch(() => undefined);
  const { adminUrl, drop } = await copyTemplate(server);
  try {
    const processes = await startProcesses(groups, { adminUrl, compiled });
    try {
      const recorder = await createRecorder(processes, adminUrl);
      try {
        await Promise.race([goShopping(recorder, processes), aborted]);
        await recorder.finish();
        return { transcript: recorder.transcript, said: processes.said() };
      } catch (error) {
        return { transcript: recorder.transcript, said: processes.said(), stopped: (error as Error).message };
      } finally {
        await recorder.close();
      }
    } finally {
      await processes.stop();
    }
  } finally {
    await drop();
  }
}

/** A folder for compiled code, for as long as `run` takes. */
export async function withCompiled<T>(run: (compiled: string) => Promise<T>): Promise<T> {
  const compiled = await mkdtemp(join(tmpdir(), 'kerf-compiled-'));
  return run(compiled).finally(() => rm(compiled, { recursive: true, force: true }));
}
