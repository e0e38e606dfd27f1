import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTestPostgres, temporaryDirectory } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    adminUrl: string;
  }
}

/** One Postgres for the whole run, with one migrated database that each test file copies. */
export async function setup(project: TestProject) {
  const dataDir = await temporaryDirectory();
  // vitest ends at once on Ctrl-C, without the tidying below.
  const tidyAtOnce = () => abandon(dataDir);
  process.once('exit', tidyAtOnce);
  const postgres = await startTestPostgres(dataDir);
  project.provide('adminUrl', postgres.adminUrl);
  return async () => {
    await postgres.stop();
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
