import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MODULES } from '../../src/calls.ts';
import type { Questions, Told } from './host.ts';

type Question = keyof Questions;
type Answer<Name extends Question> = Awaited<ReturnType<Questions[Name]>>;

/** One process of a shop, as whoever forked it sees it. */
interface Host {
  hosts: readonly string[];
  pid: number;
  ask<Name extends Question>(name: Name, ...input: Parameters<Questions[Name]>): Promise<Answer<Name>>;
}

/** A shop in real processes of this machine. Whatever is asked of it throws once one of them has died, with its last lines. */
export interface Processes {
  /** the public API's address */
  url: string;
  /** the process of a module, or the one with the public API as `edge` */
  of(place: string): Host;
  askAll<Name extends Question>(name: Name, ...input: Parameters<Questions[Name]>): Promise<Answer<Name>[]>;
  /** the last lines that each of them wrote: what it met and got over */
  said(): string[];
  /** rejects when one of them has died */
  died: Promise<never>;
  stop(): Promise<void>;
}

const LINES_KEPT = 20;

export interface ProcessesOptions {
  /** administrator's address of the database that has the schema of a module, and of the edge */
  databases: Readonly<Record<string, string>>;
  /** what processes find each other at */
  by: 'socket' | 'port';
  /** folder in which Node keeps compiled code for the next process */
  compiled: string;
}

/** Each group of modules in a process of its own, and the other modules with the public API in one more. */
export async function startProcesses(groups: readonly (readonly string[])[], { databases, by, compiled }: ProcessesOptions): Promise<Processes> {
  const sockets = await mkdtemp(join(tmpdir(), 'kerf-'));
  const rest = MODULES.filter((name) => !groups.flat().includes(name));
  const running = [rest, ...groups].map((hosts, index) =>
    startHost({ hosts, edge: index === 0, databases, ...(by === 'socket' && { socket: join(sockets, `${index}.sock`) }) }, compiled));
  const died = Promise.race(running.map((host) => host.died));
  died.catch(() => undefined);
  const [front] = running;
  const askAll: Processes['askAll'] = (name, ...input) => Promise.all(running.map((host) => host.ask(name, ...input)));
  const stop = async () => {
    const [publicly, others] = [running.slice(0, 1), running.slice(1)];
    for (const group of [publicly, others]) await Promise.all(group.map((host) => host.stop()));
    await rm(sockets, { recursive: true, force: true });
  };
  const open = async () => {
    const found = await askAll('addresses');
    const publicUrl = found[0]!.front!;
    await askAll('open', { publicUrl, addresses: Object.fromEntries(running.flatMap(({ hosts }, index) => hosts.map((module) => [module, found[index]!.inside]))) });
    await askAll('work');
    return publicUrl;
  };
  try {
    const url = await Promise.race([open(), died]);
    return { url, of: (place) => running.find(({ hosts }) => hosts.includes(place)) ?? front!, askAll, said: () => running.flatMap((host) => host.said()), died, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

function startHost(told: Told, compiled: string): Host & { said(): string[]; died: Promise<never>; stop(): Promise<void> } {
  const child = fork(join(import.meta.dirname, 'host.ts'), [JSON.stringify(told)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], env: { ...process.env, NODE_COMPILE_CACHE: compiled } });
  const name = [...(told.edge ? ['edge'] : []), ...told.hosts].join('+');
  const lines: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
    });
  }
  let stopping = false;
  const died = new Promise<never>((_, reject) => {
    child.once('close', (code, signal) => {
      if (!stopping) reject(new Error([`The process ${name} died (${signal ?? `exit code ${code}`}). Its last lines:`, ...lines].join('\n')));
    });
  });
  died.catch(() => undefined);
  const ask = asking(child, died);
  return {
    hosts: told.hosts,
    pid: child.pid!,
    ask,
    said: () => lines.map((line) => `${name} | ${line}`),
    died,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      try {
        await ask('stop');
      } finally {
        stopping = true;
        if (child.connected) child.disconnect();
        await exit;
      }
    },
  };
}

/** Questions to a child and their answers, told apart by a number. */
function asking(child: ChildProcess, died: Promise<never>): Host['ask'] {
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  child.on('message', ({ id, answer, error }: { id: number; answer?: unknown; error?: string }) => {
    const asked = waiting.get(id)!;
    waiting.delete(id);
    if (error === undefined) asked.resolve(answer as never);
    else asked.reject(new Error(error));
  });
  let asked = 0;
  return (name, ...input) => {
    const answered = new Promise<never>((resolve, reject) => {
      asked += 1;
      waiting.set(asked, { resolve, reject });
      child.send({ id: asked, name, input: input[0] }, (error) => error && reject(error));
    });
    return Promise.race([answered, died]);
  };
}
