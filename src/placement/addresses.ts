import { setTimeout as delay } from 'node:timers/promises';
import { timeLeft } from '../shared/context.ts';
import { LeftAlone, LostCall, RefusedCall } from '../shared/seam/resilience.ts';
import type { Placement } from './placement.ts';

/** The module runs in this process. */
export const HERE = Symbol('here');
/** Undefined: nobody is known to have the module. */
export type Place = typeof HERE | string | undefined;

/** Where calls go. */
export interface Addresses {
  of(module: string): Place;
  /** `address`: where the module has been moved; undefined: it is where the configuration says */
  place(module: string, address: string | undefined): void;
  /**
   * Runs `call` with where the module is. Where that fails, and `hadNoEffect`, it is found out where the module is by now, and
   * what has it is tried in turn: nobody meets an error because a module has moved, or because one of its processes is gone.
   */
  reach<T>(module: string, call: (place: Place) => Promise<T>, hadNoEffect?: (error: unknown) => boolean): Promise<T>;
}

/** Milliseconds that a call which came to nobody waits to hear where to go. */
const LOOK_WITHIN = 500;

interface Known {
  placement: Placement;
  /** addresses of other processes that have the module by their configuration; whoever was seen just now comes first */
  hosts: (module: string) => readonly string[];
  /** finds out again where the module is; resolves once `place` has been told */
  look: (module: string) => Promise<void>;
}

export function createAddresses({ placement, hosts, look }: Known): Addresses {
  const moved = new Map<string, string>();
  /** the one that was tried last, as long as it counts */
  const chosen = new Map<string, string>();
  const looks = new WeakMap<LeftAlone, Promise<void>>();

  const candidates = (module: string) => {
    const configured = placement.addresses[module];
    const others = hosts(module).filter((address) => !(placement.tls && address.startsWith('http:')));
    return [...new Set(configured === undefined ? others : [configured, ...others])];
  };
  const choose = (module: string) => {
    const all = candidates(module);
    const last = chosen.get(module);
    return last !== undefined && all.includes(last) ? last : all[0];
  };
  const of = (module: string): Place => moved.get(module) ?? (placement.hosts.includes(module) ? HERE : choose(module));
  /** What was known stays where it cannot be found out, or not soon. Who is left alone for a while is looked for once in it, for all who ask. */
  const lookAgain = (module: string, because: unknown) => {
    const looking = looks.get(because as LeftAlone) ?? look(module).catch(() => undefined);
    if (because instanceof LeftAlone) looks.set(because, looking);
    return Promise.race([looking, delay(Math.min(LOOK_WITHIN, timeLeft()), undefined, { ref: false })]);
  };
  const tryAnother = (module: string, tried: ReadonlySet<Place>) => {
    const next = candidates(module).find((address) => !tried.has(address));
    if (next !== undefined) chosen.set(module, next);
  };

  return {
    of,
    place(module, address) {
      if (address === undefined) moved.delete(module);
      else moved.set(module, address);
    },
    async reach(module, call, hadNoEffect = neverBegan) {
      let tried: Set<Place> | undefined;
      for (;;) {
        const place = of(module);
        if (place === HERE) return call(place);
        try {
          return await call(place);
        } catch (error) {
          if (!hadNoEffect(error)) throw error;
          tried = (tried ?? new Set()).add(place);
          await lookAgain(module, error);
          if (tried.has(of(module))) tryAnother(module, tried);
          if (tried.has(of(module))) throw error;
        }
      }
    },
  };
}

/** Whether a call has certainly come to nobody who has the module. */
export const neverBegan = (error: unknown): boolean =>
  error instanceof LeftAlone || (error instanceof LostCall && !error.reached) || (error instanceof RefusedCall && error.refusal === 'unknown_module');
