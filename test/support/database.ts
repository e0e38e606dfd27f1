import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';
import { moduleUrl } from '../../src/setup/provision.ts';
import { SCHEMAS, TEMPLATE, TEST_SECRET } from './constants.ts';

export interface TestDatabase {
  adminUrl: string;
  /** address with the role of one module */
  url(module: string): string;
  drop(): Promise<void>;
}

/** A migrated, empty database of its own, copied from the template. Call `drop` when its file is done. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const server = inject('adminUrl');
  await administer(server, `create database ${name} template ${TEMPLATE}`);
  // Rights on a database itself are not copied.
  await administer(server, `revoke connect, temporary on database ${name} from public; grant connect on database ${name} to ${SCHEMAS.map((schema) => `kerf_${schema}`).join(', ')}`);
  const own = new URL(server);
  own.pathname = `/${name}`;
  const adminUrl = own.toString();
  return {
    adminUrl,
    url: (module) => moduleUrl(adminUrl, module, TEST_SECRET),
    drop: () => administer(server, `drop database ${name} with (force)`),
  };
}

/** A migrated database with an administrator's connection, for tests of what is in it. */
export async function openTestDatabase(): Promise<{ database: TestDatabase; admin: Client; close(): Promise<void> }> {
  const database = await createTestDatabase();
  const admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  return {
    database,
    admin,
    async close() {
      await admin.end();
      await database.drop();
    },
  };
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
