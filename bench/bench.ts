import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { Client } from 'pg';
import type { Bare } from './bare.ts';
import { type Captured, capture, costOf, isBracket, type Statement } from './capture.ts';
import { chart } from './chart.ts';
import { type Shopping, startWorker } from './driver.ts';
import { addGoods, addOrders, fill, openBackOffice } from './goods.ts';
import { type Course, idleness, measure, type Measured } from './measure.ts';
import { writePage } from './page.ts';
import { compared, markdown, type Report, type Row, type Size, WHAT } from './report.ts';
import { moduleUrlAt, onInterrupt, openPostgres, type Postgres, ROOT, startKerf, verifyShop } from './shop.ts';

/*
 * How fast Kerf is, beside what Node and Postgres do for the same work in the same run: `npm run bench -- --help`. A Postgres
 * and a Kerf of its own, the clients in a process of theirs; docs/performance.md says what the figures mean.
 */

interface Options {
  seconds: number;
  clients: number[];
  products: number[];
  orders: number[];
  idle: number;
  json?: string;
  write?: boolean;
  compare?: string;
}

const DEFAULTS: Options = { seconds: 4, clients: [1, 16, 64], products: [100, 10_000], orders: [1_000, 100_000], idle: 10 };
const QUICK: Options = { seconds: 0.8, clients: [1, 16], products: [100], orders: [1_000], idle: 3 };
/** What Kerf itself takes for each module. */
const POOL = 10;

