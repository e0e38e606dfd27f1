import { type Context, ROOT_CONTEXT, type Span, type SpanOptions, SpanStatusCode, trace, type Tracer, type TracerProvider } from '@opentelemetry/api';
import { currentContext, newTraceparent, traceId, withParent } from './context.ts';
import { toAppError } from './errors.ts';

let tracer: Tracer | undefined;

/** Where the spans of this process go from now on. Without a provider none are made, and a flow costs what it costs. */
export function recordSpansWith(provider: TracerProvider | undefined): void {
  tracer = provider?.getTracer('kerf');
}

/**
 * For the provider: the span that begins a trace takes the id under which logs and answers know the trace already.
 */
export const spanIds = {
  generateTraceId: () => traceId() ?? newTraceparent().slice(3, 35),
  generateSpanId: () => newTraceparent().slice(36, 52),
};

/**
 * Runs `flow` in a span below the current one. A refusal leaves its reason as `kerf.reason`, and nothing else: messages may
 * tell of people. Names and attributes are the same wherever a module lives, and none is anything that a person sent.
 */
export function inSpan<T>(name: string, options: Pick<SpanOptions, 'kind' | 'attributes'>, flow: () => Promise<T>): Promise<T> {
  return tracer ? recorded(tracer.startSpan(name, options, parent()), flow) : flow();
}

async function recorded<T>(span: Span, flow: () => Promise<T>): Promise<T> {
  try {
    return await withParent(traceparentOf(span), flow);
  } catch (error) {
    span.setAttribute('kerf.reason', toAppError(error).reason).setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Remote, also where it is of this process: a span must not tell whether a call left it. */
function parent(): Context {
  const context = currentContext();
  if (!context || context.begins) return ROOT_CONTEXT;
  const [, id, spanId, flags] = context.traceparent.split('-') as [string, string, string, string];
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: id, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true });
}

function traceparentOf(span: Span): string {
  const { traceId: id, spanId, traceFlags } = span.spanContext();
  return `00-${id}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
