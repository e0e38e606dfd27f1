import 'reflect-metadata';
import type { RequestListener } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { Container } from 'inversify';
import type { Logger } from 'pino';
import { MODULES } from './calls.ts';
import { createPeers } from './placement/peers.ts';
import { assertComplete, type Placement } from './placement/placement.ts';
import { assertKeys } from './placement/service-keys.ts';
import { topologyOf } from './placement/topology.ts';
import { consuming, createInbox, createPublish, type Event, tidyInbox } from './shared/events.ts';
import { type Contract, overWire, type Service } from './shared/contract.ts';
import { connect, type Database } from './shared/database.ts';
import { assertListens, type Background, type Module, type ModuleContext, type Route, type Subscription, tokens } from './shared/module.ts';
import { createObservation, type Observed, type Outcome, outcomeOf } from './shared/observation.ts';
import { createQueue, type Handler } from './shared/queue.ts';
import { depths } from './shared/queue-view.ts';
import type { Remote } from './shared/seam/client.ts';
import { answering, callEdge } from './shared/seam/edge.ts';
import type { EdgePolicy } from './shared/seam/resilience.ts';
import { serve } from './shared/seam/server.ts';
import { createServiceTokens, derivedKeys, type ServiceKeys } from './shared/seam/service-token.ts';
import type { Settings } from './shared/settings.ts';
import { watchStatements } from './shared/statements.ts';
import { inSpan } from './shared/spans.ts';
import { sweep, type Sweeping, type SweepStatus } from './shared/sweep.ts';
import { createMetrics, type Metrics } from './shared/telemetry.ts';
import { catalogModule } from './modules/catalog/module.ts';
import { couponModule } from './modules/coupon/module.ts';
import { inventoryModule } from './modules/inventory/module.ts';
import { orderModule } from './modules/order/module.ts';
import { paymentModule } from './modules/payment/module.ts';
import { userModule } from './modules/user/module.ts';

/** The map: one line per module. */
export const modules: readonly Module[] = [
  userModule,
  catalogModule,
  inventoryModule,
  couponModule,
  paymentModule,
  orderModule,
];

const topology = topologyOf(modules);
/** Milliseconds that a database has to tell how its queues stand. */
const FIGURES_WITHIN = 500;
const ALL_HERE: Placement = { hosts: MODULES, addresses: {}, edge: true };

export interface Composition {
  settings: Settings;
  log: Logger;
  /** address of a module's database, with its own role */
  databaseUrl: (module: string) => string;
  poolSize: number;
  /** default: every module and the public API here */
  placement?: Placement;
  /** who is who between processes; default: keys that follow from the secret */
  serviceKeys?: ServiceKeys;
  now?: () => Date;
  /** send every call between modules through the encoding of the wire, as if they were apart */
  forceWire?: boolean;
  policy?: Partial<EdgePolicy>;
}

/** The modules of this process, wired and not yet working in the background. */
export interface Kerf {
  /** a module's service by its contract, as the edge and commands call it */
  service<C extends Contract>(contract: C): Service<C>;
  /** the public routes of every module, wherever it lives */
  routes: readonly Route[];
  /** of the modules that run here */
  databases: ReadonlyMap<string, Database>;
  /** answers other processes' calls to the modules that run here */
  seam: RequestListener;
  /** the modules elsewhere that are called from here, one for each edge of the call table */
  peers: readonly Remote<Contract>[];
  /** of this process, with what it does across boundaries */
  metrics: Metrics;
  /** what crossed the boundaries between modules so far */
  observed(): Observed;
  /** what the modules here do again and again, once the work has started */
  sweeps(): SweepStatus[];
  /** prepares the modules (signing keys and the like); before the first call */
  prepare(): Promise<void>;
  /** starts queues and sweeps */
  startWork(): Promise<void>;
  /** ends the background work, waits for what runs, closes the databases */
  stop(): Promise<void>;
}

