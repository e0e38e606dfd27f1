import type { RequestListener } from 'node:http';
import type { Kerf } from '../composition.ts';
import type { Config } from '../config.ts';
import { createAdmission } from '../edge/admission.ts';
import { createApp, type Edge } from '../edge/app.ts';
import { createIdempotencyStore } from '../edge/idempotency.ts';
import { userContract } from '../modules/user/contract.ts';
import { connect, type Database } from '../shared/database.ts';
import { isAppError, unavailable } from '../shared/errors.ts';
import { sweep, type SweepStatus } from '../shared/sweep.ts';
import type { Metrics } from '../shared/telemetry.ts';
import { examplesOf, samplePurchase } from './banner.ts';
import type { OpenKerf } from './kerf.ts';
import { seedShop } from './seed.ts';

/** The public API of a process that serves it, and the rows it keeps. */
export interface Front {
  app: RequestListener;
  db: Database;
  sweeps(): SweepStatus[];
  /** a purchase to paste, where the demo goods are */
  sample: Awaited<ReturnType<typeof samplePurchase>> | undefined;
  close(): Promise<void>;
}

export async function openFront(
  config: Config,
  { kerf, installation, log, settings }: OpenKerf,
  { metrics, ready, away, onProgress }: { metrics: Metrics; ready: Edge['ready']; away: readonly string[]; onProgress: (sentence: string) => void },
): Promise<Front> {
  const now = () => new Date();
  const demo = config.seed && (await filled(kerf, away, onProgress));
  const sample = demo ? await samplePurchase(kerf) : undefined;
  const db = connect({ url: installation.url('edge'), applicationName: 'kerf edge', poolSize: config.poolSize });
  const app = createApp({
    routes: kerf.routes,
    users: kerf.service(userContract),
    db,
    log: log.child({ module: 'edge' }),
    metrics,
    issuer: settings.publicUrl,
    now,
    rateLimit: config.rateLimit,
    admission: createAdmission(config.shedFrom),
    trustProxy: config.trustProxy,
    corsOrigins: config.corsOrigins,
    examples: sample ? examplesOf(sample) : {},
    ready,
  });
  const tidy = sweep('edge', { name: 'forget old answers', every: 600, run: createIdempotencyStore(db, now).tidy }, log);
  return {
    app,
    db,
    sample,
    sweeps: () => [tidy.status()],
    async close() {
      await tidy.stop();
      await db.destroy();
    },
  };
}

/** The demo goods and the purchase need nearly every module: while one is away the shop is served as it is. */
async function filled(kerf: Kerf, away: readonly string[], onProgress: (sentence: string) => void): Promise<boolean> {
  try {
    if (away.length > 0) throw unavailable();
    await seedShop(kerf, { onProgress });
    return true;
  } catch (error) {
    if (!isAppError(error, 'unavailable')) throw error;
    onProgress('The demo goods are not looked for, and there is no sample purchase, while a module that they need is away: "npm run seed" fills the shop later.');
    return false;
  }
}
