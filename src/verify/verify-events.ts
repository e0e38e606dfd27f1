import type { Violation } from '../shared/audit.ts';
import type { Database } from '../shared/database.ts';
import { depths, neglectedDeliveries, type QueueDepth } from '../shared/queue-view.ts';

/** How a module's deliveries stand. What is retried or dead is seen by operators (`kerf events list`): nothing is lost. */
export type EventsOf = Omit<QueueDepth, 'queue'>;

export async function readEvents(databases: ReadonlyMap<string, Database>): Promise<EventsOf[]> {
  const read = async ([module, db]: [string, Database]) => (await depths(module, db)).filter(({ queue }) => queue === 'events');
  return (await Promise.all([...databases].map(read))).flat();
}

/** Deliveries that are due for longer than the grace (milliseconds) while nothing moves: no process works for the module. */
export async function neglected(databases: ReadonlyMap<string, Database>, grace: number): Promise<Violation[]> {
  const of = async ([module, db]: [string, Database]): Promise<Violation[]> => {
    const { count, seconds } = await neglectedDeliveries(module, db, grace);
    const message = `${count} deliveries of events from ${module} wait to be tried, the first for ${Math.round(seconds)} s, and nobody does: no process works for ${module}.`;
    return count === 0 ? [] : [{ invariant: 'events', orderId: null, message }];
  };
  return (await Promise.all([...databases].map(of))).flat();
}
