import { type Config, readConfig } from './config.ts';
import { createApp } from './edge/app.ts';
import { createIdempotencyStore } from './edge/idempotency.ts';
import { userContract } from './modules/user/contract.ts';
import { banner, examplesOf, samplePurchase } from './setup/banner.ts';
import { fail } from './setup/fail.ts';
import { type OpenKerf, openKerf } from './setup/kerf.ts';
import { listen, type Listening } from './setup/listen.ts';
import { seedShop } from './setup/seed.ts';
import { connect, ping, poolUse } from './shared/database.ts';
import { unavailable } from './shared/errors.ts';
import { sweep } from './shared/sweep.ts';
import { createMetrics } from './shared/telemetry.ts';

/** Milliseconds that requests under way get after SIGTERM. */
const GRACE = 10_000;

const say = (sentence: string) => void process.stdout.write(`${sentence}\n`);

/** Starts everything this process runs, says where it is, and stops it in order on SIGINT, SIGTERM or SIGHUP. */
export async function start(config: Config = readConfig()): Promise<void> {
  const front = await listen({ host: config.host, port: config.port, preferred: 3_000, variable: 'PORT' });
  const inside = await listen({
    host: config.internalHost, port: config.internalPort, preferred: front.port + 1, variable: 'KERF_INTERNAL_PORT', hostVariable: 'KERF_INTERNAL_HOST',
  });
  const publicUrl = config.publicUrl ?? `http://localhost:${front.port}`;
  const opened = await openKerf(config, { attach: false, onProgress: say, publicUrl });
  try {
    const stop = await serve(config, opened, { front, inside });
    onStopSignal(stop);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function serve(config: Config, opened: OpenKerf, { front, inside }: { front: Listening; inside: Listening }): Promise<() => Promise<void>> {
  const { kerf, installation, log, settings } = opened;
  const now = () => new Date();
  let draining = false;
  if (config.seed) await seedShop(kerf, { onProgress: say });
  const sample = config.seed ? await samplePurchase(kerf) : undefined;

  const edgeDb = connect({ url: installation.url('edge'), applicationName: 'kerf edge', poolSize: config.poolSize });
  const databases = [...kerf.databases, ['edge', edgeDb] as const];
  const metrics = createMetrics();
  metrics.collectDefaults();
  metrics.poolUse(() => databases.map(([module, db]) => ({ module, ...poolUse(db) })));
  inside.serve(async (req, res) => {
    if (req.url === '/observed') {
      res.setHeader('content-type', 'application/json').end(JSON.stringify(kerf.observed()));
      return;
    }
    res.setHeader('content-type', metrics.registry.contentType).end(await metrics.registry.metrics());
  });
  const app = createApp({
    routes: kerf.routes,
    users: kerf.service(userContract),
    db: edgeDb,
    log: log.child({ module: 'edge' }),
    metrics,
    issuer: settings.publicUrl,
    now,
    rateLimit: config.rateLimit,
    trustProxy: config.trustProxy,
    corsOrigins: config.corsOrigins,
    examples: sample ? examplesOf(sample) : {},
    ready: async () => {
      if (draining) throw unavailable('This process is shutting down.');
      await Promise.all(databases.map(([, db]) => ping(db)));
    },
  });
  await kerf.startWork();
  const tidy = sweep({ name: 'idempotency', every: 600, run: createIdempotencyStore(edgeDb, now).tidy }, log);
  front.serve(app);
  say(banner({ publicUrl: settings.publicUrl, internalPort: inside.port, demo: config.seed, sample }));

  return async () => {
    draining = true;
    await front.close(GRACE);
    await tidy.stop();
    await inside.close(1_000);
    await edgeDb.destroy();
    await opened.close();
  };
}

/** A terminal's Ctrl-C reaches us twice, by itself and through npm; one that comes seconds later means it. */
function onStopSignal(stop: () => Promise<void>): void {
  let since: number | undefined;
  const handle = (signal: NodeJS.Signals) => {
    if (since !== undefined) {
      if (Date.now() - since > 2_000) process.exit(130);
      return;
    }
    since = Date.now();
    say(`\n${signal}: finishing what is under way.`);
    stop().then(() => process.exit(0), fail);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handle);
  // Whoever read our output may have gone first; that is no reason to fall over before the database has stopped.
  process.stdout.on('error', () => undefined);
}

if (import.meta.main) await start().catch(fail);
