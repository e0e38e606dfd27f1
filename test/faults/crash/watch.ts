import { SpanKind } from '@opentelemetry/api';
import { type ReadableSpan, type Span, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import pg from 'pg';
import { currentContext } from '../../../src/shared/context.ts';
import { unavailable } from '../../../src/shared/errors.ts';
import { recordSpansWith, spanIds } from '../../../src/shared/spans.ts';
import type { Aim, Point } from './faults.ts';

/*
 * Where a flow can be interrupted is found by watching it, not by hooks in it: every span (request, call, provider,
 * handler, job) begins and ends, and every local commit is sent and answered. What a new step does is a point by itself.
 */

export interface Watch {
  /** from now on, points are counted and noted, and at this one the fault comes */
  start(aim?: Aim): void;
  /** points seen since the start, in order */
  points(): Point[];
  /** the fault has come */
  struck(): boolean;
}

interface Place {
  /** the request, event or job under which something happens, with its number where there were several */
  root: string;
}

const die = (): never => {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('This process was killed.');
};
/** What follows from looking on is no step of the flow. */
const isLookingOn = (root: string) => root.startsWith('GET ') || root.startsWith('sweep ');

export function watchFlows(): Watch {
  let aim: Aim | undefined;
  let isWatching = false;
  let hasStruck = false;
  let points: Point[] = [];
  let counts = new Map<string, number>();
  const numbered = (name: string) => {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  };

  /** Notes a point, and answers the fault that is to come at it. */
  function reach(kind: Point['kind'], name: string): Aim['fault'] | undefined {
    points.push({ kind, name });
    if (hasStruck || aim?.point !== name) return undefined;
    hasStruck = true;
    return aim.fault;
  }

  const places = new Map<string, Place>();
  const coming = new Map<string, Aim['fault']>();
  const processor: SpanProcessor = {
    onStart(span: Span) {
      const { name, kind, parentSpanContext, attributes } = span;
      const { spanId } = span.spanContext();
      const isRoot = kind === SpanKind.CONSUMER || name.startsWith('job ') || name.startsWith('sweep ') || /^[A-Z]+ \//.test(name);
      const parent = isRoot ? undefined : places.get(parentSpanContext?.spanId ?? '');
      if (isRoot) {
        const plain = kind === SpanKind.CONSUMER ? `${name} → ${String(attributes['kerf.to'])}` : name;
        places.set(spanId, { root: isWatching && !isLookingOn(plain) ? numbered(plain) : plain });
      } else if (parent) places.set(spanId, parent);
      const place = places.get(spanId);
      if (!isWatching || !place || name.startsWith('sweep ') || (isLookingOn(place.root) && !place.root.startsWith('sweep '))) return;
      if (kind === SpanKind.PRODUCER || (kind === SpanKind.SERVER && !isRoot)) return;
      const fault = reach('call', isRoot ? place.root : numbered(`${place.root} › ${name}`));
      if (fault === 'killed before') die();
      if (fault) coming.set(spanId, fault);
    },
    onEnd(span: ReadableSpan) {
      const fault = coming.get(span.spanContext().spanId);
      if (fault === 'killed after') die();
      if (fault === 'answer lost') throw unavailable('The answer was lost.');
    },
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  };
  recordSpansWith(new TracerProvider({ idGenerator: spanIds, spanProcessors: [processor] }));

  watchCommits((module, what) => {
    const spanId = currentContext()?.traceparent.slice(36, 52);
    const place = isWatching && spanId ? places.get(spanId) : undefined;
    if (!place || (isLookingOn(place.root) && !(what === 'commit' && place.root.startsWith('sweep ')))) return undefined;
    return reach('commit', numbered(`${place.root} › ${what} of ${module}`));
  });

  return {
    start(next) {
      [aim, isWatching, hasStruck, points] = [next, true, false, []];
      counts = new Map();
    },
    points: () => points,
    struck: () => hasStruck,
  };
}

type Callback = (error: Error | null, result?: { rowCount: number | null }) => void;
type AnyQuery = (this: pg.Client, config: unknown, values?: unknown, callback?: unknown) => unknown;
/** What of pg's client is looked into. */
interface Inside {
  connectionParameters: { application_name: string };
  connection: { stream: NodeJS.ReadableStream & { destroy(): void } };
}

const CHANGES = /\b(insert into|update|delete from)\b/i;

/** Tells of each statement that makes something last, before it is sent, and has the fault come that is answered. */
function watchCommits(reached: (module: string, what: 'commit' | 'write') => Aim['fault'] | undefined): void {
  /** by client: whether its open transaction has changed anything */
  const open = new WeakMap<object, boolean>();
  const prototype = pg.Client.prototype as unknown as { query: AnyQuery };
  const { query } = prototype;
  prototype.query = function watched(config, values, callback) {
    const text = (typeof config === 'string' ? config : ((config as { text?: string }).text ?? '')).trimStart();
    const { connectionParameters, connection } = this as unknown as Inside;
    const isCommit = /^commit\b/i.test(text) && open.get(this) === true;
    const isWrite = !open.has(this) && /^(insert|update|delete)\b/i.test(text);
    if (/^begin\b/i.test(text)) open.set(this, false);
    if (/^(commit|rollback)\b/i.test(text)) open.delete(this);
    const fault = isCommit || isWrite ? reached(connectionParameters.application_name.split(' ').at(-1)!, isCommit ? 'commit' : 'write') : undefined;
    if (fault === 'killed before') die();
    if (fault === 'cut before') connection.stream.destroy();
    // The server answers once it has committed; nobody reads it.
    if (fault === 'cut after') connection.stream.removeAllListeners('data').once('data', () => connection.stream.destroy());
    const given = [values, callback].find((one) => typeof one === 'function') as Callback | undefined;
    if (!given) return query.call(this, config, values, callback);
    const answered: Callback = (error, result) => {
      if (fault === 'killed after') die();
      if (open.has(this) && CHANGES.test(text) && (result?.rowCount ?? 0) > 0) open.set(this, true);
      given(error, result);
    };
    return typeof values === 'function' ? query.call(this, config, answered) : query.call(this, config, values, answered);
  };
}
