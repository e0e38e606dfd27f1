import { describe, expect, it } from 'vitest';
import { chart } from '../../bench/chart.ts';
import { barsOf, compared, figure, isMet, markdown, quantilesOf, type Report, type Row, table } from '../../bench/report.ts';

const row = (what: string, clients: number, more: Partial<Row> = {}): Row => ({
  what, clients, count: 100, perSecond: 100, p50: 1, p95: 2, p99: 3, failures: {},
  cost: { kerfMs: 2, postgresMs: 1, clientMs: 1, statements: 40, commits: 9, walKB: 10, walFlushes: 9, growthKB: 6 },
  ...more,
});

function reportOf({ rows = {}, ...more }: Partial<Report> & { rows?: Record<string, Partial<Row>> } = {}): Report {
  const all = [1, 16].flatMap((clients) => ['page', 'bare page', 'order', 'checkout', 'bare loop'].map((what) => row(what, clients, { ...(what === 'checkout' && { completing: { p50: 10, p95: 20, p99: 30 } }), ...rows[what] })));
  return {
    at: '2026-11-21T00:00:00.000Z', machine: { cores: 2, model: 'a machine', node: '24', postgres: '18', loadBefore: 0.1 }, seconds: 4,
    sizes: [{ products: 100, orders: 1_000, rows: [...all, row('cold', 16, rows['cold']), row('hot', 16, rows['hot'])] }],
    placing: { statements: 25, commits: 6 }, startMs: { first: 3_000, again: 1_000 }, peakMB: 200, idleStatementsPerSecond: 12, deadlocks: 0, verified: { holds: true, told: 'All holds.' },
    growth: { '"order".orders': 1.25 }, pgbench: 'is not on this machine', plans: [{ what: 'page', plan: 'Index Scan' }], readWhole: [], ...more,
  };
}

const short = (report: Report) => barsOf(report).filter((bar) => !isMet(bar)).map(({ name }) => name);

describe('figures', () => {
  it('takes quantiles by the nearest rank, in whatever order they came', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(quantilesOf(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 });
    expect(quantilesOf([7])).toEqual({ p50: 7, p95: 7, p99: 7 });
    expect(quantilesOf([])).toEqual({ p50: Number.NaN, p95: Number.NaN, p99: Number.NaN });
  });

  it.each([[0.012345, '0.0123'], [12.345, '12.3'], [1_234.5, '1,235'], [1_234_567, '1,235,000'], [0, '0'], [Number.NaN, ''], [Number.POSITIVE_INFINITY, '']])('writes %d as "%s"', (value, written) => {
    expect(figure(value)).toBe(written);
  });

  it('writes a table whose figures are to the right', () => {
    expect(table(['', 'a second'], [['page', 12.345]])).toBe('|  | a second |\n| --- | ---: |\n| page | 12.3 |');
  });
});

describe('bars', () => {
  it('are all met by a report that meets each just so', () => {
    const just = reportOf({ rows: { order: { perSecond: 50 }, checkout: { perSecond: 25, completing: { p50: 1, p95: 2, p99: 50 } }, page: { perSecond: 50 }, hot: { perSecond: 50 } }, peakMB: 250, idleStatementsPerSecond: 20 });
    expect(short(just)).toEqual([]);
  });

  it.each<[string, Parameters<typeof reportOf>[0]]>([
    ['orders by one POST, of the bare loop, 1 client', { rows: { order: { perSecond: 49 } } }],
    ['whole checkouts, of the bare loop, 16 clients', { rows: { checkout: { perSecond: 24 } } }],
    ['catalogue pages, of the bare read, 16 clients', { rows: { page: { perSecond: 49 } } }],
    ['orders of three hot products, of the cold rate, 16 clients', { rows: { hot: { perSecond: 49 } } }],
    ['p99 of the one POST, 16 clients', { rows: { order: { p99: 51 } } }],
    ['p99 of the completing request of a whole checkout, 16 clients', { rows: { checkout: { completing: { p50: 1, p95: 2, p99: 51 } } } }],
    ['statements of the placing request', { placing: { statements: 26, commits: 6 } }],
    ['commits of the placing request', { placing: { statements: 25, commits: 7 } }],
    ['statements of an order with all that it causes', { rows: { order: { cost: { ...row('', 1).cost, statements: 46 } } } }],
    ['commits of an order with all that it causes', { rows: { order: { cost: { ...row('', 1).cost, commits: 13 } } } }],
    ['growth of the database by an order', { rows: { order: { cost: { ...row('', 1).cost, growthKB: 9 } } } }],
    ['peak memory of Kerf', { peakMB: 251 }],
    ['statements a second when idle', { idleStatementsPerSecond: 21 }],
    ['deadlocks', { deadlocks: 1 }],
    ['kerf verify finds something', { verified: { holds: false, told: '' } }],
    ['large tables that are read as a whole', { readWhole: ['orders by search'] }],
  ])('says that %s is short', (name, report) => {
    expect(short(reportOf(report))).toContain(name);
  });

  it('is short where nothing could be measured', () => {
    expect(short(reportOf({ peakMB: Number.NaN }))).toEqual(['peak memory of Kerf']);
  });

  it('sees an order cost more in a larger shop', () => {
    const [size] = reportOf().sizes;
    const larger = (kerfMs: number) => reportOf({ sizes: [size!, { products: 1_000, orders: 10_000, rows: [row('order', 16, { cost: { ...row('', 1).cost, kerfMs } })] }] });
    expect(short(larger(2.5))).toEqual([]);
    expect(short(larger(2.7))).toEqual([expect.stringContaining('processor time of an order with 1,000 products and 10,000 orders')]);
  });
});

describe('what people read', () => {
  it('has every bar, every row and the plans', () => {
    const text = markdown(reportOf({ rows: { order: { failures: { '503 overloaded': 2 } } } }), [{ file: 'orders.svg', title: 'Orders' }]);
    for (const part of ['| deadlocks | 0 | ≤ 0 | ok |', '| order by one POST | 16 | 100 | 1 | 2 | 3 |  |  |  | 2 × 503 overloaded |', '![Orders](orders.svg)', 'Index Scan', '`"order".orders` 1.25']) expect(text).toContain(part);
  });

  it('shows ratios to an earlier run, of the rows that both have', () => {
    const before = reportOf({ rows: { order: { perSecond: 50, p99: 6, cost: { ...row('', 1).cost, kerfMs: 5 } } } });
    before.sizes[0]!.rows = before.sizes[0]!.rows.filter(({ what }) => what !== 'page');
    const text = compared(reportOf(), JSON.parse(JSON.stringify(before)) as Report);
    expect(text).toContain('| order by one POST | 16 | 100 | 1,000 | 50 | 100 | 2 | 0.5 | 0.5 |');
    expect(text).not.toContain('| catalogue page of 20 |');
    expect(text).toContain('| peak memory of Kerf | 200 | 200 | 1 | ≤ 250 MB | ok |');
  });

  it('draws bars as long as their figures', () => {
    const drawn = chart({ title: 'a < b', unit: 'a second', groups: [{ name: '1 client', bars: [{ name: 'bare', value: 100 }, { name: 'Kerf', value: 50 }, { name: 'not asked', value: Number.NaN }] }] });
    const widths = [...drawn.matchAll(/<rect x="110" y="(?!38)\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(widths).toEqual([520, 260, 0]);
    expect(drawn).toContain('a &lt; b (a second)');
    expect(drawn).toContain('not known');
  });
});
