import { calls } from '../calls.ts';
import type { Contract } from '../shared/contract.ts';
import type { Module } from '../shared/module.ts';

/** Who has to do with whom, by the table of calls and by what each module publishes and listens to. */
export interface Topology {
  contract(name: string): Contract;
  /** the contracts that a module may call */
  callees(name: string): Contract[];
  /** the modules that may call it */
  callers(name: string): string[];
  /** the modules that handle this type of event */
  listeners(type: string): string[];
  /** the module that tells events of this type */
  publisher(type: string): string;
  /** the modules whose events it handles */
  publishers(name: string): string[];
}

export function topologyOf(modules: readonly Module[]): Topology {
  const byName = new Map(modules.map((module) => [module.contract.module, module]));
  const named = (name: string) => byName.get(name) ?? fail(name);
  const names = (chosen: readonly Module[]) => chosen.map(({ contract }) => contract.module);
  /** a contract names its events after its module */
  const publisherOf = (type: string) => named(type.split('.')[0]!).contract.module;
  return {
    contract: (name) => named(name).contract,
    callees: (name) => (calls[name] ?? []).map((callee) => named(callee).contract),
    callers: (name) => names(modules).filter((caller) => calls[caller]?.includes(name)),
    listeners: (type) => names(modules.filter(({ listens }) => listens.some((event) => event.type === type))),
    publisher: publisherOf,
    publishers: (name) => [...new Set(named(name).listens.map(({ type }) => publisherOf(type)))],
  };
}

function fail(name: string): never {
  throw new Error(`There is no module "${name}".`);
}
