import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { provision } from '../../src/setup/provision.ts';
import { SCHEMAS, TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('provision', () => {
  const again = (more: object = {}) => provision({ adminUrl: database.adminUrl, schemas: SCHEMAS, secret: TEST_SECRET, ...more });

  it('does nothing where all is done', async () => expect(await again()).toBe(false));

  it('may be asked to look at everything again, by several at once', async () => {
    expect(await Promise.all([again({ force: true }), again({ force: true })])).toEqual([true, true]);
    expect(await again()).toBe(false);
  });

  it('refuses another secret before it changes a password', async () => {
    await expect(again({ secret: 'x'.repeat(40) })).rejects.toThrow(/^KERF_SECRET .+ is not the one/);
    const client = new Client({ connectionString: database.url('coupon') });
    await client.connect();
    await client.end();
  });

  it('keeps everybody else out of the database', async () => {
    const admin = new Client({ connectionString: database.adminUrl });
    await admin.connect();
    await admin.query(`do $$ begin create role kerf_nobody login password 'nobody'; exception when duplicate_object then null; end $$`);
    await again({ force: true });
    const stranger = new URL(database.adminUrl);
    stranger.username = 'kerf_nobody';
    stranger.password = 'nobody';
    await expect(new Client({ connectionString: stranger.toString() }).connect()).rejects.toMatchObject({ code: '42501' });
    await admin.query('drop role kerf_nobody');
    await admin.end();
  });
});
