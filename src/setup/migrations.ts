import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knex } from 'knex';
import { Client, escapeIdentifier } from 'pg';
import { getMigrationPlans } from 'pg-boss';

const MIGRATIONS = join(import.meta.dirname, '../../migrations');

/** Plain SQL files, run in order of their names, each in one transaction. */
export function sqlFiles(schema: string): Knex.MigrationSource<string> {
  return {
    getMigrations: () => migrationFiles(schema),
    getMigrationName: (file) => file,
    getMigration: async (file) => {
      const sql = await readMigration(schema, file);
      return { up: (db) => db.raw(script(sql)), down: () => Promise.reject(new Error('Migrations only go forward.')) };
    },
  };
}

/** Statements as they are: knex would take each ? for a binding. */
export const script = (sql: string) => sql.replaceAll('?', '\\?');

export const migrationFiles = async (schema: string) =>
  (await readdir(join(MIGRATIONS, schema)).catch(() => [])).filter((file) => file.endsWith('.sql')).toSorted();

export const readMigration = (schema: string, file: string) => readFile(join(MIGRATIONS, schema, file), 'utf8');

export function pendingJobMigration(space: string, version: number): string | undefined {
  try {
    return getMigrationPlans(space, version);
  } catch {
    return undefined;
  }
}

/** What a build and a database do not have in common. */
export interface Difference {
  /** what this build would still run there */
  pending: string[];
  /** what another build has run there */
  unknown: string[];
}

/** `url`: with the module's own role, or an administrator's. */
export async function differenceOf(url: string, module: string): Promise<Difference> {
  const client = new Client({ connectionString: url, application_name: 'kerf setup', connectionTimeoutMillis: 3_000, query_timeout: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const space = `${module}_jobs`;
    const done = (await client.query<{ name: string }>(`select name from ${escapeIdentifier(module)}.migrations`)).rows.map(({ name }) => name);
    const [queue] = (await client.query<{ version: number }>(`select version from ${escapeIdentifier(space)}.version`)).rows;
    const files = await migrationFiles(module);
    return {
      pending: [...files.filter((file) => !done.includes(file)), ...(pendingJobMigration(space, queue!.version) ? ['those of its job queue'] : [])],
      unknown: done.filter((name) => !files.includes(name)),
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}
