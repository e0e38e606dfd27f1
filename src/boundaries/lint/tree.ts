import { closeSync, type Dirent, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What is on disk, by paths relative to the root, with slashes. */
export interface Tree {
  root: string;
  /** the folders of code that exist */
  rooms: readonly string[];
  /** every file of code in them */
  files: ReadonlySet<string>;
  /** code that is in none of them, and is not read */
  strays: readonly string[];
  /** symbolic links in them */
  links: readonly string[];
  /** what stands directly in src/modules and test/modules: a module's folder, or something that should not be there */
  modules: readonly string[];
  /** the folders of migrations */
  migrations: readonly string[];
}

/** The module to whose code or tests a path of the tree belongs. */
export const moduleOf = (path: string): string | undefined => /^(?:src|test)\/modules\/([^/]+)\//.exec(path)?.[1];

const ROOMS = ['src', 'test', 'bin', 'bench'];
const CODE = /\.[cm]?[jt]sx?$/;

/** Looks for itself, so that what the reader of imports has left out is noticed. */
export function listTree(root: string): Tree {
  const rooms = ROOMS.filter((room) => existsSync(join(root, room)));
  const entries = rooms.flatMap((room) => entriesBelow(root, room));
  const files = entries.filter(({ entry, path }) => entry.isFile() && (CODE.test(path) || isScript(root, path))).map(({ path }) => path);
  return {
    root,
    rooms,
    files: new Set(files),
    strays: straysIn(root),
    links: entries.filter(({ entry }) => entry.isSymbolicLink()).map(({ path }) => path),
    modules: entries
      .filter(({ entry, path }) => /^src\/modules\/[^/]+$/.test(path) && (entry.isDirectory() || CODE.test(path)))
      .map(({ path }) => path.slice('src/modules/'.length)),
    migrations: existsSync(join(root, 'migrations')) ? readdirSync(join(root, 'migrations')) : [],
  };
}

/** Packages and folders with a dot are not of the tree; files in the root that configure a tool are no part of the shop. */
function straysIn(root: string): string[] {
  const others = readdirSync(root, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.') && ![...ROOMS, 'node_modules', 'coverage'].includes(name));
  return others
    .flatMap((entry) => (entry.isDirectory() ? entriesBelow(root, entry.name) : [{ entry, path: entry.name }]))
    .filter(({ entry, path }) => entry.isFile() && (CODE.test(path) || isScript(root, path)) && !/^[\w-]+\.config\.[^/]+$/.test(path))
    .map(({ path }) => path);
}

/** Not by `recursive`, which goes through symbolic links, out of the tree or round and round. */
function entriesBelow(root: string, folder: string): { entry: Dirent; path: string }[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return [{ entry, path }, ...(entry.isDirectory() ? entriesBelow(root, path) : [])];
  });
}

/** A file without an extension that says by its first two bytes that it is run. */
function isScript(root: string, path: string): boolean {
  if (path.slice(path.lastIndexOf('/') + 1).includes('.')) return false;
  const file = openSync(join(root, path), 'r');
  const start = Buffer.alloc(2);
  readSync(file, start, 0, 2, 0);
  closeSync(file);
  return start.toString() === '#!';
}
