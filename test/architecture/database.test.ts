import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCHEMAS } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const JOBS = SCHEMAS.filter((schema) => schema !== 'edge').map((schema) => `${schema}_jobs`);
const ALL = [...SCHEMAS, ...JOBS];

let database: TestDatabase;
let admin: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const query = async <Row>(sql: string) => (await admin.query(sql, sql.includes('$1') ? [ALL] : [])).rows as Row[];

describe('the catalogs of the migrated system', () => {
  it('have a table in every schema that is expected, so that nothing below looks at nothing', async () => {
    const schemas = await query<{ schema: string }>('select distinct schemaname as schema from pg_tables where schemaname = any($1)');
    expect(schemas.map(({ schema }) => schema).toSorted()).toEqual(ALL.toSorted());
  });

  it('have no foreign key from one schema to another', async () => {
    expect(
      await query(`select c.conname from pg_constraint c join pg_class a on a.oid = c.conrelid join pg_class b on b.oid = c.confrelid
                   where c.contype = 'f' and a.relnamespace <> b.relnamespace`),
    ).toEqual([]);
  });

  it('have a primary key on every table', async () => {
    expect(
      await query(`select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relispartition
                     and not exists (select 1 from pg_index i where i.indrelid = c.oid and i.indisprimary)`),
    ).toEqual([]);
  });

  it('have no view, and no function or trigger outside the job queues', async () => {
    expect(await query(`select viewname from pg_views where schemaname = any($1)`)).toEqual([]);
    expect(
      await query(`select n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                   where n.nspname = any($1) and n.nspname not like '%\\_jobs'`),
    ).toEqual([]);
    expect(
      await query(`select tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
                   where not tgisinternal and n.nspname not like '%\\_jobs'`),
    ).toEqual([]);
  });

  it('give each schema to its module’s owner, and rights on it to its module alone', async () => {
    for (const schema of ALL) {
      const module = schema.replace(/_jobs$/, '');
      const [{ owner, grantees } = { owner: '', grantees: [''] }] = await query<{ owner: string; grantees: string[] }>(
        `select pg_get_userbyid(nspowner)::text as owner,
                array(select distinct pg_get_userbyid(a.grantee)::text from aclexplode(nspacl) a where a.grantee <> nspowner) as grantees
         from pg_namespace where nspname = '${schema}'`,
      );
      expect({ schema, owner, grantees }).toEqual({ schema, owner: `kerf_${module}_owner`, grantees: [`kerf_${module}`] });
    }
  });

  it('grant no table, sequence or function to anybody but the schema’s module', async () => {
    const grants = await query<{ schema: string; grantee: string }>(
      `select distinct n.nspname as schema, coalesce(pg_get_userbyid(nullif(a.grantee, 0)), 'public') as grantee
       from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a where n.nspname = any($1)
       union
       select distinct n.nspname, coalesce(pg_get_userbyid(nullif(a.grantee, 0)), 'public')
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where n.nspname = any($1)`,
    );
    const foreign = grants.filter(({ schema, grantee }) => !new RegExp(`^kerf_${schema.replace(/_jobs$/, '')}(_owner)?$`).test(grantee));
    expect(foreign).toEqual([]);
  });

  it('let the roles that modules run under own nothing and inherit nothing', async () => {
    expect(await query(`select relname from pg_class where pg_get_userbyid(relowner) ~ '^kerf_[a-z]+$' and pg_get_userbyid(relowner) <> 'kerf_admin'`)).toEqual([]);
    expect(
      await query(`select r.rolname from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname like 'kerf\\_%' and r.rolname <> 'kerf_admin'`),
    ).toEqual([]);
    expect(
      await query(`select rolname from pg_roles where rolname like 'kerf\\_%' and rolname <> 'kerf_admin'
                   and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)`),
    ).toEqual([]);
  });
});
