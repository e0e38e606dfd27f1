import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Database, rows, transaction } from '../../src/shared/database.ts';
import { foreignSchemas, type SeenStatement, watchStatements } from '../../src/shared/statements.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { guardStatements } from '../support/statement-guard.ts';

const MODULES = ['user', 'catalog', 'inventory', 'coupon', 'payment', 'order', 'edge'];
const namedByCoupon = (sql: string, bindings?: unknown[]) => foreignSchemas(sql, 'coupon', MODULES, bindings);

const naming: [string, string, string][] = [
  ['a quoted schema', 'select * from "order".orders', 'order'],
  ['an unquoted one in capitals', 'SELECT * FROM Inventory.stock_items', 'inventory'],
  ['spaces and comments around the dot', 'select * from inventory /* . */ . -- x\n stock_items', 'inventory'],
  ['code points for letters', 'select * from U&"\\006frder".orders', 'order'],
  ['a job queue', 'select * from order_jobs.job', 'order_jobs'],
  ['the database, too', 'select * from kerf.inventory.stock_items', 'inventory'],
  ['a column down to its schema', 'select inventory.stock_items.on_hand from stock_items', 'inventory'],
  ['a join', 'select 1 from promotions p join catalog.products c on c.id = p.id', 'catalog'],
  ['a list', 'select 1 from promotions, lateral (select 1) l, catalog.products', 'catalog'],
  ['a subquery', 'select (select count(*) from payment.payments)', 'payment'],
  ['a with', 'with x as (delete from payment.payments returning *) select * from x', 'payment'],
  ['an insert', 'insert into "user".users default values', 'user'],
  ['an update', 'update only catalog.products set name = 1', 'catalog'],
  ['a delete', 'delete from promotions using catalog.products', 'catalog'],
  ['a merge', 'merge into promotions p using catalog.products c on true when matched then delete', 'catalog'],
  ['a function', 'select inventory.reserve(1)', 'inventory'],
  ['a type', `select 'x'::catalog.state`, 'catalog'],
  ['truncate', 'truncate table catalog.products', 'catalog'],
  ['lock', 'lock table "order".orders', 'order'],
  ['copy', 'copy catalog.products to stdout', 'catalog'],
  ['a foreign key', 'create table t (id uuid references catalog.products (id))', 'catalog'],
  ['a grant', 'grant select on payment.payments to public', 'payment'],
  ['a whole schema', 'grant select on all tables in schema coupon, "payment" to public', 'payment'],
  ['a schema to be', 'create schema if not exists payment', 'payment'],
  ['an alias beside it', 'select payment.id from promotions payment, payment.payments', 'payment'],
  ['its search path', 'set search_path to coupon, catalog', 'catalog'],
  ['a search path for the transaction', `SET LOCAL search_path = 'catalog'`, 'catalog'],
  ['the search path of a role', 'alter role kerf_coupon set search_path = "$user", catalog', 'catalog'],
  ['the schema as a setting', `set schema 'catalog'`, 'catalog'],
  ['set_config', `select set_config('search_path', 'coupon, "catalog"', true)`, 'catalog'],
  ['a regclass', `select 'catalog.products'::regclass`, 'catalog'],
  ['a regclass by cast', `select cast('catalog.products' as regclass)`, 'catalog'],
  ['a regclass by its type', `select regclass 'catalog.products'`, 'catalog'],
  ['a regclass put together', `select ('cat' || 'alog.products')::regclass`, 'catalog'],
  ['a regclass in two lines', `select 'cat'\n'alog.products'::regclass`, 'catalog'],
  ['a sequence', `select nextval('"order".order_number')`, 'order'],
  ['code', `do $$ begin perform 1 from catalog.products; end $$`, 'catalog'],
  ['code in code', `do $x$ begin execute 'delete from ' || '"order".orders'; end $x$`, 'order'],
  ['code put together by format', `do 'begin execute format(''select 1 from %I.products'', ''catalog''); end'`, 'catalog'],
  ['a function’s body', `create or replace function f() returns int language sql as 'select 1 from catalog.products'`, 'catalog'],
  ['what comes after a backslash', `select '\\', 1 from catalog.products --'`, 'catalog'],
  ['what comes after an escaped quote', `select E'\\'' from catalog.products --'`, 'catalog'],
  ['a query to XML', `select query_to_xml('select * from catalog.products', true, true, '')`, 'catalog'],
  ['a second statement', 'select 1; select * from catalog.products', 'catalog'],
  ['lock beside an alias', 'lock payment.payments; select payment.id from promotions payment', 'payment'],
  ['truncate beside an alias', 'select payment.id from promotions payment; truncate only promotions, payment.payments', 'payment'],
  ['analyze beside an alias', 'analyze verbose payment.payments; select payment.id from promotions payment', 'payment'],
  ['vacuum beside an alias', 'vacuum (analyze) payment.payments; select payment.id from promotions payment', 'payment'],
  ['a grant beside an alias', 'grant select on payment.payments to public; select payment.id from promotions payment', 'payment'],
  ['a trigger beside an alias', 'create trigger t before insert on payment.payments execute function f(); select payment.id from promotions payment', 'payment'],
  ['an index of that name', 'create unique index payment on payment.payments (id)', 'payment'],
  ['a grant on a column of that name', 'grant select (payment) on payment.payments to public', 'payment'],
  ['a role by set_config', `select set_config('role', 'kerf_catalog', true)`, 'catalog'],
  ['a view beside an alias', 'create view payment.v as select payment.id from promotions payment', 'payment'],
  ['a view of an expression beside an alias', 'create materialized view if not exists payment.v as select payment.id from promotions payment', 'payment'],
  ['a cast beside an alias', 'select cast(payment.x as payment.state) from promotions payment', 'payment'],
  ['a collation beside an alias', 'select payment.x collate payment.de from promotions payment', 'payment'],
  ['the role of another module', 'set role kerf_catalog', 'catalog'],
  ['the role of another module’s owner', `set local role 'kerf_catalog_owner'`, 'catalog'],
  ['the session of another module', 'set session authorization kerf_catalog', 'catalog'],
  ['a query for text search', `select * from ts_stat('select words from catalog.products')`, 'catalog'],
  ['format, executed', `do 'begin execute format(''select 1 from catalog.products''); end'`, 'catalog'],
  ['format of a name', `select format('select * from payment.%I', name) from promotions`, 'payment'],
];

