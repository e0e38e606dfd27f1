import { unavailable } from '../shared/errors.ts';
import type { Route } from '../shared/http.ts';

/** Who may still come in: how many times the limit may be under way. */
const READING = 1;
const CHANGING = 1.5;
const LAST = 2;

/**
 * Keeps what is accepted fast when more comes than can be answered. Counted are the requests that this process works on; who
 * comes beyond the limit is told `overloaded` before anybody is asked: readers first, buyers last. A count, and not how late
 * the event loop is: under three times the knee that stayed at 37 to 50 ms, so that it either saw nothing or, on a machine that
 * others used too, kept the buyers out with the readers.
 */
export function createAdmission(most: number) {
  let underWay = 0;
  const assertRoom = (route: Route) => {
    if (most > 0 && underWay >= most * timesOf(route)) {
      throw unavailable('More is asked of the shop than it can answer; please try again in a moment.', 'overloaded');
    }
  };
  return {
    underWay: () => underWay,
    /** Work counts until it is done, also when its sender has gone. `most` 0: everybody may come in. */
    async admit<T>(route: Route, work: () => Promise<T>): Promise<T> {
      assertRoom(route);
      underWay += 1;
      try {
        return await work();
      } finally {
        underWay -= 1;
      }
    },
    /**
     * Not counted while it waits for its sender: a slow one, or many who mean harm, would keep the others out. It comes in
     * again if there is room then, so that many who end together are not all let in.
     */
    async aside(route: Route, wait: () => Promise<void>): Promise<void> {
      underWay -= 1;
      try {
        await wait();
        assertRoom(route);
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
