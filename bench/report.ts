/* What was measured, as figures, as bars that are met or not, and as Markdown. Nothing here measures or reads anything. */

export interface Quantiles {
  p50: number;
  p95: number;
  p99: number;
}

/** What one of them took, with everything that it caused afterwards. */
export interface Cost {
  kerfMs: number;
  postgresMs: number;
  /** of the process that asks: the driver, or the bare loop itself */
  clientMs: number;
  statements: number;
  commits: number;
  walKB: number;
  walFlushes: number;
  growthKB: number;
}

export interface Row extends Quantiles {
  what: string;
  clients: number;
  count: number;
  perSecond: number;
  /** of a checkout, the request that places the order */
  completing?: Quantiles;
  failures: Record<string, number>;
  cost: Cost;
}

/** A shop of so many products and orders. */
export interface Size {
  products: number;
  orders: number;
  rows: Row[];
}

export interface Report {
  at: string;
  machine: { cores: number; model: string; node: string; postgres: string; loadBefore: number };
  seconds: number;
  sizes: Size[];
  /** counted at the modules' pools for one request by itself */
  placing: { statements: number; commits: number };
  startMs: { first: number; again: number };
  peakMB: number;
  idleStatementsPerSecond: number;
  deadlocks: number;
  verified: { holds: boolean; told: string };
  /** tables that grow most, in KB for each order */
  growth: Record<string, number>;
  pgbench: { perSecond: number; clients: number } | string;
  plans: { what: string; plan: string }[];
  /** large tables that a statement reads as a whole */
  readWhole: string[];
}

export interface Bar {
  name: string;
  measured: number;
  bar: number;
  unit: '%' | 'ms' | 'MB' | 'KB' | 'times' | '';
  /** `least`: not below the bar */
  sense: 'least' | 'most';
}

export const isMet = ({ measured, bar, sense }: Bar): boolean => (sense === 'least' ? measured >= bar : measured <= bar);

