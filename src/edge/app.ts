import cors from 'cors';
import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import { withDeadline, withTrace } from '../shared/context.ts';
import type { Database } from '../shared/database.ts';
import { AppError, invalid, notFound } from '../shared/errors.ts';
import type { Route } from '../shared/http.ts';
import type { Metrics } from '../shared/telemetry.ts';
import { type Admission, createAdmission } from './admission.ts';
import { createAuthentication, type Identity } from './authentication.ts';
import { createIdempotencyStore } from './idempotency.ts';
import { createOpenApiDocument, type Examples } from './openapi.ts';
import { problems } from './problem.ts';
import { createRateLimits } from './rate-limits.ts';
import { reference } from './reference.ts';
import { serveRoute } from './serve-route.ts';

export interface Edge {
  routes: readonly Route[];
  users: Identity;
  /** the edge's own schema: idempotency records and strict limits */
  db: Database;
  log: Logger;
  metrics: Metrics;
  /** address of the shop, as it stands in its tokens */
  issuer: string;
  now: () => Date;
  /** requests a minute per client address; 0: no limits */
  rateLimit: number;
  /** who may come in when it is full; absent: everybody */
  admission?: Admission;
  /** reverse proxies in front that are to be believed */
  trustProxy: number;
  /** example bodies for the reference page, by operation */
  examples?: Examples;
  /** origins whose pages may call the API from a browser */
  corsOrigins?: readonly string[];
  /** throws while this process should get no traffic; answers the modules elsewhere that are away, if any */
  ready: () => Promise<readonly string[] | undefined>;
}

/** Milliseconds, also for the calls that a request makes. It goes on when its sender has gone: the next try with its key finds what came of it. */
const REQUEST_TIMEOUT = 30_000;

/** What a browser's script may read of an answer beside its body. */
const EXPOSED = ['ETag', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'Idempotent-Replayed'];

/** The public API: what is the same for every route. It answers nothing but what is mounted here. */
export function createApp(edge: Edge): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', edge.trustProxy);
  app.set('case sensitive routing', true);
  const limits = createRateLimits(edge.db, edge.rateLimit);

  app.use((req, _res, next) => withTrace(req.header('traceparent'), () => withDeadline(REQUEST_TIMEOUT, next)));
  app.use(measure(edge.metrics, edge.log));
  app.use(helmet({ contentSecurityPolicy: { directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] }, useDefaults: false } }));
  app.use(health(edge.ready));
  if (edge.corsOrigins?.length) app.use('/v1', cors({ origin: [...edge.corsOrigins], exposedHeaders: EXPOSED, maxAge: 600 }));
  app.use(limits.general);
  app.use(refuseOddUrls);
  app.use(reference(() => createOpenApiDocument(edge.routes, edge.examples)));
  app.get('/.well-known/jwks.json', async (_req, res) => {
    res.setHeader('cache-control', 'public, max-age=300').json(await edge.users.listSigningKeys({}));
  });
  app.use('/v1', v1(edge, limits.guarded));
  app.use(() => {
    throw notFound('resource');
  });
  app.use(problems(edge.log, edge.metrics));
  return app;
}

function v1(edge: Edge, guarded: RequestHandler) {
  const router = express.Router({ caseSensitive: true, strict: true });
  const authenticate = createAuthentication(edge.users, edge.issuer, edge.now);
  const idempotency = createIdempotencyStore(edge.db, edge.now);
  const { admission = createAdmission(0) } = edge;
  edge.metrics.underWay(admission.underWay);
  const byPath = Map.groupBy(edge.routes.toSorted(literalFirst), ({ path }) => path.replaceAll(/\{(\w+)\}/g, ':$1'));
  for (const [path, routes] of byPath) {
    for (const route of routes) {
      router[route.method](path, serveRoute(route, { admission, authenticate, idempotency, guard: guarded, log: edge.log }));
    }
    router.all(path, methodNotAllowed(routes));
  }
  return router;
}

/** `/orders/mine` before `/orders/{orderId}`. */
const literalFirst = (a: Route, b: Route) => Number(a.path.includes('{')) - Number(b.path.includes('{'));

function methodNotAllowed(routes: readonly Route[]): RequestHandler {
  const methods = routes.map(({ method }) => method.toUpperCase());
  const allowed = [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].join(', ');
  return (req, res) => {
    res.setHeader('allow', allowed);
    throw new AppError('invalid', 'method_not_allowed', `${req.method} is not possible here; use ${allowed}.`);
  };
}

/** Postgres has no NUL in text: refuse it before it gets there. */
const refuseOddUrls: RequestHandler = (req, _res, next) => {
  if (/%00/.test(req.url) || req.url.includes('\0')) throw invalid('path_malformed', 'The address contains a NUL.');
  next();
};

/** Never limited and never shed: a process is alive while it answers, and ready while it should get traffic. */
function health(ready: Edge['ready']) {
  const router = express.Router();
  router.get('/livez', (_req, res) => void res.json({ status: 'alive' }));
  router.get('/readyz', async (_req, res) => {
    res.json({ status: 'ready', away: await ready() });
  });
  return router;
}

const measure = (metrics: Metrics, log: Logger): RequestHandler => (req, res, next) => {
  const end = metrics.requests.startTimer({ method: req.method });
  res.once('finish', () => {
    const route = (req.route as { path?: string } | undefined)?.path ?? 'none';
    const seconds = end({ route, status: String(res.statusCode) });
    log.info({ method: req.method, route, status: res.statusCode, ms: Math.round(seconds * 1_000) }, 'answered');
  });
  next();
};
