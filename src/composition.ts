import 'reflect-metadata';
import type { RequestListener } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { Container } from 'inversify';
import type { Logger } from 'pino';
import { MODULES } from './calls.ts';
import { createAddresses, HERE, neverBegan, type Place } from './placement/addresses.ts';
import { createPeers, type Peer } from './placement/peers.ts';
import { assertComplete, type Whereabouts, type Placement } from './placement/placement.ts';
import { assertKeys } from './placement/service-keys.ts';
import { topologyOf } from './placement/topology.ts';
import { bound, createPart, type Part, type Surroundings } from './part.ts';
import { createShadows, readingOnly, type Shadows } from './shadow.ts';
import type { Event } from './shared/events.ts';
import type { Contract, Service } from './shared/contract.ts';
import { type Database, poolOf } from './shared/database.ts';
import { type Module, type Route, tokens } from './shared/module.ts';
import type { Met } from './shared/movable-pool.ts';
import { createObservation, type Observed, type Outcome, outcomeOf } from './shared/observation.ts';
import { depths } from './shared/queue-view.ts';
import { callEdge } from './shared/seam/edge.ts';
import { type EdgePolicy, LostCall } from './shared/seam/resilience.ts';
import { serve } from './shared/seam/server.ts';
import { createServiceTokens, derivedKeys, type ServiceKeys } from './shared/seam/service-token.ts';
import type { Settings } from './shared/settings.ts';
import type { SweepStatus } from './shared/sweep.ts';
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
  /** finds out again where modules are, and tells `place` of them */
  look?: () => Promise<void>;
  /** addresses of other processes with a module; absent: where the configuration says nothing, nobody can be found */
  hosts?: (module: string) => readonly string[];
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
  peers(): Peer[];
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
  /** follows a module that moves: resolves once nothing uses its pool, where it is held, or once calls go to where it is now */
  place(module: string, place: Whereabouts): Promise<void>;
  /** what was found where reads are answered twice, by module */
  shadowed: Shadows['seen'];
  /** what the modules' flows met in moves, by module */
  met(): Record<string, Met>;
  /** ends the background work, waits for what runs, closes the databases */
  stop(): Promise<void>;
}

