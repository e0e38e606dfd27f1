import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import type { Kerf } from '../../src/composition.ts';
import { rows } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import { schemasOf } from '../../src/shared/statements.ts';
import { freePort, openBeside } from '../faults/chaos.ts';
import { createProcesses, type Process } from '../setup/processes.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { makePair, type Pair, type Server } from './two-servers.ts';

const KERF = join(import.meta.dirname, '../../src/cli/kerf.ts');

export interface Front extends Process {
  url: string;
  /** another one at the same addresses */
  again(): Promise<void>;
}

interface Said {
  at: number;
  phase?: string;
  over?: boolean;
}

/** What a command said, line by line, and when. */
export interface Ended {
  code: number | null;
  output: string;
  said: Said[];
  /** what was done upon it: it may need another command to come to its end */
  acts: Promise<unknown>;
  report: { pause?: number; rows?: number; tries?: number; ended?: number; met?: { held: number; again: number } };
}

/** At the end of a phase, to a process: this one itself where none is named. */
export interface Stroke {
  behind: string;
  signal: NodeJS.Signals;
  pid?: number;
}

export interface Interference {
  stroke?: Stroke;
  /** what else is done once it said that a phase is over, while it goes on */
  upon?: (phase: string) => Promise<unknown>;
}

export type MovingShop = Awaited<ReturnType<typeof openMovingShop>>;

/** Two front processes with every module each, on a database of the one server, and an empty database on the other. */
export async function openMovingShop(module: string, { home, apart, folder }: { home: Server; apart: Server; folder: string }) {
  const pair = await makePair(home, apart, module);
  const environment = { KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', NODE_COMPILE_CACHE: folder, DATABASE_URL: pair.source.url, KERF_PUBLIC_URL: 'http://shop.example', KERF_SHED_FROM: '0', KERF_POOL_SIZE: '6', KERF_LOG_LEVEL: process.env['KERF_LOG_LEVEL'] ?? 'silent' };
  const processes = createProcesses(() => environment);
  const open = async (): Promise<Front> => {
    const at = { PORT: `${await freePort()}`, KERF_INTERNAL_PORT: `${await freePort()}` };
    const front: Front = { ...(await processes.serving(at)), url: `http://127.0.0.1:${at.PORT}`, again: async () => void Object.assign(front, await processes.serving(at), { url: front.url }) };
    return front;
  };
  const fronts = await Promise.all([open(), open()] as const).catch(async (error: unknown) => {
    await processes.stopAll();
    await pair.close();
    throw error;
  });
  const beside: Kerf = openBeside(pair.source.url);

  async function kerf(command: string[], { stroke, upon = async () => undefined }: Interference = {}): Promise<Ended> {
    const env = { PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_SECRET: TEST_SECRET, KERF_SEED: 'false', KERF_APART_DATABASE_URL: pair.target.url, ...environment };
    const child = spawn(process.execPath, [...(stroke ? striking(stroke) : []), KERF, ...command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said: Said[] = [];
    const acts: Promise<unknown>[] = [];
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        output += `${line}\n`;
        const one: Said = { at: Date.now(), ...(line.startsWith('{"') && (JSON.parse(line) as object)) };
        said.push(one);
        if (one.over) acts.push(upon(one.phase!));
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output, said, acts: awaited(acts), report: (said.at(-1) ?? {}) as Ended['report'] };
  }

  return {
    pair,
    fronts,
    beside,
    mail: join(folder, 'mail'),
    kerf,
    /** runs it until it is done; answers how */
    async moved(direction: 'extract' | 'fold', interference?: Interference): Promise<Ended> {
      const ended = await kerf([direction, module, '--json'], interference);
      await ended.acts;
      if (ended.code !== 0) throw new Error(`"kerf ${direction} ${module}" ended with ${ended.code}: ${ended.output}`);
      return ended;
    },
    async close() {
      // Its server may have been killed since.
      await pair.reopen();
      const started = await rows<{ pid: number }>(pair.source, `select distinct (detail #>> '{process,pid}')::int as pid from placement.moves where detail #>> '{process,pid}' is not null`);
      for (const { pid } of started) endIfThere(pid);
      for (const { child } of fronts) child.kill('SIGCONT');
      await processes.stopAll();
      await beside.stop();
      await endStream({ from: pair.source, to: pair.target });
      await endStream({ from: pair.target, to: pair.source });
      await pair.close();
    },
  };
}

/** Whoever waits for it hears of a failure, and nobody else. */
function awaited(acts: readonly Promise<unknown>[]): Promise<unknown> {
  const all = Promise.all(acts);
  all.catch(() => undefined);
  return all;
}

function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Strikes inside of the command, so that it does nothing in between; one that is killed has not said that the phase is over. */
function striking({ behind, signal, pid }: Stroke): string[] {
  const strike = `const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (...said) => {
      if (String(said[0]).includes('"phase":"${behind}","over":true')) process.kill(${pid ?? 'process.pid'}, '${signal}');
      return write(...said);
    };`;
  return ['--import', `data:text/javascript,${encodeURIComponent(strike)}`];
}

/** Who may do something with the module's data, looked at all the time. */
export interface Owners {
  /** what was seen that may never be */
  wrong: string[];
  looks: number;
  /** milliseconds, the longest in which nobody may, as far as looks tell */
  nobody: number;
}

export function watchOwners({ source, target }: Pair, module: string): () => Promise<Owners> {
  const owners: Owners = { wrong: [], looks: 0, nobody: 0 };
  const [atSource, atTarget] = [watched(source.url, module), watched(target.url, module)];
  let isOver = false;
  let owned = performance.now();
  const look = async () => {
    while (!isOver) {
      const began = performance.now();
      // Whoever owns it at the source before and after owned it in between.
      const [before, there, after] = [await atSource.owns(), await atTarget.owns(), await atSource.owns()];
      owners.looks += 1;
      if (before && there && after) owners.wrong.push(`${new Date().toISOString()} ${module} has rights in both databases.`);
      if (before || there || after) {
        owners.nobody = Math.max(owners.nobody, began - owned);
        owned = performance.now();
      }
    }
    await Promise.all([atSource.end(), atTarget.end()]);
    return owners;
  };
  const looking = look();
  return () => {
    isOver = true;
    return looking;
  };
}

const OWNS = `select exists (select from pg_class c join pg_namespace n on n.oid = relnamespace cross join aclexplode(relacl) a join pg_roles r on r.oid = a.grantee
  where nspname = any($1) and rolname = $2) as owns`;

/** A database that does not answer lets nobody do anything. */
function watched(url: string, module: string) {
  let client: Client | undefined;
  return {
    async owns(): Promise<boolean> {
      try {
        if (!client) {
          client = new Client({ connectionString: url });
          client.on('error', () => (client = undefined));
          await client.connect();
        }
        return (await client.query<{ owns: boolean }>(OWNS, [schemasOf(module), `kerf_${module}`])).rows[0]!.owns;
      } catch {
        client = undefined;
        return false;
      }
    },
    end: async () => client?.end(),
  };
}
