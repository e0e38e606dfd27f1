import type { Contract, Service } from '../contract.ts';
import { insideTransaction } from '../database.ts';
import type { Observation } from '../observation.ts';

/**
 * The service of a contract as one caller holds it. `target` is asked for at the first call: modules that need each other's
 * events may be wired in any order. A call from inside a transaction is refused: it would span two modules.
 */
export function callEdge<C extends Contract>(contract: C, from: string, observation: Observation, target: () => Service<C>): Service<C> {
  let service: Service<C> | undefined;
  const method = (name: keyof Service<C> & string) => {
    const seen = observation.counter(from, contract.module, name);
    return async (input: never) => {
      if (insideTransaction()) throw new Error(`${from} called ${contract.module}.${name} inside a transaction, which would span two modules: call before or after it.`);
      seen();
      service ??= target();
      return service[name](input);
    };
  };
  return Object.fromEntries(Object.keys(contract.methods).map((name) => [name, method(name as never)])) as Service<C>;
}
