import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { createProcesses } from '../setup/processes.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

// A process starts in each, and a Postgres in some.
vi.setConfig({ testTimeout: 90_000, expect: { poll: { timeout: 30_000 } } });

let folder: string;
let database: TestDatabase;
let admin: Client;
let close: () => Promise<void>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-pool-'));
  await chmod(folder, 0o755);
  ({ database, admin, close } = await openTestDatabase());
});
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const { refused, serving, stopAll } = createProcesses(() => ({ KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0' }));
afterEach(stopAll);

const post = (url: string, body: string, headers: Record<string, string> = {}) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

async function cartAt(url: string): Promise<string> {
  const { id } = (await (await post(`${url}/v1/carts`, '{"currency":"KRW"}')).json()) as { id: string };
  return id;
}

const status = (url: string) => fetch(url).then((answer) => answer.status);

/** One figure of /metrics, 0 where it is not there. */
async function figure(internal: string, name: string): Promise<number> {
  const text = await (await fetch(`${internal}/metrics`)).text();
  return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ').at(-1) ?? 0);
}

describe('a module without a free connection', () => {
  it('is unavailable until it has one again; the others go on, and nothing leaks', async () => {
    const shop = await serving({ DATABASE_URL: database.adminUrl, KERF_POOL_SIZE: '2' });
    const heldUp = async () => (await admin.query(`select from pg_stat_activity where application_name = 'kerf coupon' and wait_event_type = 'Lock' and datname = current_database()`)).rowCount;
    const connections = (state: string) => figure(shop.internal, `kerf_pool_connections{module="coupon",state="${state}"}`);
    const carts = await Promise.all(Array.from({ length: 12 }, () => cartAt(shop.url)));
    const enter = (cart: string) => post(`${shop.url}/v1/carts/${cart}/coupons`, '{"code":"NOBODY"}');
    await admin.query('begin; lock table coupon.promotions, coupon.promotion_codes in access exclusive mode');
    const entered = carts.map(enter);
    await expect.poll(heldUp).toBe(2);
    expect(await status(`${shop.url}/v1/products`)).toBe(200);
    expect(await cartAt(shop.url)).toMatch(/^\w/);
    for (const answer of await Promise.all(entered)) {
      expect([answer.status, answer.headers.get('retry-after'), ((await answer.json()) as { reason: string }).reason]).toEqual([503, '1', 'unavailable']);
    }
    await admin.query('commit');
    expect(await (await enter(carts[0]!)).json()).toMatchObject({ status: 400, reason: 'unknown_code' });
    await expect.poll(async () => [await connections('used'), await connections('waiting')]).toEqual([0, 0]);
  });
});

describe('a database that goes and comes back', () => {
  it.each([
    ['looks for work', 'begin; lock table coupon_jobs.queue in access exclusive mode', 'kerf coupon', 'The database does not answer, or not in time: try again in a moment.'],
    ['is set up', `comment on schema coupon is 'of another day'; select pg_advisory_lock(hashtext('kerf setup'))`, 'kerf setup', 'DATABASE_URL names a server that does not answer.'],
  ])('ends a start in one sentence where it goes while the shop %s', async (_what, hold, name, sentence) => {
    await (await serving({ DATABASE_URL: database.adminUrl })).stop();
    await admin.query(hold);
    const ended = refused({ DATABASE_URL: database.adminUrl });
    const cut = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = '${name}' and wait_event_type = 'Lock'`;
    await expect.poll(async () => (await admin.query('select pg_stat_clear_snapshot()')) && (await admin.query(cut)).rowCount).toBeGreaterThan(0);
    expect(await ended).toEqual([2, expect.stringMatching(new RegExp(`^[^]*${sentence}$`))]);
    expect((await ended)[1]).not.toMatch(/^ +at /m);
    await admin.query('rollback; select pg_advisory_unlock_all()');
  });

  it('is found again when it has cut every connection', async () => {
    const shop = await serving({ DATABASE_URL: database.adminUrl });
    const cart = await cartAt(shop.url);
    const { rowCount } = await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'kerf %'`);
    expect(rowCount).toBeGreaterThan(3);
    for (const path of ['/readyz', '/v1/products', `/v1/carts/${cart}`]) await expect.poll(() => status(`${shop.url}${path}`)).toBe(200);
    expect(shop.child.exitCode).toBeNull();
  });

  it.each(['SIGKILL', 'SIGINT'] as const)('is started again by Kerf where it is its own, after %s', async (signal) => {
    const shop = await serving({ KERF_SEED: 'true' });
    const body = /-d '([\s\S]*)'$/.exec(/^curl[\s\S]*}'$/m.exec(shop.output())![0])![1]!;
    const order = () => post(`${shop.url}/v1/orders`, body, { 'idempotency-key': newId() }).then((answer) => answer.status);
    const sold = () => figure(shop.internal, 'kerf_events_delivered_total{type="order.placed",from="order",to="inventory",outcome="ok"}');
    expect(await order()).toBe(201);
    await expect.poll(sold).toBe(1);
    process.kill(Number((await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]), signal);
    await shop.says('Postgres has gone: it is started again.');
    for (const path of ['/readyz', '/v1/products']) await expect.poll(() => status(`${shop.url}${path}`)).toBe(200);
    await expect.poll(order).toBe(201);
    await expect.poll(sold).toBeGreaterThanOrEqual(2);
    expect(await shop.stop()).toBe(0);
  });
});