/** Wires the modules that this placement puts here, and clients for the others. Throws a ConfigError when one is nowhere. */
export function compose({ settings, log, databaseUrl, poolSize, placement = ALL_HERE, look = async () => undefined, hosts, now = () => new Date(), forceWire = false, policy = {}, serviceKeys }: Composition): Kerf {
  if (!hosts) assertComplete(placement, MODULES, topology);
  if (serviceKeys) assertKeys(serviceKeys, placement, topology);
  const serviceTokens = createServiceTokens(serviceKeys ?? derivedKeys(settings.secret, [...MODULES, 'edge']), now);
  const metrics = createMetrics();
  const observation = createObservation(now, metrics);

  /** A module that comes back from elsewhere is prepared, before it is called here. */
  const arriving = new Map<string, Promise<void> | undefined>();
  const addresses = createAddresses({
    placement,
    hosts: hosts ?? (() => []),
    look: async (name) => {
      await look();
      await arriving.get(name);
    },
  });
  const peers = createPeers({ ...(placement.tls && { tls: placement.tls }), tokens: serviceTokens, log, policy });
  const parts = new Map<string, Part>();
  const databases = new Map<string, Database>();
  const part = (name: string): Part => {
    const known = parts.get(name);
    if (known) return known;
    const made = createPart(modules.find(({ contract }) => contract.module === name)!, databaseUrl(name), surroundings);
    parts.set(name, made);
    databases.set(name, made.db);
    return made;
  };
  const isHere = (name: string) => addresses.of(name) === HERE;
  const edges = new Map<string, Peer>();
  /** The service of a contract as one caller sees it: the module's own where it runs here, a client where it does not. */
  const seam = <C extends Contract>(from: string, contract: C): Service<C> => {
    // Known from the start, so that it is looked for.
    edges.set(`${from} → ${contract.module}`, peers.peer(from, contract, addresses));
    const at = (place: Place) => (place === HERE ? (part(contract.module).service as Service<C>) : peers.to(from, contract, place).service);
    return callEdge(contract, from, observation, (call) => addresses.reach(contract.module, (place) => call(at(place))));
  };
  const shadows = createShadows({
    owner: (name) => parts.get(name),
    open: (name, url) =>
      createPart(modules.find(({ contract }) => contract.module === name)!, url, { ...surroundings, look: async () => undefined, seam: (from, contract) => readingOnly(contract, seam(from, contract)) }),
    client: (name, address) => peers.shadow(topology.contract(name), address),
  });
  const surroundings: Surroundings = { settings, log, now, topology, observation, poolSize, look, seam, deliver: (...delivery) => deliver(...delivery), forceWire };
  for (const name of MODULES.filter(isHere)) part(name);

  const deliver = async (from: string, to: string, event: Event) => {
    const ended = (outcome: Outcome) => observation.delivered(event.type, from, to, outcome);
    try {
      const contract = topology.contract(to);
      const at = (place: Place) => (place === HERE ? part(to).inbox(event) : peers.to(from, contract, place).deliver(event));
      await addresses.reach(to, at, mayBeTriedElsewhere);
      ended('ok');
    } catch (error) {
      ended(outcomeOf(error));
      throw error;
    }
  };
  let working = false;
  const latest = new Map<string, Whereabouts>();
  const place = async (name: string, whereabouts: Whereabouts) => {
    const { held, databaseUrl: url, address } = whereabouts;
    if (held) return parts.has(name) ? poolOf(part(name).db).hold() : undefined;
    if (parts.has(name)) poolOf(part(name).db).letGo(url ?? databaseUrl(name));
    latest.set(name, whereabouts);
    if (!address && placement.hosts.includes(name) && !isHere(name)) {
      arriving.set(name, part(name).background.prepare?.());
      await arriving.get(name);
    }
    // A later place may have been told meanwhile.
    if (latest.get(name) !== whereabouts) return;
    addresses.place(name, address);
    peers.forget(name, addresses.of(name));
    if (isHere(name)) databases.set(name, part(name).db);
    else databases.delete(name);
    shadows.follow(name, isHere(name) ? whereabouts.shadowed : undefined);
    await parts.get(name)?.work.set(working && isHere(name));
  };
  /** Routes know nothing but the contract: they are served where the edge is, and call it alike wherever the module is. */
  const routesOf = ({ contract, wiring }: Module): Route[] => {
    const container = new Container();
    container.load(wiring);
    container.rebind(contract.token).toConstantValue(seam('edge', contract));
    return bound<Route[]>(container, tokens(contract.module).routes, []);
  };

  metrics.queueDepths(async () => (await Promise.all([...parts.values()].map(({ name, db }) => soon(depths(name, db))))).flat());
  metrics.peers(() => peers.all().map(({ from, contract, state }) => ({ from, to: contract.module, state: state().breaker, waiting: state().waiting })));

  return {
    service: (contract) => seam('edge', contract),
    routes: placement.edge ? modules.flatMap(routesOf) : [],
    databases,
    seam: serve({
      served: () => [...parts.values()].map(({ name, module: { contract }, service, inbox }) => ({
        contract,
        service,
        shadow: () => shadows.serviceOf(name),
        deliver: inbox,
        callers: [...topology.callers(name), 'edge'],
        publishers: topology.publishers(name),
      })),
      tokens: serviceTokens,
      log,
      refused: (module, reason) => metrics.seamRefused.inc({ module, reason }),
    }),
    peers: () => [...edges.values()].filter(({ contract }) => !isHere(contract.module)),
    metrics,
    observed: observation.report,
    sweeps: () => [...parts.values()].flatMap(({ work }) => work.sweeps()),
    async prepare() {
      await Promise.all([...parts.values()].filter(({ name }) => isHere(name)).map(({ background }) => background.prepare?.()));
    },
    async startWork() {
      working = true;
      await Promise.all([...parts.values()].map(({ name, work }) => work.set(isHere(name))));
    },
    place,
    shadowed: shadows.seen,
    met: () => Object.fromEntries([...parts.values()].map(({ name, db }) => [name, poolOf(db).met()])),
    async stop() {
      working = false;
      await shadows.stop();
      await Promise.all([...parts.values()].map(({ work }) => work.stop()));
      await peers.close();
      await Promise.all([...parts.values()].map(({ db }) => db.destroy()));
    },
  };
}

/** An event that comes twice has one effect, so that it may have arrived. */
const mayBeTriedElsewhere = (error: unknown) => error instanceof LostCall || neverBegan(error);

/** A database that does not answer, or a pool that is used up, must not cost the other figures, nor the time of whoever asks. */
const soon = <T>(figures: Promise<T[]>): Promise<T[]> => Promise.race([figures.catch(() => []), setTimeout(FIGURES_WITHIN, [], { ref: false })]);
