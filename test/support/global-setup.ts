import { existsSync, readFileSync, rmSync } from 'node:fs';
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
  // vitest ends at once on Ctrl-C, without the tidying below.
  const tidyAtOnce = () => abandon(dataDir);
  process.once('exit', tidyAtOnce);
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
    process.off('exit', tidyAtOnce);
  };
}

/** All at once and without an event loop, because the process is ending. */
function abandon(dataDir: string): void {
  const pidFile = join(dataDir, 'postgres/postmaster.pid');
  try {
    // Negative while initdb prepares the data.
    const server = Math.abs(Number(readFileSync(pidFile, 'utf8').split('\n')[0]));
    process.kill(server, 'SIGQUIT');
    const deadline = Date.now() + 5_000;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (existsSync(pidFile) && Date.now() < deadline) Atomics.wait(pause, 0, 0, 10);
  } catch {
    // It had not started, or was gone already.
  }
  rmSync(dataDir, { recursive: true, force: true });
}
