import { ConfigError } from '../setup/config-error.ts';
import type { Tls } from './tls.ts';
import type { Topology } from './topology.ts';

/** Where modules live, as one process sees it. */
export interface Placement {
  /** modules that run here */
  hosts: readonly string[];
  /** where the others answer: `http://host:port`, `https://host:port` or `unix:/path/to/socket` */
  addresses: Readonly<Record<string, string>>;
  /** whether the public API is served here, which calls every module */
  edge: boolean;
  /** where processes show each other certificates: at https addresses, and on the internal port */
  tls?: Tls;
}

/** Where one module is while the shop runs, once it has been moved: docs/decisions/0014. */
export interface Whereabouts {
  /** it is on its way: nobody may use its database */
  held: boolean;
  /** address of its database with its own role; default: what the configuration says */
  databaseUrl?: string;
  /** where its process answers; default: what the configuration says */
  address?: string;
  /** it is about to move, and a share of its reads is answered there too */
  shadowed?: WhereShadowed;
}

export interface WhereShadowed {
  id: string;
  /** of a hundred reads */
  percent: number;
  /** address of the database it moves to with the role for reading: this process is to answer from there */
  databaseUrl?: string;
  /** of the process that does, where it is another one */
  address?: string;
}

/** An address to listen on that nobody can call. */
export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '[::]'].includes(host);

/** Whether an address leads elsewhere, or nowhere, on another machine. */
export function isOfOneMachine(address: string): boolean {
  if (address.startsWith('unix:')) return true;
  const { hostname } = new URL(address);
  return isWildcard(hostname) || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

/** Throws a ConfigError when something that runs here needs a module that is neither here nor has an address. */
export function assertComplete({ hosts, addresses, edge }: Placement, modules: readonly string[], topology: Topology): void {
  for (const name of modules.filter((module) => !hosts.includes(module) && !addresses[module])) {
    const caller = topology.callers(name).find((module) => hosts.includes(module));
    const publisher = topology.publishers(name).find((module) => hosts.includes(module));
    const why = edge ? 'The public API calls' : caller ? `The module ${caller} calls` : publisher && `The module ${publisher} sends events to`;
    if (why) throw new ConfigError(`${why} the module ${name}, which is neither hosted here nor located: add it to KERF_MODULES, say where it answers with KERF_${name.toUpperCase()}_URL, or set DATABASE_URL to the shop's own database, by which processes find each other.`);
  }
}
