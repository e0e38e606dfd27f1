import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setInterval } from 'node:timers/promises';
import { Pool } from 'undici';
import { newId } from '../../src/shared/ids.ts';

export interface Question {
  kind: 'reading' | 'changing' | 'buying' | 'health';
  method: 'GET' | 'POST';
  path: string;
  body?: string;
}

/** So many clients, each of whom waits for its answer; or so many questions a second, whatever becomes of them. */
export type Load = { url: string; questions: readonly Question[]; seconds: number } & ({ clients: number } | { rate: number });

export interface Told {
  kind: Question['kind'];
  /** 0: the connection broke */
  status: number;
  reason: string | undefined;
  retryAfter: string | undefined;
  /** from when it was due to the end of the answer: what a driver is late with is waiting, too */
  milliseconds: number;
}

/** Asks in a process of its own, so that a busy shop does not keep its own flood waiting. */
export function startDriver() {
  const child: ChildProcess = fork(import.meta.filename, { execArgv: [] });
  return {
    async load(load: Load): Promise<Told[]> {
      child.send(load);
      const [told] = (await once(child, 'message')) as [Told[]];
      return told;
    },
    stop: () => void child.kill(),
  };
}

/** A seeded shop's questions, ten in turn. Its administrator sees to it that what is bought does not run out. */
export async function questionsFor(url: string, administrator: string): Promise<Question[]> {
  const post = async <T>(path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}/v1${path}`, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': newId(), ...headers }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  };
  const { items } = (await (await fetch(`${url}/v1/products?currency=KRW&limit=1`)).json()) as { items: { slug: string; variants: { id: string }[] }[] };
  const [{ slug, variants }] = items as [(typeof items)[0]];
  const line = { variantId: variants[0]!.id, quantity: 1 };
  const { accessToken } = await post<{ accessToken: string }>('/auth/login', { email: 'admin@example.com', password: administrator });
  await post('/admin/inventory/adjustments', { adjustments: [{ variantId: line.variantId, kind: 'received', delta: 900_000 }] }, { authorization: `Bearer ${accessToken}` });
  const cart = await post<{ id: string }>('/carts', { currency: 'KRW' });
  const { totals } = await post<{ totals: { total: number } }>(`/carts/${cart.id}/items`, line);
  const order = {
    currency: 'KRW', lines: [line], email: 'shopper@example.com', expectedTotal: totals.total, payment: { provider: 'sandbox', token: 'sandbox_ok' },
    shippingAddress: { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' },
  };
  const list: Question = { kind: 'reading', method: 'GET', path: '/v1/products?currency=KRW&limit=20' };
  const one: Question = { kind: 'reading', method: 'GET', path: `/v1/products/${slug}` };
  const change: Question = { kind: 'changing', method: 'POST', path: '/v1/carts', body: '{"currency":"KRW"}' };
  const buy: Question = { kind: 'buying', method: 'POST', path: '/v1/orders', body: JSON.stringify(order) };
  const health: Question = { kind: 'health', method: 'GET', path: '/livez' };
  return [list, one, change, list, one, buy, list, one, { ...health, path: '/readyz' }, list];
}

/** As many as a proxy in front would keep, and more than may be under way. */
const CONNECTIONS = 400;

async function ask(pool: Pool, { kind, method, path, body }: Question, due: number): Promise<Told> {
  const headers = { ...(body !== undefined && { 'content-type': 'application/json', 'idempotency-key': newId() }) };
  const after = () => performance.now() - due;
  try {
    const answer = await pool.request({ method, path, headers, body: body ?? null });
    const text = await answer.body.text();
    const reason = answer.statusCode >= 400 ? (JSON.parse(text) as { reason: string }).reason : undefined;
    return { kind, status: answer.statusCode, reason, retryAfter: answer.headers['retry-after']?.toString(), milliseconds: after() };
  } catch {
    return { kind, status: 0, reason: undefined, retryAfter: undefined, milliseconds: after() };
  }
}

async function asked(load: Load): Promise<Told[]> {
  // Opened before the flood: Node takes one new connection in each turn of its loop, so that new ones would wait outside.
  const pool = new Pool(load.url, { connections: CONNECTIONS });
  await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.request({ method: 'GET', path: '/livez' }).then(({ body }) => body.dump())));
  const told: Promise<Told>[] = [];
  const next = (due: number) => {
    const answer = ask(pool, load.questions[told.length % load.questions.length]!, due);
    told.push(answer);
    return answer;
  };
  const begun = performance.now();
  const until = begun + load.seconds * 1_000;
  if ('clients' in load) {
    await Promise.all(Array.from({ length: load.clients }, async () => {
      while (performance.now() < until) await next(performance.now());
    }));
  } else {
    for await (const _ of setInterval(2)) {
      const due = (index: number) => begun + (index * 1_000) / load.rate;
      while (due(told.length) <= Math.min(performance.now(), until)) void next(due(told.length));
      if (performance.now() > until) break;
    }
  }
  const all = await Promise.all(told);
  await pool.close();
  return all;
}

if (import.meta.main) process.on('message', (load: Load) => void asked(load).then((told) => process.send!(told)));
