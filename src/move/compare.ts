import { caughtUp, mark } from './fence.ts';
import { atOnce, closeSite, openSite, rows, type Site, sortOrder, type Table, tablesOf } from './site.ts';
import type { Stream } from './stream.ts';

/** How far a comparison of both sides is. Plain JSON: keep it, and go on from it. */
export interface Comparison {
  tables: ComparedTable[];
  /** rows looked at so far, and the milliseconds that took */
  rows: number;
  milliseconds: number;
  done: boolean;
}

export interface ComparedTable {
  name: string;
  rows: number;
  /** key of the last row that was looked at; null: from the beginning */
  after: string[] | null;
  done: boolean;
  /** keys of rows that are not the same on both sides, the first few */
  different: string[][];
}

const ROWS_AT_ONCE = 5_000;
/** A table with that many rows that differ is looked at no further. */
const NAMED = 10;
/** Milliseconds for the follower to come to where its source was. */
const CATCH_UP_WITHIN = 10_000;

/**
 * Compares the next range of rows of both sides, by their number and a checksum; call it with its own answer until it is
 * `done`. Writes may go on: rows that seem to differ are read again when the follower has what the source had.
 */
export async function compareNext({ from, to }: Stream, before?: Comparison, rowsAtOnce = ROWS_AT_ONCE): Promise<Comparison> {
  const start = performance.now();
  const tables = await comparableTables({ from, to });
  const known = new Map(before?.tables.map((table) => [table.name, table]));
  const compared = tables.map(({ name }) => known.get(name) ?? { name, rows: 0, after: null, done: false, different: [] });
  const next = compared.find(({ done }) => !done);
  const table = tables.find(({ name }) => name === next?.name);
  const result = next && table && (await compareRange({ from, to }, table, next, rowsAtOnce));
  const after = compared.map((one) => (result && one === next ? result : one));
  return {
    tables: after,
    rows: after.reduce((sum, one) => sum + one.rows, 0),
    milliseconds: (before?.milliseconds ?? 0) + performance.now() - start,
    done: after.every(({ done }) => done),
  };
}

/** Marks are made by comparing. Where both sides sort alike, an index finds a range; else both have to sort by bytes. */
async function comparableTables({ from, to }: Stream): Promise<Table[]> {
  const alike = (await sortOrder(from)) === (await sortOrder(to));
  return (await tablesOf(from))
    .filter(({ name, key }) => key.length > 0 && !name.endsWith('.kerf_mark'))
    .map((table) => (alike ? { ...table, key: table.key.map((column) => ({ ...column, collated: false })) } : table));
}

async function compareRange(stream: Stream, table: Table, compared: ComparedTable, rowsAtOnce: number): Promise<ComparedTable> {
  const end = await endOfRange(stream.from, table, compared.after, rowsAtOnce);
  const range: Range = { after: compared.after, end };
  const [here, there] = await Promise.all([checksum(stream.from, table, range), checksum(stream.to, table, range)]);
  const alike = here.count === there.count && here.checksum === there.checksum;
  const different = alike ? [] : await reallyDifferent(stream, table, range, NAMED - compared.different.length);
  const all = [...compared.different, ...different];
  return { ...compared, rows: compared.rows + here.count, after: end, different: all, done: end === null || all.length >= NAMED };
}

/** Rows with a key above `after` and not above `end`; null: no limit on that side. */
interface Range {
  after: string[] | null;
  end: string[] | null;
}

const inOrder = ({ key }: Table) => key.map(({ name, collated }) => (collated ? `${name} collate "C"` : name)).join(', ');
const keyOf = (table: Table) => `(${inOrder(table)})`;
const valuesFrom = ({ key }: Table, first: number) => `(${key.map(({ type }, index) => `$${first + index}::text::${type}`).join(', ')})`;
const keyAsText = ({ key }: Table) => `array[${key.map(({ name }) => `${name}::text`).join(', ')}]`;

function within(table: Table, { after, end }: Range): { where: string; values: string[] } {
  const conditions = [after && `${keyOf(table)} > ${valuesFrom(table, 1)}`, end && `${keyOf(table)} <= ${valuesFrom(table, 1 + (after?.length ?? 0))}`].filter(Boolean);
  return { where: conditions.length > 0 ? `where ${conditions.join(' and ')}` : '', values: [...(after ?? []), ...(end ?? [])] };
}

async function endOfRange(site: Site, table: Table, after: string[] | null, rowsAtOnce: number): Promise<string[] | null> {
  const { where, values } = within(table, { after, end: null });
  const [last] = await rows<{ key: string[] }>(site, `select ${keyAsText(table)} as key from ${table.name} ${where} order by ${inOrder(table)} limit 1 offset ${rowsAtOnce - 1}`, values);
  return last?.key ?? null;
}

async function checksum(site: Site, table: Table, range: Range): Promise<{ count: number; checksum: string }> {
  const { where, values } = within(table, range);
  const [sum] = await rows<{ count: number; checksum: string }>(
    site,
    `select count(*)::int as count, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as checksum from ${table.name} as t ${where}`,
    values,
  );
  return sum!;
}

async function hashes(site: Site, table: Table, range: Range): Promise<Map<string, string>> {
  const { where, values } = within(table, range);
  const found = await rows<{ key: string[]; hash: string }>(site, `select ${keyAsText(table)} as key, hashtextextended(t::text, 0)::text as hash from ${table.name} as t ${where}`, values);
  return new Map(found.map(({ key, hash }) => [JSON.stringify(key), hash]));
}

/** Most of what seems to differ is on its way: it is the same once the follower has what the source had when it was read. */
async function reallyDifferent(stream: Stream, table: Table, range: Range, most: number): Promise<string[][]> {
  const here = await hashes(stream.from, table, range);
  await catchUp(stream);
  const there = await hashes(stream.to, table, range);
  const suspects = [...new Set([...here.keys(), ...there.keys()])].filter((key) => here.get(key) !== there.get(key));
  return suspects.length > 0 ? differing(stream, table, suspects.map((key) => JSON.parse(key) as string[]), most) : [];
}

async function differing(stream: Stream, table: Table, suspects: string[][], most: number): Promise<string[][]> {
  const locking = await openSite(stream.from.url, stream.from.module);
  try {
    const different: string[][] = [];
    for (const key of suspects) {
      // A row that was not there can have come and gone between two looks, but not twice.
      if ((await differs(stream, locking, table, key)) && (await differs(stream, locking, table, key))) different.push(key);
      if (different.length === most) break;
    }
    return different;
  } finally {
    await closeSite(locking);
  }
}

/**
 * A row that is written all the time is never the same twice, so its writers wait for this: a few milliseconds, and one
 * row at a time, so that nobody waits in a circle.
 */
const differs = (stream: Stream, locking: Site, table: Table, key: string[]): Promise<boolean> =>
  atOnce(locking, async () => {
    const row = `select hashtextextended(t::text, 0)::text as hash from ${table.name} as t where ${keyOf(table)} = ${valuesFrom(table, 1)}`;
    const [here] = await rows<{ hash: string }>(locking, `${row} for share`, key);
    await catchUp(stream);
    const [there] = await rows<{ hash: string }>(stream.to, row, key);
    return here?.hash !== there?.hash;
  });

async function catchUp({ from, to }: Stream): Promise<void> {
  if (!(await caughtUp(to, await mark(from), CATCH_UP_WITHIN))) throw new Error(`${from.module} was not compared: the follower did not come to where the source is. See that it follows, then go on.`);
}
