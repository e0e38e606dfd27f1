import { Client } from 'pg';
import { inject } from 'vitest';
import { copyTemplate, type TestDatabase } from './postgres.ts';

export type { TestDatabase };

/** A migrated, empty database of its own. Call `drop` when its file is done. */
export const createTestDatabase = (): Promise<TestDatabase> => copyTemplate(inject('adminUrl'));

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
