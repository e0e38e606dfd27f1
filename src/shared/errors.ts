/** What kind of refusal it is. */
export type ErrorCode =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rate_limited'
  | 'unavailable'
  | 'internal';

/** The HTTP status of each code, at the edge (where some reasons have a more telling one) and over the seam. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  rate_limited: 429,
  unavailable: 503,
  internal: 500,
};

/**
 * The one error of Kerf. Tell errors apart by `reason`, never by class: a class does not survive the wire.
 *
 * - `reason`: stable snake_case word for machines; a method's reasons are listed in its contract
 * - `message`: one sentence for people, safe to show to anybody
 * - `details`: JSON-safe facts that help to act on it (`{ lines: [{ variantId, available }] }`)
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, reason: string, message: string, details?: Record<string, unknown>) {
    super(message);
    this.name = 'AppError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

export const invalid = (reason: string, message: string, details?: Record<string, unknown>) =>
  new AppError('invalid', reason, message, details);
export const notFound = (what: string) => new AppError('not_found', 'not_found', `There is no such ${what}.`);
export const conflict = (reason: string, message: string, details?: Record<string, unknown>) =>
  new AppError('conflict', reason, message, details);
export const forbidden = (message = 'You may not do this.') => new AppError('forbidden', 'forbidden', message);
export const unauthenticated = (message = 'Sign in first.', reason = 'unauthenticated') =>
  new AppError('unauthenticated', reason, message);
export const unavailable = (message = 'Please try again in a moment.', reason = 'unavailable') =>
  new AppError('unavailable', reason, message);

/** The refusal as it was answered before; the edge says so in the header idempotent-replayed, and leaves the rest as it was. */
export const asReplay = ({ code, reason, message, details }: AppError) => new AppError(code, reason, message, { ...details, replayed: true });

/** True when `error` is an AppError, optionally with one of these reasons; also for one that crossed the wire. */
export function isAppError(error: unknown, ...reasons: string[]): error is AppError {
  return error instanceof AppError && (reasons.length === 0 || reasons.includes(error.reason));
}

const LOST_CONNECTION = /Connection terminated|Connection ended|is not queryable|timeout expired|ECONNRESET|ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|EPIPE|Unable to acquire a connection|timeout acquiring/i;
/** What passes by itself while the server is there, and what says that it is not. */
const CONTENDED = new Set(['40001', '40P01', '55P03', '57014', '25P03', '25P04']);
const AWAY = new Set(['57P01', '57P02', '57P03', '53300', '08006', '08003', '08001']);

/**
 * Any thrown thing as an AppError. Database trouble that passes by itself becomes `unavailable`; what nobody foresaw
 * becomes `internal`, whose message says nothing (the cause is for the log: driver messages carry SQL and values).
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isTransient(error)) return unavailable();
  return new AppError('internal', 'internal', 'Something went wrong on our side.');
}

export const isTransient = (error: unknown): boolean => CONTENDED.has((error as { code?: string } | undefined)?.code ?? '') || isAway(error);

/** The database, or the connection to it. By SQLSTATE *and* by the shape of a lost connection: a cut COMMIT rejects without a code. */
export function isAway(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return AWAY.has(code ?? '') || LOST_CONNECTION.test(`${code ?? ''} ${message ?? ''}`);
}

/** The name of the violated constraint when `error` is a UNIQUE, CHECK or foreign key violation of Postgres. */
export function violatedConstraint(error: unknown): string | undefined {
  const { code, constraint } = (error ?? {}) as { code?: string; constraint?: string };
  return code?.startsWith('23') ? constraint : undefined;
}
