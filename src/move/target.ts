import { provision } from '../setup/provision.ts';
import { readRights, takeRights } from './fence.ts';
import { loginRole, rows, type Site, spaceList, spaces, tablesOf } from './site.ts';
import { isFollowing } from './stream.ts';

/** Makes schemas, roles and the job queue at a site that has none, without rights and without rows, ready to follow. */
export async function prepareTarget(site: Site, secret: string): Promise<void> {
  if (await isFollowing(site)) return;
  const used = await firstTableInUse(site);
  if (used) throw new Error(`${used} has rows: look whose they are, and drop the schemas of ${site.module} there before it moves in.`);
  await provision({ adminUrl: site.url, schemas: [site.module], secret, withoutRights: true });
  // Of schemas that somebody made here before, with nothing in them.
  await takeRights(site);
  await site.client.query(`truncate ${(await tablesOf(site)).map(({ name }) => name).join(', ')}`);
}

/** A table of the module at this site that has rows which no migration wrote; undefined: nothing would be missed. */
export async function firstTableInUse(site: Site): Promise<string | undefined> {
  const [noted] = await rows<{ migrations: string | null }>(site, `select to_regclass(quote_ident($1) || '.migrations')::text as migrations`, [site.module]);
  for (const { name, ofQueue } of await tablesOf(site)) {
    // A queue is made when a host starts, and made again; its jobs are not.
    if (ofQueue && !name.endsWith('.job')) continue;
    // A migration's rows are of the transaction that noted it.
    const others = !ofQueue && noted?.migrations ? `where xmin::text not in (select xmin::text from ${noted.migrations})` : '';
    const found = await rows(site, `select from ${name} ${others} limit 1`);
    if (found.length > 0) return name;
  }
  return undefined;
}

/** Drops what the module had here. Refuses where its role may still do something, for then this is its place. */
export async function dropData(site: Site): Promise<void> {
  const present = await rows(site, 'select from pg_namespace where nspname = any($1)', [spaces(site)]);
  if (present.length === 0) return;
  if ((await readRights(site)).length > 0) throw new Error(`${loginRole(site)} has rights in this database, so ${site.module} lives here: its data is not dropped.`);
  await site.client.query(`drop schema if exists ${spaceList(site)} cascade`);
}
