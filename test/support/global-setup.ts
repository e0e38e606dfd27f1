import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/setup/embedded-postgres.ts';
import { provision } from '../../src/setup/provision.ts';
import { SCHEMAS, TEMPLATE, TEST_SECRET } from './constants.ts';

declare module 'vitest' {
  interface ProvidedContext {
    adminUrl: string;
  }
}

/** One Postgres for the whole run, with one migrated database that each test file copies. */
export async function setup(project: TestProject) {
  const dataDir = await mkdtemp(join(tmpdir(), 'kerf-test-'));
  await chmod(dataDir, 0o755);
  const postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400' },
  });
  const admin = new Client({ connectionString: postgres.adminUrl });
  await admin.connect();
  await admin.query(`create database ${TEMPLATE}`);
  await admin.end();
  const template = new URL(postgres.adminUrl);
  template.pathname = `/${TEMPLATE}`;
  await provision({ adminUrl: template.toString(), schemas: SCHEMAS, secret: TEST_SECRET });
  project.provide('adminUrl', postgres.adminUrl);
  return async () => {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
