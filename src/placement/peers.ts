import type { Logger } from 'pino';
import { misfits } from '../boundaries/contracts/contract-changes.ts';
import type { Contract } from '../shared/contract.ts';
import { client, type Remote } from '../shared/seam/client.ts';
import type { EdgePolicy } from '../shared/seam/resilience.ts';
import { SHADOW } from '../shared/seam/protocol.ts';
import type { ServiceTokens } from '../shared/seam/service-token.ts';
import type { Tls } from './tls.ts';

/** The modules that run elsewhere, one client per edge of the call table: each has its own pool, breaker and budget. */
export interface Peers {
  /** `address`: where the module is now; a client to where it was finishes what is under way */
  to<C extends Contract>(from: string, contract: C, address: string): Remote<C>;
  /** a client of where a module is about to move, in the module's own name and not one of `all` */
  shadow(contract: Contract, address: string): Remote<Contract>;
  /** clients of a module that is elsewhere now, or here; those that were finish what is under way */
  forget(module: string, address: string | undefined): void;
  /** every client made so far; `check` compares contracts */
  all(): Remote<Contract>[];
  close(): Promise<void>;
}

export interface PeersOptions {
  tls?: Tls;
  tokens: ServiceTokens;
  log: Logger;
  policy?: Partial<EdgePolicy>;
}

export function createPeers({ log, ...options }: PeersOptions): Peers {
  const remotes = new Map<string, Remote<Contract>>();
  return {
    to<C extends Contract>(from: string, contract: C, address: string) {
      const edge = `${from} → ${contract.module}`;
      const known = remotes.get(edge);
      if (known?.address === address) return known as Remote<C>;
      const made = client<Contract>(contract, { ...options, misfits: sentences, from, address, log: log.child({ edge }) });
      remotes.set(edge, made);
      void known?.close();
      return made as Remote<C>;
    },
    shadow: (contract, address) =>
      client(contract, { ...options, misfits: sentences, from: contract.module, address, below: SHADOW, log: log.child({ edge: `${contract.module}'s shadow` }) }),
    forget(module, address) {
      for (const [edge, remote] of remotes) {
        if (remote.contract.module !== module || remote.address === address) continue;
        remotes.delete(edge);
        void remote.close();
      }
    },
    all: () => [...remotes.values()],
    async close() {
      await Promise.all([...remotes.values()].map((remote) => remote.close()));
    },
  };
}

const sentences = (...contracts: Parameters<typeof misfits>) =>
  misfits(...contracts).map(({ method, event, field, change, why }) => `${[method ?? event, field].filter(Boolean).join(' ')} ${change}. ${why}`);
