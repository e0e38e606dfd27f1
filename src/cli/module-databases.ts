import { MODULES } from '../calls.ts';
import { type Config, readConfig } from '../config.ts';
import { createFollower } from '../move/follow.ts';
import { ConfigError } from '../setup/config-error.ts';
import { type Installation, openInstallation } from '../setup/database.ts';
import { connect, type Database, poolOf } from '../shared/database.ts';
import { createLogger } from '../shared/telemetry.ts';

/** The databases of modules that can be reached with this configuration, each under the module's own role. */
export interface ModuleDatabases {
  looked: { module: string; db: Database }[];
  /** modules that run elsewhere and whose database is not known here */
  elsewhere: string[];
}

/** Opens what is there, beside a running Kerf or without one, for as long as `work` takes; creates nothing. */
export async function withModuleDatabases<T>(only: string | undefined, work: (opened: ModuleDatabases) => Promise<T>): Promise<T> {
  if (only !== undefined && !MODULES.includes(only)) throw new ConfigError(`There is no module "${only}": it is one of ${MODULES.join(', ')}.`);
  const config = readConfig();
  const installation = await openInstallation(config, { attach: true, existing: true, onProgress: (sentence) => void process.stderr.write(`${sentence}\n`) });
  try {
    const wanted = only ? [only] : MODULES;
    return await lookInto(wanted, { config, installation }, async (opened) => {
      if (opened.looked.length === 0) throw new ConfigError(`${wanted.join(', ')} ${only ? 'runs' : 'run'} elsewhere: look from there, or say where the database is, like ${wanted[0]!.toUpperCase()}_DATABASE_URL.`);
      return work(opened);
    });
  } finally {
    await installation.close();
  }
}

/** The same in an installation that is open. A module that moves meanwhile is waited for, and followed. */
export async function lookInto<T>(wanted: readonly string[], { config, installation }: { config: Config; installation: Installation }, work: (opened: ModuleDatabases) => Promise<T>): Promise<T> {
  const moved = await installation.moved();
  const known = wanted.filter((name) => config.placement.hosts.includes(name) || config.moduleDatabaseUrls[name] || moved.get(name)?.databaseUrl);
  const url = (module: string, at: string | null | undefined) => installation.url(module, at ?? undefined);
  const follower = installation.placementUrl === undefined ? undefined : createFollower({ url: installation.placementUrl, withRole: url, log: createLogger('silent') });
  const looked = known.map((module) => ({ module, db: connect({ url: url(module, moved.get(module)?.databaseUrl), applicationName: 'kerf operator', poolSize: 2, ...(follower && { look: follower.look }) }) }));
  follower?.follow(async (module, { held, databaseUrl }) => {
    const pools = looked.filter((one) => one.module === module).map(({ db }) => poolOf(db));
    for (const pool of pools) await (held ? pool.hold() : pool.letGo(databaseUrl ?? url(module, null)));
  });
  try {
    return await work({ looked, elsewhere: wanted.filter((name) => !known.includes(name)) });
  } finally {
    await follower?.stop();
    await Promise.all(looked.map(({ db }) => db.destroy()));
  }
}

/** A database that cannot be read is for the person at the terminal to put right. */
export async function readable<T>(module: string, reading: Promise<T>): Promise<T> {
  return reading.catch((error: unknown) => {
    const { code = '' } = error as { code?: string };
    const why = UNREADABLE[code] ?? (code.startsWith('28') ? UNREADABLE['28P01'] : undefined);
    if (why) throw new ConfigError(`The database of ${module} ${why}`);
    throw error;
  });
}

const UNREADABLE: Readonly<Record<string, string>> = {
  '28P01': 'was set up with another KERF_SECRET, or never: bring the secret back, or start Kerf once.',
  '42501': 'was not set up by this Kerf: start it once.',
  '42P01': 'was not set up yet: start Kerf once.',
  '3F000': 'was not set up yet: start Kerf once.',
  '3D000': 'does not exist: start Kerf once.',
  ECONNREFUSED: 'does not answer.',
};
