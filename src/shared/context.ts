import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** What travels along with a request without being an input: never anything a business rule depends on. */
export interface Context {
  /** W3C trace context header: version-traceid-spanid-flags */
  traceparent: string;
}

const current = new AsyncLocalStorage<Context>();
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Runs `flow` as part of the trace named by `traceparent`, or of a new one when that is missing or malformed. */
export function withTrace<T>(traceparent: string | undefined, flow: () => T): T {
  const known = traceparent !== undefined && TRACEPARENT.test(traceparent);
  return current.run({ traceparent: known ? traceparent : newTraceparent() }, flow);
}

export const currentContext = (): Context | undefined => current.getStore();

/** The 32 hex digits that name the current trace; what a shopper quotes to support and an operator searches for. */
export const traceId = (): string | undefined => current.getStore()?.traceparent.slice(3, 35);

const newTraceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
