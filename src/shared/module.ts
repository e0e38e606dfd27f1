import type { ContainerModule } from 'inversify';
import type { Logger } from 'pino';
import type { Contract, EventType } from './contract.ts';
import type { Database } from './database.ts';
import type { Publish, Subscription } from './events.ts';
import type { Route } from './http.ts';
import type { Queue } from './queue.ts';
import type { Settings } from './settings.ts';
import type { Sweep } from './sweep.ts';

/** What a hosted module is given: its own database, queue and log, the clock, and the settings it may read. */
export interface ModuleContext {
  db: Database;
  publish: Publish;
  queue: Queue;
  log: Logger;
  now: () => Date;
  settings: Settings;
}

/** One line of composition.ts: a module as the process that hosts it sees it. */
export interface Module {
  contract: Contract;
  /** types of other modules' events that it handles; each has a handler in its subscriptions */
  listens: readonly EventType[];
  /** binds `contract.token` to the service and the module's `tokens` to what else it brings */
  wiring: ContainerModule;
}

/** A type that is handled and not listed would never arrive; one that is listed and not handled would be lost unnoticed. */
export function assertListens({ contract: { module }, listens }: Pick<Module, 'contract' | 'listens'>, subscriptions: readonly Subscription[]): void {
  const [listed, handled] = [new Set(listens.map(({ type }) => type)), new Set(subscriptions.map(({ type }) => type))];
  const [unlisted] = handled.difference(listed);
  const [unhandled] = listed.difference(handled);
  if (unlisted) throw new Error(`${module} handles ${unlisted} and does not name it in \`listens\` of its module.ts: it would never arrive.`);
  if (unhandled) throw new Error(`${module} names ${unhandled} in \`listens\` of its module.ts and has no subscription for it: it would be lost.`);
}

/** The injection tokens of a module. `service` is the token of its contract. */
export const tokens = (module: string) => ({
  /** ModuleContext, bound by composition.ts */
  context: Symbol.for(`kerf:${module}:context`),
  /** Route[] */
  routes: Symbol.for(`kerf:${module}:routes`),
  /** Subscription[] */
  subscriptions: Symbol.for(`kerf:${module}:subscriptions`),
  /** Background */
  background: Symbol.for(`kerf:${module}:background`),
});

/** What a module does besides answering calls. */
export interface Background {
  /** handlers of the module's queued jobs by name; at least once, so they are idempotent */
  jobs?: Record<string, (data: never) => Promise<void>>;
  /** safe in many processes at once */
  sweeps?: Sweep[];
  /** run once before the module serves, e.g. to make sure that its signing keys exist */
  prepare?(): Promise<void>;
}

export type { Route, Subscription };
