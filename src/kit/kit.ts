import { topologyOf } from '../placement/topology.ts';
import type { Module } from '../shared/module.ts';
import { couponSuite } from './coupon-suite.ts';
import { inventorySuite } from './inventory-suite.ts';
import { protocolCases } from './protocol-cases.ts';
import type { Case } from './suite.ts';
import type { Subject } from './wire.ts';

/** What a module promises beyond the shape of its answers, for those that have a suite. */
const SUITES: Readonly<Record<string, readonly Case[]>> = { coupon: couponSuite, inventory: inventorySuite };

/** All that an implementation of this contract has to do, by what it is about. */
export const casesOf = (subject: Subject): Case[] =>
  [...Map.groupBy([...protocolCases(subject), ...(SUITES[subject.contract.module] ?? [])], ({ about }) => about).values()].flat();

/** An implementation of one of these modules, with who has to do with it. */
export function subjectOf(modules: readonly Module[], name: string, where: Pick<Subject, 'address' | 'keys' | 'tls'>): Subject {
  const topology = topologyOf(modules);
  return {
    ...where,
    contract: topology.contract(name),
    callers: [...topology.callers(name), 'edge'],
    publishers: topology.publishers(name),
    listens: modules.find(({ contract }) => contract.module === name)!.listens,
  };
}
