import 'reflect-metadata';
import { Container } from 'inversify';
import type { Logger } from 'pino';
import { createInbox, createPublish, type Event, tidyInbox } from './shared/events.ts';
import { overWire, type Service } from './shared/contract.ts';
import { connect, type Database } from './shared/database.ts';
import { notFound } from './shared/errors.ts';
import { type Background, type Module, type ModuleContext, type Route, type Subscription, tokens } from './shared/module.ts';
import { createQueue, type Handler } from './shared/queue.ts';
import type { Settings } from './shared/settings.ts';
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
  /** a module's service by its contract */
  service<C extends Module['contract']>(contract: C): Service<C>;
  routes: readonly Route[];
  databases: ReadonlyMap<string, Database>;
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
  const container = new Container();
  const bound = <T>(token: symbol, absent: T) => (container.isBound(token) ? container.get<T>(token) : absent);

  const pools = modules.map((module) => {
    const { contract, wiring } = module;
    const name = contract.module;
    const moduleLog = log.child({ module: name });
    const db = connect({ url: databaseUrl(name), applicationName: `kerf ${name}`, poolSize });
    const queue = createQueue(name, db, moduleLog);
    const publish = createPublish(name, queue, listenersOf, now);
    container.bind<ModuleContext>(tokens(name).context).toConstantValue({ db, queue, publish, log: moduleLog, now, settings });
    container.load(wiring);
    if (forceWire) container.onActivation(contract.token, (_, service) => overWire(contract, service as never));
    return { name, module, db, queue, log: moduleLog };
  });
  const hosted = pools.map((pool) => ({
    ...pool,
    inbox: createInbox(pool.db, bound<Subscription[]>(tokens(pool.name).subscriptions, [])),
    background: bound<Background>(tokens(pool.name).background, {}),
  }));

  const deliver = async (to: string, event: Event) => {
    const subscriber = hosted.find(({ name }) => name === to);
    if (!subscriber) throw notFound('module');
    await subscriber.inbox(event);
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
    service: (contract) => container.get(contract.token),
    routes: hosted.flatMap(({ name }) => bound<Route[]>(tokens(name).routes, [])),
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
