import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../src/setup/listen.ts';
import { createMailer } from '../../src/setup/mailer.ts';
import { connect, rows } from '../../src/shared/database.ts';
import { toAppError } from '../../src/shared/errors.ts';
import { DEFAULT_POLICY } from '../../src/shared/seam/resilience.ts';
import { SCHEMAS } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  [database, folder] = await Promise.all([createTestDatabase(), mkdtemp(join(tmpdir(), 'kerf-timeouts-'))]);
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

describe('a module’s connection', () => {
  it.each(SCHEMAS)('of %s is given up by the server in time', async (module) => {
    const db = connect({ url: database.url(module), applicationName: 'test', poolSize: 1 });
    const limits = await rows<{ name: string; milliseconds: string }>(db, `select name, setting as milliseconds from pg_settings where name like '%\\_timeout' and unit = 'ms' and source = 'user'`);
    expect(Object.fromEntries(limits.map(({ name, milliseconds }) => [name, Number(milliseconds)]))).toEqual({
      statement_timeout: 5_000, lock_timeout: 2_000, idle_in_transaction_session_timeout: 10_000, transaction_timeout: 30_000,
    });
    await db.destroy();
  });

  it('is unavailable, not broken, when its transaction takes too long', async () => {
    const db = connect({ url: database.url('edge'), applicationName: 'test', poolSize: 1 });
    await db.raw(`set transaction_timeout = '50ms'`);
    expect(await db.raw('select pg_sleep(2)').then(() => undefined, toAppError)).toMatchObject({ reason: 'unavailable' });
    await expect.poll(() => rows(db, 'select 1 as one').catch(toAppError)).toEqual([{ one: 1 }]);
    await db.destroy();
  });

  it('is waited for no longer than 2 s in the pool, and 3 s at the server', async () => {
    const db = connect({ url: database.url('edge'), applicationName: 'test', poolSize: 1 });
    await db.raw('select 1');
    const { pool, connectionSettings } = db.client as { pool: { acquireTimeoutMillis: number }; connectionSettings: object };
    expect([pool.acquireTimeoutMillis, connectionSettings]).toEqual([2_000, expect.objectContaining({ connectionTimeoutMillis: 3_000 })]);
    await db.destroy();
  });
});

describe('a request', () => {
  it('is waited for 10 s in its headers and 30 s in all, and a connection 65 s for the next one', async () => {
    const listening = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'PORT' });
    const asked = Promise.withResolvers<Server>();
    const notice = (message: unknown) => asked.resolve((message as { server: Server }).server);
    diagnostics.subscribe('http.server.request.start', notice);
    const answer = await fetch(listening.address);
    diagnostics.unsubscribe('http.server.request.start', notice);
    const { headersTimeout, requestTimeout, keepAliveTimeout } = await asked.promise;
    expect({ headersTimeout, requestTimeout, keepAliveTimeout }).toEqual({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000 });
    expect(answer.headers.get('keep-alive')).toBe('timeout=65');
    await listening.close(100);
  });
});

describe('what goes out', () => {
  it('waits 5 s for a module elsewhere', () => expect(DEFAULT_POLICY.timeout).toBe(5_000));

  it('does not wait for a mail server that says nothing', async () => {
    const open = new Set<Socket>();
    const mute = createServer((socket) => void open.add(socket)).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const sendMail = createMailer({ smtpUrl: `smtp://127.0.0.1:${(mute.address() as AddressInfo).port}`, from: 'shop@localhost', directory: folder });
    await expect(sendMail({ to: 'mina@example.com', subject: 'Hello', text: 'Hello' })).rejects.toThrow('Greeting never received');
    for (const socket of open) socket.destroy();
    mute.close();
  });
});
