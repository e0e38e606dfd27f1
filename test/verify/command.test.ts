import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { openTestDatabase, type TestDatabase } from '../support/database.ts';

describe('kerf verify', () => {
  let database: TestDatabase;
  let admin: Client;
  let close: () => Promise<void>;
  let directory: string;
  beforeAll(async () => {
    ({ database, admin, close } = await openTestDatabase());
    directory = await mkdtemp(join(tmpdir(), 'kerf-verify-'));
  });
  afterAll(async () => {
    await close();
    await rm(directory, { recursive: true });
  });

  const run = (args: string[], environment: Record<string, string> = {}) =>
    new Promise<{ code: number; output: string; errors: string }>((resolve) => {
      const env = { PATH: process.env['PATH'], DATABASE_URL: database.adminUrl, KERF_SECRET: TEST_SECRET, KERF_DATA_DIR: directory, ...environment };
      const child = execFile(process.execPath, ['src/cli/kerf.ts', 'verify', ...args], { env }, (_, output, errors) => resolve({ code: child.exitCode ?? -1, output, errors }));
    });

  it('ends with 0 when everything holds', async () => {
    const { code, output } = await run([]);
    expect(output).toMatch(/^stock {4}holds /);
    expect(output).toMatch(/^No order was looked at: this shop has none\.$/m);
    expect(code).toBe(0);
  });

  it('ends with 1 when something does not, and says it as JSON', async () => {
    const variantId = newId();
    await admin.query('insert into inventory.stock_items (variant_id, on_hand) values ($1, 3)', [variantId]);
    const { code, output } = await run(['--json', '--only', 'stock,money', '--grace', '5']);
    expect(JSON.parse(output)).toMatchObject({
      holds: false,
      findings: [
        { invariant: 'stock', violations: 1, told: [{ orderId: null, message: `Of variant ${variantId} 3 are on hand, and the ledger comes to 0.` }] },
        { invariant: 'money', violations: 0 },
      ],
    });
    expect(code).toBe(1);
  });

  it('ends with 2 when a part was not looked at, and says which', async () => {
    const { code, output } = await run(['--only', 'money,kept', '--grace', '5'], { KERF_EDGE: 'false' });
    expect(output).toMatch(/^kept {5}not looked at /m);
    expect(code).toBe(2);
  });

  it('sets up nothing', async () => {
    const name = `kerf_empty_${process.pid}`;
    await admin.query(`create database ${name}`);
    const url = Object.assign(new URL(database.adminUrl), { pathname: `/${name}` }).toString();
    const { code } = await run([], { DATABASE_URL: url });
    const empty = new Client({ connectionString: url });
    await empty.connect();
    const { rows } = await empty.query(`select nspname from pg_namespace where nspname in ('order', 'order_jobs')`);
    await empty.end();
    await admin.query(`drop database ${name} with (force)`);
    expect([code, rows]).toEqual([2, []]);
  }, 60_000);

  it.each([
    ['a module that does not answer', [], { KERF_MODULES: 'user,catalog,inventory,payment,order', KERF_COUPON_URL: 'http://127.0.0.1:9' }, /The shop could not be verified: The module coupon could not be asked/],
    ['an invariant that there is not', ['--only', 'stocks'], {}, /They are stock, coupon, money, once, history, ending, events, kept, owner/],
    ['a grace that is none', ['--grace', '1m'], {}, /a whole number of seconds/],
    ['a database that is not there', [], { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' }, /does not answer/],
  ])('ends with 2 for %s', async (_, args, environment, sentence) => {
    const { code, errors } = await run(args, environment as Record<string, string>);
    expect(errors).toMatch(sentence);
    expect(code).toBe(2);
  });
});
