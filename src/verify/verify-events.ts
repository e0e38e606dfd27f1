import type { Violation } from '../shared/audit.ts';
import type { Database } from '../shared/database.ts';
import { depths, type QueueDepth } from '../shared/queue-view.ts';

/** How a module's deliveries stand. What is retried or dead is seen by operators (`kerf events list`): nothing is lost. */
export type EventsOf = Omit<QueueDepth, 'queue'>;

export async function readEvents(databases: ReadonlyMap<string, Database>): Promise<EventsOf[]> {
  const read = async ([module, db]: [string, Database]) => (await depths(module, db)).filter(({ queue }) => queue === 'events');
  return (await Promise.all([...databases].map(read))).flat();
}

/** Deliveries that are due for longer than the grace (milliseconds) and that nobody tries: no process works for the module. */
export const neglected = (events: readonly EventsOf[], grace: number): Violation[] =>
  events
    .filter(({ waiting, retrying, oldestSeconds }) => waiting > 0 && retrying === 0 && oldestSeconds * 1_000 > grace)
    .map(({ module, waiting, oldestSeconds }) => ({
      invariant: 'events',
      orderId: null,
      message: `${waiting} deliveries of events from ${module} wait, the oldest for ${Math.round(oldestSeconds)} s, and nobody tries them: no process works for ${module}.`,
    }));
