import type { ErrorRequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import { traceId } from '../shared/context.ts';
import { AppError, HTTP_STATUS, invalid, toAppError } from '../shared/errors.ts';
import type { Metrics } from '../shared/telemetry.ts';

/** What every refusal looks like: RFC 9457, with a stable `reason` for machines. */
export const Problem = z
  .looseObject({
    type: z.string().meta({ example: 'urn:kerf:problem:out_of_stock' }),
    title: z.string(),
    status: z.int(),
    reason: z.string().meta({ example: 'out_of_stock' }),
    detail: z.string(),
    traceId: z.string().optional().meta({ description: 'quote it when you report the problem' }),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

/** Reasons for which HTTP has a more telling status than their code's. */
const STATUS_OF_REASON: Record<string, number> = {
  payment_declined: 402,
  method_not_allowed: 405,
  version_mismatch: 412,
  body_too_large: 413,
  content_type_unsupported: 415,
  idempotency_key_reused: 422,
  version_required: 428,
};

const TITLES: Record<number, string> = {
  400: 'The request is not valid', 401: 'Sign in', 402: 'Payment declined', 403: 'Not allowed', 404: 'Not found',
  405: 'Method not allowed', 409: 'Conflict', 412: 'Changed in the meantime', 413: 'Too large', 415: 'Unsupported content type',
  422: 'Key used for another request', 428: 'Precondition required', 429: 'Too many requests', 500: 'Internal error', 503: 'Unavailable',
};

export const statusOf = (error: AppError): number => STATUS_OF_REASON[error.reason] ?? HTTP_STATUS[error.code] ?? 500;

export function problemOf(error: AppError): z.infer<typeof Problem> {
  const status = statusOf(error);
  const trace = traceId();
  const { replayed: _, ...details } = error.details ?? {};
  return {
    ...details,
    type: `urn:kerf:problem:${error.reason}`,
    title: TITLES[status] ?? 'Problem',
    status,
    reason: error.reason,
    detail: error.message,
    ...(trace && { traceId: trace }),
  };
}

export function sendProblem(res: Response, error: AppError): void {
  const problem = problemOf(error);
  if (problem.status === 401) res.setHeader('www-authenticate', 'Bearer');
  if (problem.status === 503 || error.reason === 'idempotency_key_in_use') res.setHeader('retry-after', '1');
  if (error.details?.['replayed']) res.setHeader('idempotent-replayed', 'true');
  res.status(problem.status).setHeader('cache-control', 'no-store');
  res.type('application/problem+json').send(JSON.stringify(problem));
}

/** The last handler: every throw becomes a problem; what nobody foresaw is logged with its cause and answered without. */
export const problems = (log: Logger, metrics: Metrics): ErrorRequestHandler => (error, req, res, _next) => {
  const known = fromHttp(error) ?? toAppError(error);
  metrics.refused.inc({ reason: known.reason });
  if (known.code === 'internal' || (known.code === 'unavailable' && known.reason !== 'overloaded')) {
    log.error({ err: error, method: req.method, path: req.path }, 'a request failed');
  }
  if (res.headersSent) res.destroy();
  else {
    try {
      sendProblem(res, known);
    } catch (broken) {
      log.error({ err: broken, reason: known.reason }, 'a problem could not be written down');
      sendProblem(res, toAppError(broken));
    }
  }
};

/** Errors of Express's own parts: malformed paths and bodies. */
function fromHttp(error: unknown): AppError | undefined {
  if (error instanceof AppError) return undefined;
  const { status, type } = (error ?? {}) as { status?: number; type?: string };
  if (error instanceof URIError) return invalid('path_malformed', 'The path is not valid.');
  if (status === 413 || type === 'entity.too.large') return invalid('body_too_large', 'The body is larger than 256 KB.');
  if (status === 415) return invalid('content_type_unsupported', 'The encoding of the body is not supported.');
  if (status !== undefined && status >= 400 && status < 500) return invalid('invalid_request', 'The request could not be read.');
  return undefined;
}

/** The input error for a schema's complaints, each with where it is. */
export function invalidInput(where: string, error: z.ZodError): AppError {
  const errors = error.issues.slice(0, 20).map(({ path, message }) => ({ path: [where, ...path].join('.'), message }));
  return invalid('invalid_input', `${errors[0]?.path}: ${errors[0]?.message}.`, { errors });
}
