import type { Logger } from 'pino';
import { misfits } from '../boundaries/contracts/contract-changes.ts';
import type { Contract } from '../shared/contract.ts';
import { client, type Remote } from '../shared/seam/client.ts';
import { SHADOW } from '../shared/seam/protocol.ts';
import { type EdgePolicy, LostCall } from '../shared/seam/resilience.ts';
import type { ServiceTokens } from '../shared/seam/service-token.ts';
import { type Addresses, HERE, type Place } from './addresses.ts';
import type { Tls } from './tls.ts';

/** A module elsewhere, as whoever watches over it sees it: wherever it answers at that moment. */
export interface Peer extends Pick<Remote<Contract>, 'contract' | 'check' | 'answers' | 'refusal'> {
  /** undefined: nobody is known to have it */
  address: string | undefined;
}

/** The modules that run elsewhere, one client per edge of the call table: each has its own pool, breaker and budget. */
export interface Peers {
  /** `place`: where the module is now; a client to where it was finishes what is under way. Throws a LostCall where there is nobody */
  to<C extends Contract>(from: string, contract: C, place: Place): Remote<C>;
  /** a client of where a module is about to move, in the module's own name and not one of `all` */
  shadow(contract: Contract, address: string): Remote<Contract>;
  peer(from: string, contract: Contract, addresses: Addresses): Peer;
  /** clients of a module that is elsewhere now, or here; those that were finish what is under way */
  forget(module: string, place: Place): void;
  /** every client made so far */
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
  const peers: Peers = {
    to<C extends Contract>(from: string, contract: C, address: Place) {
      if (typeof address !== 'string') throw new LostCall(`No process is known to have ${contract.module}.`, false);
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
    peer(from, contract, addresses) {
      const { module } = contract;
      const now = () => {
        const place = addresses.of(module);
        return typeof place === 'string' ? peers.to(from, contract, place) : undefined;
      };
      return {
        contract,
        get address() {
          return now()?.address;
        },
        check: () => addresses.reach(module, async (place) => (place === HERE ? undefined : peers.to(from, contract, place).check())),
        answers: () => now()?.answers() ?? false,
        refusal: () => now()?.refusal(),
      };
    },
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
  return peers;
}

const sentences = (...contracts: Parameters<typeof misfits>) =>
  misfits(...contracts).map(({ method, event, field, change, why }) => `${[method ?? event, field].filter(Boolean).join(' ')} ${change}. ${why}`);