const say = (sentence: string) => void process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${sentence}\n`);

async function run(options: Options): Promise<Report> {
  const loadBefore = loadavg()[0]!;
  const postgres = await openPostgres();
  const ends: (() => unknown)[] = [() => postgres.stop()];
  onInterrupt(ends);
  try {
    say('Postgres runs. Kerf starts on it for the first time, and the shop is filled.');
    const first = await startKerf(postgres);
    const { goods, kept } = await fill(postgres, options.products[0]!, options.orders[0]!).finally(() => first.stop());
    const copy = await postgres.copy('bare');
    const captured = await capture(copy, goods);
    const kerf = await startKerf(postgres);
    ends.unshift(() => kerf.stop());
    const idle = await idleness(postgres, () => setTimeout(options.idle * 1_000));

    const worker = async (file: string, setUp: object) => {
      const started = await startWorker(join(import.meta.dirname, file), setUp);
      ends.unshift(() => started.stop());
      return started;
    };
    const driver = await worker('driver.ts', { url: kerf.url, goods } satisfies Shopping);
    const bare = await worker('bare.ts', { adminUrl: copy, poolSize: POOL, captured, goods, kept } satisfies Bare);
    const bareReader = await worker('driver.ts', { url: bare.told.url!, goods } satisfies Shopping);
    const courses = {
      reads: [{ what: 'page', run: driver.run }, { what: 'bare page', as: 'page', run: bareReader.run, bare: true }, { what: 'product', run: driver.run }, { what: 'search', run: driver.run }],
      orders: [{ what: 'order', run: driver.run }, { what: 'checkout', run: driver.run }, { what: 'bare loop', as: 'order', run: bare.run, bare: true }],
      places: [{ what: 'cold', as: 'order', run: driver.run }, { what: 'hot', run: driver.run }],
      grown: [{ what: 'order', run: driver.run }, { what: 'page', run: driver.run }, { what: 'product', run: driver.run }, { what: 'search', run: driver.run }],
    } satisfies Record<string, Course[]>;

    const shop: Measured = { postgres, kerf, idle, say };
    const most = options.clients.includes(16) ? 16 : Math.max(...options.clients);
    say('Everything is warmed up.');
    for (const { run, what, as } of [...courses.reads, ...courses.orders]) await run({ what: as ?? what, clients: most, seconds: options.seconds / 2 });
    await postgres.quiet();
    const rows: Row[] = [];
    let growth = {};
    for (const clients of options.clients) {
      rows.push(...(await measure(shop, courses.reads, clients, options.seconds)).rows);
      const ordered = await measure(shop, courses.orders, clients, options.seconds);
      rows.push(...ordered.rows);
      if (clients === most) growth = ordered.tables;
    }
    rows.push(...(await measure(shop, courses.places, most, options.seconds)).rows);
    const { deadlocks } = await postgres.counts();
    const verified = await verifyShop(postgres);
    say(verified.told.split('\n').at(-1)!);

    const sizes: Size[] = [{ products: options.products[0]!, orders: options.orders[0]!, rows }];
    for (let index = 1; index < Math.max(options.products.length, options.orders.length); index += 1) {
      const [products, orders] = [options.products[index] ?? options.products.at(-1)!, options.orders[index] ?? options.orders.at(-1)!];
      await enlarge(postgres, sizes.at(-1)!, { products, orders });
      for (const { run, what } of courses.grown) await run({ what, clients: most, seconds: options.seconds / 4 });
      sizes.push({ products, orders, rows: (await measure(shop, courses.grown, most, options.seconds)).rows });
    }
    return {
      at: new Date().toISOString(),
      machine: { cores: cpus().length, model: cpus()[0]?.model.trim() ?? '', node: process.versions.node, postgres: postgres.version, loadBefore },
      seconds: options.seconds, sizes, placing: costOf(captured.order), startMs: { first: first.startMs, again: kerf.startMs }, peakMB: kerf.peakBytes() / 2 ** 20,
      idleStatementsPerSecond: idle.statements, deadlocks, verified, growth, pgbench: await pgbench(postgres, most, options.seconds), ...(await plansOf(postgres, captured)),
    };
  } finally {
    for (const end of ends) await end();
  }
}

/** The clients go on with the goods that they know: others only stand beside them. */
async function enlarge(postgres: Postgres, from: Size, to: Pick<Size, 'products' | 'orders'>): Promise<void> {
  say(`The shop grows to ${to.products} products and ${to.orders} orders.`);
  const office = openBackOffice(postgres.adminUrl);
  try {
    await addGoods(office, postgres.admin, from.products + 1, to.products);
    if (to.orders > from.orders) await addOrders(postgres.admin, from.orders + 1, to.orders);
    await postgres.quiet();
    await postgres.admin.query('vacuum (analyze)');
  } finally {
    await office.stop();
  }
}

/** Postgres's own bench, where the machine has it; it does not come with the embedded server. */
async function pgbench({ adminUrl, admin }: Postgres, clients: number, seconds: number): Promise<Report['pgbench']> {
  await admin.query('create database pgbench');
  const url = Object.assign(new URL(adminUrl), { pathname: '/pgbench' }).toString();
  const told = (...given: string[]) => spawnSync('pgbench', [...given, url], { encoding: 'utf8' });
  if (told('--initialize', `--scale=${clients}`, '--quiet').error) return 'is not on this machine';
  const { stdout, stderr } = told('--no-vacuum', `--client=${clients}`, `--time=${Math.ceil(seconds)}`);
  const perSecond = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
  return perSecond > 0 ? { perSecond, clients } : `did not work: ${stderr.trim().split('\n').at(-1)}`;
}

/** Rows from which on a table is large: it should be read by an index. */
const LARGE = 1_000;

/** How Postgres goes about what a request reads, in the shop as it is now. */
async function plansOf(postgres: Postgres, captured: Captured): Promise<Pick<Report, 'plans' | 'readWhole'>> {
  const { rows } = await postgres.admin.query<{ name: string }>(`select relname as name from pg_class where relkind = 'r' and reltuples >= ${LARGE} and relnamespace::regnamespace::text <> 'pg_catalog'`);
  const large = new Set(rows.map(({ name }) => name));
  const plans: Report['plans'] = [];
  const readWhole = new Set<string>();
  for (const what of ['page', 'product', 'search', 'orderRead', 'order'] as const) {
    for (const statement of captured[what].filter((one) => !isBracket(one))) {
      const plan = await planOf(postgres, statement);
      if (what !== 'order') plans.push({ what, plan });
      for (const [, table] of plan.matchAll(/Seq Scan on (\w+)/g)) if (large.has(table!)) readWhole.add(`${table} by ${WHAT[what]}`);
    }
  }
  return { plans, readWhole: [...readWhole] };
}

async function planOf({ adminUrl }: Postgres, { module, sql, bindings }: Statement): Promise<string> {
  const client = new Client({ connectionString: moduleUrlAt(adminUrl, module) });
  await client.connect();
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (costs off) ${sql}`, bindings);
    return rows.map((row) => row['QUERY PLAN']).join('\n').replaceAll(/'\{[^}]{60,}\}'/g, "'{…}'");
  } finally {
    await client.end();
  }
}

