import type { Contract } from '../shared/contract.ts';
import type { Wire } from './wire.ts';

/** One thing an implementation has to do, told apart by its name; it throws a Finding when it is not done. */
export interface Case<C extends Contract = Contract> {
  /** the method, or what of the protocol */
  about: string;
  name: string;
  /** leaves test data behind */
  writes: boolean;
  run(wire: Wire<C>): Promise<void>;
}

/** Cases about one thing that leave test data behind. */
export const writing = <C extends Contract>(about: string, cases: Record<string, Case<C>['run']>): Case<C>[] =>
  Object.entries(cases).map(([name, run]) => ({ about, name, writes: true, run }));

/** Cases about one thing that leave no trace. */
export const reading = <C extends Contract>(about: string, cases: Record<string, Case<C>['run']>): Case<C>[] =>
  Object.entries(cases).map(([name, run]) => ({ about, name, writes: false, run }));
