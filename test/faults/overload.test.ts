import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createProcesses } from '../setup/processes.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { questionsFor, startDriver, type Told } from './overload-driver.ts';
import { inFull } from './shopping.ts';

const SECONDS = inFull ? 30 : 3;
/** Few, so that a slow machine is fair to all of them, too: nobody waits for a connection longer than the pool lets him. */
const SHED_FROM = 8;

let folder: string;
let database: TestDatabase;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerf-overload-'));
  database = await createTestDatabase();
});
const { serving, stopAll } = createProcesses(() => ({ DATABASE_URL: database.adminUrl, KERF_DATA_DIR: folder, KERF_RATE_LIMIT: '0', KERF_SEED: 'true', KERF_SHED_FROM: `${SHED_FROM}` }));
const driver = startDriver();
afterAll(async () => {
  driver.stop();
  await stopAll();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const share = (part: readonly unknown[], whole: readonly unknown[]) => part.length / whole.length;
const median = (told: readonly Told[]) => told.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b)[Math.floor(told.length / 2)]!;
const refused = (told: readonly Told[]) => told.filter(({ status }) => status === 503);
const answered = (told: readonly Told[]) => told.filter(({ status }) => status === 200 || status === 201);

it('three times what it can answer finds a shop that answers its share, sends the rest away quickly, and buyers last', { timeout: 120_000 }, async () => {
  const shop = await serving({});
  const load = { url: shop.url, questions: await questionsFor(shop.url, /admin@example\.com \/ (\S+)/.exec(shop.output())![1]!), seconds: SECONDS };
  const calm = await driver.load({ ...load, clients: SHED_FROM });
  expect(answered(calm).length).toBe(calm.length);

  const flood = await driver.load({ ...load, rate: 3 * (calm.length / SECONDS) });
  const [reading, buying, health] = (['reading', 'buying', 'health'] as const).map((kind) => flood.filter((one) => one.kind === kind));
  expect(new Set(health!.map(({ status }) => status))).toEqual(new Set([200]));
  expect(answered(flood).length + refused(flood).length).toBe(flood.length);
  expect(new Set(refused(flood).map(({ reason, retryAfter }) => `${reason} ${retryAfter}`))).toEqual(new Set(['overloaded 1']));
  expect(share(refused(reading!), reading!)).toBeGreaterThan(share(refused(buying!), buying!));
  expect(share(answered(flood), calm)).toBeGreaterThan(0.25);
  expect(median(refused(flood))).toBeLessThan(median(answered(flood)));

  const after = await driver.load({ ...load, clients: SHED_FROM });
  expect(answered(after).length).toBe(after.length);
});
