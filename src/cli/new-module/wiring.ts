import { ConfigError } from '../../setup/config-error.ts';

const CALLS = /(?<=export const calls: .* = \{\n(?:  \w+: \[.*\],\n)+)(?=\};)/;
const MODULES = /(?<=export const modules: .* = \[\n(?:  \w+Module,\n)+)(?=\];)/;
const IMPORTS = /(?:import \{ \w+Module \} from '\.\/modules\/\w+\/module\.ts';\n)+/;

/** src/calls.ts with a row for a module that calls nobody. */
export const withRow = (source: string, module: string): string =>
  replaced(source, CALLS, () => `  ${module}: [],\n`, `src/calls.ts is not a table of rows like "coupon: [],"`);

/** src/composition.ts with the module's import, among the others by name, and its line. */
export function withModule(source: string, module: string): string {
  const own = `import { ${module}Module } from './modules/${module}/module.ts';\n`;
  const unexpected = 'src/composition.ts does not import its modules and list them one per line';
  const imported = replaced(source, IMPORTS, (lines) => `${[...lines.trimEnd().split('\n'), own.trimEnd()].toSorted(byPath).join('\n')}\n`, unexpected);
  return replaced(imported, MODULES, () => `  ${module}Module,\n`, unexpected);
}

const byPath = (a: string, b: string) => (pathIn(a) < pathIn(b) ? -1 : 1);
const pathIn = (line: string) => /'(.*)'/.exec(line)![1]!;

function replaced(source: string, place: RegExp, change: (found: string) => string, unexpected: string): string {
  if (!place.test(source)) throw new ConfigError(`${unexpected} any more, so the module cannot be added there: nothing was written.`);
  return source.replace(place, change);
}
