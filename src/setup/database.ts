import { existsSync } from 'node:fs';
import { MODULES } from '../calls.ts';
import type { Config } from '../config.ts';
import { type Moved, movedModules } from '../move/journal.ts';
import { closeSite, openSite, withoutUser } from '../move/site.ts';
import { ConfigError } from './config-error.ts';
import { hasEmbeddedData, startEmbeddedPostgres } from './embedded-postgres.ts';
import { dataDirectory } from './paths.ts';
import type { Place } from '../shared/ownership.ts';
import { isAway } from '../shared/errors.ts';
import { whereToMigrate } from './moved.ts';
import { moduleUrl, provision } from './provision.ts';
import { readOrMakeSecret } from './secret.ts';
import { readSplitShop, splitDatabaseUrl, splitShopFile } from './split-shop.ts';

/** The databases of an installation: one server for all modules, or several. */
export interface Installation {
  secret: string;
  /** address of a module's database under its own role, in the database that the configuration names, or `at`; also for `edge` */
  url(module: string, at?: string): string;
  /** the same with the administrator's role; `placement` is the shop's own database */
  administratorUrl(module: string): string;
  /** the shop's own database with the role that follows the placement; undefined where only modules' databases are known */
  placementUrl: string | undefined;
  /** modules that are elsewhere than the configuration says, or on their way */
  moved(): Promise<ReadonlyMap<string, Moved>>;
  /** every database that is named for any of them, also by a move: where a copy of a module's data could be */
  places(): Promise<readonly Place[]>;
  /** creates what is missing: roles, schemas, tables. `force`: looks at everything again */
  migrate(options?: { force?: boolean }): Promise<boolean>;
  /** stops the embedded server, if this process started it */
  close(): Promise<void>;
}

export const SCHEMAS: readonly string[] = [...MODULES, 'edge', 'placement'];

/**
 * Opens what the configuration names, or starts the embedded Postgres, where a Kerf that was split left each module a
 * database of its own. `attach`: share the one of a running Kerf.
 * `existing`: refuse where a database or the secret would have to be made first.
 */
export async function openInstallation(
  config: Config,
  { existing = false, ...options }: { attach: boolean; existing?: boolean; onProgress: (sentence: string) => void },
): Promise<Installation> {
  const directory = dataDirectory(config.dataDir);
  const { hosts, edge } = config.placement;
  const own = [...hosts, ...(edge ? ['edge'] : [])];
  const needsEmbedded = !config.databaseUrl && own.some((name) => !config.moduleDatabaseUrls[name]);
  const dataDir = config.dataDir && `${directory}/postgres`;
  if (existing && needsEmbedded && !hasEmbeddedData(dataDir)) throw new ConfigError('There is no database yet: run "npm start" once, or set DATABASE_URL.');
  if (existing && !config.secret && !existsSync(`${directory}/secret`)) throw new ConfigError(`There is no secret in ${directory} to open the database with: set KERF_SECRET.`);
  const secret = config.secret ?? (await readOrMakeSecret(directory));
  const embedded = needsEmbedded ? await startEmbeddedPostgres({ ...options, ...(dataDir && { dataDir }) }) : undefined;
  const split = embedded && readSplitShop(directory);
  if (split && !options.attach) options.onProgress(`This is the shop of "npm run start:split", now in one process. To go back to the one before: remove ${splitShopFile(directory)}.`);
  const common = config.databaseUrl ?? embedded?.adminUrl ?? Object.values(config.moduleDatabaseUrls)[0]!;
  const home = config.databaseUrl ?? embedded?.adminUrl;
  const adminUrl = (module: string) => config.moduleDatabaseUrls[module] ?? (split && module !== 'placement' ? splitDatabaseUrl(common, module) : common);
  const variableOf = (url: string) => {
    const module = url === config.databaseUrl ? undefined : MODULES.find((name) => config.moduleDatabaseUrls[name] === url);
    return module ? `${module.toUpperCase()}_DATABASE_URL` : 'DATABASE_URL';
  };
  const moved = async () => {
    if (!home) return new Map<string, Moved>();
    const site = await openSite(home, 'placement').catch((error: unknown) => explain(error as NodeJS.ErrnoException, variableOf(home)));
    return movedModules(site).finally(() => closeSite(site));
  };
  return {
    secret,
    url: (module, at = adminUrl(module)) => moduleUrl(at, module, secret),
    administratorUrl: adminUrl,
    placementUrl: home && moduleUrl(home, 'placement', secret),
    moved,
    async places() {
      const ofMoves = [...(await moved()).values()].flatMap(({ databaseUrl, move }) => [databaseUrl, move?.from, move?.to]);
      const urls = [...[...MODULES, 'edge'].map(adminUrl), config.apartDatabaseUrl, ...ofMoves].flatMap((url) => (url ? [withoutUser(url)] : []));
      return [...new Set(urls)].map((url) => ({ name: nameOf(url), url: (module) => moduleUrl(url, module, secret) }));
    },
    async migrate({ force = false } = {}) {
      let changed = false;
      const setUp = async (url: string, schemas: readonly string[], onProgress?: (sentence: string) => void) => {
        const didSomething = await provision({ adminUrl: url, schemas, secret, force, ...(onProgress && { onProgress }) }).catch((error: unknown) => explain(error as NodeJS.ErrnoException, variableOf(url)));
        changed ||= didSomething;
      };
      // First, and by itself: it says where the others are.
      if (home) await setUp(home, ['placement']);
      const places = home
        ? await whereToMigrate({ home, schemas: own, configured: adminUrl, apart: config.apartDatabaseUrl, secret, force, say: options.onProgress })
        : Map.groupBy(own, adminUrl);
      for (const [url, schemas] of places) await setUp(url, schemas, options.onProgress);
      return changed;
    },
    close: async () => embedded?.stop(),
  };
}

const nameOf = (url: string) => `${new URL(url).host}${new URL(url).pathname}`;

/** A server that is not there is a matter of configuration: say so without the password. */
function explain(error: NodeJS.ErrnoException, variable: string): never {
  if (error.code === 'ENOTFOUND' || isAway(error)) {
    throw new ConfigError(`${variable} names a server that does not answer.`);
  }
  if (error.code?.startsWith('28')) throw new ConfigError(`${variable} names a user or password that the server refuses.`);
  if (error.code === '3D000') throw new ConfigError(`${variable} names a database that does not exist.`);
  if (error.code === '42501') throw new ConfigError(`${variable} must name a user that may create roles and schemas.`);
  throw error;
}
