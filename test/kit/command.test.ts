import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, type Kerf } from '../../src/composition.ts';
import { listen, type Listening } from '../../src/setup/listen.ts';
import { rows } from '../../src/shared/database.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { MAKES_UP } from './breaks.ts';
import { askedOn, startBroken } from './broken.ts';

let directory: string;
let database: TestDatabase;
let kerf: Kerf;
let onSocket: Listening;
let onPort: Listening;

/** The coupon module in a process of its own kind: no other module, no public API. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kerf-kit-'));
  database = await createTestDatabase();
  const settings = { publicUrl: 'http://shop.test', secret: TEST_SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined };
  kerf = compose({ settings, log: createLogger('silent'), databaseUrl: (module) => database.url(module), poolSize: 10, placement: { hosts: ['coupon'], addresses: {}, edge: false } });
  await kerf.prepare();
  const where = { host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' };
  onSocket = await listen({ ...where, socket: join(directory, 'coupon.sock') });
  onPort = await listen(where);
  for (const listening of [onSocket, onPort]) listening.serve(kerf.seam);
});
afterAll(async () => {
  for (const listening of [onSocket, onPort]) await listening.close(1_000);
  await kerf.stop();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

interface Said {
  status: number;
  out: string;
  error: string;
}

const check = (args: string[], environment: Record<string, string> = {}) =>
  new Promise<Said>((resolve) => {
    const env = { PATH: process.env['PATH'], KERF_SECRET: TEST_SECRET, ...environment };
    execFile(process.execPath, ['src/cli/check-command.ts', ...args], { env }, (error, out, stderr) => resolve({ status: typeof error?.code === 'number' ? error.code : 0, out, error: stderr }));
  });

describe('kerf check', () => {
  it('leaves no trace unless it is told to write, not even where a wrong input would be taken for a good one', async () => {
    const broken = await startBroken(onPort.address, 'coupon', MAKES_UP);
    const { status, out } = await check(['coupon', '--url', broken.address]).finally(broken.stop);
    expect(out.match(/ What it does is not looked at: \d+ cases that write test data are left out \(--writes\)\.\n/g), 'at the beginning and at the end').toHaveLength(2);
    expect(status).toBe(0);
    const written = await rows(kerf.databases.get('coupon')!, 'select 1 from promotions union all select 1 from redemptions union all select 1 from inbox');
    expect(written).toEqual([]);
  });

  it('says over a unix socket that all is as the contract says', async () => {
    const { status, out, error } = await check(['coupon', '--url', onSocket.address, '--writes', '--only', 'release']);
    expect(error).toBe('');
    expect(out).toMatch(/^coupon at unix:.* Test data is written into it\.\n\nrelease\n {2}✓ /);
    expect(out).toContain('\n  ✓ gives the uses back, once');
    expect(out).toMatch(/\n\n✓ \d+ cases, all as the contract says\.\n$/);
    expect(status).toBe(0);
  });

  it('says what was sent, expected and answered where something is not', async () => {
    const broken = await startBroken(onPort.address, 'coupon', askedOn('/createPromotion', ({ id, draft }: { id: string; draft: { totalLimit: number } }) => ({ id, draft: { ...draft, totalLimit: draft.totalLimit + 1 } })));
    const { status, out } = await check(['coupon', '--url', broken.address, '--writes', '--only', 'exactly the limit to']).finally(broken.stop);
    expect(out).toMatch(/\n {2}✗ grants exactly the limit to many orders at once\n {6}What came of twenty.*\n {6}sent {6}POST \/seam\/v1\/coupon\/.*\n {6}expected {2}.*"done":5.*\n {6}answered {2}.*"done":6.*\n\n✗ 1 of 1 case not as the contract says\.\n$/);
    expect(status).toBe(1);
  });

  it('shows the token that was let in, without its signature', async () => {
    const broken = await startBroken(onPort.address, 'coupon', { answered: ({ status }) => (status === 401 ? { status: 418 } : {}) });
    const { out } = await check(['coupon', '--url', broken.address, '--only', 'another type']).finally(broken.stop);
    expect(out).toMatch(/\n {6}sent {6}POST \/seam\/v1\/coupon\/quote \[\]\n {6}token {5}\{"header":\{"alg":"EdDSA","kid":"order","typ":"JWT"\},"claims":\{"iss":"order","aud":"coupon","iat":\d+,"exp":\d+\}\}\n {6}expected /);
  });

  it('answers programs in JSON', async () => {
    const { out } = await check(['coupon', '--url', onPort.address, '--only', 'the handshake', '--json']);
    expect(JSON.parse(out)).toMatchObject({ module: 'coupon', address: onPort.address, results: [{ about: 'the handshake', name: 'says which contract it serves, and under which hash' }, {}] });
  });

  it.each([
    ['a module that is not there', ['coupo', '--url', 'http://127.0.0.1:1'], {}, /^There is no module "coupo": user, catalog, .*\.\n$/],
    ['nobody at the address', ['coupon', '--url', 'http://127.0.0.1:1'], {}, /^Nobody answers at http:\/\/127\.0\.0\.1:1: start the implementation, or mend --url\.\n$/],
    ['an address that is none', ['coupon', '--url', 'localhost'], {}, /^--url must look like http:\/\/host:port, https:\/\/host:port or unix:\/path\/to\/socket\.\n$/],
    ['no secret', ['coupon', '--url', 'http://127.0.0.1:1'], { KERF_SECRET: '' }, /^KERF_SECRET must be set to the secret that the implementation has: .*\.\n$/],
    ['no such case', ['coupon', '--url', 'http://127.0.0.1:1', '--only', 'tea'], {}, /^There is no case with "tea" in its name that leaves no trace; with --writes there may be one\.\n$/],
  ])('could not check: %s', async (_what, args, environment, sentence) => {
    const { status, error } = await check(args, environment);
    expect(error).toMatch(sentence);
    expect(status).toBe(2);
  });
});
