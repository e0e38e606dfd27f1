import { setTimeout as delay } from 'node:timers/promises';
import type { Peer } from '../placement/peers.ts';
import { ContractMismatch } from '../shared/seam/client.ts';
import { ConfigError } from './config-error.ts';

/** Milliseconds that a start waits for other processes, which may start at the same time. */
const PATIENCE = 10_000;
const PAUSE = 250;
const LOOK_EVERY = 1_000;

type Say = (sentence: string) => void;

/** The modules elsewhere, as this process has found them. */
export interface PeerWatch {
  /** modules that do not answer, or whose contract does not fit ours */
  away(): string[];
  stop(): void;
}

/**
 * Waits for the modules elsewhere, but not for ever: one that is away must not take the others down. It is looked for
 * until it is there, also when nobody calls. At the start a contract that does not fit is a ConfigError.
 */
export async function watchPeers(peers: () => readonly Peer[], { say, patience = PATIENCE }: { say: Say; patience?: number }): Promise<PeerWatch> {
  await Promise.race([meetAll(peers(), performance.now() + patience, say), delay(patience, undefined, { ref: false })]);
  const missing = () => peers().filter((peer) => !peer.answers());
  let told = new Map<string, string>();
  const tell = (now: Map<string, string>) => {
    for (const [module, why] of now) if (told.get(module) !== why) say(why);
    for (const module of told.keys()) if (!now.has(module)) say(`The module ${module} answers.`);
    told = now;
  };
  tell(new Map(missing().map((peer) => [peer.contract.module, absence(peer)])));
  let looking = false;
  const timer = setInterval(() => {
    if (looking || (missing().length === 0 && told.size === 0)) return;
    looking = true;
    void lookFor(missing()).then(tell).finally(() => (looking = false));
  }, LOOK_EVERY).unref();
  return { away: () => [...new Set(missing().map(({ contract }) => contract.module))], stop: () => clearInterval(timer) };
}

async function meetAll(peers: readonly Peer[], until: number, say: Say): Promise<void> {
  const waitedFor = new Set<string>();
  const meet = async (peer: Peer) => {
    const { contract: { module }, check } = peer;
    while (performance.now() < until) {
      try {
        return await check();
      } catch (error) {
        if (error instanceof ContractMismatch) throw new ConfigError(error.message);
        if (!waitedFor.has(module)) say(peer.address ? `Waiting for ${module} at ${peer.address}.` : `Waiting for a process with ${module}.`);
        waitedFor.add(module);
        await delay(PAUSE);
      }
    }
    return undefined;
  };
  await Promise.all(peers.map(meet));
}

/** Why each is missing, in a sentence; nothing of those that are found. */
async function lookFor(missing: readonly Peer[]): Promise<Map<string, string>> {
  const found = await Promise.all(
    missing.map((peer) =>
      peer.check().then(
        () => undefined,
        (error: unknown) => [peer.contract.module, error instanceof ContractMismatch ? error.message : absence(peer)] as const,
      ),
    ),
  );
  return new Map(found.filter((entry) => entry !== undefined));
}

const absence = ({ contract: { module }, address, refusal }: Peer) => {
  const stranger = refusal() === 'caller_unknown' || refusal() === 'caller_refused';
  if (!address) return `No process with the module ${module} shows itself in the shop's own database, and no KERF_${module.toUpperCase()}_URL is set: what needs it is answered as unavailable until one does.`;
  return stranger
    ? `The module ${module} at ${address} does not know this process: KERF_SECRET (or KERF_SERVICE_KEYS) differs, or the clocks do; what needs it is answered as unavailable until they agree.`
    : `The module ${module} does not answer at ${address}: what needs it is answered as unavailable until it does.`;
};
