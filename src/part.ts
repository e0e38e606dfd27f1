import { Container } from 'inversify';
import type { Logger } from 'pino';
import { MODULES } from './calls.ts';
import type { Topology } from './placement/topology.ts';
import { createBackgroundWork } from './shared/background-work.ts';
import { type Contract, overWire, type Service } from './shared/contract.ts';
import { connect, type Database } from './shared/database.ts';
import { consuming, createInbox, createPublish, type Event } from './shared/events.ts';
import { assertListens, type Background, type Module, type ModuleContext, type Subscription, tokens } from './shared/module.ts';
import type { Observation } from './shared/observation.ts';
import { createQueue } from './shared/queue.ts';
import { answering } from './shared/seam/edge.ts';
import { createMirror } from './shared/seam/mirror.ts';
import type { Settings } from './shared/settings.ts';
import { watchStatements } from './shared/statements.ts';

/** What the parts of one process have in common. */
export interface Surroundings {
  settings: Settings;
  log: Logger;
  now: () => Date;
  topology: Topology;
  observation: Observation;
  poolSize: number;
  /** finds out again where modules are */
  look: () => Promise<void>;
  /** another module, as this one may call it */
  seam<C extends Contract>(from: string, contract: C): Service<C>;
  deliver: (from: string, to: string, event: Event) => Promise<void>;
  /** send every call through the encoding of the wire */
  forceWire: boolean;
}

/** A module at work on a database: its service wired, its queue and sweeps ready to start. */
export type Part = ReturnType<typeof createPart>;

export function createPart(module: Module, url: string, { settings, log, now, topology, observation, poolSize, look, seam, deliver, forceWire }: Surroundings) {
  const name = module.contract.module;
  const moduleLog = log.child({ module: name });
  const db: Database = connect({ url, applicationName: `kerf ${name}`, poolSize, look });
  watchStatements(db, { module: name, modules: [...MODULES, 'edge'] }, ({ text, foreign }) => foreign.forEach((schema) => observation.namedForeignSchema(name, schema, text)));
  const queue = createQueue(name, db, moduleLog);
  const container = new Container();
  const publish = createPublish(name, queue, topology.listeners, now);
  container.bind<ModuleContext>(tokens(name).context).toConstantValue({ db, queue, publish, log: moduleLog, now, settings });
  for (const callee of topology.callees(name)) container.bind(callee.token).toConstantValue(seam(name, callee));
  container.load(module.wiring);
  container.onActivation(module.contract.token, (_, service) => {
    const answers = answering(module.contract, service as never);
    return forceWire ? overWire(module.contract, answers) : answers;
  });
  const subscriptions = bound<Subscription[]>(container, tokens(name).subscriptions, []);
  assertListens(module, subscriptions);
  const background = bound<Background>(container, tokens(name).background, {});
  const work = createBackgroundWork({ module, db, queue, background, deliver, now, log: moduleLog });
  const mirror = createMirror(module.contract, container.get<Service<Contract>>(module.contract.token), moduleLog);
  return { name, module, db, queue, mirror, service: mirror.service as object, inbox: consuming(name, createInbox(db, subscriptions)), background, work };
}

export const bound = <T>(container: Container, token: symbol, absent: T) => (container.isBound(token) ? container.get<T>(token) : absent);
