/** What a module's own role may not do and its queue would not take, so that a test can. */
export const withoutChecksOf = (module: string): string => `${withoutChecks(module)}
  grant update, delete on all tables in schema "${module}" to kerf_${module};
  alter table "${module}_jobs".job_common drop constraint q_fkey, drop constraint dlq_fkey;`;

/** What a database refuses by itself cannot be planted into it: after this it refuses nothing any more. */
export const withoutChecks = (...schemas: readonly string[]): string => `
  do $$ declare found record; begin
    for found in select conrelid::regclass as owner, conname from pg_constraint
      where contype = 'c' and connamespace = any (array[${schemas.map((schema) => `'"${schema}"'::regnamespace`).join(', ')}])
    loop execute format('alter table %s drop constraint %I', found.owner, found.conname); end loop;
  end $$;`;