export function quantilesOf(figures: readonly number[]): Quantiles {
  const sorted = Float64Array.from(figures).toSorted();
  // The nearest rank: the smallest figure that so large a share of all does not exceed.
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

const FLAT = 1.2;

/** The bars of the project's issue "Fast, and measured", beside what was measured. */
export function barsOf(report: Report): Bar[] {
  const [first] = report.sizes as [Size];
  const last = report.sizes.at(-1)!;
  const row = (what: string, clients: number, { rows }: Size = first) => rows.find((one) => one.what === what && one.clients === clients);
  const clients = [...new Set(first.rows.map((one) => one.clients))];
  const most = clients.includes(16) ? 16 : Math.max(...clients);
  const fewest = Math.min(...clients);
  const share = (what: string, of: string, bar: number, name: string): Bar[] =>
    clients.map((count) => ({ name: `${name}, ${count} client${count === 1 ? '' : 's'}`, measured: (100 * (row(what, count)?.perSecond ?? Number.NaN)) / (row(of, count)?.perSecond ?? Number.NaN), bar, unit: '%', sense: 'least' }));
  const caused = row('order', fewest)!.cost;
  const completing = row('checkout', most)!.completing!;
  const used = (size: Size) => row('order', most, size)!.cost.kerfMs + row('order', most, size)!.cost.postgresMs;
  return [
    ...share('order', 'bare loop', 50, 'orders by one POST, of the bare loop'),
    ...share('checkout', 'bare loop', 25, 'whole checkouts, of the bare loop'),
    { name: 'statements of the placing request', measured: report.placing.statements, bar: 25, unit: '', sense: 'most' },
    { name: 'commits of the placing request', measured: report.placing.commits, bar: 6, unit: '', sense: 'most' },
    { name: 'statements of an order with all that it causes', measured: caused.statements, bar: 45, unit: '', sense: 'most' },
    { name: 'commits of an order with all that it causes', measured: caused.commits, bar: 12, unit: '', sense: 'most' },
    { name: `p99 of the completing request of a whole checkout, ${most} clients`, measured: completing.p99, bar: 50, unit: 'ms', sense: 'most' },
    { name: `p99 of the one POST, ${most} clients`, measured: row('order', most)!.p99, bar: 50, unit: 'ms', sense: 'most' },
    ...share('page', 'bare page', 50, 'catalogue pages, of the bare read'),
    { name: 'peak memory of Kerf', measured: report.peakMB, bar: 250, unit: 'MB', sense: 'most' },
    { name: `orders of three hot products, of the cold rate, ${most} clients`, measured: (100 * row('hot', most)!.perSecond) / row('cold', most)!.perSecond, bar: 50, unit: '%', sense: 'least' },
    { name: 'deadlocks', measured: report.deadlocks, bar: 0, unit: '', sense: 'most' },
    { name: 'kerf verify finds something', measured: report.verified.holds ? 0 : 1, bar: 0, unit: '', sense: 'most' },
    { name: 'growth of the database by an order', measured: row('order', most)!.cost.growthKB, bar: 8, unit: 'KB', sense: 'most' },
    { name: 'statements a second when idle', measured: report.idleStatementsPerSecond, bar: 20, unit: '', sense: 'most' },
    ...(last === first ? [] : [{ name: `processor time of an order with ${amount(last.products)} products and ${amount(last.orders)} orders, of that with ${amount(first.products)} and ${amount(first.orders)}`, measured: used(last) / used(first), bar: FLAT, unit: 'times', sense: 'most' } as const]),
    { name: 'large tables that are read as a whole', measured: report.readWhole.length, bar: 0, unit: '', sense: 'most' },
  ];
}

const amount = (count: number) => count.toLocaleString('en');
/** More digits than such a figure is good for are not shown, and what is not known here stays open. */
export const figure = (value: number, digits = value < 1_000 ? 3 : 4): string => (Number.isFinite(value) ? value.toLocaleString('en', { maximumSignificantDigits: digits }) : '');

export const table = (head: readonly string[], lines: readonly (readonly (string | number)[])[]): string =>
  [head, head.map((name) => (name === '' ? '---' : '---:')), ...lines].map((cells) => `| ${cells.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)).join(' | ')} |`).join('\n');

export const WHAT: Record<string, string> = {
  page: 'catalogue page of 20', 'bare page': '*bare: Express and pg, the same page*', product: 'product by id', search: 'search', orderRead: "one's own order",
  order: 'order by one POST', checkout: 'whole checkout', 'bare loop': '*bare: Node and pg, the statements of one order*', hot: 'one POST, three hot products', cold: 'one POST, all products in turn with it',
};

const nameOf = (row: Row) => WHAT[row.what] ?? row.what;
const failures = ({ failures: met }: Row) => Object.entries(met).map(([reason, count]) => `${count} × ${reason}`).join(', ');

const ratesTable = (rows: readonly Row[]) =>
  table(['', 'clients', 'a second', 'p50 ms', 'p95 ms', 'p99 ms', 'completing: p50', 'p95', 'p99', 'failed'], rows.map((row) => [
    nameOf(row), row.clients, row.perSecond, row.p50, row.p95, row.p99, row.completing?.p50 ?? '', row.completing?.p95 ?? '', row.completing?.p99 ?? '', failures(row),
  ]));

const costsTable = (rows: readonly Row[]) =>
  table(['', 'clients', 'Kerf ms', 'Postgres ms', 'client ms', 'statements', 'commits', 'WAL KB', 'WAL flushes', 'growth KB'], rows.map((row) => [
    nameOf(row), row.clients, row.cost.kerfMs, row.cost.postgresMs, row.cost.clientMs, row.cost.statements, row.cost.commits, row.cost.walKB, row.cost.walFlushes, row.cost.growthKB,
  ]));

export const barsTable = (bars: readonly Bar[]) =>
  table(['', 'measured', 'bar', 'met'], bars.map((bar) => [bar.name, `${figure(bar.measured, 4)} ${bar.unit}`.trim(), `${bar.sense === 'least' ? '≥' : '≤'} ${figure(bar.bar)} ${bar.unit}`.trim(), isMet(bar) ? 'ok' : 'short']));

/** This run beside an earlier one: above 1 is more than then. Rows that only one of them has are left out. */
export function compared(now: Report, before: Report): string {
  const rows = now.sizes.flatMap((size) => {
    const then = before.sizes.find(({ products, orders }) => products === size.products && orders === size.orders);
    return size.rows.flatMap((row) => {
      const other = then?.rows.find(({ what, clients }) => what === row.what && clients === row.clients);
      const used = ({ cost }: Row) => cost.kerfMs + cost.postgresMs;
      return other ? [[nameOf(row), row.clients, amount(size.products), amount(size.orders), other.perSecond, row.perSecond, row.perSecond / other.perSecond, row.p99 / other.p99, used(row) / used(other)]] : [];
    });
  });
  const earlier = new Map(barsOf(before).map((bar) => [bar.name, bar]));
  const bars = barsOf(now).map((bar) => [bar.name, earlier.get(bar.name)?.measured ?? '', bar.measured, bar.measured / (earlier.get(bar.name)?.measured ?? Number.NaN), `${bar.sense === 'least' ? '≥' : '≤'} ${figure(bar.bar)} ${bar.unit}`.trim(), isMet(bar) ? 'ok' : 'short']);
  return [
    `### Beside the run of ${before.at}`,
    table(['', 'clients', 'products', 'orders', 'a second then', 'now', 'ratio', 'p99, ratio', 'CPU of Kerf and Postgres, ratio'], rows),
    table(['', 'then', 'now', 'ratio', 'bar', 'met'], bars),
  ].join('\n\n');
}

/** Everything for people to read. `charts` are pictures to show between the tables. */
export function markdown(report: Report, charts: readonly { file: string; title: string }[] = []): string {
  const [first, ...larger] = report.sizes as [Size, ...Size[]];
  const { machine, startMs, pgbench } = report;
  const grown = Object.entries(report.growth).map(([name, kilobytes]) => `\`${name}\` ${figure(kilobytes)}`).join(', ');
  return [
    `Run of ${report.at.slice(0, 16).replace('T', ' ')} UTC: ${machine.cores} cores (${machine.model}) shared by driver, Kerf and Postgres, with a load of ${figure(machine.loadBefore)} before it began; Node ${machine.node}, Postgres ${machine.postgres} with fsync and default durability; ${figure(report.seconds)} seconds a row, taken in turn. ${amount(first.products)} products and ${amount(first.orders)} orders.`,
    barsTable(barsOf(report)),
    ...charts.map(({ file, title }) => `![${title}](${file})`),
    ratesTable(first.rows),
    'What one of them costs, with everything that it causes afterwards. *client* is the driver, or the bare loop itself.',
    costsTable(first.rows),
    ...larger.map((size) => `With ${amount(size.products)} products and ${amount(size.orders)} orders:\n\n${ratesTable(size.rows)}\n\n${costsTable(size.rows)}`),
    `- **Start**: ${figure(startMs.first)} ms on an empty server, ${figure(startMs.again)} ms from then on.`,
    `- **Memory**: ${figure(report.peakMB)} MB at most in all of the run.`,
    `- **pgbench**: ${typeof pgbench === 'string' ? pgbench : `${figure(pgbench.perSecond)} of its own transactions (five statements, one commit) a second with ${pgbench.clients} clients`}.`,
    `- **Grows by an order**, in KB: ${grown}. Delivered events and done jobs go after an hour, kept answers after a day.`,
    `- **kerf verify** afterwards: ${report.verified.told.split('\n').at(-1)}`,
    `<details><summary>How the hot reads are planned, by EXPLAIN</summary>\n\n${report.plans.map(({ what, plan }) => `${WHAT[what] ?? what}:\n\`\`\`\n${plan}\n\`\`\``).join('\n')}\n\n</details>`,
    ...(report.readWhole.length > 0 ? [`Read as a whole: ${report.readWhole.join('; ')}.`] : []),
  ].join('\n\n').replaceAll('\n\n- ', '\n- ').replace('\n- **Start', '\n\n- **Start');
}
