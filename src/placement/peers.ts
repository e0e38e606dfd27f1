import type { Logger } from 'pino';
import { misfits } from '../boundaries/contracts/contract-changes.ts';
import type { Contract } from '../shared/contract.ts';
import { client, type Remote } from '../shared/seam/client.ts';
import type { EdgePolicy } from '../shared/seam/resilience.ts';
import type { ServiceTokens } from '../shared/seam/service-token.ts';
import type { Placement } from './placement.ts';

/** The modules that run elsewhere, one client per edge of the call table: each has its own pool, breaker and budget. */
export interface Peers {
  to<C extends Contract>(from: string, contract: C): Remote<C>;
  /** every client made so far; `check` compares contracts */
  all(): Remote<Contract>[];
  close(): Promise<void>;
}

export interface PeersOptions {
  placement: Placement;
  tokens: ServiceTokens;
  log: Logger;
  policy?: Partial<EdgePolicy>;
}

export function createPeers({ placement: { addresses, tls }, log, ...options }: PeersOptions): Peers {
  const remotes = new Map<string, Remote<Contract>>();
  return {
    to<C extends Contract>(from: string, contract: C) {
      const edge = `${from} → ${contract.module}`;
      const known = remotes.get(edge) ?? client<Contract>(contract, { ...options, ...(tls && { tls }), misfits: sentences, from, address: addresses[contract.module]!, log: log.child({ edge }) });
      remotes.set(edge, known);
      return known as Remote<C>;
    },
    all: () => [...remotes.values()],
    async close() {
      await Promise.all([...remotes.values()].map((remote) => remote.close()));
    },
  };
}

const sentences = (...contracts: Parameters<typeof misfits>) =>
  misfits(...contracts).map(({ method, event, field, change, why }) => `${[method ?? event, field].filter(Boolean).join(' ')} ${change}. ${why}`);
