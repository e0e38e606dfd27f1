import { unavailable } from '../shared/errors.ts';
import type { Route } from '../shared/http.ts';

/** Who may still come in, by how many times the limit is under way. */
const READING = 1;
const CHANGING = 1.5;
const LAST = 2;

/**
 * Keeps what is accepted fast when more comes than can be answered. Counted are the requests that this process works on;
 * who comes beyond the limit is told `overloaded` before anybody is asked: readers first, buyers last. A count and no
 * measured time: by Little's law it bounds the wait of those inside, and it knows of a stall before any of them has ended.
 */
export function createAdmission(limit: number) {
  let underWay = 0;
  return {
    underWay: () => underWay,
    /** Work counts until it is done, also when its sender has gone. `limit` 0: everybody may come in. */
    async admit<T>(route: Route, work: () => Promise<T>): Promise<T> {
      if (limit > 0 && underWay >= limit * timesOf(route)) {
        throw unavailable('More is asked of the shop than it can answer; please try again in a moment.', 'overloaded');
      }
      underWay += 1;
      try {
        return await work();
      } finally {
        underWay -= 1;
      }
    },
    /** Not counted while it waits for its sender: a slow one, or many who mean harm, would keep the others out. */
    async aside<T>(wait: () => Promise<T>): Promise<T> {
      underWay -= 1;
      try {
        return await wait();
      } finally {
        underWay += 1;
      }
    },
  };
}
export type Admission = ReturnType<typeof createAdmission>;

function timesOf({ shedLast, method }: Route): number {
  if (shedLast) return LAST;
  return method === 'get' ? READING : CHANGING;
}
