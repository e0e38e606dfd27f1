import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** What travels along with a request without being an input: never anything a business rule depends on. */
export interface Context {
  /** W3C trace context header: version-traceid-spanid-flags */
  traceparent: string;
  /** the trace begins here: nothing has the span id that its traceparent names */
  begins?: boolean;
  /** when the one who asked stops waiting, in milliseconds of `performance.now()` */
  deadline?: number;
}

const current = new AsyncLocalStorage<Context>();
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Runs `flow` as part of the trace named by `traceparent`, or of a new one when that is missing or malformed. */
export function withTrace<T>(traceparent: string | undefined, flow: () => T): T {
  const known = traceparent !== undefined && TRACEPARENT.test(traceparent);
  return current.run(known ? { traceparent } : { traceparent: newTraceparent(), begins: true }, flow);
}

/** Runs `flow` as the part of its trace that `traceparent` names; its deadline stays. */
export function withParent<T>(traceparent: string, flow: () => T): T {
  const deadline = current.getStore()?.deadline;
  return current.run(deadline === undefined ? { traceparent } : { traceparent, deadline }, flow);
}

/** Runs `flow` with at most `milliseconds` to go; an earlier deadline of the flow around it stays. */
export function withDeadline<T>(milliseconds: number, flow: () => T): T {
  const context = current.getStore() ?? { traceparent: newTraceparent(), begins: true };
  const { deadline = Infinity } = context;
  return current.run({ ...context, deadline: Math.min(deadline, performance.now() + milliseconds) }, flow);
}

/** Milliseconds that the one who asked still waits; Infinity where nobody set a limit. */
export const timeLeft = (): number => (current.getStore()?.deadline ?? Infinity) - performance.now();

export const currentContext = (): Context | undefined => current.getStore();

/** The 32 hex digits that name the current trace; what a shopper quotes to support and an operator searches for. */
export const traceId = (): string | undefined => current.getStore()?.traceparent.slice(3, 35);

/** 16 and 8 random bytes as hex, from the generator that keeps some in store: this is done for every request. */
export const newTraceparent = () => `00-${hex()}-${hex().slice(16)}-01`;
const hex = () => randomUUID().replaceAll('-', '');
