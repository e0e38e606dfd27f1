import { topologyOf } from '../placement/topology.ts';
import type { Module } from '../shared/module.ts';
import { catalogSuite } from './catalog-suite.ts';
import { couponSuite } from './coupon-suite.ts';
import { inventorySuite } from './inventory-suite.ts';
import { orderSuite } from './order-suite.ts';
import { paymentSuite } from './payment-suite.ts';
import { protocolCases } from './protocol-cases.ts';
import type { Case } from './suite.ts';
import { userSuite } from './user-suite.ts';
import type { Subject } from './wire.ts';

/** What a module promises beyond the shape of its answers. */
const SUITES: Readonly<Record<string, readonly Case[]>> = { user: userSuite, catalog: catalogSuite, coupon: couponSuite, inventory: inventorySuite, payment: paymentSuite, order: orderSuite };

/** Whether the kit looks at what the module does, and not only at how it answers. */
export const hasSuite = (module: string): boolean => module in SUITES;

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
