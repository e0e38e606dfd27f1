import { MODULES } from './calls.ts';
import { type Config, readConfig } from './config.ts';
import { isWildcard } from './placement/placement.ts';
import { banner } from './setup/banner.ts';
import { fail } from './setup/fail.ts';
import { openFront } from './setup/front.ts';
import { internal } from './setup/internal.ts';
import { type OpenKerf, openKerf } from './setup/kerf.ts';
import { listen, type Listening } from './setup/listen.ts';
import { watchPeers } from './setup/peer-watch.ts';
import { startTracing } from './setup/tracing.ts';
import { IDLE } from './shared/seam/protocol.ts';
import { type Database, ping, poolUse } from './shared/database.ts';
import { unavailable } from './shared/errors.ts';

/** Milliseconds that requests under way get after SIGTERM. */
const GRACE = 10_000;

const say = (sentence: string) => void process.stdout.write(`${sentence}\n`);

/** Starts everything this process runs, says where it is, and stops it in order on SIGINT, SIGTERM or SIGHUP. */
export async function start(config: Config = readConfig()): Promise<void> {
  endWithParent();
  const { edge } = config.placement;
  const front = edge ? await listen({ host: config.host, port: config.port, preferred: 3_000, variable: 'PORT' }) : undefined;
  const inside = await listen({
    host: config.internalHost, port: config.internalPort, preferred: (front?.port ?? 3_000) + 1, variable: 'KERF_INTERNAL_PORT', hostVariable: 'KERF_INTERNAL_HOST', socket: config.internalSocket, tls: config.placement.tls,
  });
  const isWhole = edge && config.placement.hosts.length === MODULES.length;
  if (!isWhole && isWildcard(config.internalHost) && !config.internalUrl && !config.internalSocket) say(`KERF_INTERNAL_URL is not set and the internal port listens on ${config.internalHost}, which is no address to call: processes on other machines will not find this one by themselves.`);
  if (!edge && !config.publicUrl) say('KERF_PUBLIC_URL is not set: clients are taken to reach the public API at http://localhost:3000, which stands in access tokens and mails.');
  const publicUrl = config.publicUrl ?? `http://localhost:${front?.port ?? 3_000}`;
  const opened = await openKerf(config, { attach: false, onProgress: say, publicUrl, address: config.internalUrl ?? inside.address });
  try {
    const stop = await serve(config, opened, { front, inside });
    onStopSignal(stop);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function serve(config: Config, opened: OpenKerf, { front, inside }: { front: Listening | undefined; inside: Listening }): Promise<() => Promise<void>> {
  const { kerf, settings, follower } = opened;
  const { metrics } = kerf;
  metrics.collectDefaults();
  const tracing = config.tracing && (await startTracing(config.tracing, opened.log));
  const edgeDatabase: [string, Database][] = [];
  const databases = () => [...kerf.databases, ...edgeDatabase];
  metrics.poolUse(() => databases().map(([module, db]) => ({ module, ...poolUse(db) })));
  let state: 'starting' | 'serving' | 'draining' = 'starting';
  const ready = async () => {
    if (state !== 'serving') throw unavailable(`This process is ${state}.`);
    await Promise.all(databases().map(([, db]) => ping(db)));
    const away = peers.away();
    return away.length > 0 ? away : undefined;
  };

  const sweeping = [kerf.sweeps];
  const sweeps = () => sweeping.flatMap((ask) => ask());
  metrics.sweeps(sweeps);
  inside.serve(internal({ kerf, metrics, sweeps, ready }));
  follower?.appear();
  const peers = await watchPeers(kerf.peers, { say });
  const edge = front && (await openFront(config, opened, { metrics, ready, away: peers.away(), onProgress: say }));
  if (edge) {
    edgeDatabase.push(['edge', edge.db]);
    sweeping.push(edge.sweeps);
  }
  await kerf.startWork();
  if (edge) front.serve(edge.app);
  state = 'serving';
  say(edge ? banner({ publicUrl: settings.publicUrl, internal: inside.address.replace('127.0.0.1', 'localhost'), demo: config.seed, sample: edge.sample }) : `Kerf is running: ${config.placement.hosts.join(', ')} on ${inside.address}`);

  return async () => {
    state = 'draining';
    peers.stop();
    await front?.close(GRACE);
    await edge?.close();
    await follower?.leave();
    await inside.close(GRACE, IDLE + 500);
    await opened.close();
    await tracing?.stop();
  };
}

/** A part of a split Kerf has a channel to whoever started it; nobody else could stop it once that one is gone. */
function endWithParent(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();
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