const CHARTS = [
  { file: 'performance-orders.svg', title: 'Orders', unit: 'a second', what: ['bare loop', 'order', 'checkout'], of: ({ perSecond }: Row) => perSecond },
  { file: 'performance-reads.svg', title: 'Reads', unit: 'a second', what: ['bare page', 'page', 'product', 'search'], of: ({ perSecond }: Row) => perSecond },
  { file: 'performance-waiting.svg', title: 'Placing an order, p99', unit: 'milliseconds', what: ['bare loop', 'order', 'checkout'], of: ({ p99, completing }: Row) => completing?.p99 ?? p99 },
];

const [BEGIN, END] = ['<!-- npm run bench -- --write -->', '<!-- the end of what it writes -->'];

function write(report: Report): void {
  const [{ rows }] = report.sizes as [Size];
  const clients = [...new Set(rows.map((row) => row.clients))];
  for (const { file, title, unit, what, of } of CHARTS) {
    const groups = clients.map((count) => ({
      name: `${count} client${count === 1 ? '' : 's'}`,
      bars: rows.filter((row) => row.clients === count && what.includes(row.what)).toSorted((a, b) => what.indexOf(a.what) - what.indexOf(b.what)).map((row) => ({ name: nameIn(row.what), value: of(row) })),
    }));
    writeFileSync(join(ROOT, 'docs', file), chart({ title, unit, groups }));
  }
  writePage(BEGIN, END, markdown(report, CHARTS));
}

const nameIn = (what: string) => WHAT[what]!.replaceAll('*', '').split(',')[0]!;

const list = (text: string) => {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((number) => Number.isInteger(number) && number > 0)) throw new InvalidArgumentError('It must be whole numbers with commas between them.');
  return numbers;
};
const number = (text: string) => {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return Number(text);
};

await new Command('npm run bench --')
  .description('measures Kerf, and beside it what Node and Postgres do for the same work: reads, orders, what they cost, and how that changes with size')
  .option('--quick', 'a look whether it works, in about a minute: its figures are good for nothing')
  .option('--seconds <number>', `of each row (default: ${DEFAULTS.seconds})`, number)
  .option('--clients <list>', `clients that wait for their answers (default: ${DEFAULTS.clients.join(',')})`, list)
  .option('--products <list>', `sizes of the shop, the first one for most rows (default: ${DEFAULTS.products.join(',')})`, list)
  .option('--orders <list>', `orders that are there already, in the same way (default: ${DEFAULTS.orders.join(',')})`, list)
  .option('--idle <seconds>', `to listen to a shop that nobody visits (default: ${DEFAULTS.idle})`, number)
  .option('--json <file>', 'write all figures there')
  .option('--compare <file>', 'show ratios to the figures of an earlier run')
  .option('--write', 'put tables and charts into docs/performance.md')
  .action(async ({ quick, ...given }: Partial<Options> & { quick?: boolean }) => {
    const options = { ...(quick ? QUICK : DEFAULTS), ...given };
    const before = options.compare && (JSON.parse(readFileSync(options.compare, 'utf8')) as Report);
    const report = await run(options);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    if (options.write) write(report);
    process.stdout.write(`${[markdown(report), ...(before ? [compared(report, before)] : [])].join('\n\n')}\n`);
  })
  .parseAsync();
