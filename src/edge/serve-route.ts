import { SpanKind } from '@opentelemetry/api';
import type { Request, RequestHandler, Response } from 'express';
import express from 'express';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { type AppError, conflict, invalid, isAppError, toAppError } from '../shared/errors.ts';
import { type Answer, type Call, type IdempotencyClaim, type Principal, type Route, versionIn } from '../shared/http.ts';
import { newId } from '../shared/ids.ts';
import { inSpan } from '../shared/spans.ts';
import type { Admission } from './admission.ts';
import { authorize } from './authentication.ts';
import { claimOf, type IdempotencyStore, type Run, type StoredAnswer } from './idempotency.ts';
import { parseJsonBody } from './json-body.ts';
import { invalidInput, problemOf } from './problem.ts';

export interface Serving {
  admission: Admission;
  authenticate: (authorization: string | undefined) => Promise<Principal>;
  idempotency: IdempotencyStore;
  /** the strict limit */
  guard: RequestHandler;
  log: Logger;
}

const readBody = express.raw({ type: () => true, limit: '256kb' });
const NO_BODY = Buffer.alloc(0);

/** One route for Express, if there is room: who is it, may they, what do they want; then do it, once per Idempotency-Key. */
export function serveRoute(route: Route, serving: Serving): RequestHandler {
  const [method, path] = [route.method.toUpperCase(), `/v1${route.path}`];
  const span = { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': path } };
  const answer = async (req: Request, res: Response) => {
    if (route.guarded === true) await serving.guard(req, res, () => undefined);
    const principal = await serving.authenticate(req.header('authorization'));
    authorize(principal, route.access);
    await serving.admission.aside(route, () => bodyRead(req, res));
    const call = readCall(route, req, principal);
    if (typeof route.guarded === 'function' && route.guarded(call.body)) await serving.guard(req, res, () => undefined);
    res.vary('authorization').setHeader('cache-control', route.cacheable && principal.kind === 'guest' ? 'no-cache' : 'no-store');
    send(res, await answerOnce(route, call, serving));
  };
  return (req, res) => serving.admission.admit(route, () => inSpan(`${method} ${path}`, span, () => answer(req, res)));
}

/** Read after authentication: strangers cannot make us take in bodies for routes that are not theirs. */
const bodyRead = (req: Request, res: Response) =>
  new Promise<void>((resolve, reject) => {
    readBody(req, res, (error?: unknown) => (error ? reject(error as Error) : resolve()));
  });

type AnyCall = Call<unknown, unknown, unknown> & { claim: IdempotencyClaim | undefined };

function readCall(route: Route, req: Request, principal: Principal): AnyCall {
  const rawBody = Buffer.isBuffer(req.body) ? req.body : NO_BODY;
  const claim = route.idempotency && claimOf(req.header('idempotency-key'), principal, { method: req.method, path: req.path, body: rawBody, guestScope: guestScope(route, req) });
  if (!claim && (route.idempotency === 'edge-required' || route.idempotency === 'module')) {
    throw invalid('idempotency_key_required', 'Send an Idempotency-Key header: a new random value for each new request, the same one when you repeat it.');
  }
  return {
    params: parsed('path', route.params, req.params),
    query: parsed('query', route.query, req.query),
    body: route.body && parsed('body', route.body, parseJsonBody(rawBody, req.header('content-type'))),
    headers: req.headers as Record<string, string | undefined>,
    principal,
    version: route.ifMatch ? versionOf(req.header('if-match')) : 0,
    operationId: newId(),
    idempotency: claim as IdempotencyClaim,
    claim,
    rawBody,
    ip: req.ip ?? '',
  };
}

/** An order names its shopper in the body, and a phone may change networks between two tries; a new cart does not. */
const guestScope = (route: Route, req: Request) => (route.idempotency === 'module' ? 'guest' : `guest ${req.ip}`);

function parsed(where: string, schema: z.ZodType | undefined, value: unknown): unknown {
  if (!schema) {
    if (where === 'query' && Object.keys(value as object).length > 0) throw invalid('invalid_input', 'query: This operation takes no query.');
    return {};
  }
  const result = schema.safeParse(value);
  if (!result.success) throw invalidInput(where, result.error);
  return result.data;
}

function versionOf(ifMatch: string | undefined): number {
  if (ifMatch === undefined) throw conflict('version_required', 'Send the ETag you read as If-Match, so that nobody else’s change is overwritten.');
  return versionIn(ifMatch);
}

async function answerOnce(route: Route, call: AnyCall, serving: Serving): Promise<StoredAnswer> {
  if (!call.claim || route.idempotency === 'module') return rendered(route, await route.handle(call as never));
  const begun = await serving.idempotency.begin(call.claim);
  if ('answer' in begun) return { ...begun.answer, headers: { ...begun.answer.headers, 'idempotent-replayed': 'true' } };
  return runAndKeep(route, { ...call, operationId: begun.operationId }, begun, serving);
}

/** Refusals are kept like answers; trouble on our side is not, so that the client may try again with its key. */
async function runAndKeep(route: Route, call: AnyCall, run: Run, { idempotency, log }: Serving): Promise<StoredAnswer> {
  try {
    const answer = rendered(route, await idempotency.hold(run, () => route.handle(call as never)));
    return await idempotency.finish(run, answer, route.operationId);
  } catch (error) {
    const known = toAppError(error);
    if (isOurs(known)) {
      await idempotency.abandon(run).catch((err: unknown) => log.warn({ err }, 'an idempotency record stays until its lease ends'));
      throw error;
    }
    const problem = problemOf(known);
    const refusal = { status: problem.status, body: JSON.stringify(problem), headers: { 'content-type': 'application/problem+json' } };
    const kept = await idempotency.finish(run, refusal, route.operationId);
    if (kept !== refusal) return kept;
    throw error;
  }
}

const isOurs = (error: AppError) => error.code === 'internal' || error.code === 'unavailable' || isAppError(error, 'idempotency_key_in_use');

/** The answer as it goes out: only what the response schema names. */
function rendered(route: Route, { status = Number(Object.keys(route.responses)[0]), body, headers = {} }: Answer): StoredAnswer {
  if (typeof body === 'string') return { status, body, headers };
  const schema = route.responses[status]?.schema;
  if (!schema) return { status, body: '', headers };
  return { status, body: JSON.stringify(schema.parse(body)), headers: { 'content-type': 'application/json; charset=utf-8', ...headers } };
}

function send(res: Response, { status, body, headers }: StoredAnswer): void {
  res.status(status).set(headers);
  if (body === '') res.end();
  else res.send(body);
}
