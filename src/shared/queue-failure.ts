import { AppError } from './errors.ts';

/** One try of a queue entry that failed: when it ended, and why in a sentence. */
export interface FailedTry {
  at: string;
  error: string;
}

/** What a queue entry remembers of its tries: the last ones, and where in the code the very last went wrong. */
export interface Failure {
  message: string;
  where?: string[];
  tries: FailedTry[];
}

const REMEMBERED_TRIES = 20;

/** What is known of an entry's failures after one more. */
export function failureAfter(before: unknown, error: unknown, at: Date): Failure {
  const message = sentenceOf(error);
  const { tries = [] } = (before ?? {}) as Partial<Failure>;
  const where = error instanceof AppError || !(error instanceof Error) ? [] : (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
  return { message, ...(where.length > 0 && { where }), tries: [...tries, { at: at.toISOString(), error: message }].slice(-REMEMBERED_TRIES) };
}

/** Without the statement and its values, which knex puts before the message of Postgres. */
function sentenceOf(error: unknown): string {
  if (error instanceof AppError) return `${error.reason}: ${error.message}`;
  const { code, message = String(error) } = (error ?? {}) as { code?: unknown; message?: string };
  const fromPostgres = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code);
  return fromPostgres ? `SQLSTATE ${code}: ${message.slice(message.lastIndexOf(' - ') + 1).replace(/^- /, '')}` : message;
}
