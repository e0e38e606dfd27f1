import { Client } from 'pg';
import { createLogger } from '../../src/shared/telemetry.ts';
import { connect, type Database } from '../../src/shared/database.ts';
import type { ModuleContext } from '../../src/shared/module.ts';
import { TEST_SECRET } from './constants.ts';
import { createTestDatabase } from './database.ts';
import { guardStatements } from './statement-guard.ts';

export interface TestContext extends ModuleContext {
  /** events whose transaction has committed, oldest first */
  published: { type: string; data: Record<string, unknown> }[];
  /** jobs whose transaction has committed, oldest first */
  enqueued: { name: string; data: object }[];
  /** mails handed over, oldest first */
  mails: { to: string; subject: string; text: string }[];
  /** what `now()` answers; move it to make time pass */
  clock: { now: Date };
  /** the same database under the same role for somebody else: another process, whose statements nobody guards */
  elsewhere: Database;
  /** what only an administrator may do to it */
  administer(sql: string): Promise<void>;
  close(): Promise<void>;
}

/** What a module's own tests give to it: a real database of its own, guarded, and recorders for what it sends out. */
export async function createTestContext(module: string): Promise<TestContext> {
  const database = await createTestDatabase();
  const [db, elsewhere] = ['test', 'elsewhere'].map((who) => connect({ url: database.url(module), applicationName: `${who} ${module}`, poolSize: 10 })) as [Database, Database];
  const checkRefusals = guardStatements(db, module);
  const published: TestContext['published'] = [];
  const enqueued: TestContext['enqueued'] = [];
  const mails: TestContext['mails'] = [];
  const clock = { now: new Date('2026-03-02T03:00:00.000Z') };
  const afterCommit = (trx: { executionPromise: Promise<unknown> }, record: () => void) =>
    void trx.executionPromise.then(record, () => undefined);
  return {
    db,
    log: createLogger('silent'),
    now: () => clock.now,
    publish: async (trx, { type, data: schema }, data) => {
      const checked = [data].flat().map((one) => schema.parse(one) as Record<string, unknown>);
      afterCommit(trx, () => published.push(...checked.map((one) => ({ type, data: one }))));
    },
    queue: {
      addEvents: async () => undefined,
      enqueue: async (trx, name, data) => afterCommit(trx, () => enqueued.push({ name, data })),
      start: async () => undefined,
      rest: async () => undefined,
      stop: async () => undefined,
    },
    settings: {
      publicUrl: 'http://shop.test',
      secret: TEST_SECRET,
      timeZone: 'Asia/Seoul',
      paymentWindowMinutes: 30,
      sandboxPayments: true,
      sendMail: async (mail) => void mails.push(mail),
    },
    published,
    enqueued,
    mails,
    clock,
    elsewhere,
    async administer(sql) {
      const admin = new Client({ connectionString: database.adminUrl });
      await admin.connect();
      await admin.query(sql).finally(() => admin.end());
    },
    async close() {
      await Promise.all([db.destroy(), elsewhere.destroy()]);
      await database.drop();
      checkRefusals();
    },
  };
}
