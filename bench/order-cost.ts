import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { compose } from '../src/composition.ts';
import { createApp } from '../src/edge/app.ts';
import { catalogContract } from '../src/modules/catalog/contract.ts';
import { couponContract } from '../src/modules/coupon/contract.ts';
import { inventoryContract } from '../src/modules/inventory/contract.ts';
import { userContract } from '../src/modules/user/contract.ts';
import { SCHEMAS } from '../src/setup/database.ts';
import { startEmbeddedPostgres } from '../src/setup/embedded-postgres.ts';
import { listen } from '../src/setup/listen.ts';
import { moduleUrl, provision } from '../src/setup/provision.ts';
import { connect, type Database } from '../src/shared/database.ts';
import { newId } from '../src/shared/ids.ts';
import { createLogger, createMetrics } from '../src/shared/telemetry.ts';

/*
 * What one placed order costs the database: statements and commits of the placing request, and of what it causes
 * afterwards, by module. Counted at the modules' pools on a Postgres of its own. `node bench/order-cost.ts`
 */

const SECRET = 'a secret for the bench, known to all who read it';
const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
await chmod(directory, 0o755);
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
await provision({ adminUrl: postgres.adminUrl, schemas: SCHEMAS, secret: SECRET });
const url = (module: string) => moduleUrl(postgres.adminUrl, module, SECRET);
const front = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'PORT' });
const publicUrl = `http://127.0.0.1:${front.port}`;
const log = createLogger('error');
const kerf = compose({
  settings: { publicUrl, secret: SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
  log, databaseUrl: url, poolSize: 10,
});
await kerf.prepare();
const edgeDb = connect({ url: url('edge'), applicationName: 'bench edge', poolSize: 10 });
front.serve(createApp({
  routes: kerf.routes, users: kerf.service(userContract), db: edgeDb, log, metrics: createMetrics(), issuer: publicUrl, now: () => new Date(), rateLimit: 0, trustProxy: 0, ready: async () => undefined,
}));

let statements: { module: string; sql: string }[] = [];
const count = (module: string, db: Database) => db.on('query', ({ sql }: { sql: string }) => void statements.push({ module, sql }));
for (const [module, db] of [...kerf.databases, ['edge', edgeDb] as const]) count(module, db);

const [productId, variantId] = [newId(), newId()];
const catalog = kerf.service(catalogContract);
await catalog.createProduct({ id: productId, draft: { slug: 'bench', name: { ko: '잔' } } });
const { version } = await catalog.createVariant({ id: variantId, productId, draft: { sku: 'BENCH', prices: { KRW: 60_000 } } });
await catalog.setProductState({ id: productId, version, state: 'published' });
await kerf.service(inventoryContract).adjust({ adjustmentId: 'bench', adjustments: [{ variantId, kind: 'received', delta: 100_000 }] });
await kerf.service(couponContract).createPromotion({
  id: newId(), draft: { name: 'Bench', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', codes: ['BENCH'] },
});

const client = new Pool(publicUrl);
async function place(): Promise<void> {
  const { statusCode, body } = await client.request({
    method: 'POST', path: '/v1/orders', headers: { 'content-type': 'application/json', 'idempotency-key': newId() },
    body: JSON.stringify({
      currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes: ['BENCH'], email: 'bench@example.com', expectedTotal: 54_000,
      payment: { provider: 'sandbox', token: 'sandbox_ok' },
      shippingAddress: { name: 'B', phone: '010-0000-0000', country: 'KR', postalCode: '04524', city: 'Seoul', line1: '1' },
    }),
  });
  const text = await body.text();
  if (statusCode !== 201) throw new Error(text);
}

const isFrame = ({ sql }: { sql: string }) => /^(begin|commit)/i.test(sql);
const cost = (counted: typeof statements) => ({
  statements: counted.filter((one) => !isFrame(one)).length,
  commits: counted.filter(({ sql }) => /^commit/i.test(sql)).length,
  statementsByModule: Object.fromEntries([...Map.groupBy(counted.filter((one) => !isFrame(one)), ({ module }) => module)].map(([module, list]) => [module, list.length])),
});

// The request alone: nothing else runs yet.
for (let warm = 0; warm < 5; warm += 1) await place();
statements = [];
await place();
const placing = cost(statements);
if (process.argv.includes('--list')) for (const { module, sql } of statements) console.log(`${module.padEnd(10)} ${sql.replaceAll(/\s+/g, ' ').slice(0, 160)}`);

// With everything it causes, once the queues work: many orders, less what an idle shop does in the same time.
const SECONDS = 12;
const ORDERS = 20;
const during = async (work: () => Promise<void>) => {
  statements = [];
  const until = Date.now() + SECONDS * 1_000;
  await work();
  await new Promise((resolve) => { setTimeout(resolve, until - Date.now()); });
  return cost(statements);
};
await kerf.startWork();
await during(async () => undefined);
const idle = await during(async () => undefined);
const busy = await during(async () => {
  for (let order = 0; order < ORDERS; order += 1) await place();
});
const perOrder = (count: 'statements' | 'commits') => (busy[count] - idle[count]) / ORDERS;
console.log(JSON.stringify({
  placingRequest: placing,
  withAllItCauses: { statements: perOrder('statements'), commits: perOrder('commits') },
  idle: { statementsPerSecond: idle.statements / SECONDS },
}, undefined, 2));

await client.close();
await front.close(1_000);
await kerf.stop();
await edgeDb.destroy();
await postgres.stop();
await rm(directory, { recursive: true, force: true });
