import type { Finding } from './advice.ts';
import { cyclesOf, type Targets } from './graph.ts';
import type { ImportGraph } from './imports.ts';
import { moduleOf, type Tree } from './tree.ts';

/** The table of src/calls.ts. */
export type Calls = Readonly<Record<string, readonly string[]>>;

/** What was not read: a check that looks at nothing finds nothing, so this is red. */
export function findUnread(tree: Tree, { files, edges }: ImportGraph, calls: Calls): Finding[] {
  if (files.size === 0 || edges.length === 0) return [{ rule: 'reads-something', file: '.dependency-cruiser.js', to: '' }];
  const read = modulesRead(files);
  return [
    ...tree.modules.filter((name) => calls[name] && !read.has(name)).map((name) => ({ rule: 'reads-every-module', file: `src/modules/${name}`, to: '' })),
    ...[...tree.files].filter((file) => !files.has(file)).map((file) => ({ rule: 'reads-every-file', file, to: '' })),
  ];
}

/** The modules of whose code something was read. */
export const modulesRead = (files: Iterable<string>): ReadonlySet<string> =>
  new Set([...files].flatMap((file) => (file.startsWith('src/') ? (moduleOf(file) ?? []) : [])));

/** Where the table of calls and the folders of modules differ, and calls that go around in a cycle. */
export function findWrongTable({ modules }: Tree, calls: Calls): Finding[] {
  const named = [...new Set(Object.entries(calls).flatMap(([caller, callees]) => [caller, ...callees]))];
  const inTable = (name: string) => ({ file: 'src/calls.ts', word: name });
  return [
    ...modules.filter((name) => !calls[name]).map((name) => ({ rule: 'modules-in-the-table', file: `src/modules/${name}`, to: 'src/calls.ts' })),
    ...named.filter((name) => !modules.includes(name)).map((name) => ({ rule: 'table-names-modules', ...inTable(name), to: name })),
    ...cyclesOf(targetsIn(calls)).map((way) => ({ rule: 'calls-go-one-way', ...inTable(way[0]!), to: way.join(' → ') })),
  ];
}

const targetsIn = (calls: Calls): Targets =>
  new Map(
    Object.entries(calls).map(([from, callees]) => [from, new Map(callees.map((to) => [to, { from, to, specifier: to, types: [], unresolved: false }]))]),
  );
