/** A place in a flow at which it can be interrupted: `POST /v1/orders › commit of order (2)`. */
export interface Point {
  kind: 'call' | 'commit';
  name: string;
}

/** What can happen at a point: to a call (of a module, of the provider, of a handler), and to a local commit. */
export const FAULTS = {
  call: ['killed before', 'answer lost', 'killed after'],
  commit: ['killed before', 'cut before', 'cut after', 'killed after'],
} as const;

export type Fault = (typeof FAULTS)[Point['kind']][number];

export interface Aim {
  point: string;
  fault: Fault;
}

/** One fault at one point of one flow. */
export interface Case {
  flow: string;
  point: Point;
  fault: Fault;
}
