import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

// Each starts a shop of its own, some a Postgres.
vi.setConfig({ testTimeout: 60_000 });

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'kerf-start-'));
  await chmod(dataDir, 0o755);
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const environment = (more: Record<string, string> = {}) => ({ PATH: process.env['PATH']!, HOME: process.env['HOME'] ?? '/', KERF_DATA_DIR: dataDir, PORT: '0', KERF_INTERNAL_PORT: '0', ...more });

const children: ChildProcess[] = [];
afterEach(() => Promise.all(children.splice(0).filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map((child) => stop(child, 'SIGTERM'))));

async function start(more: Record<string, string> = {}): Promise<{ child: ChildProcess; output: () => string; url: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts')], { env: environment(more), stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  await vi.waitFor(() => expect(output, output).toMatch(/Kerf is running[\s\S]*}'\n/), { timeout: 40_000 });
  return { child, output: () => output, url: /API (\S+)\/v1/.exec(output)![1]! };
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, 'exit');
  child.kill(signal);
  return ((await exit) as [number | null])[0];
}

const kerf = (...words: string[]) => run(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), ...words], { env: environment() });

describe('npm start', () => {
  it('serves a filled shop, whose printed purchase works as pasted, twice', async () => {
    const { child, output, url } = await start();
    expect(output()).toMatch(/Demo customer {5}\S+@\S+ \/ \S+/);
    expect(output()).toMatch(/^Administrator {5}\S+ \/ \S+ {3}\(shown this once\)$/m);
    const curl = /^curl[\s\S]*}'$/m.exec(output())![0];
    for (let paste = 0; paste < 2; paste += 1) {
      const { stdout } = await run('bash', ['-c', curl]);
      expect(JSON.parse(stdout)).toMatchObject({ state: 'placed', paymentStatus: 'paid', discounts: [{ code: 'KERF5000' }] });
    }
    expect((await fetch(`${url}/readyz`)).status).toBe(200);

    const { stdout } = await kerf('import', 'products', join(ROOT, 'seed/products.csv'));
    expect(stdout).toMatch(/0 created, 0 updated, \d{3} unchanged/);
    expect(await stop(child, 'SIGINT')).toBe(0);
    expect(await readdir(join(dataDir, 'postgres'))).not.toContain('postmaster.pid');
  });

  it('finds its data again, also after it was killed, and shows the administrator’s password only once', async () => {
    const first = await start();
    expect(first.output()).not.toContain('Administrator');
    await stop(first.child, 'SIGKILL');
    const second = await start();
    const { items } = (await (await fetch(`${second.url}/v1/products?limit=1`)).json()) as { items: unknown[] };
    expect(items).toHaveLength(1);
    expect(await stop(second.child, 'SIGTERM')).toBe(0);
  });

  it('says in one sentence what stops it', async () => {
    const taken = createServer().listen(0, '0.0.0.0');
    await once(taken, 'listening');
    const refused = async (more: Record<string, string>) => {
      const failure = await run(process.execPath, [join(ROOT, 'src/main.ts')], { env: environment(more) }).then(
        () => ({ code: 0, stderr: '' }),
        (error: { code: number; stderr: string }) => error,
      );
      expect(failure.stderr.trim().split('\n')).toHaveLength(1);
      return [failure.code, failure.stderr.trim()];
    };
    const { port } = taken.address() as { port: number };
    expect(await refused({ PORT: String(port) })).toEqual([2, `PORT names a port that is taken: ${port}.`]);
    expect(await refused({ PORT: 'eighty' })).toEqual([2, expect.stringMatching(/^PORT /)]);
    expect(await refused({ DATABASE_URL: 'postgres://a:hunter2@127.0.0.1:1/kerf' })).toEqual([2, 'DATABASE_URL names a server that does not answer.']);
    taken.close();
  });
});

describe('npm run demo', () => {
  it('starts a shop of its own where none runs, buys, and leaves nothing running', async () => {
    const { stdout } = await run(process.execPath, [join(ROOT, 'src/cli/demo.ts')], { env: environment() });
    for (const line of [/402 payment_declined/, /is placed, paid/, /the money is back: refunded/]) expect(stdout).toMatch(line);
    expect(await readdir(join(dataDir, 'postgres'))).not.toContain('postmaster.pid');
  });
});

describe('kerf', () => {
  it('lists every command', async () => {
    const { stdout } = await kerf('--help');
    for (const command of ['start', 'migrate', 'seed', 'import products', 'import categories', 'export products', 'user create', 'keys rotate', 'config']) {
      expect(stdout).toContain(`  ${command} `);
    }
  });

  it('refuses an unusable file with lines and reasons, and changes nothing', async () => {
    const failure = await kerf('import', 'products', join(ROOT, 'package.json')).catch((error: { code: number; stdout: string }) => error);
    expect(failure).toMatchObject({ code: 1, stdout: expect.stringMatching(/package\.json:\d: .+\nNothing was changed/) });
    expect(await kerf('import', 'products', '/nowhere.csv').catch((error: { code: number }) => error.code)).toBe(2);
  });
});
