import { type Ask, type CatalogCheck, type Finding, identity, runChecks } from './catalog-world.ts';

/** Findings about what logical replication could not carry to another server. */
export const readStorage = (ask: Ask, modules: readonly string[]): Promise<Finding[]> => runChecks(CHECKS, ask, modules);

const TABLE = identity(`'pg_class'::regclass`, 'c.oid');

const CHECKS: CatalogCheck[] = [
  {
    kind: 'no primary key',
    advice: 'Give it a primary key: without one its changed and deleted rows cannot be moved.',
    sql: `select s.module, ${TABLE} as object, ${TABLE} || ' has no primary key.' as problem
          from pg_class c join spaces s on s.oid = c.relnamespace
          where c.relkind in ('r', 'p') and not c.relispartition and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)`,
  },
  {
    kind: 'replica identity',
    advice: 'Set it back with "alter table … replica identity default".',
    sql: `select s.module, ${TABLE} as object, ${TABLE} || ' identifies its rows by nothing when they are replicated.' as problem
          from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind in ('r', 'p') and c.relreplident = 'n'`,
  },
  {
    kind: 'not kept',
    advice: 'Make it an ordinary table: what is not written to the log is neither replicated nor safe from a crash.',
    sql: `select s.module, ${TABLE} as object, ${TABLE} || ' is unlogged.' as problem
          from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind in ('r', 'p', 'S') and c.relpersistence <> 'p'`,
  },
  {
    kind: 'foreign table',
    advice: 'Drop it: what another database knows comes by a contract or by events.',
    sql: `select s.module, ${TABLE} as object, ${TABLE} || ' reads another database while a statement runs.' as problem
          from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind = 'f'`,
  },
  {
    kind: 'materialized view',
    advice: 'Make it a table that the module writes: materialized views are not replicated.',
    sql: `select s.module, ${TABLE} as object, ${TABLE} || ' is filled by the server it is on.' as problem
          from pg_class c join spaces s on s.oid = c.relnamespace where c.relkind = 'm'`,
  },
  {
    kind: 'trigger on replicas',
    advice: 'Enable it the ordinary way: like this it would run a second time on the copy while the module moves.',
    sql: `select s.module, ${identity(`'pg_trigger'::regclass`, 't.oid')} as object, format('The trigger %s fires for replicated rows, too.', t.tgname) as problem
          from pg_trigger t join pg_class c on c.oid = t.tgrelid join spaces s on s.oid = c.relnamespace where t.tgenabled in ('A', 'R') and not t.tgisinternal`,
  },
];
