import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { eventsCommand } from '../../src/cli/events-command.ts';
import { jobsCommand } from '../../src/cli/jobs-command.ts';
import { orderContract } from '../../src/modules/order/contract.ts';
import { ConfigError } from '../../src/setup/config-error.ts';
import { connect, type Database, rows, transaction } from '../../src/shared/database.ts';
import { createPublish, type Event } from '../../src/shared/events.ts';
import { newId } from '../../src/shared/ids.ts';
import { createQueue, type Queue } from '../../src/shared/queue.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let directory: string;
let db: Database;
let queue: Queue;
let couponIsAway = true;
const arrived: string[] = [];

/** Somebody serves the shop meanwhile: the order module, whose listener coupon is away. */
beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'kerf-operator-'));
  db = connect({ url: database.url('order'), applicationName: 'test order', poolSize: 5 });
  queue = createQueue('order', db, createLogger('silent'));
  await queue.start({
    events: async ({ data }) => {
      const { to, event } = data as { to: string; event: Event<{ email?: string }> };
      if (to === 'coupon' && couponIsAway) throw new Error(`coupon is away for ${event.data.email}`);
      arrived.push(`${to} ${event.subject} ${event.type}`);
    },
    jobs: async () => {
      throw new Error('no letterbox');
    },
  });
});
afterAll(async () => {
  await queue.stop();
  await db.destroy();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

async function publish(orderId: string): Promise<void> {
  const send = createPublish('order', queue, () => ['coupon', 'inventory'], () => new Date());
  const at = new Date().toISOString();
  await transaction(db, async (trx) => {
    await send(trx, orderContract.events.placed, { orderId, number: '1', customerId: null, email: 'mina@example.com', currency: 'KRW', total: 1, lines: [], placedAt: at });
    await send(trx, orderContract.events.cancelled, { orderId, wasPlaced: true, cancelledAt: at, reason: '' });
  });
}

const exitCode = () => Number(process.exitCode ?? 0);
/** The command as bin/kerf runs it, in this process. */
async function kerf([name, ...args]: string[], environment: Record<string, string> = {}): Promise<{ code: number; out: string; err: string }> {
  for (const [variable, value] of Object.entries({ DATABASE_URL: database.adminUrl, KERF_SECRET: TEST_SECRET, KERF_DATA_DIR: directory, ...environment })) vi.stubEnv(variable, value);
  let out = '';
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((out += String(text))));
  process.exitCode = undefined;
  try {
    await { events: eventsCommand, jobs: jobsCommand }[name as 'events' | 'jobs'].parseAsync(args, { from: 'user' });
    return { code: exitCode(), out, err: '' };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { code: 2, out, err: error.message };
  } finally {
    written.mockRestore();
    vi.unstubAllEnvs();
    process.exitCode = undefined;
  }
}
const list = async (...args: string[]) => (JSON.parse((await kerf(['events', 'list', '--module', 'order', '--json', ...args])).out) as { events: { id: string; to: string; state: string; subject: string; behind: string | null }[] }).events;
const retrying = async () => Number((await rows<{ count: string }>(db, `select count(*) from order_jobs.job where state = 'retry'`))[0]!.count);
const die = (id: string) => rows(db, `update order_jobs.job set state = 'failed', completed_on = now() where id = ? and state = 'retry' returning 1`, [id]);

describe('kerf events', () => {
  const orderId = newId();

  it('lists what is on its way, with the reason why not yet, and leaves out what is delivered', async () => {
    await publish(orderId);
    await expect.poll(retrying).toBe(1);
    await expect.poll(() => arrived).toEqual([`inventory ${orderId} order.placed`, `inventory ${orderId} order.cancelled`]);
    const { code, out } = await kerf(['events', 'list']);
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(new RegExp(`^order {2}retrying {2}order\\.placed → coupon +${orderId} {2}\\d+ tr(y|ies) +\\d+ s old .*coupon is away for m…@example\\.com$`)),
      expect.stringMatching(new RegExp(`^order {2}waiting {3}order\\.cancelled → coupon {2}${orderId} {2}0 tries +\\d+ s old {2}after [0-9a-f-]{36}`)),
    ]);
    expect((await kerf(['events', 'list', '--type', 'order.placed', '--state', 'waiting'])).out).toBe('No deliveries of that kind in user, catalog, inventory, coupon, payment, order.\n');
    expect((await list('--state', 'delivered')).map(({ to, state }) => `${to} ${state}`)).toEqual(['inventory delivered', 'inventory delivered']);
    expect((await list('--limit', '1', '--to', 'coupon')).map(({ state }) => state)).toEqual(['retrying']);
  });

  it('shows all of one, without the customer’s address unless asked for it', async () => {
    const [failing] = await list();
    const { code, out } = await kerf(['events', 'show', failing!.id]);
    expect(code).toBe(0);
    expect(out).toContain(`order: order.placed → coupon is retrying`);
    expect(out).toContain('"email": "m…@example.com"');
    expect(out).toContain('"specversion": "1.0"');
    expect(out).toMatch(/failed tries\n {4}\d{4}-.*Z coupon is away/);
    expect(out).not.toContain('mina@');
    expect((await kerf(['events', 'show', failing!.id, '--reveal'])).out).toContain('mina@example.com');
    expect(await kerf(['events', 'show', newId()])).toMatchObject({ code: 1, out: expect.stringMatching(/^There is no delivery /) });
  });

  it('redrives what is dead, in the order of its aggregate and as often as one likes', async () => {
    const [failing] = await list();
    await expect.poll(() => die(failing!.id)).toHaveLength(1);
    const dead = await kerf(['events', 'list', '--module', 'order']);
    expect([dead.code, dead.out.slice(0, 11)]).toEqual([1, 'order  dead']);
    couponIsAway = false;
    expect(await kerf(['events', 'redrive', '--all', '--to', 'coupon', '--dry-run'])).toMatchObject({ code: 0, out: '1 delivery would be tried at once.\n' });
    expect(await list('--state', 'dead')).toHaveLength(1);
    expect(await kerf(['events', 'redrive', failing!.id])).toMatchObject({ code: 0, out: '1 delivery will be tried at once.\n' });
    await expect.poll(() => arrived.filter((one) => one.startsWith('coupon'))).toEqual([`coupon ${orderId} order.placed`, `coupon ${orderId} order.cancelled`]);
    await expect.poll(() => list()).toEqual([]);
    expect(await kerf(['events', 'redrive', failing!.id])).toMatchObject({ code: 0, out: '0 deliveries will be tried at once.\n' });
    expect(await kerf(['events', 'redrive', newId()])).toMatchObject({ code: 1 });
  });

  it('says what it did not look at, and why it could not look', async () => {
    const apart = { KERF_MODULES: 'coupon', KERF_ORDER_URL: 'http://127.0.0.1:9', KERF_EDGE: 'false' };
    expect((await kerf(['events', 'list'], apart)).out).toBe('No deliveries of that kind in coupon.\nNot looked at, because the database is not known here: user, catalog, inventory, payment, order.\n');
    expect(await kerf(['events', 'list', '--module', 'order'], apart)).toMatchObject({ code: 2, err: 'order runs elsewhere: look from there, or say where the database is, like ORDER_DATABASE_URL.' });
    expect(await kerf(['events', 'list', '--module', 'order'], { ...apart, ORDER_DATABASE_URL: database.adminUrl })).toMatchObject({ code: 0 });
    expect(await kerf(['events', 'list', '--module', 'nobody'])).toMatchObject({ code: 2 });
    expect(await kerf(['events', 'redrive'])).toMatchObject({ code: 2, err: 'Say which: the ids of deliveries, or --all.' });
    expect(await kerf(['events', 'list'], { KERF_SECRET: 'another secret that is long enough 0123456789' })).toMatchObject({ code: 2, err: expect.stringMatching(/KERF_SECRET/) });
  });

  it('is part of kerf', async () => {
    const env = { PATH: process.env['PATH'], DATABASE_URL: database.adminUrl, KERF_SECRET: TEST_SECRET, KERF_DATA_DIR: directory };
    await expect(promisify(execFile)(process.execPath, ['src/cli/kerf.ts', 'events', 'redrive'], { env })).rejects.toMatchObject({ code: 2, stderr: 'Say which: the ids of deliveries, or --all.\n' });
  });
});

describe('kerf jobs', () => {
  it('lists, shows and retries the modules’ own jobs, and gives up on one', async () => {
    await transaction(db, (trx) => queue.enqueue(trx, 'undo-order', { orderId: 'x' }));
    await expect.poll(retrying).toBe(1);
    const { jobs: [job] } = JSON.parse((await kerf(['jobs', 'list', '--name', 'undo-order', '--json'])).out) as { jobs: { id: string; type: string; error: string }[] };
    expect(job).toMatchObject({ type: 'undo-order', error: 'no letterbox' });
    expect((await kerf(['jobs', 'show', job!.id])).out).toContain('"orderId": "x"');
    expect((await kerf(['jobs', 'retry', '--all', '--name', 'undo-order'])).out).toBe('1 job will be tried at once.\n');
    await expect.poll(() => die(job!.id)).toHaveLength(1);
    expect((await kerf(['jobs', 'drop', job!.id])).out).toBe('1 job dropped.\n');
    expect(await kerf(['jobs', 'list'])).toMatchObject({ code: 0, out: expect.stringMatching(/^No jobs/) });
    expect((await kerf(['jobs', 'list', '--state', 'dropped'])).out).toContain(job!.id);
  });
});
