import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { startEmbeddedPostgres } from '../../src/setup/embedded-postgres.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

// Each starts processes for all modules, and a Postgres.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let folder: string;
const pids = new Set<number>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-split-'));
  await chmod(folder, 0o755);
});
afterAll(async () => {
  for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  await (await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })).stop();
  await rm(folder, { recursive: true, force: true });
});

const environment = () => ({ PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_DATA_DIR: folder, PORT: '0', KERF_SEED: 'false', KERF_POOL_SIZE: '2' });
const kerf = (...words: string[]) => run(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), ...words], { env: environment() });

function start(...words: string[]): { child: ChildProcess; says(text: string | RegExp): Promise<void>; output(): string; url(): string } {
  const child = spawn(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), ...words], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  pids.add(child.pid!);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  return {
    child,
    output: () => output,
    says: (text) => vi.waitFor(() => expect(output).toMatch(text), { timeout: 90_000 }),
    url: () => /API (\S+)\/v1/.exec(output)![1]!,
  };
}

async function partsOf({ pid }: ChildProcess): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,args=']);
  const parts = stdout.split('\n').filter((line) => line.includes('src/main.ts') && Number(line.trim().split(/\s+/)[1]) === pid).map((line) => Number.parseInt(line, 10));
  for (const part of parts) pids.add(part);
  return parts;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const ended = (child: ChildProcess) => vi.waitFor(() => expect([child.exitCode, child.signalCode]).not.toEqual([null, null]), { timeout: 60_000 });

/** A person whom the commands made, by what they printed. */
async function made(email: string): Promise<(url: string) => Promise<number>> {
  const [, password] = /\/ (\S+)/.exec((await kerf('user', 'create', email)).stdout)!;
  return async (url) => (await fetch(`${url}/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password }) })).status;
}

describe('a split shop', () => {
  let signIn: (url: string) => Promise<number>;

  it('is the one that commands work on, and ends with whoever started it, even if killed', async () => {
    const split = start('split');
    await split.says(/Kerf is running\. .*\n/);
    const metrics = /Metrics (curl .+)$/m.exec(split.output())![1]!;
    expect((await run('bash', ['-c', metrics])).stdout).toContain('kerf_');
    signIn = await made('mina@example.com');
    expect(await signIn(split.url())).toBe(200);
    const moves = [['extract', 'coupon', '--dry-run'], ['fold', 'coupon'], ['move', 'status']].map((words) => expect(kerf(...words)).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(/^The modules of this shop are apart already, .*\n$/) }));
    await Promise.all(moves);

    const parts = await partsOf(split.child);
    expect(parts).toHaveLength(MODULES.length + 1);
    split.child.kill('SIGKILL');
    await expect.poll(() => parts.filter(isAlive), { timeout: 60_000 }).toEqual([]);
  });

  it('is there in one process, too', async () => {
    const folded = start('start');
    await folded.says(/Kerf is running\. .*\n/);
    expect(folded.output()).toContain(`This is the shop of "npm run start:split", now in one process. To go back to the one before: remove ${folder}/split.json.`);
    expect(await signIn(folded.url())).toBe(200);
    folded.child.kill('SIGTERM');
    await ended(folded.child);
  });

  it('does not wait for ever for a part that hangs', async () => {
    const split = start('split');
    await split.says(/^\w+ +\| Kerf is running/m);
    const [part] = await partsOf(split.child);
    process.kill(part!, 'SIGSTOP');
    const stopped = () => {
      split.child.kill('SIGINT');
      return split.child.exitCode;
    };
    await expect.poll(stopped, { timeout: 50_000, interval: 500 }).toBe(0);
  });
});
