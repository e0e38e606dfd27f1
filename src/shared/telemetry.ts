import { type Logger, pino } from 'pino';
import { Registry, collectDefaultMetrics, Counter, Gauge, Histogram } from 'prom-client';
import { traceId } from './context.ts';

/** Never in a log, wherever they stand in an object. */
const SECRETS = ['password', 'newPassword', 'currentPassword', 'token', 'refreshToken', 'accessToken', 'secret', 'authorization', 'cookie', 'x-order-secret'];

/** Structured logs with the trace's id in each line; secrets are blotted out by name. */
export function createLogger(level: string, destination?: NodeJS.WritableStream): Logger {
  const paths = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`, `req.headers["${name}"]`]);
  const options = {
    level,
    redact: { paths, censor: '[secret]' },
    mixin: () => ({ ...(traceId() && { traceId: traceId() }) }),
  };
  return destination ? pino(options, destination) : pino(options);
}

/** The metrics of one process, in a registry of its own so that tests can run several side by side. */
export function createMetrics() {
  const registry = new Registry();
  return {
    registry,
    collectDefaults: () => collectDefaultMetrics({ register: registry }),
    requests: new Histogram({
      name: 'kerf_http_request_seconds',
      help: 'Public API requests by route and status',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers: [registry],
    }),
    refused: new Counter({
      name: 'kerf_refusals_total',
      help: 'Requests refused, by reason',
      labelNames: ['reason'],
      registers: [registry],
    }),
    poolUse: (pools: () => { module: string; used: number; waiting: number }[]) =>
      new Gauge({
        name: 'kerf_pool_connections',
        help: 'Connections of a module in use, and flows waiting for one',
        labelNames: ['module', 'state'],
        registers: [registry],
        collect() {
          for (const { module, used, waiting } of pools()) {
            this.set({ module, state: 'used' }, used);
            this.set({ module, state: 'waiting' }, waiting);
          }
        },
      }),
  };
}
export type Metrics = ReturnType<typeof createMetrics>;
