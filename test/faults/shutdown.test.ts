import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client as Database } from 'pg';
import { Client } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { createProcesses, type Process } from '../setup/processes.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

// Processes start, and are seen to end, in each.
vi.setConfig({ testTimeout: 60_000, expect: { poll: { timeout: 20_000 } } });

let folder: string;
let database: TestDatabase;
let admin: Database;
let close: () => Promise<void>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-shutdown-'));
  ({ database, admin, close } = await openTestDatabase());
});
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const { serving, stopAll } = createProcesses(() => ({ DATABASE_URL: database.adminUrl, KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0' }));
afterEach(stopAll);

const JSON_BODY = { 'content-type': 'application/json' };

/** A request of which the last byte is not sent before `finish`; resolves once it is under way. */
async function begin(url: string, path: string, body: string): Promise<{ socket: Socket; finish(): Promise<string> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let told = '';
  socket.on('data', (chunk) => (told += String(chunk)));
  socket.write(`POST ${path} HTTP/1.1\r\nhost: kerf\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, -1)}`);
  await vi.waitFor(() => expect(told).toContain('100 Continue'));
  return {
    socket,
    async finish() {
      socket.write(body.slice(-1));
      await once(socket, 'close');
      return told.replace('HTTP/1.1 100 Continue\r\n\r\n', '');
    },
  };
}

/** Asks again and again on one connection until it is told that this was the last time; answers every status, or what went wrong. */
async function shopUntilToldToGo(url: string, counted: () => void): Promise<(number | string)[]> {
  const client = new Client(url);
  const seen: (number | string)[] = [];
  try {
    for (let last = false; !last; counted()) {
      const { statusCode, headers, body } = await client.request({ method: 'GET', path: '/v1/products?limit=1' });
      await body.dump();
      seen.push(statusCode);
      last = headers['connection'] === 'close';
    }
  } catch (error) {
    seen.push(String(error));
  }
  await client.destroy();
  return seen;
}

/** Every answer of /readyz, each on a connection of its own, until nobody is there. */
async function watchReadiness(url: string): Promise<number[]> {
  const seen: number[] = [];
  for (;;) {
    try {
      const { status } = await fetch(`${url}/readyz`, { headers: { connection: 'close' } });
      if (status !== seen.at(-1)) seen.push(status);
    } catch {
      return seen;
    }
  }
}

const ended = ({ child }: Process) => child.exitCode ?? child.signalCode;

describe('SIGTERM', () => {
  it('under fifty busy clients turns readiness first, resets nobody, answers what is under way, and ends', async () => {
    const shop = await serving({});
    let answers = 0;
    const clients = Array.from({ length: 50 }, () => shopUntilToldToGo(shop.url, () => (answers += 1)));
    const held = await Promise.all(Array.from({ length: 5 }, () => begin(shop.url, '/v1/carts', '{"currency":"KRW"}')));
    const readiness = watchReadiness(shop.url);
    await expect.poll(() => answers).toBeGreaterThan(200);
    shop.child.kill('SIGTERM');
    const statuses = (await Promise.all(clients)).flat();
    expect([...new Set(statuses)]).toEqual([200]);
    expect(await readiness).toEqual([200, 503]);
    expect(ended(shop)).toBeNull();
    for (const answer of await Promise.all(held.map(({ finish }) => finish()))) {
      expect(answer).toMatch(/^HTTP\/1\.1 201 [\s\S]*\r\nconnection: close\r\n/i);
    }
    await expect.poll(() => ended(shop)).toBe(0);
  });

  it('that comes again, and not at once as a terminal doubles it, ends what is under way', async () => {
    const shop = await serving({});
    const { socket } = await begin(shop.url, '/v1/carts', '{"currency":"KRW"}');
    socket.on('error', () => undefined);
    await expect.poll(() => (shop.child.kill('SIGTERM'), ended(shop)), { interval: 200 }).toBe(130);
  });

  it('leaves nothing half done of the work behind the requests', async () => {
    const shop = await serving({ KERF_SEED: 'true' });
    const body = /-d '([\s\S]*)'$/.exec(/^curl[\s\S]*}'$/m.exec(shop.output())![0])![1]!;
    await admin.query('begin; lock table inventory.inbox in access exclusive mode');
    const placed = await fetch(`${shop.url}/v1/orders`, { method: 'POST', headers: { ...JSON_BODY, 'idempotency-key': newId() }, body });
    expect(placed.status).toBe(201);
    await expect.poll(() => waiting('kerf inventory')).toBeGreaterThan(0);
    shop.child.kill('SIGTERM');
    await shop.says(/finishing what is under way/);
    await admin.query('commit');
    await expect.poll(() => ended(shop)).toBe(0);
    expect(await count(`select count(*) from order_jobs.job where state = 'active'`)).toBe(0);
    expect(await count(`select count(*) from pg_stat_activity where datname = current_database() and application_name like 'kerf %'`)).toBe(0);

    await serving({});
    await expect.poll(() => count(`select -coalesce(sum(delta), 0) from inventory.stock_movements where kind = 'sold'`)).toBe(1);
    await expect.poll(() => count(`select count(*) from order_jobs.job where state in ('created', 'retry', 'active', 'failed')`)).toBe(0);
  });

  it('for a module that is apart lets it answer what the shop has asked', async () => {
    const coupon = await serving({ KERF_MODULES: 'coupon' });
    const shop = await serving({ KERF_COUPON_URL: coupon.internal });
    const cart = (await (await fetch(`${shop.url}/v1/carts`, { method: 'POST', headers: JSON_BODY, body: '{"currency":"KRW"}' })).json()) as { id: string };
    await admin.query('begin; lock table coupon.promotions, coupon.promotion_codes in access exclusive mode');
    const asked = fetch(`${shop.url}/v1/carts/${cart.id}/coupons`, { method: 'POST', headers: JSON_BODY, body: '{"code":"NOBODY"}' });
    await expect.poll(() => waiting('kerf coupon')).toBeGreaterThan(0);
    coupon.child.kill('SIGTERM');
    await coupon.says(/finishing what is under way/);
    await admin.query('commit');
    expect(await (await asked).json()).toMatchObject({ status: 400, reason: 'unknown_code' });
    await expect.poll(() => ended(coupon)).toBe(0);
    expect((await fetch(`${shop.url}/v1/products`)).status).toBe(200);
  });
});

const count = async (sql: string) => Number(Object.values((await admin.query<Record<string, string>>(sql)).rows[0]!)[0]);
/** Flows of a module that stand before a lock. */
const waiting = (application: string) => count(`select count(*) from pg_stat_activity where application_name = '${application}' and wait_event_type = 'Lock' and datname = current_database()`);
