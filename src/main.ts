import express from 'express';
import { ConfigError, readConfig } from './config.ts';
import { createApp } from './edge/app.ts';
import { createIdempotencyStore } from './edge/idempotency.ts';
import { userContract } from './modules/user/contract.ts';
import { banner } from './setup/banner.ts';
import { openKerf } from './setup/kerf.ts';
import { listen } from './setup/listen.ts';
import { seedShop } from './setup/seed.ts';
import { connect, ping } from './shared/database.ts';
import { unavailable } from './shared/errors.ts';
import { sweep } from './shared/sweep.ts';
import { createMetrics } from './shared/telemetry.ts';

/** In-flight requests get this long after SIGTERM (QUALITY.md: a request runs at most 30 s, most far less). */
const GRACE = 10_000;

/** Starts everything this process runs, says where it is, and stops it in order on SIGINT or SIGTERM. */
export async function start(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = readConfig(environment);
  const say = (sentence: string) => process.stdout.write(`${sentence}\n`);
  const now = () => new Date();
  let draining = false;

  const pending = express();
  const publicServer = await listen((req, res) => pending(req, res), { host: config.host, port: config.port, preferred: 3_000, variable: 'PORT' });
  const publicUrl = config.publicUrl ?? `http://localhost:${publicServer.port}`;
  const opened = await openKerf(config, { attach: false, onProgress: say, publicUrl }).catch(async (error: unknown) => {
    await publicServer.close(0);
    throw error;
  });
  const { kerf, installation, log, settings } = opened;
  const seeded = config.seed ? await seedShop(kerf, { onProgress: say }) : undefined;

  const edgeDb = connect({ url: installation.url('edge'), applicationName: 'kerf edge', poolSize: config.poolSize });
  const metrics = createMetrics();
  metrics.collectDefaults();
  metrics.poolUse(() => [...kerf.databases, ['edge', edgeDb] as const].map(([module, db]) => ({ module, ...poolOf(db) })));
  pending.use(
    createApp({
      routes: kerf.routes,
      users: kerf.service(userContract),
      db: edgeDb,
      log: log.child({ module: 'edge' }),
      metrics,
      issuer: settings.publicUrl,
      now,
      rateLimit: config.rateLimit,
      trustProxy: config.trustProxy,
      ready: async () => {
        if (draining) throw unavailable('This process is shutting down.');
        await Promise.all([edgeDb, ...kerf.databases.values()].map(ping));
      },
    }),
  );
  const internal = express().get('/metrics', async (_req, res) => {
    res.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  const internalServer = await listen(internal, { host: config.internalHost, port: config.internalPort, preferred: publicServer.port + 1, variable: 'KERF_INTERNAL_PORT' });
  await kerf.startWork();
  const tidy = sweep({ name: 'idempotency', every: 600, run: createIdempotencyStore(edgeDb, now).tidy }, log);
  say(await banner({ publicUrl, internalPort: internalServer.port, kerf, seeded }));

  onStopSignal(async () => {
    draining = true;
    await publicServer.close(GRACE);
    await tidy.stop();
    await internalServer.close(1_000);
    await edgeDb.destroy();
    await opened.close();
  });
}

function poolOf(db: ReturnType<typeof connect>): { used: number; waiting: number } {
  const pool = (db.client as { pool: { numUsed(): number; numPendingAcquires(): number } }).pool;
  return { used: pool.numUsed(), waiting: pool.numPendingAcquires() };
}

/** A terminal's Ctrl-C reaches us twice, from the terminal and through npm: only one seconds later means it. */
function onStopSignal(stop: () => Promise<void>): void {
  let since: number | undefined;
  const handle = (signal: NodeJS.Signals) => {
    if (since !== undefined) {
      if (Date.now() - since > 2_000) process.exit(130);
      return;
    }
    since = Date.now();
    process.stdout.write(`\n${signal}: finishing what is under way.\n`);
    stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
}

/** What a person can act on is one sentence; anything else comes with its stack. */
export function fail(error: unknown): never {
  const known = error instanceof ConfigError || (error as { code?: string })?.code?.startsWith('KERF_');
  process.stderr.write(known ? `${(error as Error).message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(known ? 2 : 1);
}

if (import.meta.main) start(process.env).catch(fail);
