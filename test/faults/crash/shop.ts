import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'pg';
import { MODULES } from '../../../src/calls.ts';
import { copyTemplate } from '../../support/postgres.ts';
import type { Aim } from './faults.ts';
import type { Questions } from './host.ts';
import { queueTimeOf, type ShopTime, timeOf } from './time.ts';

export interface Answer {
  status: number;
  body: { id?: string; reason?: string; state?: string; secret?: string; paymentStatus?: string; nextAction?: { url: string } | null };
}

export interface Sent {
  body?: object;
  key?: string;
  headers?: Record<string, string>;
}

type Ask = <Name extends keyof Questions>(name: Name, ...input: Parameters<Questions[Name]>) => ReturnType<Questions[Name]>;

/** One shop in a process of its own, on a database of its own, that may die and is started again on what it left. */
export interface CrashShop {
  /** what it sells, at 30,000 and 20,000 won */
  variants: readonly string[];
  admin: Client;
  /** the next fault, or none, which lists the points; of a shop that has died, from its start on; `takes`: milliseconds more than to recover */
  watch(aim?: Aim, takes?: number): Promise<void>;
  ask: Ask;
  /** a request that the shop does not survive */
  dieOf(method: string, path: string, sent: Sent): Promise<void>;
  /** the answer that a client ends with: as long as there is none, or it is told to come back, it repeats its request */
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** asks until it is so, at most until the time for recovery is over; starts the shop again if it has died */
  until(what: string, seen: () => Promise<boolean>): Promise<void>;
  /** how often the shop has died */
  deaths(): number;
  /** time goes by for the modules and for their queues */
  passes(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

export const CODE = 'CRASH10';
const PRICES = [30_000, 20_000];
const MOST_TRIES = 600;
const PAUSE = 100;
/** Milliseconds of the shop's time from a fault until everything is as it should be. */
const RECOVERY = 30_000;
/** Spent at once when a process has died, or nothing has come for a while: claims and leases last 15 s, and sweeps come every 5 s. */
const LEASES = 20_000;
const PATIENT_TRIES = 30;
/** The last seconds of that time are long: what is slow because the machine is busy is not late. */
const LONG_SECONDS = 5_000;
const SLOW = 0.1;
const COME_BACK = ['idempotency_key_in_use', 'order_being_placed', 'unavailable', 'internal'];

export async function openCrashShop({ server, compiled }: { server: string; compiled: string }): Promise<CrashShop> {
  const database = await copyTemplate(server);
  const admin = new Client({ connectionString: database.adminUrl });
  // A server that is stopped takes a shop with it that could not be closed.
  admin.on('error', () => undefined);
  await admin.connect();
  let time: ShopTime = { at: Date.now(), is: Date.now(), pace: 1 };
  /** in the shop's time; none while nothing is to go wrong */
  let deadline = Infinity;
  let patience = RECOVERY;
  let hasLeapt = false;
  let port = 0;
  let deaths = 0;
  let host: Host | undefined;
  let starting: Promise<Host> | undefined;

  const living = (firstAim?: string): Promise<Host> => {
    if (host && !host.isDead()) return Promise.resolve(host);
    starting ??= revive(firstAim).finally(() => (starting = undefined));
    return starting;
  };
  async function revive(firstAim?: string): Promise<Host> {
    if (host) {
      host.assertKilled();
      deaths += 1;
      hasLeapt = true;
      await change({ ahead: LEASES });
    }
    host = await startHost([database.adminUrl, JSON.stringify(time), String(port), ...(firstAim ? [firstAim] : [])], compiled);
    port = await host.ask('port');
    if (deaths > 0) {
      deadline = timeOf(time) + patience - LEASES;
      await tend();
    }
    return host;
  }
  async function change({ ahead = 0, pace = time.pace }: { ahead?: number; pace?: number }): Promise<void> {
    const at = Date.now();
    time = { at, is: timeOf(time, at) + ahead, pace };
    await admin.query(MODULES.map((module) => queueTimeOf(module, time)).join(';\n'));
  }
  const changeNow = async (how: Parameters<typeof change>[0]) => {
    await change(how);
    await (await living()).ask('setTime', time).catch(onlyIfDead);
  };
  /** Once for each fault; before there was one, it costs no time. */
  async function leap(): Promise<void> {
    if (deadline === Infinity || hasLeapt) return;
    hasLeapt = await ask('struck');
    if (!hasLeapt) deadline += LEASES;
    await changeNow({ ahead: LEASES });
    await tend();
  }
  /** Does at once what the queues do every ten seconds; where a busy machine lets it fail, they do it all the same. */
  const tend = () => host!.ask('tendQueues').catch(() => undefined);
  const ask = (async (name, ...input) => (await living()).ask(name, ...input)) as Ask;
  async function until(what: string, seen: () => Promise<boolean>): Promise<void> {
    const look = async () => {
      await living();
      return seen();
    };
    for (let tries = 0; !(await look().catch(onlyIfDead)); tries += 1) {
      if (tries === PATIENT_TRIES) await leap().catch(onlyIfDead);
      if (timeOf(time) > deadline - LONG_SECONDS && time.pace === 1) await changeNow({ pace: SLOW });
      if (timeOf(time) > deadline) throw new Error(`It did not come to this within ${RECOVERY / 1_000} s: ${what}.`);
      if (deadline === Infinity && tries === MOST_TRIES) throw new Error(`It never came to this: ${what}.`);
      await new Promise((resume) => setTimeout(resume, PAUSE));
    }
  }
  const onlyIfDead = (error: unknown): false => {
    if (!host?.isDead()) throw error;
    host.assertKilled();
    return false;
  };
  async function request(method: string, path: string, { body, key, headers = {} }: Sent): Promise<Answer | undefined> {
    await living();
    const url = path.startsWith('http') ? path : `http://127.0.0.1:${port}/v1${path}`;
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }) },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(30_000),
    }).catch(() => undefined);
    const text = await response?.text().catch(() => undefined);
    if (response === undefined || text === undefined) return undefined;
    return { status: response.status, body: text ? (JSON.parse(text) as Answer['body']) : {} };
  }

  const passes = async (milliseconds: number) => {
    deadline += milliseconds;
    await changeNow({ ahead: milliseconds });
  };
  const stop = async () => {
    host?.end();
    await admin.end();
    await database.drop();
  };
  const variants = await ask('open', { code: CODE, prices: PRICES }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    variants,
    admin,
    async watch(aim, takes = 0) {
      patience = RECOVERY + takes;
      await change({ pace: 1 });
      if (host?.isDead()) await living(aim ? JSON.stringify(aim) : 'none').catch(onlyIfDead);
      else await ask('setTime', time).then(() => ask('watch', aim));
      [deadline, hasLeapt] = [aim ? timeOf(time) + patience : Infinity, false];
    },
    async dieOf(method, path, sent) {
      if (await request(method, path, sent)) throw new Error(`The shop should have died of ${method} ${path}.`);
      await host!.died;
    },
    ask,
    async send(method, path, sent = {}) {
      let answer: Answer | undefined;
      await until(`an answer to ${method} ${path}; the last one was ${answer?.status} ${answer?.body.reason}`, async () => {
        answer = await request(method, path, sent);
        return answer !== undefined && !COME_BACK.includes(answer.body.reason ?? '');
      });
      return answer!;
    },
    until,
    deaths: () => deaths,
    passes,
    stop,
  };
}

