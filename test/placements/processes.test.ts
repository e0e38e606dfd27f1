import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { SCHEMAS } from '../support/constants.ts';
import { copyTemplate } from '../support/postgres.ts';
import { runApart } from './choices.ts';
import { startProcesses } from './processes.ts';
import { differenceBetween } from './transcript.ts';

let compiled: string;
beforeAll(async () => {
  compiled = await mkdtemp(join(tmpdir(), 'kerf-compiled-'));
});
afterAll(() => rm(compiled, { recursive: true, force: true }));

describe('modules in processes of their own', () => {
  it('answer, refuse, call, tell and trace as in one process', { timeout: 300_000 }, async () => {
    const place = { server: inject('adminUrl'), compiled };
    const [together, apart, mixed] = await Promise.all([
      runApart([], { by: 'socket', ownDatabases: false }, place),
      runApart(MODULES.map((name) => [name]), { by: 'port', ownDatabases: true }, place),
      runApart([['user', 'payment'], ['order']], { by: 'socket', ownDatabases: false }, place),
    ]);
    expect(together.transcript.length).toBeGreaterThan(1_000);
    for (const run of [together, apart, mixed]) {
      expect(run.stopped, run.said.join('\n')).toBeUndefined();
      expect(differenceBetween(together.transcript, run.transcript), run.said.join('\n')).toBeUndefined();
    }
  });

  it('are missed at once when one dies, with its last lines', { timeout: 60_000 }, async () => {
    const database = await copyTemplate(inject('adminUrl'));
    const processes = await startProcesses([['coupon']], { databases: Object.fromEntries(SCHEMAS.map((schema) => [schema, database.adminUrl])), by: 'socket', compiled });
    process.kill(processes.of('coupon').pid, 'SIGKILL');
    await expect(processes.died).rejects.toThrow('The process coupon died (SIGKILL). Its last lines:');
    await processes.stop();
    await database.drop();
  });
});
