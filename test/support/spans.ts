import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { recordSpansWith, spanIds } from '../../src/shared/spans.ts';

/** A span as tests look at it. Two that are alike differ in the ids only. */
export interface RecordedSpan {
  name: string;
  kind: string;
  attributes: Record<string, unknown>;
  failed: boolean;
  traceId: string;
  spanId: string;
  parentId: string | undefined;
}

export interface SpanRecording {
  /** those that ended so far, in the order of their end */
  spans(): RecordedSpan[];
  forget(): void;
  stop(): void;
}

/** Keeps every span that this process makes from now on, of all modules in it. */
export function recordSpans(): SpanRecording {
  const exporter = new InMemorySpanExporter();
  recordSpansWith(new TracerProvider({ idGenerator: spanIds, spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  return {
    spans: () => exporter.getFinishedSpans().map(recorded),
    forget: () => exporter.reset(),
    stop: () => recordSpansWith(undefined),
  };
}

/** What must be the same wherever modules live: `CLIENT coupon.quote {"kerf.from":"order","kerf.to":"coupon"}`. */
export const looks = ({ name, kind, attributes }: RecordedSpan): string => `${kind} ${name} ${JSON.stringify(attributes)}`;

function recorded(span: ReadableSpan): RecordedSpan {
  const { traceId, spanId } = span.spanContext();
  return {
    name: span.name,
    kind: SpanKind[span.kind],
    attributes: { ...span.attributes },
    failed: span.status.code === SpanStatusCode.ERROR,
    traceId,
    spanId,
    parentId: span.parentSpanContext?.spanId,
  };
}
