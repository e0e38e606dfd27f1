import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { moduleOf, type Tree } from './tree.ts';

/** A text of the file that leads somewhere: what it leads to. */
type PathReader = (file: string, text: string) => readonly string[];

const WITH_EXTENSIONS = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '/index.ts', '/index.js'];
const AREAS = /^(src\/modules|test\/modules|migrations)(?:\/([^/]*))?/;

/**
 * Where a text leads, when it is a path: to a file of code that exists, relative to its own file or to the root; for a
 * module and its tests also to anything in the folders of another one, and to the folder that holds them all.
 */
export function createPathReader({ root, files, modules, migrations }: Tree): PathReader {
  const known = new Set([...modules, ...migrations]);
  const codeAt = (path: string) =>
    [path, path.replace(/\.([cm]?)js(x?)$/, '.$1ts$2'), ...WITH_EXTENSIONS.map((extension) => path + extension)].find((candidate) => files.has(candidate));

  const foreignFolder = (file: string, path: string) => {
    const own = moduleOf(file);
    const [, area, name] = AREAS.exec(path) ?? [];
    if (!area || name === own) return undefined;
    if (!own) return name && known.has(name) && path.startsWith(`src/modules/${name}/`) ? path : undefined;
    if (!name) return `${area}/`;
    if (!known.has(name)) return undefined;
    return path === `${area}/${name}` ? `${path}/` : path;
  };

  /** `order/order.ts`, for what stands after a folder that is only known at run time */
  const fromModules = (file: string, text: string) => {
    const path = `src/modules/${text.replace(/^\/?(modules\/)?/, '')}`;
    const to = moduleOf(path);
    return moduleOf(file) && to && to !== moduleOf(file) && modules.includes(to) && !path.endsWith('/') && existsSync(`${root}/${path}`) ? [path] : [];
  };

  return (file, text) => {
    const paths = [...pathsIn(root, file, text), ...fromModules(file, text)].map((path) => normalize(path));
    return [...new Set(paths.flatMap((path) => codeAt(path) ?? foreignFolder(file, path) ?? []))];
  };
}

/** What the text may mean as a path relative to the root; a pattern stands for the folder it searches. */
function pathsIn(root: string, file: string, text: string): string[] {
  if (text.length > 300 || !/\/|^\.\.?$/.test(text) || /^(?!file:)[a-z]+:\/\//i.test(text)) return [];
  const plain = beforePattern(withoutScheme(text));
  const fromRoot = /(?:^|\/)((?:src|test|bin|bench|migrations)(?:\/.*)?)$/.exec(plain.startsWith(`${root}/`) ? plain.slice(root.length) : plain)?.[1];
  return [...(/^\/?\.\.?(\/|$)/.test(plain) ? [join(dirname(file), plain)] : []), ...(fromRoot ? [fromRoot] : [])];
}

function withoutScheme(text: string): string {
  if (!text.startsWith('file:')) return text.replace(/[?#].*$/, '');
  try {
    return fileURLToPath(text);
  } catch {
    return text;
  }
}

const beforePattern = (path: string) => (/[*{[]/.test(path) ? path.slice(0, path.search(/[^/]*[*{[]/)) : path);
