import { type Logger, pino } from 'pino';
import { Registry, collectDefaultMetrics, Counter, Gauge, Histogram } from 'prom-client';
import { traceId } from './context.ts';
import { lateSeconds, type SweepStatus } from './sweep.ts';

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
    underWay: (underWay: () => number) =>
      new Gauge({
        name: 'kerf_http_requests_under_way',
        help: 'Public API requests that are worked on; KERF_SHED_FROM says from how many on some are refused',
        registers: [registry],
        collect() {
          this.set(underWay());
        },
      }),
    seamRefused: new Counter({
      name: 'kerf_seam_refusals_total',
      help: 'Calls of other processes that were not handed on, by the reason of the protocol',
      labelNames: ['module', 'reason'],
      registers: [registry],
    }),
    calls: new Histogram({
      name: 'kerf_call_seconds',
      help: 'Calls between modules, and of the public API to them, by how they ended',
      labelNames: ['from', 'to', 'method', 'outcome'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers: [registry],
    }),
    deliveries: new Counter({
      name: 'kerf_events_delivered_total',
      help: 'Tries to hand an event to a module that listens, by how they ended',
      labelNames: ['type', 'from', 'to', 'outcome'],
      registers: [registry],
    }),
    peers: (peers: () => { from: string; to: string; state: string; waiting: number }[]) => [
      new Gauge({
        name: 'kerf_peer_state',
        help: 'Breaker of an edge to another process: 1 for the state that it is in',
        labelNames: ['from', 'to', 'state'],
        registers: [registry],
        collect() {
          for (const { from, to, state } of peers()) {
            for (const each of ['closed', 'open', 'half-open']) this.set({ from, to, state: each }, Number(each === state));
          }
        },
      }),
      new Gauge({
        name: 'kerf_peer_waiting',
        help: 'Calls of an edge to another process that wait for a place',
        labelNames: ['from', 'to'],
        registers: [registry],
        collect() {
          for (const { from, to, waiting } of peers()) this.set({ from, to }, waiting);
        },
      }),
    ],
    queueDepths: (ask: () => Promise<{ module: string; queue: string; waiting: number; retrying: number; dead: number; oldestSeconds: number }[]>) => {
      /** both gauges are collected at once, and ask once */
      let asked = Promise.resolve<Awaited<ReturnType<typeof ask>>>([]);
      return [
        new Gauge({
          name: 'kerf_queue_entries',
          help: 'Events (by listener) and jobs of a module that wait, are tried again, or are dead until somebody mends them',
          labelNames: ['module', 'queue', 'state'],
          registers: [registry],
          async collect() {
            asked = ask();
            this.reset();
            for (const { module, queue, waiting, retrying, dead } of await asked) {
              for (const [state, entries] of Object.entries({ waiting, retrying, dead })) this.set({ module, queue, state }, entries);
            }
          },
        }),
        new Gauge({
          name: 'kerf_queue_oldest_seconds',
          help: 'Age of the oldest event or job of a module that is due and neither done nor dead',
          labelNames: ['module', 'queue'],
          registers: [registry],
          async collect() {
            this.reset();
            for (const { module, queue, oldestSeconds } of await asked) this.set({ module, queue }, oldestSeconds);
          },
        }),
      ];
    },
    sweeps: (sweeps: () => SweepStatus[]) => [
      new Gauge({
        name: 'kerf_sweep_failures',
        help: 'How often recurring work of a module failed in a row',
        labelNames: ['module', 'sweep'],
        registers: [registry],
        collect() {
          for (const { module, name, failedInARow } of sweeps()) this.set({ module, sweep: name }, failedInARow);
        },
      }),
      new Gauge({
        name: 'kerf_sweep_late_seconds',
        help: 'Seconds since the turn of recurring work came, while its end has not',
        labelNames: ['module', 'sweep'],
        registers: [registry],
        collect() {
          for (const status of sweeps()) this.set({ module: status.module, sweep: status.name }, lateSeconds(status, new Date()));
        },
      }),
    ],
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