interface Host {
  ask: Ask;
  isDead(): boolean;
  died: Promise<void>;
  /** throws when it ended by itself */
  assertKilled(): void;
  end(): void;
}

async function startHost(told: readonly string[], compiled: string): Promise<Host> {
  const child = fork(join(import.meta.dirname, 'host.ts'), told, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], env: { ...process.env, NODE_COMPILE_CACHE: compiled } });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (said += String(chunk)));
  const assertKilled = () => {
    if (child.exitCode !== null) throw new Error(`The shop ended by itself with exit code ${child.exitCode}. ${said}`);
  };
  const isDead = () => child.exitCode !== null || child.signalCode !== null;
  const died = once(child, 'exit').then(([code, signal]): never => {
    throw new Error(`The shop died (${signal ?? `exit code ${code}`}). ${said}`);
  });
  died.catch(() => undefined);
  await Promise.race([once(child, 'message'), died]);
  return { ask: asking(child, died), isDead, died: died.catch(() => undefined), assertKilled, end: () => void child.kill('SIGKILL') };
}

function asking(child: ChildProcess, died: Promise<never>): Host['ask'] {
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  child.on('message', ({ id, answer, error }: { id: number; answer?: unknown; error?: string }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(answer as never);
    else asked?.reject(new Error(error));
  });
  let asked = 0;
  return ((name, ...input) => {
    const answered = new Promise<never>((resolve, reject) => {
      asked += 1;
      waiting.set(asked, { resolve, reject });
      child.send({ id: asked, name, input: input[0] }, (error) => error && reject(error));
    });
    return Promise.race([answered, died]);
  }) as Ask;
}
