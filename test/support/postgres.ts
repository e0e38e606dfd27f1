import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../src/setup/embedded-postgres.ts';
import { moduleUrl, provision } from '../../src/setup/provision.ts';
import { SCHEMAS, TEMPLATE, TEST_SECRET } from './constants.ts';

export interface TestDatabase {
  adminUrl: string;
  /** address with the role of one module */
  url(module: string): string;
  drop(): Promise<void>;
}

/** One Postgres for a whole run, with one migrated database that is copied. It keeps nothing once it has stopped. */
export async function startTestPostgres(dataDir?: string, settings: Record<string, string> = {}): Promise<{ adminUrl: string; stop(): Promise<void> }> {
  const directory = dataDir ?? (await temporaryDirectory());
  const postgres = await startEmbeddedPostgres({
    dataDir: join(directory, 'postgres'),
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400', ...settings },
  });
  await administer(postgres.adminUrl, `create database ${TEMPLATE}`);
  await provision({ adminUrl: onDatabase(postgres.adminUrl, TEMPLATE), schemas: SCHEMAS, secret: TEST_SECRET });
  return {
    adminUrl: postgres.adminUrl,
    async stop() {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kerf-test-'));
  await chmod(directory, 0o755);
  return directory;
}

/** A migrated, empty database of its own, copied from the template of that server. */
export async function copyTemplate(server: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(server, `create database ${name} template ${TEMPLATE}`);
  // Rights on a database itself are not copied.
  await administer(server, `revoke connect, temporary on database ${name} from public; grant connect on database ${name} to ${SCHEMAS.map((schema) => `kerf_${schema}`).join(', ')}`);
  const adminUrl = onDatabase(server, name);
  return {
    adminUrl,
    url: (module) => moduleUrl(adminUrl, module, TEST_SECRET),
    drop: () => administer(server, `drop database ${name} with (force)`),
  };
}

function onDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.toString();
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
