import { Pool } from 'pg';
import { expect } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { sourcesOf, verify } from '../../src/verify/verify.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';

/** `KERF_FAULTS=all`: in full; otherwise as much as fits into `npm test`. */
export const inFull = process.env['KERF_FAULTS'] === 'all';

/** What the tests read of orders, carts and problems. */
interface Body {
  id: string;
  state: string;
  paymentStatus: string;
  secret: string;
  reason?: string | null;
  /** what a refused order would cost now */
  total: number;
  lines: { id: string; variantId: string; quantity: number }[];
  totals: { total: number; discount: number };
  nextAction: { url: string } | null;
}

export interface Told {
  status: number;
  headers: Headers;
  body: Body;
}

interface Question {
  body?: object;
  headers?: Record<string, string>;
  key?: string;
}

/** Told to come back: the same request with the same key is sent again. */
const COME_BACK = ['idempotency_key_in_use', 'order_being_placed', 'unavailable', 'overloaded'];
const MOST_TRIES = 500;
const shippingAddress = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

/** What shoppers do at this shop, over HTTP. */
function shoppingAt(shop: TestKerf) {
  async function send(method: string, path: string, { body, headers = {}, key }: Question = {}): Promise<Told> {
    const answer = await fetch(`${shop.url}/v1${path}`, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }) },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? {} : JSON.parse(text) };
  }

  /** Asks until there is an answer, as a client should. Nothing may ever be answered with 500. */
  async function ask(method: string, path: string, question: Question = {}): Promise<Told> {
    for (let tries = 1; ; tries += 1) {
      const told = await send(method, path, question);
      if (told.status === 500) throw new Error(`${method} ${path}: ${JSON.stringify(told.body)}`);
      if (!COME_BACK.includes(told.body.reason ?? '') || tries === MOST_TRIES) return told;
    }
  }

  /** The request for an order; each time it is sent with a key of its own. */
  const order = (what: object, { token = 'sandbox_ok', key = newId() } = {}) =>
    ask('POST', '/orders', { key, body: { email: `${key}@example.com`, shippingAddress, payment: { provider: 'sandbox', token }, ...what } });

  return {
    send,
    ask,
    order,
    /** a guest's cart with these variants in it, in this order */
    async fill(...variantIds: string[]): Promise<string> {
      const { body } = await ask('POST', '/carts', { key: newId(), body: { currency: 'KRW' } });
      for (const variantId of variantIds) await ask('POST', `/carts/${body.id}/items`, { key: newId(), body: { variantId, quantity: 1 } });
      return body.id;
    },
    cancel: (placed: Told) => ask('POST', `/orders/${placed.body.id}/cancel`, { headers: { 'x-order-secret': placed.body.secret }, body: {} }),
    read: (placed: Told) => ask('GET', `/orders/${placed.body.id}`, { headers: { 'x-order-secret': placed.body.secret } }),
  };
}

/** How many answers there were of each kind. */
export const countOf = (answers: readonly Told[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(answers, ({ status, body }) => body.reason ?? `${status}`)].map(([kind, all]) => [kind, all.length]));

/** Does it `times` times, `atOnce` of them at once; answers come in the order in which they were begun. */
export async function crowd<T>(times: number, atOnce: number, act: (index: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  let next = 0;
  const queue = async () => {
    for (let index = next++; index < times; index = next++) answers[index] = await act(index);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, times) }, queue));
  return answers;
}

/** A shop and its database's own opinion of how it is treated. */
export async function openShop() {
  const shop = await startTestKerf();
  const admin = new Pool({ connectionString: shop.database.adminUrl, max: 2 });
  return {
    shop,
    admin,
    ...shoppingAt(shop),
    /** Everything that was begun is done or undone, and adds up; and nobody ever waited in a circle. */
    async expectWhole(): Promise<void> {
      const now = () => new Date(Date.now() + shop.clock.ahead);
      const told = async () => {
        const { findings } = await verify(sourcesOf(shop.kerf), { databases: shop.databases, now, grace: 0 });
        return findings.flatMap((finding) => finding.told);
      };
      await expect.poll(told, { timeout: 30_000, interval: 200 }).toEqual([]);
      const { rows } = await admin.query('select deadlocks::integer from pg_stat_database where datname = current_database()');
      expect(rows).toEqual([{ deadlocks: 0 }]);
    },
    async close() {
      await admin.end();
      await shop.stop();
    },
  };
}
