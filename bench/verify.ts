import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { MODULES } from '../src/calls.ts';
import { compose } from '../src/composition.ts';
import { SCHEMAS } from '../src/setup/database.ts';
import { startEmbeddedPostgres } from '../src/setup/embedded-postgres.ts';
import { listen } from '../src/setup/listen.ts';
import { moduleUrl, provision } from '../src/setup/provision.ts';
import { createLogger } from '../src/shared/telemetry.ts';
import { formatReport } from '../src/verify/report.ts';
import { sourcesOf, verify } from '../src/verify/verify.ts';
import { addOrders } from './goods.ts';

/*
 * How long `kerf verify` takes, and how much memory, in a shop with many orders: `node bench/verify.ts [orders]`. First with
 * all modules in one process, then with each of the four that hold a part of the truth behind a port of its own.
 */

const ORDERS = Number(process.argv[2] ?? 100_000);
const SECRET = 'a secret for the bench, known to all who read it';
const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
await chmod(directory, 0o755);
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
await provision({ adminUrl: postgres.adminUrl, schemas: SCHEMAS, secret: SECRET });
const admin = new Client({ connectionString: postgres.adminUrl });
await admin.connect();

const since = (start: number) => `${((performance.now() - start) / 1_000).toFixed(1)} s`;
const filling = performance.now();
await addOrders(admin, 1, ORDERS);
await admin.end();
console.log(`${ORDERS.toLocaleString('en')} orders made in ${since(filling)}.`);

const composition = {
  settings: { publicUrl: 'http://localhost', secret: SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
  log: createLogger('error'), databaseUrl: (module: string) => moduleUrl(postgres.adminUrl, module, SECRET), poolSize: 10,
};

async function measure(where: string, apart: readonly string[]): Promise<void> {
  const hosts = await Promise.all(apart.map(async (module) => ({ module, inside: await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' }) })));
  const addresses = Object.fromEntries(hosts.map(({ module, inside }) => [module, inside.address]));
  const front = compose({ ...composition, placement: { hosts: MODULES.filter((module) => !apart.includes(module)), addresses, edge: false } });
  // A host that calls nobody here needs nobody: its clients are never used.
  const others = hosts.map(({ module, inside }) => {
    const kerf = compose({ ...composition, placement: { hosts: [module], addresses: Object.fromEntries(MODULES.map((name) => [name, 'http://127.0.0.1:9'])), edge: false } });
    inside.serve(kerf.seam);
    return { kerf, inside };
  });
  let peak = 0;
  const sampling = setInterval(() => { peak = Math.max(peak, process.memoryUsage().rss); }, 50);
  const [start, used] = [performance.now(), process.cpuUsage()];
  const report = await verify(sourcesOf(front), { databases: new Map(), now: () => new Date(), grace: 60_000 });
  console.log(`${where}: ${since(start)}, of which this process computed ${(process.cpuUsage(used).user / 1_000_000).toFixed(1)} s; ${Math.round(peak / 2 ** 20)} MB at most.`);
  clearInterval(sampling);
  if (!report.holds || report.orders !== ORDERS) console.log(formatReport(report));
  await front.stop();
  for (const { kerf, inside } of others) {
    await kerf.stop();
    await inside.close(1_000);
  }
}

try {
  await measure('In one process', []);
  await measure('Four modules apart', ['order', 'payment', 'inventory', 'coupon']);
} finally {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}