const innocent: [string, string][] = [
  ['its own schema', 'select * from coupon.promotions, "coupon_jobs".job'],
  ['no schema', 'select * from promotions where id = $1'],
  ['a literal', `insert into log values ('"order".orders', 'order.placed')`],
  ['a literal of a repeatable insert', `insert into inbox values ('order.placed') on conflict do nothing`],
  ['a comment', 'select 1 -- from "order".orders\n /* catalog.products /* payment.x */ order.y */ from promotions'],
  ['an alias', 'select payment.id from redemptions as payment where payment.id = 1'],
  ['an alias without as', 'select "order".id from redemptions "order" order by "order".id'],
  ['an alias in a join', 'select 1 from a join redemptions catalog on a.id = catalog.id, b'],
  ['a with of that name', 'with inventory as (select 1 as x) select inventory.x from inventory'],
  ['a table of that name', 'insert into payment (id) values (1) on conflict (id) do update set id = payment.id'],
  ['a field of an alias in a function with from', 'select extract(epoch from payment.at), 1 from redemptions payment'],
  ['is distinct from an alias', 'update redemptions payment set x = 1 where x is distinct from payment.y'],
  ['a column', 'select "order", "user", payment from redemptions where "order" = 1'],
  ['its own table and column', 'select coupon.payment.amount from coupon.payment'],
  ['another case', 'select * from "Order".orders'],
  ['dollars', `select $a$ "order".orders $a$, a$b$ from promotions`],
  ['its own search path', 'set search_path = coupon'],
  ['what is formatted', `select format('%s', 'coupon.x'), format('payment.%s', id), format('order %s', 'payment.x') from promotions`],
  ['a join on an alias', 'select 1 from promotions p join redemptions payment on payment.id = p.id'],
  ['a join on an alias first', 'select 1 from redemptions payment join promotions p on payment.id = p.id'],
  ['an update from an alias', 'update promotions p set x = payment.x from redemptions payment where (payment.id) = p.id for update of payment'],
  ['a column cast to a plain type', 'select cast(payment.x as text) as y from redemptions payment'],
  ['its own role', 'set role kerf_coupon'],
  ['what is not a name', 'select 1.5, a.b, x[1] from promotions where y > 2.order'],
];

