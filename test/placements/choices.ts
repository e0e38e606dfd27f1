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

/** A run that could not go on, and what was seen until then. */
export class RunStopped extends Error {
  readonly transcript: Transcript;

  constructor(message: string, transcript: Transcript) {
    super(message);
    this.transcript = transcript;
  }
}

/** What is seen of the scripted run while each of these groups is a process of its own. */
export async function transcriptOf(groups: readonly (readonly string[])[], { server, compiled, signal }: Place): Promise<Transcript> {
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
        return recorder.transcript;
      } catch (error) {
        throw new RunStopped((error as Error).message, recorder.transcript);
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
