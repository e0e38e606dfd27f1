import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProcesses } from '../setup/processes.ts';
import { openTestDatabase } from '../support/database.ts';

vi.setConfig({ testTimeout: 90_000, expect: { poll: { timeout: 30_000 } } });

type Opened = Awaited<ReturnType<typeof openTestDatabase>>;

let folder: string;
let [home, target]: [Opened, Opened] = [] as never;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-follow-'));
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  [home, target] = [await openTestDatabase(), await openTestDatabase()];
});

const { serving, stopAll } = createProcesses(() => ({ KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', DATABASE_URL: home.database.adminUrl }));
afterEach(async () => {
  await stopAll();
  await Promise.all([home.close(), target.close()]);
});

const post = (url: string, body: object) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function cartAt(url: string): Promise<string> {
  const { id } = (await (await post(`${url}/v1/carts`, { currency: 'KRW' })).json()) as { id: string };
  return id;
}

/** What an administrator writes of coupon. */
async function place({ held = false, database = null, address = null }: { held?: boolean; database?: string | null; address?: string | null }): Promise<number> {
  const { rows } = await home.admin.query<{ epoch: string }>(
    `insert into placement.modules (module, epoch, held, database_url, address) values ('coupon', 1, $1, $2, $3)
     on conflict (module) do update set epoch = modules.epoch + 1, held = $1, database_url = $2, address = $3 returning epoch`,
    [held, database, address],
  );
  return Number(rows[0]!.epoch);
}

const followed = async () => (await home.admin.query<{ epoch: number | null }>(`select (followed->'coupon'->>'epoch')::int as epoch from placement.hosts`)).rows.map(({ epoch }) => epoch);

const withoutUser = ({ database }: Opened) => database.adminUrl.replace(/\/\/[^@]+@/, '//');
const fence = ({ admin }: Opened) => admin.query('revoke all on all tables in schema coupon, coupon_jobs from kerf_coupon');
/** Whether coupon is spoken to in this database. */
const isUsed = async ({ admin }: Opened) => ((await admin.query(`select 1 from pg_stat_activity where datname = current_database() and application_name = 'kerf coupon'`)).rowCount ?? 0) > 0;

describe('a process', () => {
  let shop: Awaited<ReturnType<typeof serving>>;
  let cart: string;
  /** A shopper tries a code that nobody has: refused, by whichever database coupon is in. */
  const tryCode = async () => (await post(`${shop.url}/v1/carts/${cart}/coupons`, { code: 'NOBODY' })).status;
  beforeEach(async () => {
    shop = await serving({});
    cart = await cartAt(shop.url);
    await tryCode();
  });

  it('says where it is, follows a module to another database, and has everybody wait who comes meanwhile', async () => {
    expect(await isUsed(target)).toBe(false);
    const epoch = await place({ held: true });
    await expect.poll(followed).toEqual([epoch]);
    await fence(home);
    const waiting = [tryCode(), tryCode()];
    await place({ database: withoutUser(target) });
    expect(await Promise.all(waiting)).toEqual([400, 400]);
    expect(await isUsed(target)).toBe(true);
  });

  it('that was frozen all the while is refused by the database it knew, and finds the new one', async () => {
    shop.child.kill('SIGSTOP');
    const waiting = tryCode();
    await fence(home);
    await place({ held: true });
    await place({ database: withoutUser(target) });
    shop.child.kill('SIGCONT');
    expect(await waiting).toBe(400);
    expect(await isUsed(target)).toBe(true);
  });

  it('calls the process that a module was moved to, and the module itself once it is back', async () => {
    const apart = await serving({ KERF_MODULES: 'coupon' });
    await place({ held: true });
    await fence(home);
    await place({ database: withoutUser(target), address: apart.internal });
    expect(await tryCode()).toBe(400);
    await apart.stop('SIGKILL');
    expect(await tryCode()).toBe(503);
    await place({ database: withoutUser(target) });
    await expect.poll(tryCode).toBe(400);
  });

  it('asks whoever answers at the one address of several processes with the module, none of which sends itself away', async () => {
    const ports: string[] = [];
    let turn = 0;
    const balancer = createServer((socket) => {
      const there = connect(Number(ports[turn++ % ports.length]), '127.0.0.1');
      socket.pipe(there).pipe(socket);
      for (const end of [socket, there]) end.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(balancer, 'listening');
    const address = `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`;
    const apart = await Promise.all([1, 2].map(() => serving({ KERF_MODULES: 'coupon', KERF_INTERNAL_URL: address })));
    ports.push(...apart.map(({ internal }) => new URL(internal).port));
    await place({ held: true });
    await fence(home);
    const epoch = await place({ database: withoutUser(target), address });
    await expect.poll(followed).toEqual([epoch, epoch, epoch]);
    expect(await Promise.all(Array.from({ length: 8 }, tryCode))).toEqual(Array.from({ length: 8 }, () => 400));
    expect(turn).toBeGreaterThan(1);
    expect((await home.admin.query('select 1 from placement.hosts where address = $1', [address])).rowCount).toBe(2);
    balancer.close();
  });

  it('meets no error when a module leaves another one, which ends before everybody has heard', async () => {
    const apart = await serving({ KERF_MODULES: 'coupon' });
    const there = await place({ address: apart.internal });
    await expect.poll(followed).toEqual([there, there]);
    const statuses: number[] = [];
    let isOver = false;
    const shopping = Promise.all(
      Array.from({ length: 12 }, async () => {
        while (!isOver) statuses.push(await tryCode());
      }),
    );
    await expect.poll(() => statuses.length).toBeGreaterThan(50);
    await home.admin.query('alter table placement.modules disable trigger tell');
    await place({});
    expect(await apart.stop()).toBe(0);
    const before = statuses.length;
    await expect.poll(() => statuses.length).toBeGreaterThan(before + 50);
    isOver = true;
    await shopping;
    expect([...new Set(statuses)]).toEqual([400]);
  });

  it('that starts later goes at once to where a module is', async () => {
    await place({ database: withoutUser(target) });
    await fence(home);
    const later = await serving({});
    const at = await cartAt(later.url);
    expect((await post(`${later.url}/v1/carts/${at}/coupons`, { code: 'NOBODY' })).status).toBe(400);
  });
});

describe('a process that ends', () => {
  it('is found by nobody who looks for one, and still answers who has found it before', async () => {
    const { internal, stop } = await serving({});
    const before = connect(Number(new URL(internal).port), '127.0.0.1');
    await once(before, 'connect');
    const ended = stop();
    await expect.poll(async () => (await home.admin.query('select from placement.hosts')).rowCount, { interval: 20 }).toBe(0);
    expect((await fetch(`${internal}/livez`)).status).toBe(200);
    before.destroy();
    expect(await ended).toBe(0);
  });
});

describe('a process with one module', () => {
  it('finds the others by itself, and others of them when those are gone', async () => {
    const [first, second] = [await serving({}), await serving({})];
    const order = await serving({ KERF_MODULES: 'order' });
    const shop = await serving({ KERF_MODULES: 'user', KERF_EDGE: 'true' });
    const open = async () => (await post(`${shop.url}/v1/carts`, { currency: 'KRW' })).status;
    const cart = await cartAt(shop.url);
    const tryCode = async () => (await post(`${shop.url}/v1/carts/${cart}/coupons`, { code: 'NOBODY' })).status;
    expect([await open(), await tryCode()]).toEqual([201, 400]);
    await first.stop('SIGKILL');
    expect([await open(), await tryCode()]).toEqual([201, 400]);
    await order.stop('SIGKILL');
    expect([await open(), await tryCode()]).toEqual([201, 400]);
    await second.stop('SIGKILL');
    expect(await tryCode()).toBe(503);
    expect((await fetch(`${shop.url}/readyz`)).status).toBe(200);
    await serving({});
    await expect.poll(tryCode).toBe(400);
  });
});
