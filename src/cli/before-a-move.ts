import { pino } from 'pino';
import { MODULES } from '../calls.ts';
import { modules } from '../composition.ts';
import type { Config } from '../config.ts';
import type { Preflight } from '../move/preflight.ts';
import { createPeers } from '../placement/peers.ts';
import { readServiceKeys } from '../placement/service-keys.ts';
import { type Installation, SCHEMAS } from '../setup/database.ts';
import { ROOT } from '../setup/paths.ts';
import { ContractMismatch } from '../shared/seam/client.ts';
import { createServiceTokens, derivedKeys } from '../shared/seam/service-token.ts';

/** What `kerf readiness` says of a module that is to go. `internal`: address of a process that runs it, and tells what it has seen. */
export async function readinessOf(module: string, installation: Pick<Installation, 'url' | 'moved'>, internal: string): Promise<Preflight> {
  const [{ gatherFacts }, { judge }] = await Promise.all([import('../boundaries/readiness/facts.ts'), import('../boundaries/readiness/readiness.ts')]);
  const moved = await installation.moved();
  const [facts] = await gatherFacts([module], { names: SCHEMAS, url: (name) => installation.url(name, moved.get(name)?.databaseUrl ?? undefined), root: ROOT, internal });
  const { blockers, notLooked } = judge(facts!);
  return {
    blockers: blockers.map(({ what, where, todo }) => `${module} is not ready, at ${where}: ${what} ${todo}`),
    notes: notLooked.map((why) => `Not looked at: ${why}`),
  };
}

/** Why calls to the module cannot go to an address, and what to do; undefined: its process answers there, in our contract. */
export async function refusalAt(address: string, module: string, secret: string, { serviceKeys, placement: { tls } }: Config): Promise<string | undefined> {
  const keys = serviceKeys ? readServiceKeys(serviceKeys).keys : derivedKeys(secret, [...MODULES, 'edge']);
  const peers = createPeers({ ...(tls && { tls }), tokens: createServiceTokens(keys, () => new Date()), log: pino({ enabled: false }), policy: { timeout: PATIENCE } });
  const { contract } = modules.find((one) => one.contract.module === module)!;
  const remote = peers.to('edge', contract, address);
  try {
    await remote.check();
    return undefined;
  } catch (error) {
    if (error instanceof ContractMismatch) return `The ${module} at ${address} is of another version: ${error.message} Start it from the version of the shop.`;
    const refusal = remote.refusal();
    if (refusal === 'unknown_module') return `The process at ${address} does not run ${module}: start it with KERF_MODULES=${module}.`;
    if (refusal) return `The process at ${address} does not believe the shop: start it with the shop's KERF_SECRET (or KERF_SERVICE_KEYS), and look at its clock.`;
    return `No process of Kerf answers at ${address}: start the one of ${module} there, or name its address with --at.`;
  } finally {
    await peers.close();
  }
}

/** Milliseconds. */
const PATIENCE = 5_000;
