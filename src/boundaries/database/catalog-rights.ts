import { type Ask, type CatalogCheck, type Finding, identity, runChecks } from './catalog-world.ts';

/** Findings about who may do what: grants, ownership, roles, search paths. */
export const readRights = (ask: Ask, modules: readonly string[]): Promise<Finding[]> => runChecks(CHECKS, ask, modules);

const GRANTEE = `coalesce(nullif(a.grantee, 0)::regrole::text, 'everybody')`;
/** What a module's login role may be given on the objects of its own schemas. */
const ROWS_ONLY = `(acl_type in ('r', 'c') and privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  or acl_type = 's' and privilege_type in ('USAGE', 'SELECT') or acl_type = 'n' and privilege_type = 'USAGE'
  or acl_type = 'f' and privilege_type = 'EXECUTE' or acl_type = 'T' and privilege_type = 'USAGE') and not is_grantable`;
/** Every right on anything in a schema of somebody: whose, on what, to whom. */
const GRANTS = `, grants as (
  select o.space, o.acl_type, o.class, o.oid, 0 as sub, a.* from objects o, aclexplode(o.acl) a where a.grantee <> o.owner
  union all
  select c.relnamespace, 'c', 'pg_class'::regclass, c.oid, attnum, a.*
  from pg_attribute t join pg_class c on c.oid = t.attrelid, aclexplode(t.attacl) a where a.grantee <> c.relowner
)`;
const GRANTED = identity('g.class', 'g.oid', 'g.sub');
const SEARCH_PATHS = `, paths as (
  select d.setrole, d.setdatabase, r.name as role, r.module, r.login, substr(setting, 13) as path,
         array(select btrim(name, ' "') from unnest(string_to_array(substr(setting, 13), ',')) as name) as names
  from pg_db_role_setting d cross join unnest(setconfig) as setting left join roles r on r.oid = d.setrole
  where setting like 'search_path=%' and d.setdatabase in (0, (select oid from pg_database where datname = current_database()))
)`;

