import { Pool } from 'undici';
import { createApp } from '../src/edge/app.ts';
import { userContract } from '../src/modules/user/contract.ts';
import { listen } from '../src/setup/listen.ts';
import { connect, type Database } from '../src/shared/database.ts';
import { newId } from '../src/shared/ids.ts';
import { createLogger, createMetrics } from '../src/shared/telemetry.ts';
import { orderOf, PAGE, TOTAL } from './driver.ts';
import { type Good, openBackOffice } from './goods.ts';
import { moduleUrlAt } from './shop.ts';

/* What the shop says to its databases for one request, listened to at the modules' pools. */

export interface Statement {
  /** whose pool it went through */
  module: string;
  sql: string;
  bindings: unknown[];
  /** how many rows it answered or changed */
  rows: number | null;
}

export interface Captured {
  order: Statement[];
  page: Statement[];
  product: Statement[];
  search: Statement[];
  /** reads one's own order */
  orderRead: Statement[];
  /** the page as it was sent */
  pageBody: string;
}

export async function capture(adminUrl: string, goods: readonly Good[]): Promise<Captured> {
  const front = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'PORT' });
  const url = `http://127.0.0.1:${front.port}`;
  const kerf = openBackOffice(adminUrl, url);
  const edgeDb = connect({ url: moduleUrlAt(adminUrl, 'edge'), applicationName: 'bench edge', poolSize: 2 });
  const client = new Pool(url);
  try {
    await kerf.prepare();
    front.serve(createApp({
      routes: kerf.routes, users: kerf.service(userContract), db: edgeDb, log: createLogger('error'), metrics: createMetrics(), issuer: url, now: () => new Date(), rateLimit: 0, trustProxy: 0, ready: async () => undefined,
    }));
    const heard = listenTo([...kerf.databases, ['edge', edgeDb]]);
    const ask = async (method: 'GET' | 'POST', path: string, { headers = {}, body }: { headers?: Record<string, string>; body?: object } = {}) => {
      const since = heard.length;
      const answer = await client.request({ method, path: `/v1${path}`, headers: { ...headers, ...(body && { 'content-type': 'application/json', 'idempotency-key': newId() }) }, body: body ? JSON.stringify(body) : null });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${text}`);
      return { text, statements: heard.slice(since) };
    };
    const place = () => ask('POST', '/orders', { body: orderOf(goods.slice(0, 2), TOTAL) });
    await place();
    const placed = await place();
    const { id, secret } = JSON.parse(placed.text) as { id: string; secret: string };
    const page = await ask('GET', PAGE);
    return {
      order: placed.statements,
      page: page.statements,
      pageBody: page.text,
      product: (await ask('GET', `/products/${goods[0]!.productId}`)).statements,
      search: (await ask('GET', `/products?limit=20&search=${encodeURIComponent(goods[0]!.search)}`)).statements,
      orderRead: (await ask('GET', `/orders/${id}`, { headers: { 'x-order-secret': secret } })).statements,
    };
  } finally {
    await client.close();
    await front.close(1_000);
    await kerf.stop();
    await edgeDb.destroy();
  }
}

/** Statements in the order in which they were sent. */
function listenTo(databases: readonly (readonly [string, Database])[]): Statement[] {
  const heard: Statement[] = [];
  const byId = new Map<string, Statement>();
  for (const [module, db] of databases) {
    db.on('query', ({ sql, bindings = [], __knexQueryUid: id }: Query) => {
      const statement: Statement = { module, sql, bindings, rows: null };
      heard.push(statement);
      if (id) byId.set(id, statement);
    });
    // Brackets of transactions are answered without saying so; they touch no rows either.
    db.on('query-response', (_answer: unknown, { __knexQueryUid: id, response }: Query) => {
      const statement = id && byId.get(id);
      if (statement) statement.rows = response?.rowCount ?? null;
    });
  }
  return heard;
}

interface Query {
  sql: string;
  bindings?: unknown[];
  __knexQueryUid?: string;
  response?: { rowCount: number | null };
}

export const isBracket = ({ sql }: Statement): boolean => /^\s*(begin|commit)/i.test(sql);

export const costOf = (statements: readonly Statement[]) => ({
  statements: statements.filter((one) => !isBracket(one)).length,
  commits: statements.filter(({ sql }) => /^\s*commit/i.test(sql)).length,
});
