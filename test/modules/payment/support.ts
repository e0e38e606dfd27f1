import { expect } from 'vitest';
import { orderContract } from '../../../src/modules/order/contract.ts';
import type { Payments } from '../../../src/modules/payment/contract.ts';
import { assemble } from '../../../src/modules/payment/module.ts';
import type { Answer, PaymentProvider } from '../../../src/modules/payment/provider.ts';
import type { Database } from '../../../src/shared/database.ts';
import { createInbox, type Event } from '../../../src/shared/events.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';

export const WON_12900 = { amount: 12_900, currency: 'KRW' as const };
export const order = (change: Partial<Parameters<Payments['pay']>[0]> = {}) => ({
  orderId: newId(),
  amount: WON_12900,
  provider: 'sandbox',
  token: 'sandbox_ok',
  capture: 'automatic' as const,
  ...change,
});

export type TestPayments = Awaited<ReturnType<typeof createTestPayments>>;

interface Wishes {
  providers?: PaymentProvider[];
  settings?: Partial<TestContext['settings']>;
  log?: TestContext['log'];
  /** milliseconds that a provider may take */
  deadline?: number;
}

/** The module on a database of its own, with its jobs and sweeps turned by hand. */
export async function createTestPayments({ providers = [], settings = {}, log, deadline = 1_000 }: Wishes = {}) {
  const context = await createTestContext('payment');
  Object.assign(context.settings, settings);
  if (log) context.log = log;
  const life = { transactionsLeft: Infinity };
  const mortal = { ...context, db: mortalDatabase(context.db, life) };
  const { service, subscriptions, background } = assemble(mortal, { providers, deadline, lateAfter: 2 });
  const jobs = background.jobs as Record<string, (data: object) => Promise<void>>;
  const inbox = createInbox(context.db, subscriptions);
  return {
    context,
    payments: service,
    jobs,
    after(seconds: number) {
      context.clock.now = new Date(context.clock.now.getTime() + seconds * 1_000);
    },
    /** Lets the process die once it has begun so many transactions. */
    async killedAfter(transactions: number, call: () => Promise<unknown>) {
      life.transactionsLeft = transactions;
      await expect(call()).rejects.toThrow('killed');
      life.transactionsLeft = Infinity;
    },
    /** Runs each waiting job once, but those of these names; what fails waits on, as in the real queue. */
    async work({ except = [] as string[] } = {}): Promise<unknown[]> {
      const waiting = context.enqueued.splice(0);
      const failures: unknown[] = [];
      for (const job of waiting) {
        if (except.includes(job.name)) context.enqueued.push(job);
        else {
          await jobs[job.name]!(job.data).catch((error: unknown) => {
            context.enqueued.push(job);
            failures.push(error);
          });
        }
      }
      return failures;
    },
    async sweep() {
      for (const { run } of background.sweeps) await run();
    },
    deliver: (type: 'cancelled' | 'expired', orderId: string, eventId = newId()) => inbox(orderEvent(type, orderId, eventId)),
    /** what was published about an order */
    newsOf: (orderId: string) => context.published.filter(({ data }) => data['orderId'] === orderId).map(({ type }) => type),
    charges: async (paymentId: string) => Number((await context.db('sandbox_charges').where({ payment_id: paymentId }).count())[0]!['count']),
    async idOf(orderId: string) {
      return (await service.getPayment({ orderId })).id;
    },
  };
}

/** The database as a process sees it that dies at a given point: from there on no transaction begins. */
function mortalDatabase(db: Database, life: { transactionsLeft: number }): Database {
  const transaction = (...work: Parameters<Database['transaction']>) => {
    life.transactionsLeft -= 1;
    return life.transactionsLeft < 0 ? Promise.reject(new Error('killed')) : db.transaction(...work);
  };
  return new Proxy((() => undefined) as unknown as Database, {
    apply: (_target, _this, [table]: [string]) => db(table),
    get: (_target, name) => (name === 'transaction' ? transaction : Reflect.get(db, name)),
  });
}

function orderEvent(type: 'cancelled' | 'expired', orderId: string, id: string): Event {
  const at = '2026-03-02T03:00:00.000Z';
  const data = type === 'cancelled' ? { orderId, wasPlaced: true, cancelledAt: at, reason: '' } : { orderId, expiredAt: at };
  const event = orderContract.events[type];
  return { specversion: '1.0', id, source: 'kerf/order', type: event.type, subject: orderId, time: at, datacontenttype: 'application/json', data };
}

/** A provider in the words of the interface, for what the sandbox does not do. */
export function scripted(answers: Partial<PaymentProvider>): PaymentProvider {
  const unknown = async (): Promise<Answer> => ({ outcome: 'unknown' });
  return {
    name: 'scripted',
    description: '',
    testTokens: [],
    authorize: unknown,
    capture: unknown,
    void: unknown,
    refund: unknown,
    readState: async () => ({ outcome: 'absent' }),
    verifyWebhook: () => undefined,
    ...answers,
  };
}