const CHECKS: CatalogCheck[] = [
  {
    kind: 'grant',
    advice: 'Revoke it: others ask the module by its contract, or listen to its events.',
    sql: `${GRANTS} select s.module, ${GRANTED} as object, format('%s may %s on %s.', ${GRANTEE.replaceAll('a.', 'g.')}, g.privilege_type, ${GRANTED}) as problem
          from grants g join spaces s on s.oid = g.space
          where not exists (select from roles r where r.oid = g.grantee and r.module = s.module)`,
  },
  {
    kind: 'grant',
    advice: 'Revoke it: a module’s role reads and writes rows, and only its migrations do more.',
    sql: `${GRANTS} select s.module, ${GRANTED} as object, format('%s may %s on %s%s.', r.name, g.privilege_type, ${GRANTED}, case when is_grantable then ', and give that on' else '' end) as problem
          from grants g join spaces s on s.oid = g.space join roles r on r.oid = g.grantee and r.module = s.module
          where not (r.login and ${ROWS_ONLY})`,
  },
  {
    kind: 'grant',
    advice: 'Revoke it: a module’s roles have rights in their own schemas and nowhere else.',
    sql: `${GRANTS} select r.module, ${GRANTED} as object, format('%s may %s on %s.', r.name, g.privilege_type, ${GRANTED}) as problem
          from grants g join roles r on r.oid = g.grantee
          where g.space not in (select oid from spaces) and (g.space not in (select oid from system) or g.grantor <> 10)`,
  },
  {
    kind: 'grant',
    advice: 'Revoke it from public: what everybody may use, two modules can share.',
    sql: `${GRANTS} select null as module, ${GRANTED} as object, format('everybody may %s on %s.', g.privilege_type, ${GRANTED}) as problem
          from grants g join pg_namespace n on n.oid = g.space
          where g.grantee = 0 and g.class <> 'pg_namespace'::regclass and g.space not in (select oid from spaces union select oid from system)
            and exists (select from aclexplode(n.nspacl) a where a.grantee = 0 and a.privilege_type = 'USAGE')
            and not exists (select from pg_depend e where e.classid = g.class and e.objid = g.oid and e.deptype = 'e')`,
  },
  {
    kind: 'grant',
    advice: 'Revoke it from public: only the roles of the modules that live here connect here, and they create nothing.',
    sql: `select r.module, 'database ' || datname as object, format('%s may %s on the database.', ${GRANTEE}, a.privilege_type) as problem
          from pg_database cross join aclexplode(coalesce(datacl, acldefault('d', datdba))) a left join roles r on r.oid = a.grantee
          where datname = current_database() and (a.grantee = 0 or r.oid is not null and (a.privilege_type <> 'CONNECT' or a.is_grantable))`,
  },
  {
    kind: 'grant',
    advice: 'Revoke it: settings of the server are for administrators.',
    sql: `select r.module, 'parameter ' || parname as object, format('%s may %s the parameter %s.', r.name, a.privilege_type, parname) as problem
          from pg_parameter_acl cross join aclexplode(paracl) a join roles r on r.oid = a.grantee`,
  },
  {
    kind: 'default privilege',
    advice: 'Take it back with "alter default privileges": what is made later would be open to others.',
    sql: `, defaults as (
            select defaclrole, defaclnamespace, defaclobjtype, defaclacl from pg_default_acl
            union all
            select oid, 0, 'f', acldefault('f', oid) from roles o
            where not login and not exists (select from pg_default_acl where defaclrole = o.oid and defaclnamespace = 0 and defaclobjtype = 'f')
          )
          select coalesce(s.module, o.module) as module, 'default privileges of ' || d.defaclrole::regrole as object,
                 format('What %s creates%s will let %s %s.', d.defaclrole::regrole, ' in ' || n.nspname, ${GRANTEE}, a.privilege_type) as problem
          from defaults d cross join aclexplode(d.defaclacl) a left join pg_namespace n on n.oid = d.defaclnamespace
          left join spaces s on s.oid = d.defaclnamespace left join roles o on o.oid = d.defaclrole
          cross join lateral (select d.defaclobjtype as acl_type) t
          where (s.oid is not null or o.oid is not null) and a.grantee <> d.defaclrole
            and not exists (select from roles r where r.oid = a.grantee and r.login and r.module = coalesce(s.module, o.module)
                              and (o.oid is null or o.module = r.module) and s.oid is not null
                              and ${ROWS_ONLY.replaceAll(`'r', 'c'`, `'r'`).replaceAll(`acl_type = 's'`, `acl_type = 'S'`)})`,
  },
  {
    kind: 'default privilege',
    advice: 'Take it back with "alter default privileges": what is made later would be open to modules wherever it is.',
    sql: `select r.module, 'default privileges of ' || d.defaclrole::regrole as object,
                 format('What %s creates%s will let %s %s.', d.defaclrole::regrole, ' in ' || n.nspname, ${GRANTEE}, a.privilege_type) as problem
          from pg_default_acl d cross join aclexplode(d.defaclacl) a left join pg_namespace n on n.oid = d.defaclnamespace left join roles r on r.oid = a.grantee
          where (a.grantee = 0 or r.oid is not null) and d.defaclrole not in (select oid from roles) and d.defaclnamespace not in (select oid from spaces)
            and not (d.defaclnamespace = 0 and exists (select from aclexplode(acldefault(d.defaclobjtype, d.defaclrole)) b
                                                       where b.grantee = a.grantee and b.privilege_type = a.privilege_type))`,
  },
  {
    kind: 'owner',
    advice: 'Give it to the owner role of its schema ("alter … owner to kerf_<module>_owner"): migrations run as that role.',
    sql: `select s.module, ${identity('o.class', 'o.oid')} as object, format('%s belongs to %s.', ${identity('o.class', 'o.oid')}, o.owner::regrole) as problem
          from objects o join spaces s on s.oid = o.space
          where not exists (select from roles r where r.oid = o.owner and r.module = s.module and not r.login)`,
  },
  {
    kind: 'owner',
    advice: 'A login role owns nothing, and an owner role only what is in its module’s schemas: give it away or drop it.',
    sql: `select r.module, ${identity('d.classid', 'd.objid')} as object, format('%s owns %s.', r.name, ${identity('d.classid', 'd.objid')}) as problem
          from pg_shdepend d join roles r on r.oid = d.refobjid left join placed p on p.class = d.classid and p.oid = d.objid left join spaces s on s.oid = p.space
          where d.refclassid = 'pg_authid'::regclass and d.deptype = 'o' and d.classid <> 'pg_default_acl'::regclass
            and d.dbid in (0, (select oid from pg_database where datname = current_database()))
            and (r.login or s.module is distinct from r.module) and not (p.oid is null and d.classid = 'pg_type'::regclass)`,
  },
  {
    kind: 'right to create',
    advice: 'Revoke it: whatever a module needs, its migrations create in its own schemas.',
    sql: `select r.module, 'schema ' || n.nspname as object, format('%s may create in the schema %s.', r.name, n.nspname) as problem
          from roles r join pg_namespace n on n.oid not in (select oid from system) left join spaces s on s.oid = n.oid
          where has_schema_privilege(r.oid, n.oid, 'create') and (r.login or s.module is distinct from r.module)
          union all
          select r.module, 'database ' || current_database(), format('%s may create %s in the database.', r.name, what)
          from roles r, (values ('create', 'schemas'), ('temporary', 'temporary tables')) as v (privilege, what)
          where has_database_privilege(r.oid, current_database(), privilege)`,
  },
  {
    kind: 'membership',
    advice: 'Revoke it: a module’s roles stand alone, and only administrators act as them.',
    sql: `select coalesce(r.module, o.module) as module, 'role ' || m.member::regrole as object, format('%s is a member of %s.', m.member::regrole, m.roleid::regrole) as problem
          from pg_auth_members m left join roles r on r.oid = m.member left join roles o on o.oid = m.roleid join pg_roles who on who.oid = m.member
          where r.oid is not null or o.oid is not null and not (who.rolsuper or who.rolcreaterole)`,
  },
  {
    kind: 'attribute',
    advice: 'Take it away with "alter role": the login role logs in, the owner role does not, and neither may anything else.',
    sql: `select r.module, 'role ' || r.name as object, format('%s is %s.', r.name, attribute) as problem
          from roles r join pg_roles p on p.oid = r.oid,
          lateral (values (p.rolsuper, 'a superuser'), (p.rolcreaterole, 'allowed to create roles'), (p.rolcreatedb, 'allowed to create databases'),
                          (p.rolreplication, 'allowed to replicate'), (p.rolbypassrls, 'above row security'),
                          (p.rolcanlogin and not r.login, 'allowed to log in'), (not p.rolcanlogin and r.login, 'not allowed to log in')) as v (has, attribute)
          where has`,
  },
  {
    kind: 'search path',
    advice: 'Set the path of the role to its own schema alone, and no path for the database.',
    sql: `${SEARCH_PATHS} select coalesce(p.module, s.module) as module, coalesce('role ' || p.role, 'database ' || current_database()) as object,
                 format('The search path of %s is %s.', coalesce(p.role, 'the database'), p.path) as problem
          from paths p left join spaces s on s.name = any(p.names) and p.role is null
          where (p.login and p.names <> array[p.module]) or (not p.login and exists (select from unnest(p.names) n where n not in (p.module, p.module || '_jobs')))
             or (p.setrole = 0 and s.oid is not null)
          union all
          select r.module, 'role ' || r.name, format('%s has no search path of its own.', r.name) from roles r
          where r.login and not exists (select from paths p where p.setrole = r.oid and p.setdatabase = 0)`,
  },
  {
    kind: 'setting',
    advice: 'Reset it with "alter role … reset": what a role needs is set by Kerf, on any server.',
    sql: `select r.module, 'role ' || r.name as object, format('%s always starts with %s.', r.name, setting) as problem
          from pg_db_role_setting d join roles r on r.oid = d.setrole cross join unnest(setconfig) as setting
          where d.setdatabase in (0, (select oid from pg_database where datname = current_database()))
            and split_part(setting, '=', 1) not in ('search_path', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
  },
  {
    kind: 'way out',
    advice: 'Drop or revoke it: a module’s rows are in its own schemas, and what others know comes by a contract or by events.',
    sql: `select r.module, 'server ' || srvname as object, format('%s may use the server %s.', ${GRANTEE}, srvname) as problem
          from pg_foreign_server cross join aclexplode(srvacl) a left join roles r on r.oid = a.grantee where a.grantee = 0 or r.oid is not null
          union all
          select r.module, 'server ' || srvname, format('%s is known to the server %s.', coalesce(r.name, 'everybody'), srvname)
          from pg_user_mappings left join roles r on r.oid = umuser where umuser = 0 or r.oid is not null
          union all
          select r.module, 'large object ' || l.oid, format('%s may %s the large object %s.', ${GRANTEE}, a.privilege_type, l.oid)
          from pg_largeobject_metadata l cross join aclexplode(lomacl) a left join roles r on r.oid = a.grantee where a.grantee = 0 or r.oid is not null
          union all
          select null, 'extension ' || extname, format('The extension %s reaches other databases from inside of a statement.', extname)
          from pg_extension where extname = 'dblink'`,
  },
  {
    kind: 'policy',
    advice: 'Name no role of another module: row security is the module’s own matter.',
    sql: `select s.module, ${identity(`'pg_policy'::regclass`, 'p.oid')} as object, format('The policy %s is for %s.', p.polname, r.name) as problem
          from pg_policy p join pg_class c on c.oid = p.polrelid join spaces s on s.oid = c.relnamespace cross join unnest(p.polroles) as role
          join roles r on r.oid = role and r.module <> s.module`,
  },
];
