import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODULES } from '../src/calls.ts';
import { compose, type Composition } from '../src/composition.ts';
import { inventoryContract } from '../src/modules/inventory/contract.ts';
import { SCHEMAS } from '../src/setup/database.ts';
import { startEmbeddedPostgres } from '../src/setup/embedded-postgres.ts';
import { listen } from '../src/setup/listen.ts';
import { moduleUrl, provision } from '../src/setup/provision.ts';
import { connect, rows } from '../src/shared/database.ts';
import { newId } from '../src/shared/ids.ts';
import { createLogger } from '../src/shared/telemetry.ts';

/*
 * How long an event takes from the commit that published it until its effect can be read, and what that costs:
 * `node bench/events.ts [events per second] [seconds]`. Stock is counted in inventory, catalog learns of it. Once with each
 * event of an aggregate of its own and once with ten busy aggregates, with all modules in one host and with catalog behind
 * an address. What the load itself costs is part of the machine's work, and of the processor time (without Postgres) per event.
 */
const RATE = Number(process.argv[2] ?? 200);
const SECONDS = Number(process.argv[3] ?? 10);
/** events that one transaction publishes, as an order of five lines or an import does */
const TOGETHER = 5;
/** most aggregates that one look is about, so that a backlog is not made longer by looking at it */
const READ_TOGETHER = 200;
const pause = (milliseconds: number) => new Promise<void>((resolve) => { setTimeout(resolve, Math.max(0, milliseconds)); });

const SECRET = 'a secret for the bench, known to all who read it';
const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
await chmod(directory, 0o755);
const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres') });
await provision({ adminUrl: postgres.adminUrl, schemas: SCHEMAS, secret: SECRET });
const databaseUrl = (module: string) => moduleUrl(postgres.adminUrl, module, SECRET);
const catalog = connect({ url: databaseUrl('catalog'), applicationName: 'bench reader', poolSize: 2 });
const settings = { publicUrl: 'http://localhost', secret: SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined };
const common: Composition = { settings, log: createLogger('error'), databaseUrl, poolSize: 10 };

for (const apart of [[], ['catalog']]) {
  const shop = await open(apart);
  await shop.during(async () => pause(5_000));
  const idle = await shop.during(async () => pause(10_000));
  console.log(JSON.stringify({ apart, idleStatementsPerSecond: round(idle.statements / idle.seconds) }));
  for (const aggregates of [RATE * SECONDS, 10]) {
    let delays: number[] = [];
    const busy = await shop.during(async () => void (delays = await load(shop.inventory, aggregates)));
    const byLength = delays.toSorted((a, b) => a - b);
    const quantile = (share: number) => round(byLength[Math.min(byLength.length - 1, Math.floor(byLength.length * share))]!);
    console.log(JSON.stringify({
      apart, aggregates, events: delays.length, perSecond: round(delays.length / busy.seconds), visibleAfterMs: { p50: quantile(0.5), p99: quantile(0.99), most: quantile(1) },
      statementsPerEvent: round((busy.statements - (idle.statements * busy.seconds) / idle.seconds) / delays.length),
      cpuMsPerEvent: round(busy.cpuMs / delays.length),
    }));
  }
  await shop.close();
}
await catalog.destroy();
await postgres.stop();
await rm(directory, { recursive: true, force: true });

async function open(apart: string[]) {
  const groups = await Promise.all([MODULES.filter((name) => !apart.includes(name)), ...(apart.length > 0 ? [apart] : [])].map(async (hosts) => ({
    hosts, inside: await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' }),
  })));
  const kerfs = groups.map(({ hosts, inside }) => {
    const addresses = Object.fromEntries(groups.filter((other) => other.hosts !== hosts).flatMap((other) => other.hosts.map((name) => [name, other.inside.address])));
    const kerf = compose({ ...common, placement: { hosts, addresses, edge: hosts.includes('order') } });
    inside.serve(kerf.seam);
    return kerf;
  });
  let statements = 0;
  for (const kerf of kerfs) for (const [, db] of kerf.databases) db.on('query', () => void (statements += 1));
  for (const kerf of kerfs) await kerf.prepare();
  for (const kerf of kerfs) await kerf.startWork();
  return {
    inventory: kerfs[0]!.service(inventoryContract),
    async during(work: () => Promise<void>) {
      statements = 0;
      const [since, cpu] = [performance.now(), process.cpuUsage()];
      await work();
      const { user, system } = process.cpuUsage(cpu);
      return { statements, seconds: (performance.now() - since) / 1_000, cpuMs: (user + system) / 1_000 };
    },
    async close() {
      for (const kerf of kerfs) await kerf.stop();
      for (const { inside } of groups) await inside.close(1_000);
    },
  };
}

/** Publishes at an even pace; answers the milliseconds after which each event's effect was read. */
async function load(inventory: Awaited<ReturnType<typeof open>>['inventory'], aggregates: number): Promise<number[]> {
  const variants = Array.from({ length: aggregates }, () => newId());
  /** instants of commit of what is not read yet, by the stock that each left behind */
  const waiting = new Map<string, Map<number, number>>(variants.map((variantId) => [variantId, new Map()]));
  const delays: number[] = [];
  const total = RATE * SECONDS;
  const reading = (async () => {
    while (delays.length < total) {
      const pending = [...waiting].filter(([, commits]) => commits.size > 0).slice(0, READ_TOGETHER).map(([variantId]) => variantId);
      const seen = await rows<{ id: string; available: number }>(catalog, 'select variant_id as id, available from availability where variant_id = any(?)', [pending as never]);
      const now = performance.now();
      for (const { id, available } of seen) {
        for (const [stock, committed] of waiting.get(id)!) {
          if (stock > available) continue;
          delays.push(now - committed);
          waiting.get(id)!.delete(stock);
        }
      }
      await pause(5);
    }
  })();
  const since = performance.now();
  await Promise.all(Array.from({ length: total / TOGETHER }, async (_, call) => {
    await pause((call * TOGETHER * 1_000) / RATE - (performance.now() - since));
    const chosen = Array.from({ length: TOGETHER }, (__, line) => variants[(call * TOGETHER + line) % aggregates]!);
    const { levels } = await inventory.adjust({ adjustmentId: newId(), adjustments: chosen.map((variantId) => ({ variantId, kind: 'received', delta: 1 })) });
    for (const { variantId, available } of levels) waiting.get(variantId)!.set(available, performance.now());
  }));
  await reading;
  return delays;
}

function round(figure: number): number {
  return Math.round(figure * 10) / 10;
}
