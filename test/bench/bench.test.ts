import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { barsOf, type Report } from '../../bench/report.ts';

let directory: string;
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'kerf-test-'))));
afterAll(() => rm(directory, { recursive: true, force: true }));

it('measures a very small shop from end to end', { timeout: 180_000 }, async ({ signal }) => {
  const file = join(directory, 'figures.json');
  const given = ['--quick', '--seconds', '0.1', '--idle', '0.1', '--clients', '2', '--products', '20', '--orders', '100', '--json', file];
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../bench/bench.ts'), ...given], { signal });
  const report = JSON.parse(await readFile(file, 'utf8')) as Report;
  const [{ rows }] = report.sizes as [Report['sizes'][0]];
  expect(rows.map(({ what }) => what)).toEqual(['page', 'bare page', 'product', 'search', 'order', 'checkout', 'bare loop', 'cold', 'hot']);
  for (const row of rows) expect(row).toMatchObject({ clients: 2, failures: {} });
  expect(Math.min(...rows.map(({ count }) => count))).toBeGreaterThan(0);
  expect(report.verified.holds).toBe(true);
  expect(report.deadlocks).toBe(0);
  for (const { name } of barsOf(report)) expect(stdout).toContain(`| ${name} |`);
});
