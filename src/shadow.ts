import type { Part } from './part.ts';
import type { WhereShadowed } from './placement/placement.ts';
import type { Contract, Service } from './shared/contract.ts';
import type { Remote } from './shared/seam/client.ts';
import type { Seen } from './shared/seam/mirror.ts';

/** Reads that are answered twice before a module moves: here as the owner, who compares, or as the process it moves to. */
export interface Shadows {
  /** begins, goes on or ends */
  follow(name: string, shadowed: WhereShadowed | undefined): void;
  /** where the module is about to move, if this process is to answer reads there */
  serviceOf(name: string): object | undefined;
  /** by module */
  seen(): Record<string, Seen | undefined>;
  stop(): Promise<void>;
}

interface ShadowOptions {
  /** the module as it is here */
  owner: (name: string) => Part | undefined;
  /** the module once more, on that database */
  open: (name: string, databaseUrl: string) => Part;
  client: (name: string, address: string) => Remote<Contract>;
}

export function createShadows({ owner, open, client }: ShadowOptions): Shadows {
  let ended: Promise<unknown> = Promise.resolve();
  const opened = new Map<string, { id: string; part: Part }>();
  const asked = new Map<string, { id: string; remote: Remote<Contract> }>();

  /** What is under way is waited for by nobody, until this process stops. */
  const end = (name: string) => {
    owner(name)?.mirror.to(undefined);
    ended = Promise.allSettled([ended, opened.get(name)?.part.db.destroy(), asked.get(name)?.remote.close()]);
    opened.delete(name);
    asked.delete(name);
  };
  return {
    follow(name, shadowed) {
      const known = opened.get(name) ?? asked.get(name);
      if (known && known.id !== shadowed?.id) end(name);
      if (!shadowed) return;
      const { id, percent, databaseUrl, address } = shadowed;
      if (databaseUrl) {
        if (!opened.has(name)) opened.set(name, { id, part: open(name, databaseUrl) });
      } else if (address && owner(name)) {
        const { remote } = asked.get(name) ?? { remote: client(name, address) };
        asked.set(name, { id, remote });
        owner(name)!.mirror.to({ id, percent, service: remote.service });
      }
    },
    serviceOf: (name) => opened.get(name)?.part.service,
    seen: () => Object.fromEntries([...asked.keys()].map((name) => [name, owner(name)?.mirror.seen()])),
    async stop() {
      for (const name of new Set([...opened.keys(), ...asked.keys()])) end(name);
      await ended;
    },
  };
}

/** A read may call other modules, and what writes there is none. */
export const readingOnly = <C extends Contract>({ module, methods }: C, service: Service<C>): Service<C> =>
  Object.fromEntries(
    Object.entries(methods).map(([name, { kind }]) => [name, kind === 'read' ? service[name as keyof Service<C>] : () => Promise.reject(new Writes(`${module}.${name}`))]),
  ) as Service<C>;

/** As the database says it of a statement. */
class Writes extends Error {
  readonly code = '25006';
}
