import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A table of a schema, and the comment that stands above its `create table`. */
export interface Table {
  name: string;
  comment: string;
}

/** The tables that a series of migrations leaves behind, in the order they were created. `folder`: `migrations/<schema>`. */
export async function readTables(folder: string): Promise<Table[]> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.sql')).toSorted();
  return tablesAfter(await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8'))));
}

const NAME = String.raw`(?:[a-z_][\w$]*|"(?:[^"]|"")+")`;
const QUALIFIED = `(?:${NAME}\\.)?(${NAME})`;
/** What must not be looked into (strings, bodies, comments) is a token of its own, so that it cannot be taken for a statement. */
const TOKEN = new RegExp(
  [
    String.raw`(?<line>--[^\n]*)\n?`,
    String.raw`/\*[\s\S]*?\*/`,
    `'(?:[^']|'')*'`,
    String.raw`\$(?<tag>\w*)\$[\s\S]*?\$\k<tag>\$`,
    String.raw`\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?<created>${QUALIFIED})`,
    String.raw`\balter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?<from>${QUALIFIED})\s+rename\s+to\s+(?<to>${NAME})`,
    String.raw`\bdrop\s+table\s+(?:if\s+exists\s+)?(?<dropped>${QUALIFIED}(?:\s*,\s*${QUALIFIED})*)`,
    String.raw`[^\s]`,
  ].join('|'),
  'giu',
);

/** The same for the text of the migrations, in order. */
export function tablesAfter(migrations: readonly string[]): Table[] {
  const tables = new Map<string, Table>();
  for (const sql of migrations) {
    let comment: string[] = [];
    for (const { groups = {} } of sql.matchAll(TOKEN)) {
      const { line, created, from, to, dropped } = groups;
      if (line) {
        comment.push(line.replace(/^--\s*/, '').trim());
        continue;
      }
      if (created) tables.set(plain(created), { name: plain(created), comment: comment.join(' ') });
      if (from && to) rename(tables, plain(from), plain(to));
      for (const name of dropped?.split(',') ?? []) tables.delete(plain(name));
      comment = [];
    }
  }
  return [...tables.values()];
}

function rename(tables: Map<string, Table>, from: string, to: string): void {
  const table = tables.get(from);
  if (!table) return;
  tables.delete(from);
  tables.set(to, { ...table, name: to });
}

/** A name as the catalogs have it: without its schema, folded to lower case unless it is quoted. */
function plain(written: string): string {
  const name = new RegExp(`${NAME}$`, 'iu').exec(written.trim())?.[0] ?? written;
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase();
}
