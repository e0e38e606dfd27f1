import { randomUUID } from 'node:crypto';
import { diag, DiagLogLevel } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { recordSpansWith, spanIds } from '../shared/spans.ts';

export interface Tracing {
  /** where an OTLP/HTTP receiver listens, without `/v1/traces` */
  endpoint: string;
  /** of the traces that begin here, how many are recorded: 0 to 1. One that comes in stays as its sender decided. */
  share: number;
}

/** Milliseconds that one handing over may take, also the last one when the process stops. */
const PATIENCE = 2_000;
const LOST = 'spans were lost: the receiver of OTEL_EXPORTER_OTLP_ENDPOINT does not take them';

/** Hands the spans of this process over from now on; what cannot be handed over is lost, and said in the log. */
export async function startTracing({ endpoint, share }: Tracing, log: Logger): Promise<{ stop(): Promise<void> }> {
  // Only now: who does not trace does not wait for all this at its start.
  const [{ OTLPTraceExporter }, { resourceFromAttributes }, { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
  ]);
  const silent = () => undefined;
  diag.setLogger({ error: (message) => log.warn({ detail: message }, LOST), warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR);
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis: PATIENCE });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'kerf', 'service.instance.id': randomUUID() }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    idGenerator: spanIds,
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: PATIENCE })],
  });
  recordSpansWith(provider);
  return {
    async stop() {
      recordSpansWith(undefined);
      await provider.shutdown().catch((error: unknown) => log.warn({ err: error }, LOST));
    },
  };
}