describe('a SQL text names a foreign schema', () => {
  it.each(naming)('by %s', (_how, sql, schema) => expect(namedByCoupon(sql)).toEqual([schema]));

  it('by values, where these are read as names', () => {
    expect(namedByCoupon('select set_config($1, $2, false)', ['search_path', 'catalog'])).toEqual(['catalog']);
    expect(namedByCoupon('select to_regclass($1)', ['"order".orders'])).toEqual(['order']);
    expect(namedByCoupon('select $1::regclass', ['catalog.products'])).toEqual(['catalog']);
    expect(namedByCoupon('select * from promotions where name = $1', ['catalog.products'])).toEqual([]);
  });

  it('as any that there is, by a search path that cannot be read', () => {
    expect(namedByCoupon(`select set_config('search_path', lower(x), true) from y`)).toContain('order');
  });

  it('more than one', () => {
    expect(namedByCoupon('select 1 from catalog.a, catalog.b, "order".c').toSorted()).toEqual(['catalog', 'order']);
  });
});

describe('a SQL text names no foreign schema', () => {
  it.each(innocent)('by %s', (_what, sql) => expect(namedByCoupon(sql)).toEqual([]));
});

let database: TestDatabase;
/** With the administrator's rights, so that nobody but the guard says no. */
let pools: { coupon: Database; order: Database };
let checks: (() => void)[];
const allowed = (module: string) => connect({ url: database.adminUrl, applicationName: `test ${module}`, poolSize: 2, searchPath: module });

beforeAll(async () => {
  database = await createTestDatabase();
});
beforeEach(async () => {
  pools = { coupon: allowed('coupon'), order: allowed('order') };
  checks = [guardStatements(pools.coupon, 'coupon'), guardStatements(pools.order, 'order')];
  return () => Promise.all([pools.coupon.destroy(), pools.order.destroy()]);
});
afterAll(() => database.drop());

describe('a watched pool', () => {
  it('shows every statement, with its transaction, before it is sent', async () => {
    const seen: SeenStatement[] = [];
    watchStatements(pools.coupon, { module: 'coupon', modules: MODULES }, (statement) => seen.push(statement));
    await pools.coupon('promotions').where({ name: 'x' });
    await transaction(pools.coupon, async (trx) => void (await rows(trx, 'select 1')));
    expect(seen.map(({ text }) => text)).toEqual(['select * from "promotions" where "name" = $1', 'BEGIN;', 'select 1', 'COMMIT;']);
    expect(seen.map(({ transaction: of }) => of === undefined)).toEqual([true, false, false, false]);
    expect(new Set(seen.slice(1).map(({ transaction: of }) => of)).size).toBe(1);
  });

  it('reads values each time, however well it knows the text', async () => {
    const seen: SeenStatement[] = [];
    const unguarded = allowed('coupon');
    watchStatements(unguarded, { module: 'coupon', modules: MODULES }, (statement) => seen.push(statement));
    for (const name of ['promotions', 'catalog.products', '"order".orders']) await rows(unguarded, 'select to_regclass(?)', [name]);
    await unguarded.destroy();
    expect(seen.map(({ foreign }) => foreign)).toEqual([[], ['catalog'], ['order']]);
  });
});

