import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PARTS = ['src', 'test', 'migrations', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const WITHIN = 300_000;

const folders: string[] = [];
afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true }))));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kerf-alone-test-'));
  folders.push(folder);
  await chmod(folder, 0o755);
  return folder;
}

/** A copy of this checkout with something planted in it: texts by path. */
async function checkoutWith(planted: Record<string, string>): Promise<string> {
  const copy = await newFolder();
  for (const part of PARTS) await cp(join(ROOT, part), join(copy, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  for (const [path, text] of Object.entries(planted)) await writeFile(join(copy, path), text);
  return copy;
}

function start(checkout: string, temporary: string, words: string[]) {
  const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|FORCE_COLOR)/.test(name));
  const env = { ...Object.fromEntries(own), NO_COLOR: '1', TMPDIR: temporary };
  const child = spawn(process.execPath, [join(checkout, 'test/alone.ts'), ...words], { env });
  const parts: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
  const ended = once(child, 'close').then(async ([code]) => ({ code: code as number, output: Buffer.concat(parts).toString(), left: await leftIn(temporary) }));
  return { child, ended };
}

/** What Kerf has not removed; tools keep caches there, too. */
const leftIn = async (folder: string) => (await readdir(folder)).filter((name) => name.startsWith('kerf-'));

async function alone(checkout: string, ...words: string[]): Promise<{ code: number; output: string }> {
  const { code, output, left } = await start(checkout, await newFolder(), words).ended;
  expect(left).toEqual([]);
  return { code, output };
}

const verdictOf = (output: string, module: string) => output.split('\n').findLast((line) => line.startsWith(`${module} `)) ?? output;

/** The process of the Postgres that serves the tests. */
async function findServer(temporary: string): Promise<number> {
  const [folder] = (await readdir(temporary)).filter((name) => name.startsWith('kerf-test-'));
  const lines = (await readFile(join(temporary, folder!, 'postgres/postmaster.pid'), 'utf8')).split('\n');
  expect(lines[7]).toContain('ready');
  return Number(lines[0]);
}

