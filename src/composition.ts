import 'reflect-metadata';
import { Container } from 'inversify';
import type { Logger } from 'pino';
import { calls, MODULES } from './calls.ts';
import { createInbox, createPublish, type Event, tidyInbox } from './shared/events.ts';
import { type Contract, overWire, type Service } from './shared/contract.ts';
import { connect, type Database, insideTransaction } from './shared/database.ts';
import { notFound } from './shared/errors.ts';
import { assertListens, type Background, type Module, type ModuleContext, type Route, type Subscription, tokens } from './shared/module.ts';
import { createObservation, type Observed } from './shared/observation.ts';
import { createQueue, type Handler } from './shared/queue.ts';
import type { Settings } from './shared/settings.ts';
import { watchStatements } from './shared/statements.ts';
import { sweep } from './shared/sweep.ts';
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

export interface Composition {
  settings: Settings;
  log: Logger;
  /** address of a module's database, with its own role */
  databaseUrl: (module: string) => string;
  poolSize: number;
  now?: () => Date;
  /** send every call between modules through the encoding of the wire, as if they were apart */
  forceWire?: boolean;
}

/** The modules of this process, wired and not yet working in the background. */
export interface Kerf {
  /** a module's service by its contract, as the edge and commands call it */
  service<C extends Contract>(contract: C): Service<C>;
  routes: readonly Route[];
  databases: ReadonlyMap<string, Database>;
  /** what crossed the boundaries between modules so far */
  observed(): Observed;
  /** takes an event to a module's inbox */
  deliver(module: string, event: Event): Promise<void>;
  /** prepares the modules (signing keys and the like); before the first call */
  prepare(): Promise<void>;
  /** starts queues and sweeps */
  startWork(): Promise<void>;
  /** ends the background work, waits for what runs, closes the databases */
  stop(): Promise<void>;
}

export function compose({ settings, log, databaseUrl, poolSize, now = () => new Date(), forceWire = false }: Composition): Kerf {
  const observation = createObservation(now);
  const containers = new Map(modules.map(({ contract }) => [contract.module, new Container()]));
  const containerOf = (name: string) => containers.get(name)!;
  const bound = <T>(name: string, token: symbol, absent: T) => (containerOf(name).isBound(token) ? containerOf(name).get<T>(token) : absent);
  const seam = <C extends Contract>(from: string, contract: C): Service<C> =>
    callees(contract, (method) => {
      if (insideTransaction()) throw new Error(`${from} called ${contract.module}.${method} inside a transaction, which would span two modules: call before or after it.`);
      observation.called(from, contract.module, method);
      return containerOf(contract.module).get(contract.token);
    });

  const pools = modules.map((module) => {
    const { contract, wiring } = module;
    const name = contract.module;
    const moduleLog = log.child({ module: name });
    const db = connect({ url: databaseUrl(name), applicationName: `kerf ${name}`, poolSize });
    watchStatements(db, { module: name, modules: [...MODULES, 'edge'] }, ({ text, foreign }) => foreign.forEach((schema) => observation.namedForeignSchema(name, schema, text)));
    const queue = createQueue(name, db, moduleLog);
    const publish = createPublish(name, queue, listenersOf, now);
    const container = containerOf(name);
    container.bind<ModuleContext>(tokens(name).context).toConstantValue({ db, queue, publish, log: moduleLog, now, settings });
    for (const callee of calleesOf(name)) container.bind(callee.token).toConstantValue(seam(name, callee));
    container.load(wiring);
    if (forceWire) container.onActivation(contract.token, (_, service) => overWire(contract, service as never));
    return { name, module, db, queue, log: moduleLog };
  });
  const subscriptionsOf = ({ name, module }: (typeof pools)[number]) => {
    const subscriptions = bound<Subscription[]>(name, tokens(name).subscriptions, []);
    assertListens(module, subscriptions);
    return subscriptions;
  };
  const hosted = pools.map((pool) => ({
    ...pool,
    inbox: createInbox(pool.db, subscriptionsOf(pool)),
    background: bound<Background>(pool.name, tokens(pool.name).background, {}),
  }));

  const deliver = async (to: string, event: Event) => {
    const subscriber = hosted.find(({ name }) => name === to);
    if (!subscriber) throw notFound('module');
    await subscriber.inbox(event);
    observation.delivered(event.type, event.source.replace('kerf/', ''), to);
  };
  const sweeps: { stop(): Promise<void> }[] = [];
  const startWorkOf = async ({ module, db, queue, log: moduleLog, background }: (typeof hosted)[number]) => {
    const { jobs } = background;
    const publishes = Object.keys(module.contract.events).length > 0;
    await queue.start({ ...(publishes && { events: toSubscriber(deliver) }), ...(jobs && { jobs: toJob(jobs) }) });
    const forget = { name: 'forget handled events', every: 3_600, run: () => tidyInbox(db, now()) };
    const recurring = [...(background.sweeps ?? []), ...(module.listens.length > 0 ? [forget] : [])];
    sweeps.push(...recurring.map((job) => sweep(job, moduleLog.child({ sweep: job.name }))));
  };

  return {
    service: (contract) => seam('edge', contract),
    observed: observation.report,
    routes: hosted.flatMap(({ name }) => bound<Route[]>(name, tokens(name).routes, [])),
    databases: new Map(hosted.map(({ name, db }) => [name, db])),
    deliver,
    async prepare() {
      await Promise.all(hosted.map(({ background }) => background.prepare?.()));
    },
    async startWork() {
      await Promise.all(hosted.map(startWorkOf));
    },
    async stop() {
      await Promise.all(sweeps.map((running) => running.stop()));
      await Promise.all(hosted.map(({ queue }) => queue.stop()));
      await Promise.all(hosted.map(({ db }) => db.destroy()));
    },
  };
}

/** The service of a contract, where each call asks `service` first for whom it goes to. */
function callees<C extends Contract>(contract: C, service: (method: string) => Service<C>): Service<C> {
  const methods = Object.keys(contract.methods).map((name) => [name, async (input: never) => service(name)[name as keyof Service<C>](input)]);
  return Object.fromEntries(methods) as Service<C>;
}

/** The contracts that a module may call, by the table in calls.ts: no other token is bound for it. */
const calleesOf = (name: string) => modules.map(({ contract }) => contract).filter(({ module }) => calls[name]?.includes(module));

/** The modules that handle this type of event. */
const listenersOf = (type: string) =>
  modules.filter(({ listens }) => listens.some((event) => event.type === type)).map(({ contract }) => contract.module);

const toSubscriber = (deliver: Kerf['deliver']): Handler => async ({ data }) => {
  const { to, event } = data as { to: string; event: Event };
  await deliver(to, event);
};

const toJob = (jobs: NonNullable<Background['jobs']>): Handler => async ({ data }) => {
  const { name, data: input } = data as { name: string; data: never };
  const job = jobs[name];
  if (!job) throw new Error(`Nobody handles the job "${name}".`);
  await job(input);
};
