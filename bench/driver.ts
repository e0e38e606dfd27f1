import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Pool } from 'undici';
import { newId } from '../src/shared/ids.ts';
import { CODE, type Good } from './goods.ts';

/* Clients of the shop, each of whom waits for its answer before it asks again; in a process of their own. */

/** A stretch of load; `clients` wait for their answers for so many seconds. */
export interface Job {
  what: string;
  clients: number;
  seconds: number;
}

export interface Slice {
  seconds: number;
  /** milliseconds of each */
  took: number[];
  /** of a checkout, its last request */
  completing: number[];
  /** how often each refusal or fault was met */
  failures: Record<string, number>;
  cpuSeconds: number;
}

/** Starts the file as a worker that is told `setUp` first and a job at a time from then on. */
export async function startWorker(file: string, setUp: object) {
  const child: ChildProcess = fork(file, { execArgv: [], serialization: 'advanced', env: { ...process.env, NODE_ENV: 'production' } });
  const died = once(child, 'exit').then(() => { throw new Error(`The process of ${file} has ended; its own words are above.`); });
  died.catch(() => undefined);
  const ask = async <T>(message: object): Promise<T> => {
    const answered = once(child, 'message');
    child.send(message);
    const [answer] = await Promise.race([answered, died]);
    return answer as T;
  };
  return { told: await ask<{ url?: string }>(setUp), run: (job: Job) => ask<Slice>(job), stop: () => void child.kill() };
}

/** The worker's side: the first message is what it is set up with. */
export function work(open: (setUp: never) => Promise<{ told: object; runs: Record<string, (clients: number) => Run> }>): void {
  process.once('message', async (setUp) => {
    const { told, runs } = await open(setUp as never);
    process.on('message', async ({ what, clients, seconds }: Job) => process.send!(await closedLoop(runs[what]!(clients), clients, seconds)));
    process.send!(told);
  });
}

/** Does it once; answers the milliseconds of the request that completes it, where that is one of several. */
type Run = () => Promise<number | void>;

async function closedLoop(run: Run, clients: number, seconds: number): Promise<Slice> {
  const slice: Slice = { seconds: 0, took: [], completing: [], failures: {}, cpuSeconds: 0 };
  const [begun, cpu] = [performance.now(), process.cpuUsage()];
  const until = begun + seconds * 1_000;
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < until) {
      const at = performance.now();
      try {
        const completing = await run();
        slice.took.push(performance.now() - at);
        if (completing !== undefined) slice.completing.push(completing);
      } catch (error) {
        const { message } = error as Error;
        slice.failures[message] = (slice.failures[message] ?? 0) + 1;
      }
    }
  }));
  const { user, system } = process.cpuUsage(cpu);
  return { ...slice, seconds: (performance.now() - begun) / 1_000, cpuSeconds: (user + system) / 1_000_000 };
}

export interface Shopping {
  url: string;
  goods: readonly Good[];
}

const ADDRESS = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const PAYMENT = { provider: 'sandbox', token: 'sandbox_ok' };
const HOT = 3;

interface Cart {
  id: string;
  totals: { total: number };
}

/** One order as a single request: two lines of different goods, a code and an address. */
export const orderOf = (lines: readonly Good[], total: number) => ({
  currency: 'KRW', lines: lines.map(({ variantId }) => ({ variantId, quantity: 1 })), codes: [CODE], email: `${newId()}@example.com`, shippingAddress: ADDRESS, payment: PAYMENT, expectedTotal: total,
});

function shopping(pool: Pool, goods: readonly Good[]): Record<string, Run> {
  const ask = async <T>(method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<T> => {
    const headers = body && { 'content-type': 'application/json', ...(method === 'POST' && { 'idempotency-key': newId() }) };
    const answer = await pool.request({ method, path: `/v1${path}`, headers: headers ?? {}, body: body ? JSON.stringify(body) : null });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${answer.statusCode} ${(JSON.parse(text) as { reason?: string }).reason ?? ''}`);
    // What a page does with an answer is the page's affair; only what is needed again is parsed.
    return (body ? JSON.parse(text) : text) as T;
  };
  const any = (some: readonly Good[]) => some[Math.floor(Math.random() * some.length)]!;
  const two = (some: readonly Good[]): [Good, Good] => {
    const first = any(some);
    return [first, any(some.filter((good) => good !== first))];
  };
  const order = (some: readonly Good[]) => async () => void (await ask('POST', '/orders', orderOf(two(some), TOTAL)));

  async function checkout(): Promise<number> {
    const { id } = await ask<Cart>('POST', '/carts', { currency: 'KRW' });
    for (const { variantId } of two(goods)) await ask('POST', `/carts/${id}/items`, { variantId, quantity: 1 });
    await ask('POST', `/carts/${id}/coupons`, { code: CODE });
    const { totals } = await ask<Cart>('PATCH', `/carts/${id}`, { email: `${newId()}@example.com` });
    await ask('GET', `/carts/${id}`);
    const since = performance.now();
    await ask('POST', '/orders', { cartId: id, shippingAddress: ADDRESS, payment: PAYMENT, expectedTotal: totals.total });
    return performance.now() - since;
  }

  return {
    page: async () => void (await ask('GET', PAGE)),
    product: async () => void (await ask('GET', `/products/${any(goods).productId}`)),
    search: async () => void (await ask('GET', `/products?limit=20&search=${encodeURIComponent(any(goods).search)}`)),
    order: order(goods),
    hot: order(goods.slice(0, HOT)),
    checkout,
  };
}

export const PAGE = '/products?currency=KRW&limit=20';
/** Two of the goods, a tenth off, and no shipping fee from 50,000 on. */
export const TOTAL = 54_000;

/** Connections stay open as a proxy in front would keep them; one for each client. */
function opened({ url, goods }: Shopping) {
  const pools = new Map<number, Record<string, Run>>();
  const at = (clients: number) => {
    if (!pools.has(clients)) pools.set(clients, shopping(new Pool(url, { connections: clients }), goods));
    return pools.get(clients)!;
  };
  return ['page', 'product', 'search', 'order', 'hot', 'checkout'].map((what) => [what, (clients: number) => at(clients)[what]!] as const);
}

if (import.meta.main) work(async (setUp: Shopping) => ({ told: {}, runs: Object.fromEntries(opened(setUp)) }));
