import 'reflect-metadata';
import { Container } from 'inversify';
import type { Logger } from 'pino';
import { createInbox, createPublish, type Deliver, type Event } from './shared/events.ts';
import { overWire, type Service } from './shared/contract.ts';
import { connect, type Database } from './shared/database.ts';
import { notFound } from './shared/errors.ts';
import { type Background, type Module, type ModuleContext, type Route, type Subscription, tokens } from './shared/module.ts';
import { createQueue, type Handler, type Queue } from './shared/queue.ts';
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
  const databases = new Map<string, Database>();
  const queues = new Map<string, Queue>();
  const listeners = (type: string) =>
    modules.filter(({ listens }) => listens.some((event) => event.type === type)).map(({ contract }) => contract.module);

  for (const { contract, wiring } of modules) {
    const name = contract.module;
    const moduleLog = log.child({ module: name });
    const db = connect({ url: databaseUrl(name), applicationName: `kerf ${name}`, poolSize });
    const queue = createQueue(name, db, moduleLog);
    const publish = createPublish(name, queue, listeners, now);
    databases.set(name, db);
    queues.set(name, queue);
    container.bind<ModuleContext>(tokens(name).context).toConstantValue({ db, queue, publish, log: moduleLog, now, settings });
    container.load(wiring);
    if (forceWire) container.onActivation(contract.token, (_, service) => overWire(contract, service as never));
  }

  const bound = <T>(token: symbol, absent: T) => (container.isBound(token) ? container.get<T>(token) : absent);
  const inboxes = new Map<string, Deliver>(
    modules.map(({ contract: { module } }) => [
      module,
      createInbox(databases.get(module)!, bound<Subscription[]>(tokens(module).subscriptions, [])),
    ]),
  );
  const deliver = async (module: string, event: Event) => {
    const inbox = inboxes.get(module);
    if (!inbox) throw notFound('module');
    await inbox(event);
  };
  const background = new Map(modules.map(({ contract: { module } }) => [module, bound<Background>(tokens(module).background, {})]));
  const sweeps: { stop(): Promise<void> }[] = [];

  return {
    service: (contract) => container.get(contract.token),
    routes: modules.flatMap(({ contract }) => bound<Route[]>(tokens(contract.module).routes, [])),
    databases,
    deliver,
    async prepare() {
      await Promise.all([...background.values()].map(({ prepare }) => prepare?.()));
    },
    async startWork() {
      await Promise.all(
        [...background].map(async ([module, { jobs, sweeps: recurring = [] }]) => {
          const publishes = Object.keys(modules.find(({ contract }) => contract.module === module)!.contract.events).length > 0;
          await queues.get(module)!.start({
            ...(publishes && { events: toSubscriber(deliver) }),
            ...(jobs && { jobs: toJob(jobs) }),
          });
          sweeps.push(...recurring.map((job) => sweep(job, log.child({ module, sweep: job.name }))));
        }),
      );
    },
    async stop() {
      await Promise.all(sweeps.map((running) => running.stop()));
      await Promise.all([...queues.values()].map((queue) => queue.stop()));
      await Promise.all([...databases.values()].map((db) => db.destroy()));
    },
  };
}

const toSubscriber = (deliver: (module: string, event: Event) => Promise<void>): Handler => async ({ data }) => {
  const { to, event } = data as { to: string; event: Event };
  await deliver(to, event);
};

const toJob = (jobs: NonNullable<Background['jobs']>): Handler => async ({ data }) => {
  const { name, data: input } = data as { name: string; data: never };
  const job = jobs[name];
  if (!job) throw new Error(`Nobody handles the job "${name}".`);
  await job(input);
};
