import { SpanKind } from '@opentelemetry/api';
import type { Contract, Service } from '../contract.ts';
import { insideTransaction } from '../database.ts';
import { type Observation, outcomeOf } from '../observation.ts';
import { inSpan } from '../spans.ts';

/** Hands each call to whichever service it is for at that moment, and perhaps to another one if the first never had it. */
type Reach<C extends Contract> = (call: (service: Service<C>) => Promise<unknown>) => Promise<unknown>;

/** The service of a contract as one caller holds it, wherever the module is. A call from inside a transaction is refused: it would span two modules. */
export function callEdge<C extends Contract>(contract: C, from: string, observation: Observation, reach: Reach<C>): Service<C> {
  return eachMethod(contract, (method) => {
    const ended = observation.calls(from, contract.module, method);
    const span = { kind: SpanKind.CLIENT, attributes: { 'kerf.from': from, 'kerf.to': contract.module } };
    const timed = async (input: never) => {
      const begun = performance.now();
      try {
        const answer = await reach((service) => service[method](input));
        ended('ok', (performance.now() - begun) / 1_000);
        return answer;
      } catch (error) {
        ended(outcomeOf(error), (performance.now() - begun) / 1_000);
        throw error;
      }
    };
    return async (input) => {
      if (insideTransaction()) throw new Error(`${from} called ${contract.module}.${method} inside a transaction, which would span two modules: call before or after it.`);
      return inSpan(`${contract.module}.${method}`, span, () => timed(input));
    };
  });
}

/** The service of a module with a span of its own for each answer, whoever asks. */
export function answering<C extends Contract>(contract: C, service: Service<C>): Service<C> {
  const span = { kind: SpanKind.SERVER, attributes: { 'kerf.to': contract.module } };
  return eachMethod(contract, (method) => async (input) => inSpan(`${contract.module}.${method}`, span, () => service[method](input)));
}

const eachMethod = <C extends Contract>(contract: C, made: (method: keyof Service<C> & string) => (input: never) => Promise<unknown>) =>
  Object.fromEntries(Object.keys(contract.methods).map((name) => [name, made(name as never)])) as Service<C>;
