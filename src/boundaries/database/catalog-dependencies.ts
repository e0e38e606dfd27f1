import { foreignSchemas, schemasOf } from '../../shared/statements.ts';
import { type Ask, type CatalogCheck, type Finding, identity, runChecks, WORLD } from './catalog-world.ts';

/** Findings about what leans on another schema: what Postgres itself recorded, and what only the text of a body says. */
export async function readDependencies(ask: Ask, modules: readonly string[], allModules: readonly string[]): Promise<Finding[]> {
  return [...(await recorded(ask, modules)), ...(await bodies(ask, modules, allModules)), ...(await runChecks(CHECKS, ask, modules))];
}

const ADVICE: Record<string, string> = {
  'foreign key': 'Drop the key and keep the id: whether it exists is for its own module to say, by its contract or its events.',
  view: 'Drop it, and keep what is read here in tables of your own, fed by events.',
  rule: 'Drop it: a change of one schema reaches another module as an event.',
  trigger: 'Use a function of the same schema, or better the code of the module.',
  policy: 'Decide it in the module, by what is in its own schema.',
  default: 'Take the value from a sequence or function of the same schema.',
  inheritance: 'Give the module a table of its own, and fill it by events.',
  function: 'Move it into the module’s code, or give each module its own.',
  type: 'Define the type in the schema that uses it.',
  dependency: 'Let it lean on nothing outside of its own schema.',
};

interface Dependency {
  module: string;
  other: string | null;
  class: string;
  detail: string | null;
  object: string;
  on: string;
}

/** Postgres records what a definition leans on (pg_depend), except for what is inside of a body kept as text. */
async function recorded(ask: Ask, modules: readonly string[]): Promise<Finding[]> {
  const dependencies = await ask<Dependency>(
    `${WORLD},
     leaning as (
       select a.class, a.oid, a.space, min(d.objsubid) as sub, b.space as on_space,
              (array_agg(${identity('b.class', 'b.oid')} order by b.class = 'pg_class'::regclass desc, b.oid))[1] as leans_on
       from pg_depend d join placed a on a.class = d.classid and a.oid = d.objid join placed b on b.class = d.refclassid and b.oid = d.refobjid
       where a.space <> b.space and (a.space in (select oid from spaces) or b.space in (select oid from spaces))
         and a.space not in (select oid from system) and b.space not in (select oid from system)
         and (b.space in (select oid from spaces) or not exists (select from pg_depend e where e.classid = b.class and e.objid = b.oid and e.deptype = 'e'))
       group by a.class, a.oid, a.space, b.space
     )
     select coalesce(here.module, there.module) as module, case when here.module <> there.module then there.module end as other, l.class::regclass::text as class, coalesce(c.contype::text, r.rulename::text, k.relkind::text) as detail,
            case when r.rulename = '_RETURN' then ${identity(`'pg_class'::regclass`, 'r.ev_class')} else ${identity('l.class', 'l.oid')} end as object,
            l.leans_on as on
     from leaning l left join spaces here on here.oid = l.space left join spaces there on there.oid = l.on_space
     left join pg_constraint c on l.class = 'pg_constraint'::regclass and c.oid = l.oid
     left join pg_rewrite r on l.class = 'pg_rewrite'::regclass and r.oid = l.oid
     left join pg_class k on l.class = 'pg_class'::regclass and k.oid = l.oid
     order by 1, 4`,
    [modules],
  );
  return dependencies.map((dependency) => {
    const { module, other, object, on } = dependency;
    const kind = kindOf(dependency);
    return { kind, module, ...(other && { other }), object, problem: `${object} leans on ${on}, in another schema.`, advice: ADVICE[kind]! };
  });
}

function kindOf({ class: from, detail, on }: Dependency): string {
  if (from === 'pg_constraint') return detail === 'f' ? 'foreign key' : 'dependency';
  if (from === 'pg_rewrite') return detail === '_RETURN' ? 'view' : 'rule';
  if (from === 'pg_class' && on.startsWith('type ')) return 'type';
  if (from === 'pg_class') return detail === 'r' || detail === 'p' ? 'inheritance' : 'dependency';
  const kinds: Record<string, string> = { pg_trigger: 'trigger', pg_policy: 'policy', pg_attrdef: 'default', pg_proc: 'function', pg_type: 'type' };
  return kinds[from] ?? 'dependency';
}

interface Body {
  module: string | null;
  object: string;
  body: string;
}

/** Of bodies kept as text, and of settings that a function brings along, only the text says what they name. */
async function bodies(ask: Ask, modules: readonly string[], allModules: readonly string[]): Promise<Finding[]> {
  const functions = await ask<Body>(
    `${WORLD}
     select s.module, ${identity(`'pg_proc'::regclass`, 'p.oid')} as object,
            concat_ws('; ', case when p.prosqlbody is null then p.prosrc end, 'set ' || array_to_string(p.proconfig, '; set ')) as body
     from pg_proc p left join spaces s on s.oid = p.pronamespace
     where p.pronamespace not in (select oid from system)
       and not exists (select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')
     order by 2`,
    [modules],
  );
  return functions.flatMap(({ module, object, body }) =>
    foreignSchemas(body, module ?? '', allModules).map((schema): Finding => {
      const other = allModules.find((name) => schemasOf(name).includes(schema))!;
      return { kind: 'function', module: module ?? other, ...(module && { other }), object, problem: `${object} names the schema ${schema}.`, advice: ADVICE['function']! };
    }),
  );
}

const CHECKS: CatalogCheck[] = [
  {
    kind: 'extension',
    advice: 'Install extensions into a schema of their own, like "extensions": the module’s schema moves alone.',
    sql: `select s.module, 'extension ' || extname as object, format('The extension %s lives in the schema %s.', extname, s.name) as problem
          from pg_extension join spaces s on s.oid = extnamespace`,
  },
  // What `kerf extract` made is called after the module: it goes when the way back is given up.
  {
    kind: 'publication',
    advice: 'Drop it: whoever needs these rows listens to the module’s events.',
    sql: `select s.module, 'publication ' || pubname as object,
                 format('The publication %s hands out the rows of %s.', pubname, string_agg(distinct format('%s.%s', schemaname, tablename), ', ')) as problem
          from pg_publication_tables join spaces s on s.name = schemaname where pubname <> 'kerf_' || s.module group by s.module, pubname`,
  },
  {
    kind: 'subscription',
    advice: 'Drop it: a module’s tables are written by the module alone.',
    sql: `select s.module, 'subscription ' || subname as object, format('The subscription %s writes to %s.', subname, string_agg(srrelid::regclass::text, ', ')) as problem
          from pg_subscription_rel r join pg_subscription u on u.oid = r.srsubid join pg_class c on c.oid = r.srrelid join spaces s on s.oid = c.relnamespace
          where subname <> 'kerf_' || s.module group by s.module, subname`,
  },
  {
    kind: 'event trigger',
    advice: 'Drop it: it runs inside every module’s migrations.',
    sql: `select null as module, 'event trigger ' || evtname as object, format('The event trigger %s runs %s in every schema.', evtname, evtfoid::regproc) as problem
          from pg_event_trigger where evtenabled <> 'D'
            and not exists (select from pg_depend e where e.classid = 'pg_event_trigger'::regclass and e.objid = pg_event_trigger.oid and e.deptype = 'e')`,
  },
];
