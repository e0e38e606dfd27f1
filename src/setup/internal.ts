import type { RequestListener, ServerResponse } from 'node:http';
import type { Kerf } from '../composition.ts';
import { PREFIX } from '../shared/seam/protocol.ts';
import type { SweepStatus } from '../shared/sweep.ts';
import type { Metrics } from '../shared/telemetry.ts';

/**
 * What a process answers on its internal address, which is never the public one: the calls of other processes, `/metrics`
 * (Prometheus), `/observed` (what crossed the boundaries so far), `/sweeps` (how recurring work stands), `/livez` and `/readyz`.
 */
export function internal({ kerf, metrics, sweeps, ready }: { kerf: Kerf; metrics: Metrics; sweeps: () => SweepStatus[]; ready: () => Promise<readonly string[] | undefined> }): RequestListener {
  const pages: Record<string, (res: ServerResponse) => Promise<void>> = {
    '/metrics': async (res) => void res.setHeader('content-type', metrics.registry.contentType).end(await metrics.registry.metrics()),
    '/observed': async (res) => json(res, kerf.observed()),
    '/sweeps': async (res) => json(res, { sweeps: sweeps() }),
    '/livez': async (res) => json(res, { status: 'alive' }),
    '/readyz': (res) => ready().then((away) => json(res, { status: 'ready', away }), () => json(res.writeHead(503), { status: 'not ready' })),
  };
  return (req, res) => {
    if (req.url?.startsWith(`${PREFIX}/`)) return kerf.seam(req, res);
    const page = pages[req.url ?? ''];
    if (!page) return void res.writeHead(404).end();
    page(res).catch(() => res.destroy());
  };
}

const json = (res: ServerResponse, body: unknown) => void res.end(JSON.stringify(body));
