import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { client, type Remote } from '../../src/shared/seam/client.ts';
import { createServiceTokens, derivedKeys } from '../../src/shared/seam/service-token.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';

export interface CouponProcess {
  /** `unix:/path/to/socket`, the same after every start */
  address: string;
  /** what it wrote to its log so far */
  log(): string;
  /** starts a second one in the same place; throws with its last words when it does not come to answer */
  startBeside(): Promise<unknown>;
  /** ends it as a power failure would, and starts it again on the same file */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** The coupon module in Python, in a process of its own, with an empty database of its own. `keys`: how it knows its callers. */
export async function startCoupon(keys: { KERF_SECRET: string } | { KERF_SERVICE_KEYS: string } = { KERF_SECRET: TEST_SECRET }): Promise<CouponProcess> {
  const directory = mkdtempSync(join(tmpdir(), 'kerf-foreign-'));
  const socket = join(directory, 'coupon.sock');
  let log = '';
  const run = () =>
    started(['-m', 'coupon', '--socket', socket, '--database', join(directory, 'coupon.db'), '--log-level', 'info'], keys, (text) => {
      log += text;
    });
  let running = await run();
  return {
    address: `unix:${socket}`,
    log: () => log,
    startBeside: run,
    async crash() {
      await ended(running, 'SIGKILL');
      running = await run();
    },
    async stop() {
      await ended(running, 'SIGTERM');
      rmSync(directory, { recursive: true });
    },
  };
}

/** The module as another one holds it. */
export const callerOf = ({ address }: CouponProcess, from = 'order'): Remote<typeof couponContract> =>
  client(couponContract, { from, address, tokens: createServiceTokens(derivedKeys(TEST_SECRET, []), () => new Date()), misfits: () => [], log: createLogger('silent') });

/** What a program that sees the package `coupon` prints, given `input`; both are JSON. */
export async function askPython<Answer>(program: string, input: unknown): Promise<Answer> {
  const python = await interpreter(['-c', program], {});
  let answer = '';
  python.stdout!.on('data', (text: Buffer) => (answer += text.toString()));
  python.stderr!.pipe(process.stderr);
  python.stdin!.end(JSON.stringify(input));
  await once(python, 'close');
  return JSON.parse(answer) as Answer;
}

/** Waits until it says that it answers. */
async function started(options: string[], keys: object, onLog: (text: string) => void): Promise<ChildProcess> {
  const python = await interpreter(options, keys);
  let lastWords = '';
  python.stderr!.on('data', (text: Buffer) => {
    lastWords = text.toString();
    onLog(lastWords);
  });
  const answers = once(createInterface(python.stdout!), 'line').then(() => undefined);
  const end = once(python, 'close').then(() => new Error(`The coupon module in Python did not start: ${lastWords}`));
  const problem = await Promise.race([answers, end]);
  if (problem) throw problem;
  return python;
}

async function interpreter(options: string[], environment: object): Promise<ChildProcess> {
  const python = spawn('python3', options, {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHONDONTWRITEBYTECODE: '1', ...environment },
  });
  await once(python, 'spawn').catch((cause: unknown) => {
    throw new Error('The second implementation of a contract needs Python 3.9 or newer: put python3 on the PATH.', { cause });
  });
  return python;
}

async function ended(python: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const end = once(python, 'close');
  python.kill(signal);
  await end;
}
