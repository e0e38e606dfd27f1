import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { Pool, type PoolClient } from 'pg';
import { newId } from '../src/shared/ids.ts';
import { type Captured, isBracket, type Statement } from './capture.ts';
import { work } from './driver.ts';
import type { Good } from './goods.ts';
import { moduleUrlAt } from './shop.ts';

/*
 * What Node and Postgres do for the same work with nothing between them, in a process of its own: the statements of one order
 * again and again, each time for an order that is new, and the page of a catalogue behind Express.
 */

export interface Bare {
  adminUrl: string;
  poolSize: number;
  captured: Captured;
  goods: readonly Good[];
  /** ids that are the same for every order */
  kept: readonly string[];
}

/** Statements that go together over one connection of a module. */
interface Unit {
  module: string;
  statements: Prepared[];
}

interface Prepared {
  /** of a prepared statement; a bracket of a transaction is none */
  name?: string;
  sql: string;
  rows: number | null;
  values(fresh: Fresh): unknown[];
}

/** What stands in the place of a captured token. */
type Fresh = (token: string) => string;

/** What belongs to one order: ids, and keys that are derived from them. */
const TOKEN = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{64}\b/g;

async function open({ adminUrl, poolSize, captured, goods, kept }: Bare) {
  const pools = new Map<string, Pool>();
  const poolOf = (module: string) => {
    if (!pools.has(module)) pools.set(module, new Pool({ connectionString: moduleUrlAt(adminUrl, module), max: poolSize }));
    return pools.get(module)!;
  };
  const url = await serve(poolOf('catalog'), captured);
  const units = unitsOf(captured.order);
  const place = () => replay(units, poolOf, freshFor(goods, kept));
  await place();
  return { told: { url }, runs: { order: () => place } };
}

/** Transactions, and statements that are one by themselves. */
function unitsOf(statements: readonly Statement[]): Unit[] {
  const units: Unit[] = [];
  let inside = false;
  for (const [index, statement] of statements.entries()) {
    if (!inside) units.push({ module: statement.module, statements: [] });
    const unit = units.at(-1)!;
    if (unit.module !== statement.module) throw new Error(`A statement of ${statement.module} was heard inside a transaction of ${unit.module}, so that what was captured cannot be told apart.`);
    unit.statements.push({ ...prepared(statement), ...(!isBracket(statement) && { name: `bare ${index}` }) });
    if (/^begin/i.test(statement.sql)) inside = true;
    if (/^commit/i.test(statement.sql)) inside = false;
  }
  return units;
}

/** Values stay what they are but for tokens, and for instants, which are as far from now as they were. */
function prepared({ sql, bindings, rows }: Statement): Prepared {
  const since = Date.now();
  const parts = bindings.map((value) => valueOf(value, since));
  return { sql, rows, values: (fresh) => parts.map((part) => part(fresh)) };
}

function valueOf(value: unknown, since: number): (fresh: Fresh) => unknown {
  if (value instanceof Date) return () => new Date(value.getTime() + Date.now() - since);
  if (typeof value === 'string' && value.search(TOKEN) >= 0) return (fresh) => value.replaceAll(TOKEN, fresh);
  if (!Array.isArray(value)) return () => value;
  const parts = value.map((part) => valueOf(part, since));
  return (fresh) => parts.map((part) => part(fresh));
}

/** Another order's tokens, the same wherever they stand, for two goods taken at random. */
function freshFor(goods: readonly Good[], kept: readonly string[]): Fresh {
  const known = new Map(kept.map((token) => [token, token]));
  const first = Math.floor(Math.random() * goods.length);
  const second = (first + 1 + Math.floor(Math.random() * (goods.length - 1))) % goods.length;
  for (const [index, chosen] of [first, second].entries()) {
    known.set(goods[index]!.variantId, goods[chosen]!.variantId).set(goods[index]!.productId, goods[chosen]!.productId);
  }
  return (token) => {
    const found = known.get(token) ?? (token.length === 64 ? randomBytes(32).toString('hex') : newId());
    known.set(token, found);
    return found;
  };
}

async function replay(units: readonly Unit[], poolOf: (module: string) => Pool, fresh: Fresh): Promise<void> {
  for (const { module, statements } of units) {
    const client = await poolOf(module).connect();
    try {
      for (const statement of statements) await say(client, statement, fresh);
    } finally {
      client.release();
    }
  }
}

async function say(client: PoolClient, { name, sql, rows, values }: Prepared, fresh: Fresh): Promise<void> {
  const { rowCount } = await client.query(name ? { name, text: sql, values: values(fresh) } : sql);
  // Otherwise it would be another, perhaps a cheaper, piece of work.
  if (rowCount !== rows) throw new Error(`a statement touched ${rowCount} rows and not ${rows}: ${sql.replaceAll(/\s+/g, ' ').slice(0, 60)}`);
}

/** Says what the shop says for a page and sends what the shop sends. */
async function serve(pool: Pool, { page, pageBody }: Captured): Promise<string> {
  const body = JSON.parse(pageBody) as object;
  const app = express();
  app.get('/v1/products', async (_req, res) => {
    for (const [index, { sql, bindings }] of page.entries()) await pool.query({ name: `bare page ${index}`, text: sql, values: bindings });
    res.json(body);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

if (import.meta.main) work(open);
