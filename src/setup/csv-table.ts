import { CsvError, parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';

/** What is wrong where; `column` is null when it is not one cell. */
export interface FileError {
  line: number;
  column: string | null;
  reason: 'bad_csv' | 'bad_encoding' | 'missing_column' | 'unknown_column' | 'wrong_cell_count' | 'bad_value';
  message: string;
}

export interface TableRecord<Column extends string> {
  /** where the record begins; the header is line 1 */
  line: number;
  cells: Record<Column, string>;
}

const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);
/** A spreadsheet runs what begins so as a formula (OWASP, CSV injection). */
const FORMULA = /^'*[=+\-@\t\r]/;
const CONTROL_CHARACTER = /(?![\t\n\r])\p{Cc}/u;

const NOT_UTF8 = 'The text is not UTF-8; save the file as "CSV UTF-8".';

/**
 * The records of a UTF-8 CSV file with exactly these columns, in any order, cells trimmed and their formula guard taken
 * off. A record with a bad cell is among the errors and not among the records.
 */
export function readTable<Column extends string>(content: Buffer, columns: readonly Column[]): { records: TableRecord<Column>[]; errors: FileError[] } {
  const text = content.subarray(0, 3).equals(UTF8_BOM) ? content.subarray(3) : content;
  const parsed = parseRecords(text);
  if ('error' in parsed) return { records: [], errors: [parsed.error] };
  const [header, ...rows] = parsed.lines;
  const names = (header?.cells ?? []).map((bytes) => decoded(bytes)?.trim());
  if (!allText(names)) return { records: [], errors: [{ line: 1, column: null, reason: 'bad_encoding', message: NOT_UTF8 }] };
  const errors = headerErrors(names, columns);
  if (errors.length > 0) return { records: [], errors };
  const records = rows.flatMap((row) => {
    const found = rowErrors(row, names);
    errors.push(...found);
    if (found.length > 0) return [];
    const cells = Object.fromEntries(row.cells.map((bytes, index) => [names[index]!, withoutGuard(decoded(bytes)!).trim()]));
    return [{ line: row.line, cells: cells as Record<Column, string> }];
  });
  return { records, errors };
}

/** A CSV file that a spreadsheet opens as UTF-8 and runs nothing of. */
export const writeTable = <Column extends string>(columns: readonly Column[], rows: readonly Record<Column, string>[]): string =>
  stringify(
    rows.map((row) => columns.map((column) => withGuard(row[column]))),
    { header: true, columns: [...columns], bom: true, quoted_match: /[\r\n]/ },
  );

const withGuard = (cell: string) => (FORMULA.test(cell) ? `'${cell}` : cell);
const withoutGuard = (cell: string) => (cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell);

interface Line {
  line: number;
  /** cells as their bytes, one character each */
  cells: string[];
}

/** Read byte by byte (latin1), so that a cell that is not UTF-8 can be named. */
function parseRecords(content: Buffer): { lines: Line[] } | { error: FileError } {
  try {
    const options = { encoding: 'latin1', info: true, relax_column_count: true, skip_empty_lines: true } as const;
    const records = parse(content, options) as unknown as { record: string[]; info: { bytes: number } }[];
    const lines = firstLines(content.toString('latin1'), records.map(({ info }) => info.bytes));
    return { lines: records.map(({ record }, index) => ({ line: lines[index]!, cells: record })) };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { error: { line: Number(error.lines ?? 1), column: null, reason: 'bad_csv', message: 'The quotes of this line do not pair up.' } };
  }
}

/** The line on which each record begins, from the offsets at which they end. */
function firstLines(text: string, ends: readonly number[]): number[] {
  let line = 1;
  let counted = 0;
  const afterEmptyLines = /[^\r\n]/g;
  return [0, ...ends.slice(0, -1)].map((end) => {
    afterEmptyLines.lastIndex = end;
    const begin = afterEmptyLines.exec(text)?.index ?? end;
    line += text.slice(counted, begin).match(/\r\n|\r|\n/g)?.length ?? 0;
    counted = begin;
    return line;
  });
}

function headerErrors(names: readonly string[], columns: readonly string[]): FileError[] {
  const at = (column: string, reason: FileError['reason'], message: string) => ({ line: 1, column, reason, message });
  return [
    ...columns.filter((column) => !names.includes(column)).map((column) => at(column, 'missing_column', `The column ${column} is missing.`)),
    ...names
      .filter((name, index) => !columns.includes(name) || names.indexOf(name) !== index)
      .map((name) => at(name, 'unknown_column', `There is no place for the column "${name}".`)),
  ];
}

function rowErrors({ line, cells }: Line, names: readonly string[]): FileError[] {
  if (cells.length !== names.length) {
    const message = `The line has ${cells.length} cells where ${names.length} are expected.`;
    return [{ line, column: null, reason: 'wrong_cell_count', message }];
  }
  return cells.flatMap((bytes, index): FileError[] => {
    const column = names[index]!;
    const text = decoded(bytes);
    if (text === undefined) return [{ line, column, reason: 'bad_encoding', message: NOT_UTF8 }];
    if (CONTROL_CHARACTER.test(text)) return [{ line, column, reason: 'bad_value', message: 'The text has a control character.' }];
    return [];
  });
}

const allText = (names: readonly (string | undefined)[]): names is string[] => !names.includes(undefined);

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: string): string | undefined {
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}