describe('a module alone', () => {
  it('is green as it is', { timeout: WITHIN }, async () => {
    const { code, output } = await alone(await checkoutWith({}), 'coupon', 'coupon/promotion.test');
    expect(output).toContain('test/modules/coupon/promotion.test.ts');
    expect({ code, verdict: verdictOf(output, 'coupon') }).toEqual({ code: 0, verdict: expect.stringMatching(/^coupon +\d+ +[1-9]\d* +[\d.]+  green$/) });
  });

  it('says by which imports it leans on the inside of another', async () => {
    const checkout = await checkoutWith({
      'src/modules/coupon/planted1-service.ts': `import { createOrderService } from '../order/order-service.ts'; export const x = createOrderService;`,
      'src/modules/coupon/planted2-service.ts': `import type { Callees } from '../order/order-service.ts'; export type X = Callees;`,
      'src/modules/coupon/planted3-service.ts': `export type X = typeof import('../order/order-service.ts');`,
      'src/modules/coupon/planted4-service.ts': `export const x = () => import('../order/order-service.ts');`,
      'src/shared/planted5.ts': `export * from '../modules/order/order-repository.ts';`,
      'src/modules/coupon/planted5-service.ts': `export * from '../../shared/planted5.ts';`,
      'test/support/planted6.ts': `import { assertConsistent } from '../../src/modules/catalog/product.ts'; export const x = assertConsistent;`,
      'test/modules/coupon/planted6.test.ts': `import { x } from '../../support/planted6.ts'; x();`,
      'test/modules/coupon/planted7.test.ts': `import '../order/support.ts';`,
      'test/modules/coupon/planted8.test.ts': `import { startTestKerf } from '../../support/kerf.ts'; await startTestKerf();`,
      'src/modules/payment/fake.ts': `export { createPaymentService as createFakePayments } from './payment-service.ts';`,
      'test/modules/coupon/planted10.test.ts': `import '../../../src/modules/payment/fake.ts'; import '../../../src/modules/user/fake.ts';`,
      'src/modules/coupon/planted11-service.ts': `import { createFakeCatalog } from '../catalog/fake.ts'; export const x = createFakeCatalog;`,
      'package.json': JSON.stringify({ ...JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')), imports: { '#order': './src/modules/order/order.ts' } }),
      'src/modules/coupon/planted9-service.ts': `export * from '#order';`,
      'src/modules/user/session.ts': `export * from '../order/order.ts';`,
    });
    const { code, output } = await alone(checkout, 'coupon');
    expect(code).toBe(1);
    const chains = output.split('\n').filter((line) => line.includes(' → ')).map((line) => line.split(': ')[0]);
    expect(chains.toSorted()).toEqual([
      'src/modules/coupon/planted1-service.ts → src/modules/order/order-service.ts',
      'src/modules/coupon/planted11-service.ts → src/modules/catalog/fake.ts',
      'src/modules/coupon/planted2-service.ts → src/modules/order/order-service.ts',
      'src/modules/coupon/planted3-service.ts → src/modules/order/order-service.ts',
      'src/modules/coupon/planted4-service.ts → src/modules/order/order-service.ts',
      'src/modules/coupon/planted5-service.ts → src/shared/planted5.ts → src/modules/order/order-repository.ts',
      'src/modules/coupon/planted9-service.ts → src/modules/order/order.ts',
      'src/modules/payment/fake.ts → src/modules/payment/payment-service.ts',
      'src/modules/user/session.ts → src/modules/order/order.ts',
      'test/modules/coupon/planted6.test.ts → test/support/planted6.ts → src/modules/catalog/product.ts',
      'test/modules/coupon/planted7.test.ts → test/modules/order/support.ts',
      'test/modules/coupon/planted8.test.ts → test/support/kerf.ts → src/composition.ts → src/modules/catalog/module.ts',
    ]);
    expect(verdictOf(output, 'coupon')).toContain('12 files lean on others');
    expect(output).toContain('planted11-service.ts → src/modules/catalog/fake.ts: a fake is for tests.');
    expect(output).toMatch(/^coupon alone: \d+ files, of other modules only contracts and fakes and \d+ domain files that those fakes are made of;/m);
  });

  it('finds neither code nor files nor tables of another, however they are named', { timeout: WITHIN }, async () => {
    const checkout = await checkoutWith({
      'test/modules/coupon/planted-code.test.ts': `import { it } from 'vitest';
        for (const file of ['order/order-service', 'catalog/product']) it(file, () => import(['../../../src/modules', file + '.ts'].join('/')));`,
      'test/modules/coupon/planted-files.test.ts': `import { readFileSync } from 'node:fs';
        import { it } from 'vitest';
        for (const path of ['src/modules/user/README.md', 'migrations/order/0001_carts_and_orders.sql', 'seed/products.csv']) it(path, () => void readFileSync(path));`,
      'test/modules/coupon/planted-tables.test.ts': `import { Client } from 'pg';
        import { it } from 'vitest';
        import { createTestDatabase } from '../../support/database.ts';
        it.for(['coupon.promotions', '"order".orders', 'order_jobs.job'])('%s', async (table) => {
          const database = await createTestDatabase();
          const admin = new Client({ connectionString: database.adminUrl });
          await admin.connect();
          await admin.query('select from ' + table).finally(() => admin.end().then(() => database.drop()));
        });`,
      'test/modules/coupon/planted-types.ts': `export const total: number = 'seven';`,
    });
    const { code, output } = await alone(checkout, 'coupon', 'planted');
    expect(code).toBe(1);
    expect(verdictOf(output, 'coupon')).toMatch(/types fail, 3 test files fail$/);
    expect(output).toContain('test/modules/coupon/planted-types.ts(1,14): error TS2322');
    for (const reason of [
      /Cannot find module .*src\/modules\/order\/order-service\.ts/,
      /Cannot find module .*src\/modules\/catalog\/product\.ts/,
      /ENOENT.*src\/modules\/user\/README\.md/,
      /ENOENT.*migrations\/order\/0001_carts_and_orders\.sql/,
      /ENOENT.*seed\/products\.csv/,
      /relation "order\.orders" does not exist/,
      /relation "order_jobs\.job" does not exist/,
    ]) expect(output).toMatch(reason);
    expect(output).not.toContain('relation "coupon.promotions" does not exist');
  });

  it('is not green without a test that ran', { timeout: WITHIN }, async () => {
    const checkout = await checkoutWith({});
    const none = await alone(checkout, 'coupon', 'no-file-is-called-this');
    expect({ code: none.code, verdict: verdictOf(none.output, 'coupon') }).toEqual({ code: 1, verdict: expect.stringMatching(/no test ran$/) });
    await rm(join(checkout, 'test/modules/coupon'), { recursive: true });
    const empty = await alone(checkout, 'coupon');
    expect({ code: empty.code, verdict: verdictOf(empty.output, 'coupon') }).toEqual({ code: 1, verdict: expect.stringMatching(/no \*\.test\.ts in test\/modules\/coupon$/) });
  });

  it('leaves no tree and no database behind when it is interrupted', { timeout: WITHIN }, async () => {
    const temporary = await newFolder();
    const { child, ended } = start(await checkoutWith({}), temporary, ['coupon', 'coupon/promotion.test']);
    const serving = await vi.waitFor(() => findServer(temporary), { timeout: WITHIN, interval: 50 });
    child.kill('SIGINT');
    const { code, output, left } = await ended;
    expect({ code, left, verdict: verdictOf(output, 'coupon') }).toEqual({ code: 130, left: [], verdict: expect.stringMatching(/interrupted$/) });
    await vi.waitFor(() => expect(() => process.kill(serving, 0)).toThrow('ESRCH'), { timeout: 10_000 });
  });

  it('has to be named', async () => {
    expect(await alone(ROOT)).toEqual({ code: 2, output: expect.stringContaining('user, catalog, inventory') });
    expect(await alone(ROOT, 'coupons')).toEqual({ code: 2, output: expect.stringMatching(/^There is no module "coupons"; there are .*coupon/) });
  });
});
