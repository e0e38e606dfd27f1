/** The seam's protocol, version 1, in the words that both sides share; docs/seam-protocol.md says it in full. */
export const PREFIX = '/seam/v1';

/** Path of a method, or of a module's own resources: `/seam/v1/coupon/quote`. */
export const pathOf = (module: string, method: string) => `${PREFIX}/${module}/${method}`;

/** Not a method: a module's events come in here, and `contract` describes what is served. Methods are camelCase words. */
export const EVENTS = '-/events';
export const CONTRACT = '-/contract';
/** Reads are answered below it from where the module is about to move, to the module itself and nobody else. */
export const SHADOW = '-/shadow';

/** Milliseconds that the caller still waits; the other side does not begin, or gives up, when they are over. */
export const TIMEOUT_HEADER = 'kerf-timeout';
/** The hash of the contract that the sender was built with. */
export const CONTRACT_HEADER = 'kerf-contract';

/** Milliseconds after which a caller closes a connection that it does not use. */
export const IDLE = 4_000;

/** Bytes of a request, and of an answer. */
export const LARGEST_REQUEST = 1_048_576;
export const LARGEST_ANSWER = 16_777_216;

/**
 * What a side that cannot even hand the call to a service answers, with `code: "protocol"`: told apart from a service's
 * own refusal, so that a wrong address never reads as `not_found`.
 */
export const PROTOCOL_STATUS = {
  unknown_module: 404,
  unknown_method: 404,
  method_not_allowed: 405,
  caller_unknown: 401,
  caller_refused: 403,
  too_large: 413,
  unsupported_media_type: 415,
  contract_violation: 422,
  starting: 503,
  deadline_exceeded: 504,
} as const;
export type ProtocolReason = keyof typeof PROTOCOL_STATUS;
