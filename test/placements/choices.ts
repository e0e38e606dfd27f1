import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODULES } from '../../src/calls.ts';
import { SCHEMAS } from '../support/constants.ts';
import { copyTemplate } from '../support/postgres.ts';
import { type ProcessesOptions, startProcesses } from './processes.ts';
import { createRecorder } from './recorder.ts';
import { goShopping } from './shopping.ts';
import type { Transcript } from './transcript.ts';

/** Every choice of which modules are out, few of them first. */
export const CHOICES: readonly (readonly string[])[] = Array.from({ length: 2 ** MODULES.length }, (_, bits) => MODULES.filter((_module, index) => bits & (1 << index)))
  .toSorted((one, other) => one.length - other.length);

/** What must make no difference either. */
export interface Way {
  by: ProcessesOptions['by'];
  /** whether each module has a database of its own */
  ownDatabases: boolean;
}

/** Half of the choices are made on ports, a third on a database for each module. */
export const wayOf = (number: number): Way => ({ by: number % 2 === 0 ? 'port' : 'socket', ownDatabases: number % 3 === 0 });

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
export async function runApart(groups: readonly (readonly string[])[], { by, ownDatabases }: Way, { server, compiled, signal }: Place): Promise<Run> {
  const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(new Error('Interrupted.'))));
  aborted.catch(() => undefined);
  const { databases, drop } = await copyFor(ownDatabases, server);
  try {
    const processes = await startProcesses(groups, { databases, by, compiled });
    try {
      const recorder = await createRecorder(processes, databases);
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

async function copyFor(ownDatabases: boolean, server: string) {
  const copies = await Promise.all((ownDatabases ? SCHEMAS : ['all']).map(() => copyTemplate(server)));
  return {
    databases: Object.fromEntries(SCHEMAS.map((schema, index) => [schema, copies[index % copies.length]!.adminUrl])),
    drop: async () => void (await Promise.all(copies.map(({ drop }) => drop()))),
  };
}

/** A folder for compiled code, for as long as `run` takes. */
export async function withCompiled<T>(run: (compiled: string) => Promise<T>): Promise<T> {
  const compiled = await mkdtemp(join(tmpdir(), 'kerf-compiled-'));
  return run(compiled).finally(() => rm(compiled, { recursive: true, force: true }));
}
