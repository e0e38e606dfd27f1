import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../shared/errors.ts';

/** What an implementation does otherwise than its contract or the protocol says. */
export class Finding extends Error {
  readonly expected: unknown;
  readonly answered: unknown;

  constructor(sentence: string, expected: unknown, answered: unknown) {
    super(sentence);
    this.expected = expected;
    this.answered = answered;
  }
}

/** Objects may say more than expected; lists and all else must be the same. */
export function expectMatch(answered: unknown, expected: unknown, what = 'The answer'): void {
  const place = difference(answered, expected);
  if (place !== undefined) throw new Finding(`${what} is not what the contract promises${place && `, at ${place.slice(1)}`}.`, expected, answered);
}

/** The first place where they differ, as `.lines.0.amount`; undefined: nowhere. */
function difference(answered: unknown, expected: unknown): string | undefined {
  if (isDeepStrictEqual(answered, expected)) return undefined;
  if (!isObject(answered) || !isObject(expected) || Array.isArray(answered) !== Array.isArray(expected)) return '';
  if (Array.isArray(answered) && answered.length !== (expected as unknown as unknown[]).length) return '';
  for (const [key, value] of Object.entries(expected)) {
    const place = difference(answered[key], value);
    if (place !== undefined) return `.${key}${place}`;
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The refusal that the call has to end in. */
export async function expectRefusal(call: Promise<unknown>, reason: string): Promise<AppError> {
  const outcome = await call.catch((error: unknown) => {
    if (error instanceof AppError) return error;
    throw error;
  });
  if (outcome instanceof AppError && outcome.reason === reason) return outcome;
  throw new Finding(`The call has to be refused as ${reason}.`, { reason }, outcome instanceof AppError ? { reason: outcome.reason, message: outcome.message } : outcome);
}

/** What came of each call, all made at the same time: its answer, or its refusal. */
export const atOnce = <T>(count: number, call: (index: number) => Promise<T>): Promise<(T | AppError)[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => outcomeOf(() => call(index))));

/** The answer, or the refusal. Who found nobody free asks again, as a caller would. */
export async function outcomeOf<T>(call: () => Promise<T>, patience = 5): Promise<T | AppError> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.reason === 'unavailable' && patience > 0 ? outcomeOf(call, patience - 1) : error;
  }
}

/** A write with an idempotency key: again, and ten times at once, it has to answer the same as the first time. */
export async function expectSameAgain<T>(call: () => Promise<T>): Promise<T> {
  const first = await call();
  expectMatch(await call(), first, 'The answer to a repeat');
  for (const answer of await atOnce(10, call)) expectMatch(answer, first, 'The answer to one of ten repeats at once');
  return first;
}

/** What came of many: how often each reason, and how often none. */
export function countsOf(outcomes: readonly unknown[]): Record<string, number> {
  const reasons = outcomes.map((one) => (one instanceof AppError ? one.reason : 'done'));
  return Object.fromEntries([...new Set(reasons)].map((reason) => [reason, reasons.filter((one) => one === reason).length]));
}

interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** Follows the cursors of a list until all that is looked for was found; nothing may come twice, and no page may be too long. */
export async function throughPages<Item>(list: (page: { limit: number; cursor?: string }) => Promise<Page<Item>>, keyOf: (item: Item) => string, wanted: readonly string[], limit = 2): Promise<Item[]> {
  const found = new Map<string, Item>();
  for (let cursor: string | undefined; wanted.some((key) => !found.has(key)); ) {
    const { items, nextCursor } = await list({ limit, ...(cursor !== undefined && { cursor }) });
    if (items.length > limit) throw new Finding('A page has at most `limit` items.', limit, items.length);
    for (const item of items) {
      if (found.has(keyOf(item))) throw new Finding('Something is on two pages.', 'each once', item);
      found.set(keyOf(item), item);
    }
    if (nextCursor === null && wanted.some((key) => !found.has(key))) throw new Finding('The pages end before everything was listed.', wanted, [...found.keys()]);
    cursor = nextCursor ?? undefined;
  }
  return [...found.values()];
}

/** Looks until it holds; what still does not after five seconds is the finding. */
export async function eventually(check: () => Promise<void>, until = Date.now() + 5_000): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof Finding) || Date.now() > until) throw error;
    await pause(100);
    await eventually(check, until);
  }
}

export const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();

/** Seconds in which some calls like this one are surely over: two, and ten times as long as it takes now, at most eight. */
export async function amply(call: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await call();
  return Math.min(8, 2 + (10 * (performance.now() - begun)) / 1_000);
}

/** Lets time pass until just after the instant: contracts speak of times that no call can move. */
export const waitUntil = (instant: string) => pause(Date.parse(instant) - Date.now() + 100);

const pause = (milliseconds: number) => new Promise((resume) => setTimeout(resume, milliseconds));
