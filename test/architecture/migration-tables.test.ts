import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTables, tablesAfter } from '../../src/boundaries/map/migration-tables.ts';
import { ROOT } from '../../src/setup/paths.ts';
import { SCHEMAS } from '../support/constants.ts';
import { openTestDatabase } from '../support/database.ts';

const names = (...migrations: string[]) => tablesAfter(migrations).map(({ name }) => name);

describe('tables read from migrations', () => {
  it.each([
    ['in every form', 'create table a (id int); CREATE UNLOGGED TABLE IF NOT EXISTS coupon.B (id int); create table "Odd ""name" (id int);', ['a', 'b', 'Odd "name']],
    ['renamed', 'create table a (id int); alter table if exists only a rename to b; alter table b rename column id to key;', ['b']],
    ['dropped', 'create table a (id int); create table b (id int); create table c (id int); drop table if exists a, coupon.c cascade;', ['b']],
    ['not those of a session', 'create temporary table a (id int); create temp table b (id int);', []],
    ['not in words', `-- create table a\n/* create table b */ select 'create table c; it''s'; do $x$ begin create table d (id int); end $x$;`, []],
  ])('%s', (_, sql, expected) => expect(names(sql)).toEqual(expected));

  it('go through the series in order', () => {
    expect(names('create table a (id int);', 'alter table a rename to b;', 'create table a (id int); drop table b;')).toEqual(['a']);
  });

  it('come with the comment above them, and only with that', () => {
    const tables = tablesAfter(['-- What staff offer.\n-- Never deleted.\ncreate table a (\n  -- inside\n  id int\n);\ncreate index on a (id);\ncreate table b (id int);']);
    expect(tables).toEqual([
      { name: 'a', comment: 'What staff offer. Never deleted.' },
      { name: 'b', comment: '' },
    ]);
  });
});

describe('compared with a migrated database', () => {
  let opened: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    opened = await openTestDatabase();
  });
  afterAll(() => opened.close());

  it.each(SCHEMAS)('%s has exactly these tables, beside those in which migrations are recorded', async (schema) => {
    const { rows } = await opened.admin.query<{ name: string }>(
      `select relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relkind in ('r', 'p') and relname !~ '^migrations(_lock)?$'`,
      [schema],
    );
    const read = (await readTables(join(ROOT, 'migrations', schema))).map(({ name }) => name);
    expect(read.length).toBeGreaterThan(0);
    expect(read.toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
  });
});
