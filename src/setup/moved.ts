import { setTimeout as delay } from 'node:timers/promises';
import { type Moved, movedModules } from '../move/journal.ts';
import { closeSite, openSite, withoutUser } from '../move/site.ts';
import { ConfigError } from './config-error.ts';
import { differenceOf } from './migrations.ts';
import { moduleUrl } from './provision.ts';

export interface Migrating {
  /** administrator connection to the shop's own database */
  home: string;
  schemas: readonly string[];
  /** where the configuration has a schema */
  configured: (schema: string) => string;
  /** administrator connection to the database of modules that have moved, where it is known */
  apart: string | undefined;
  secret: string;
  /** also where that cannot be found out: it was asked for */
  force: boolean;
  say: (sentence: string) => void;
}

/**
 * The schemas that this process may set up, by administrator connection: where their data is, and nowhere else. What a
 * module left behind when it moved stays as it is: tables made anew would be a second place for it. What follows another
 * database stays as it is, too. Refuses where there is something to run that cannot be run.
 */
export async function whereToMigrate({ home, schemas, configured, apart, secret, force, say }: Migrating): Promise<Map<string, string[]>> {
  const moved = await untilLetGo(home, schemas, say);
  // Who serves other modules too starts without the database of this one.
  const isAlone = schemas.every((schema) => moved.get(schema)?.databaseUrl);
  const places = new Map<string, string[]>();
  for (const schema of schemas) {
    const found = moved.get(schema);
    const at = found?.databaseUrl ?? withoutUser(configured(schema));
    const administrator = [configured(schema), ...(apart ? [apart] : [])].find((url) => withoutUser(url) === at);
    if (administrator && !found?.move) places.set(administrator, [...(places.get(administrator) ?? []), schema]);
    else await refuseToFallBehind(found!, { at, url: administrator ?? moduleUrl(at, schema, secret), force: force || isAlone });
  }
  return places;
}

/** Nobody can use a module that is held, nor can it be told what it lacks. */
async function untilLetGo(home: string, schemas: readonly string[], say: (sentence: string) => void): Promise<Map<string, Moved>> {
  const site = await openSite(home, 'placement');
  try {
    for (let told = false; ; told = true) {
      const moved = await movedModules(site);
      const held = schemas.filter((schema) => moved.get(schema)?.held);
      if (held.length === 0) return moved;
      if (!told) say(`Waiting for the move of ${held.join(', ')}: if no command is at it any more, run "kerf move status", and the command that it names.`);
      await delay(LOOK_EVERY);
    }
  } finally {
    await closeSite(site);
  }
}

/** Milliseconds. */
const LOOK_EVERY = 250;

async function refuseToFallBehind({ module, move }: Moved, { at, url, force }: { at: string; url: string; force: boolean }): Promise<void> {
  const difference = await differenceOf(url, module).catch((error: Error) => {
    if (!force) return undefined;
    throw new ConfigError(`${module} is at ${at}, which does not let it in: ${error.message}.`);
  });
  if (!difference || difference.pending.length === 0) return;
  const pending = `This build has migrations for ${module} that were not run at ${at} (${difference.pending.join(', ')})`;
  if (!move) throw new ConfigError(`${pending}: run "kerf migrate" with ${module.toUpperCase()}_DATABASE_URL or KERF_APART_DATABASE_URL as the administrator connection to it.`);
  if (move.phase !== 'settle') throw new ConfigError(`${pending}, and it is being moved: end that with "kerf ${move.direction} ${module}" or "kerf move cancel ${module}", then run "kerf migrate".`);
  throw new ConfigError(`${pending}, and the way back of its move would break: give that up with "kerf move complete ${module}"${move.direction === 'extract' ? ` (after "kerf fold ${module}", if it is to be back)` : ''}, then run "kerf migrate".`);
}
