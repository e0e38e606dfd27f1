import { ConfigError } from '../../setup/config-error.ts';

/** A table in a source: a row or a comment per line, from the line that opens it to the bracket that closes it. */
interface Table {
  path: string;
  opening: string;
  closing: string;
  row: RegExp;
  example: string;
}

const CALLS: Table = {
  path: 'src/calls.ts', opening: 'export const calls:', closing: '};', row: /^\s*\w+: \[[^\]]*\],\s*(\/[/*].*)?$/, example: 'coupon: [],',
};
const MODULES: Table = {
  path: 'src/composition.ts', opening: 'export const modules:', closing: '];', row: /^\s*\w+Module,\s*(\/[/*].*)?$/, example: 'couponModule,',
};
const COMMENT = /^\s*(\/\/.*|\/?\*.*)?$/;
const IMPORT = /^import \{ \w+Module \} from '(\.\/modules\/\w+\/module\.ts)';/;

/** src/calls.ts with a row for a module that calls nobody. */
export const withRow = (source: string, module: string): string => edited(source, (lines) => withLast(lines, CALLS, `  ${module}: [],`));

/** src/composition.ts with the module's import, among the others by name, and its line. */
export const withModule = (source: string, module: string): string =>
  edited(source, (lines) => withImport(withLast(lines, MODULES, `  ${module}Module,`), module));

/** Whoever checked it out with other ends of lines keeps them. */
function edited(source: string, edit: (lines: string[]) => string[]): string {
  return edit(source.split(/\r?\n/)).join(source.includes('\r\n') ? '\r\n' : '\n');
}

function withImport(lines: string[], module: string): string[] {
  const path = `./modules/${module}/module.ts`;
  const imports = lines.flatMap((line, at) => (IMPORT.test(line) ? [{ at, path: IMPORT.exec(line)![1]! }] : []));
  const last = imports.at(-1);
  if (!last) throw unexpected('src/composition.ts has no line like "import { couponModule } from \'./modules/coupon/module.ts\';"');
  return lines.toSpliced(imports.find((other) => other.path > path)?.at ?? last.at + 1, 0, `import { ${module}Module } from '${path}';`);
}

function withLast(lines: string[], { path, opening, closing, row, example }: Table, line: string): string[] {
  const start = lines.findIndex((text) => text.startsWith(opening));
  if (start < 0) throw unexpected(`${path} has no line that begins "${opening}"`);
  const end = lines.findIndex((text, at) => at > start && !row.test(text) && !COMMENT.test(text));
  if (lines[end] !== closing) throw unexpected(`${path}:${end + 1} is neither a row like "${example}" nor a comment`);
  return lines.toSpliced(end, 0, line);
}

const unexpected = (what: string) => new ConfigError(`${what}, so the module cannot be added there: nothing was written.`);
