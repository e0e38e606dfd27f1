import type { EntryInFull } from '../shared/queue-view.ts';

/** A line for each: state, what, of which aggregate, tries, age, next try, id, last error. */
export function formatEntries(entries: readonly EntryInFull[], { several, more, looked, notLooked, now }: { several: string; more: boolean; looked: string[]; notLooked: string[]; now: Date }): string {
  const table = entries.map((entry) => [
    entry.module,
    entry.state,
    whatOf(entry),
    entry.subject ?? '',
    `${entry.tries} ${entry.tries === 1 ? 'try' : 'tries'}`,
    `${duration(now.getTime() - entry.addedAt.getTime())} old`,
    nextOf(entry, now),
    entry.id,
    masked((entry.error ?? '').replaceAll(/\s+/g, ' ')).slice(0, 120),
  ]);
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => cells[column]!.length)));
  return [
    ...table.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()),
    ...(entries.length === 0 ? [`No ${several} of that kind in ${looked.join(', ')}.`] : []),
    ...(more ? [`There are more: ask for a --state, or raise the --limit.`] : []),
    ...(notLooked.length > 0 ? [`Not looked at, because the database is not known here: ${notLooked.join(', ')}.`] : []),
  ].join('\n');
}

/** All that is known of one. */
export function formatEntry(entry: EntryInFull, now: Date): string {
  const facts: [string, string][] = [
    ['id', entry.id],
    ...(entry.eventId ? [['event', `${entry.eventId} of ${entry.subject}`] as [string, string]] : []),
    ['added', `${entry.addedAt.toISOString()}, ${duration(now.getTime() - entry.addedAt.getTime())} ago`],
    ['tries', String(entry.tries)],
    ['next try', nextOf(entry, now) || 'none'],
  ];
  const { failure } = entry;
  return [
    `${entry.module}: ${whatOf(entry)} is ${entry.state}`,
    ...facts.map(([name, fact]) => `  ${name.padEnd(9)} ${fact}`),
    ...(failure ? [`  ${'error'.padEnd(9)} ${failure.message}`, ...(failure.where ?? []).map((line) => `            ${line}`)] : []),
    ...(failure && failure.tries.length > 0 ? ['  failed tries', ...failure.tries.map(({ at, error }) => `    ${at} ${error}`)] : []),
    JSON.stringify(entry.data, undefined, 2),
  ].join('\n');
}

/** The same with e-mail addresses cut down to their first letter and domain, wherever they stand. */
export function masked<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(/([^\s@"'<>(]?)[^\s@"'<>(]*@(?=[^\s@]+\.)/g, '$1…@') as T;
  if (value instanceof Date || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one: unknown) => masked(one)) as T;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, masked(one as unknown)])) as T;
}

const whatOf = ({ type, to }: EntryInFull) => (to ? `${type} → ${to}` : type);

function nextOf({ nextTryAt, behind }: EntryInFull, now: Date): string {
  if (behind) return `after ${behind}`;
  if (!nextTryAt) return '';
  const ahead = nextTryAt.getTime() - now.getTime();
  return ahead > 0 ? `in ${duration(ahead)}` : 'now';
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  const units: [number, string][] = [[86_400, 'd'], [3_600, 'h'], [60, 'min']];
  const [size, name] = units.find(([length]) => seconds >= 2 * length) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${name}`;
}
