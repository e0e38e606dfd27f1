import { createServer } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { modules } from '../../src/composition.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { serviceKeySet } from '../../src/placement/service-keys.ts';
import { describeContract } from '../../src/shared/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { CONTRACT, CONTRACT_HEADER, EVENTS, pathOf } from '../../src/shared/seam/protocol.ts';
import { createServiceTokens, derivedKeys } from '../../src/shared/seam/service-token.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createProcesses } from './processes.ts';

let folder: string;
let database: TestDatabase;
beforeAll(async () => {
  [folder, database] = await Promise.all([mkdtemp(join(tmpdir(), 'kerf-apart-')), createTestDatabase()]);
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const { start, serving, refused, stopAll } = createProcesses(() => ({ DATABASE_URL: database.adminUrl, KERF_DATA_DIR: folder }));
afterEach(stopAll);

// Several processes start in each.
vi.setConfig({ testTimeout: 60_000 });

const socketOf = (name: string) => join(folder, `${name}.sock`);
const couponApart = () => ({ KERF_COUPON_URL: `unix:${socketOf('coupon')}` });
const couponAlone = () => ({ KERF_MODULES: 'coupon', KERF_INTERNAL_PORT: '', KERF_INTERNAL_SOCKET: socketOf('coupon') });
const tokens = createServiceTokens(derivedKeys(TEST_SECRET, []), () => new Date());

/** where nobody made the code, its owner says so: the call has arrived */
const REFUSED_BY_COUPON = { status: 400, reason: 'unknown_code' };

async function cartWith(url: string, code: string): Promise<Response> {
  const { id } = (await (await fetch(`${url}/v1/carts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"currency":"KRW"}' })).json()) as { id: string };
  return fetch(`${url}/v1/carts/${id}/coupons`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
}

describe('the two ports', () => {
  it('answer nothing of each other', async () => {
    const { url, internal } = await serving({});
    const seam = modules.flatMap(({ contract }) => [...Object.keys(contract.methods), EVENTS, CONTRACT].map((path) => [contract.module, pathOf(contract.module, path)] as const));
    const inside = [...seam, ...['/metrics', '/observed'].map((path) => ['user', path] as const)];
    for (const [module, path] of inside) {
      const headers = { authorization: `Bearer ${await tokens.tokenFor('edge', module)}`, 'content-type': 'application/json' };
      for (const method of ['GET', 'POST']) {
        const { status } = await fetch(`${url}${path}`, { method, headers, ...(method === 'POST' && { body: '{}' }) });
        expect([path, method, status]).toEqual([path, method, 404]);
      }
    }
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const outside = [...Object.keys(paths), ...Object.keys(paths).map((path) => `/v1${path}`), '/', '/docs', '/openapi.json', '/.well-known/jwks.json'];
    for (const path of outside.filter((one) => !['/livez', '/readyz'].includes(one))) {
      expect([path, (await fetch(`${internal}${path.replaceAll(/[{}]/g, '')}`)).status]).toEqual([path, 404]);
    }
    expect(inside.length + outside.length).toBeGreaterThan(100);
  });
});

describe('a start', () => {
  it('refuses a contract that does not fit, and says what does not', async () => {
    const { methods: { quote: _, ...methods }, ...rest } = describeContract(couponContract);
    const other = createServer((_req, res) => res.setHeader(CONTRACT_HEADER, 'another').end(JSON.stringify({ hash: 'another', ...rest, methods })));
    await new Promise<void>((resolve) => other.listen(socketOf('coupon'), resolve));
    const [code, output] = await refused(couponApart());
    other.close();
    expect(code).toBe(2);
    expect(output).toMatch(/^The coupon module at unix:\S+ speaks a contract that this process cannot: quote is gone\. .*$/m);
  });

  it('serves what it can while a module is away, says so, and finds it once it is there', async () => {
    const front = await serving({ ...couponApart(), KERF_SEED: 'true' });
    expect(front.output()).toMatch(/^Waiting for coupon at unix:.*\.$/m);
    expect(front.output()).toMatch(/^The module coupon does not answer at unix:\S+: what needs it is answered as unavailable until it does\.$/m);
    expect(front.output()).toMatch(/^The demo goods are not looked for, .* "npm run seed" fills the shop later\.$/m);
    const ready = async () => fetch(`${front.url}/readyz`).then(async (answer) => [answer.status, await answer.json()]);
    expect(await ready()).toEqual([200, { status: 'ready', away: ['coupon'] }]);

    expect((await fetch(`${front.url}/v1/products`)).status).toBe(200);
    const answer = await cartWith(front.url, 'KERF5000');
    expect([answer.status, answer.headers.get('retry-after'), answer.headers.get('content-type')]).toEqual([503, '1', expect.stringMatching(/^application\/problem\+json/)]);
    const problem = await answer.text();
    expect(JSON.parse(problem)).toMatchObject({ reason: 'unavailable', status: 503 });
    expect(problem).not.toMatch(/coupon|sock|ECONN|ENOENT/);

    await serving(couponAlone());
    await front.says(/^The module coupon answers\.$/m);
    expect(await ready()).toEqual([200, { status: 'ready' }]);
    expect(await (await cartWith(front.url, 'KERF5000')).json()).toMatchObject(REFUSED_BY_COUPON);
  });

  it('takes over the socket of a process that was killed, and none on which somebody answers', async () => {
    const first = await serving(couponAlone());
    expect(first.output()).toMatch(/^KERF_PUBLIC_URL is not set: /m);
    expect(await refused(couponAlone())).toEqual([2, `KERF_INTERNAL_SOCKET names a socket on which another process answers: ${socketOf('coupon')}.`]);
    await first.stop('SIGKILL');
    await serving(couponAlone());
  });

  it('removes nothing that is no socket', async () => {
    const path = join(folder, 'notes.txt');
    await writeFile(path, 'not yours');
    expect(await refused({ ...couponAlone(), KERF_INTERNAL_SOCKET: path })).toEqual([2, `KERF_INTERNAL_SOCKET names something that is no socket: ${path}.`]);
    const nowhere = join(folder, 'run', 'coupon.sock');
    expect(await refused({ ...couponAlone(), KERF_INTERNAL_SOCKET: nowhere })).toEqual([2, `KERF_INTERNAL_SOCKET names a socket in a folder that does not exist: ${nowhere}.`]);
  });

  it('refuses a placement that cannot be before it touches a database, and names the variable of one that is away', async () => {
    const away = 'postgres://a:hunter2@127.0.0.1:1/kerf';
    expect(await refused({ KERF_MODULES: 'order', DATABASE_URL: '', ORDER_DATABASE_URL: away })).toEqual([2, expect.stringMatching(/^The module order calls the module user, which is neither hosted here nor located: .*KERF_USER_URL, or set DATABASE_URL/m)]);
    expect(await refused({ KERF_MODULES: 'coupon', COUPON_DATABASE_URL: away })).toEqual([2, expect.stringMatching(/^COUPON_DATABASE_URL names a server that does not answer\.$/m)]);
  });

  it('refuses a module that is here and elsewhere', async () => {
    expect(await refused({ ...couponAlone(), ...couponApart() })).toEqual([2, expect.stringMatching(/^KERF_MODULES says that coupon runs here, and KERF_COUPON_URL that it runs elsewhere/)]);
  });
});

describe('service keys', () => {
  it('let processes know each other, and not by their secret', async () => {
    const everybody = [...MODULES, 'edge'];
    const keysOf = async (name: string, hosts: readonly string[]) => {
      const path = join(folder, `${name}.json`);
      await writeFile(path, JSON.stringify(serviceKeySet('only known to who made the keys, 0123456789', { hosts, everybody })), { mode: 0o600 });
      return path;
    };
    const own = await createTestDatabase();
    const coupon = start({ ...couponAlone(), KERF_SERVICE_KEYS: await keysOf('coupon', ['coupon']), DATABASE_URL: own.adminUrl });
    const front = await serving({ ...couponApart(), KERF_SERVICE_KEYS: await keysOf('rest', everybody.filter((name) => name !== 'coupon')) });
    expect(coupon.output()).toContain('Kerf is running: coupon');
    expect(await (await cartWith(front.url, 'KERF5000')).json()).toMatchObject(REFUSED_BY_COUPON);
    expect(await refused({ ...couponApart(), KERF_SERVICE_KEYS: await keysOf('coupon', ['coupon']) })).toEqual([2, expect.stringMatching(/^KERF_SERVICE_KEYS lacks the private key of user, which runs here/)]);
    await stopAll();
    await own.drop();
  });
});

describe('two processes with the same module on one database', () => {
  it('share its work, and each effect comes once', async () => {
    const shop = await serving({ KERF_SEED: 'true' });
    await serving({ KERF_MODULES: 'coupon,inventory', KERF_CATALOG_URL: shop.internal });
    const curl = /^curl[\s\S]*}'$/m.exec(shop.output())![0];
    const body = /-d '([\s\S]*)'$/.exec(curl)![1]!;
    const placed = await Promise.all(
      Array.from({ length: 8 }, () => fetch(`${shop.url}/v1/orders`, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': newId() }, body }).then(({ status }) => status)),
    );
    expect(placed).toEqual(Array.from({ length: 8 }, () => 201));
    const admin = new Client({ connectionString: database.adminUrl });
    await admin.connect();
    const count = async (sql: string) => Number((await admin.query<{ n: string }>(sql)).rows[0]!.n);
    await expect.poll(() => count(`select count(*) as n from coupon.redemptions where state = 'consumed'`), { timeout: 20_000 }).toBe(8);
    await expect.poll(() => count(`select -sum(delta) as n from inventory.stock_movements where kind = 'sold'`), { timeout: 20_000 }).toBe(8);
    await admin.end();
  });
});