describe('the guard', () => {
  const foreign: [string, (db: Database) => Promise<unknown>][] = [
    ['a query', (db) => db('order.orders')],
    ['a query with withSchema', (db) => db.withSchema('order').from('orders').first()],
    ['a subquery', (db) => db('promotions').whereIn('id', db('order.orders').select('id'))],
    ['a raw statement', (db) => rows(db, 'select * from "order".orders')],
    ['an identifier binding', (db) => rows(db, 'select * from ??', ['order.orders'])],
    ['a statement inside a transaction', (db) => transaction(db, async (trx) => rows(trx, 'select * from "order".orders'))],
    ['one whose error is swallowed', (db) => transaction(db, async (trx) => void (await rows(trx, 'delete from "order".orders').catch(() => undefined)))],
    ['a search path by values', (db) => rows(db, 'select set_config(?, ?, false)', ['search_path', 'order'])],
    ['another search path for one transaction', (db) => transaction(db, async (trx) => rows(trx, 'set local search_path = "order"'))],
    ['code', (db) => rows(db, `do $$ begin execute 'delete from ' || '"order".orders'; end $$`)],
    ['a schema builder', (db) => db.schema.withSchema('order').createTable('mine', (table) => void table.increments())],
    ['a truncate', (db) => db('order.orders').truncate()],
  ];

  it.each(foreign)('refuses a foreign schema in %s', async (_what, attempt) => {
    await attempt(pools.coupon).catch(() => undefined);
    expect(checks[0]).toThrow(/^coupon names the schema order, which is not its own: .+ The statement: ./);
    expect(checks[1]).not.toThrow();
  });

  it('has refused before anything was sent', async () => {
    await expect(rows(pools.coupon, 'create table "order".planted (id int primary key)')).rejects.toThrow(/names the schema order/);
    const admin = allowed('order');
    expect(await rows(admin, `select to_regclass('planted') as planted`)).toEqual([{ planted: null }]);
    await admin.destroy();
  });

  const spanning: [string, () => Promise<unknown>, RegExp][] = [
    [
      'a statement on another module’s pool',
      () => transaction(pools.coupon, () => rows(pools.order, 'select 1')),
      /^order is asked while a transaction of coupon is open.+ select 1$/,
    ],
    [
      'one that was started there and awaited later',
      () => transaction(pools.coupon, async (trx) => {
        const late = Promise.resolve().then(() => rows(pools.order, 'select 2'));
        await rows(trx, 'select 1');
        return late;
      }),
      /^order is asked while a transaction of coupon is open.+ select 2$/,
    ],
    [
      'another module’s transaction by knex’s own means',
      () => transaction(pools.coupon, () => pools.order.transaction((trx) => rows(trx, 'select 1'))),
      /^order is asked while a transaction of coupon is open.+ BEGIN;$/,
    ],
    [
      'the own pool beside the transaction',
      () => transaction(pools.coupon, () => rows(pools.coupon, 'select 1')),
      /^coupon is asked outside of the transaction/,
    ],
    [
      'a second transaction on the own pool',
      () => transaction(pools.coupon, () => pools.coupon.transaction((trx) => rows(trx, 'select 1'))),
      /^coupon is asked outside of the transaction/,
    ],
    [
      'another flow’s transaction',
      async () => {
        const lent = Promise.withResolvers<Parameters<Parameters<typeof transaction>[1]>[0]>();
        const done = Promise.withResolvers<void>();
        const lender = transaction(pools.order, async (trx) => {
          lent.resolve(trx);
          await done.promise;
        });
        const borrowed = await lent.promise;
        await transaction(pools.coupon, () => rows(borrowed, 'select 1')).catch(() => undefined);
        done.resolve();
        await lender;
      },
      /^order is asked while a transaction of coupon is open/,
    ],
    ['a transaction by knex’s own means', () => pools.coupon.transaction((trx) => rows(trx, 'select 1')), /^coupon opens a transaction by itself/],
    [
      'a transaction inside of one',
      () => transaction(pools.coupon, (trx) => trx.transaction((inner) => rows(inner, 'select 1'))),
      /^coupon opens a transaction inside of its own, and transactions do not nest/,
    ],
    ['a transaction by hand', () => rows(pools.coupon, ' begin isolation level serializable'), /^coupon opens a transaction by itself/],
    ['a transaction after a comment', () => rows(pools.coupon, '/* x */ begin'), /^coupon opens a transaction by itself/],
    ['a transaction after another statement', () => rows(pools.coupon, 'select 1; begin'), /^coupon opens a transaction by itself/],
    ['a transaction with an end of something else', () => rows(pools.coupon, 'begin; select case when true then 1 end'), /^coupon opens a transaction by itself/],
    ['a transaction after another one', () => rows(pools.coupon, 'begin; commit; start transaction'), /^coupon opens a transaction by itself/],
  ];

  it.each(spanning)('refuses %s', async (_what, attempt, sentence) => {
    await attempt().catch(() => undefined);
    expect(() => checks.forEach((check) => check())).toThrow(sentence);
  });

  it('lets a text open a transaction that it closes', async () => {
    await rows(pools.coupon, 'begin; select 1; commit');
    for (const check of checks) check();
  });

  it('lets a module do what is its own, in a transaction and after it', async () => {
    await transaction(pools.coupon, async (trx) => void (await trx('promotions').where({ name: 'x' })));
    await Promise.all([
      transaction(pools.coupon, async (trx) => rows(trx, 'select * from coupon.promotions')),
      transaction(pools.order, async (trx) => rows(trx, 'select 1')),
      rows(pools.order, 'select * from orders'),
    ]);
    for (const check of checks) check();
  });
});
