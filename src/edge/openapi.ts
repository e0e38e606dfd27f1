import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import type { Route } from '../shared/http.ts';
import { Problem } from './problem.ts';

const REASONS: Record<number, readonly string[]> = {
  400: ['invalid_input', 'invalid_json', 'invalid_text', 'invalid_request', 'path_malformed'],
  401: ['unauthenticated', 'token_invalid', 'token_expired', 'session_ended'],
  403: ['forbidden'],
  404: ['not_found'],
  413: ['body_too_large'],
  415: ['content_type_unsupported'],
  429: ['too_many_requests'],
  503: ['unavailable', 'overloaded'],
};

/** Bodies that work as sent, by operation: of goods that are really there. */
export type Examples = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 document of what is mounted: from the same definitions, so it cannot say anything else. */
export function createOpenApiDocument(routes: readonly Route[], examples: Examples = {}) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[`/v1${route.path}`] = { ...paths[`/v1${route.path}`], [route.method]: operation(route, examples[route.operationId]) };
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Kerf',
        version: '1',
        description:
          'A shop over one REST API. Sums are whole minor units (won, cents). Refusals are problem details (RFC 9457) with a stable `reason`.',
      },
      servers: [{ url: '/' }],
      paths,
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
    { allowEmptySchema: { unknown: true, any: true } },
  );
}

function operation(route: Route, example: unknown): ZodOpenApiOperationObject {
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description && { description: route.description }),
    security: route.access === 'anyone' ? [{}, { bearer: [] }] : [{ bearer: [] }],
    requestParams: {
      ...(route.params && { path: route.params as z.ZodObject }),
      ...(route.query && { query: route.query as z.ZodObject }),
      header: headersOf(route),
    },
    ...(route.body && { requestBody: { required: true, content: { 'application/json': { schema: route.body, ...(example !== undefined && { example }) } } } }),
    ...(route.raw && { requestBody: { required: true, content: { '*/*': { schema: z.string() } } } }),
    responses: { ...successes(route), ...refusals(route) },
  };
}

function headersOf(route: Route): z.ZodObject {
  const headers: Record<string, z.ZodType> = {};
  const key = z.string().meta({ description: 'a new random value per new request; the same one to repeat it safely' });
  if (route.idempotency === 'edge') headers['Idempotency-Key'] = key.optional();
  else if (route.idempotency) headers['Idempotency-Key'] = key;
  if (route.ifMatch) headers['If-Match'] = z.string().meta({ description: 'the ETag that was read', example: '"1"' });
  for (const [name, description] of Object.entries(route.headers ?? {})) headers[name] = z.string().optional().meta({ description });
  return z.object(headers);
}

const successes = (route: Route) =>
  Object.fromEntries(
    Object.entries(route.responses).map(([status, { description, schema }]) => [
      status,
      { description, ...(schema && { content: { 'application/json': { schema } } }) },
    ]),
  );

function refusals(route: Route) {
  const reasons: Record<number, readonly string[]> & { 400: readonly string[] } = { 400: REASONS[400]!, 401: REASONS[401]!, 429: REASONS[429]!, 503: REASONS[503]! };
  if (['staff', 'admin'].includes(route.access)) reasons[403] = REASONS[403]!;
  if (route.params) reasons[404] = REASONS[404]!;
  if (route.body ?? route.raw) reasons[413] = REASONS[413]!;
  if (route.body) reasons[415] = REASONS[415]!;
  if (route.idempotency) {
    reasons[400] = [...reasons[400], 'idempotency_key_invalid', ...(route.idempotency === 'edge' ? [] : ['idempotency_key_required'])];
    Object.assign(reasons, { 409: ['idempotency_key_in_use'], 422: ['idempotency_key_reused'] });
  }
  if (route.ifMatch) Object.assign(reasons, { 412: ['version_mismatch'], 428: ['version_required'] });
  for (const [status, more] of Object.entries(route.problems ?? {})) {
    reasons[Number(status)] = [...new Set([...(reasons[Number(status)] ?? []), ...more])];
  }
  return Object.fromEntries(
    Object.entries(reasons).map(([status, list]) => [
      status,
      { description: list.map((reason) => `\`${reason}\``).join(', '), content: { 'application/problem+json': { schema: Problem } } },
    ]),
  );
}