/** Wires the modules that this placement puts here, and clients for the others. Throws a ConfigError when one is nowhere. */
export function compose({ settings, log, databaseUrl, poolSize, placement = ALL_HERE, now = () => new Date(), forceWire = false, policy = {}, serviceKeys }: Composition): Kerf {
  assertComplete(placement, MODULES, topology);
  if (serviceKeys) assertKeys(serviceKeys, placement, topology);
  const serviceTokens = createServiceTokens(serviceKeys ?? derivedKeys(settings.secret, [...MODULES, 'edge']), now);
  const metrics = createMetrics();
  const observation = createObservation(now, metrics);
  const peers = createPeers({ placement, tokens: serviceTokens, log, policy });

  const isHere = ({ module }: Contract) => placement.hosts.includes(module);
  const host = (module: Module) => {
    const name = module.contract.module;
    const moduleLog = log.child({ module: name });
    const db = connect({ url: databaseUrl(name), applicationName: `kerf ${name}`, poolSize });
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
    return { name, module, db, queue, log: moduleLog, container };
  };
  /** The service of a contract as one caller sees it: the module's own where it runs here, a client where it does not. */
  const seam = <C extends Contract>(from: string, contract: C): Service<C> => {
    const remote = isHere(contract) ? undefined : peers.to(from, contract);
    return callEdge(contract, from, observation, () => remote?.service ?? hosted.get(contract.module)!.container.get<Service<C>>(contract.token));
  };
  const hosted: ReadonlyMap<string, ReturnType<typeof host>> = new Map(
    modules.filter(({ contract }) => isHere(contract)).map((module) => [module.contract.module, host(module)]),
  );
  const parts = [...hosted.values()].map((part) => {
    const subscriptions = bound<Subscription[]>(part.container, tokens(part.name).subscriptions, []);
    assertListens(part.module, subscriptions);
    return { ...part, inbox: consuming(part.name, createInbox(part.db, subscriptions)), background: bound<Background>(part.container, tokens(part.name).background, {}) };
  });

  const deliver = async (from: string, to: string, event: Event) => {
    const inbox = parts.find(({ name }) => name === to)?.inbox;
    const ended = (outcome: Outcome) => observation.delivered(event.type, from, to, outcome);
    try {
      await (inbox ? inbox(event) : peers.to(from, topology.contract(to)).deliver(event));
      ended('ok');
    } catch (error) {
      ended(outcomeOf(error));
      throw error;
    }
  };
  const sweeps: Sweeping[] = [];
  const startWorkOf = async ({ name, module, db, queue, log: moduleLog, background }: (typeof parts)[number]) => {
    const { jobs } = background;
    const publishes = Object.keys(module.contract.events).length > 0;
    await queue.start({ ...(publishes && { events: toSubscriber(name, deliver) }), ...(jobs && { jobs: toJob(name, jobs) }) });
    const forget = { name: 'forget handled events', every: 3_600, run: () => tidyInbox(db, now()) };
    const recurring = [...(background.sweeps ?? []), ...(module.listens.length > 0 ? [forget] : [])];
    sweeps.push(...recurring.map((job) => sweep(name, job, moduleLog.child({ sweep: job.name }))));
  };
  /** Routes know nothing but the contract: they are served where the edge is, and call it alike wherever the module is. */
  const routesOf = ({ contract, wiring }: Module): Route[] => {
    const container = new Container();
    container.load(wiring);
    container.rebind(contract.token).toConstantValue(seam('edge', contract));
    return bound<Route[]>(container, tokens(contract.module).routes, []);
  };

  metrics.queueDepths(async () => (await Promise.all(parts.map(({ name, db }) => soon(depths(name, db))))).flat());
  metrics.peers(() => peers.all().map(({ from, contract, state }) => ({ from, to: contract.module, state: state().breaker, waiting: state().waiting })));

  return {
    service: (contract) => seam('edge', contract),
    routes: placement.edge ? modules.flatMap(routesOf) : [],
    databases: new Map(parts.map(({ name, db }) => [name, db])),
    seam: serve({
      served: parts.map(({ name, module: { contract }, container, inbox }) => ({
        contract,
        service: container.get(contract.token),
        deliver: inbox,
        callers: [...topology.callers(name), 'edge'],
        publishers: topology.publishers(name),
      })),
      tokens: serviceTokens,
      log,
      refused: (module, reason) => metrics.seamRefused.inc({ module, reason }),
    }),
    peers: peers.all(),
    metrics,
    observed: observation.report,
    sweeps: () => sweeps.map((sweeping) => sweeping.status()),
    async prepare() {
      await Promise.all(parts.map(({ background }) => background.prepare?.()));
    },
    async startWork() {
      await Promise.all(parts.map(startWorkOf));
    },
    async stop() {
      await Promise.all(sweeps.map((running) => running.stop()));
      await Promise.all(parts.map(({ queue }) => queue.stop()));
      await peers.close();
      await Promise.all(parts.map(({ db }) => db.destroy()));
    },
  };
}

/** A database that does not answer, or a pool that is used up, must not cost the other figures, nor the time of whoever asks. */
const soon = <T>(figures: Promise<T[]>): Promise<T[]> => Promise.race([figures.catch(() => []), setTimeout(FIGURES_WITHIN, [], { ref: false })]);

const bound = <T>(container: Container, token: symbol, absent: T) => (container.isBound(token) ? container.get<T>(token) : absent);

const toSubscriber = (from: string, deliver: (from: string, to: string, event: Event) => Promise<void>): Handler => async ({ data }) => {
  const { to, event } = data as { to: string; event: Event };
  await deliver(from, to, event);
};

const toJob = (module: string, jobs: NonNullable<Background['jobs']>): Handler => async ({ data }) => {
  const { name, data: input } = data as { name: string; data: never };
  const job = jobs[name];
  if (!job) throw new Error(`Nobody handles the job "${name}".`);
  await inSpan(`job ${module}: ${name}`, {}, () => job(input));
};
