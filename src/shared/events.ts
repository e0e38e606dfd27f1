import { SpanKind } from '@opentelemetry/api';
import type { z } from 'zod';
import type { EventData, EventType } from './contract.ts';
import { currentContext } from './context.ts';
import { type Database, deleteInBatches, type Transaction, transaction } from './database.ts';
import { newId } from './ids.ts';
import type { Queue } from './queue.ts';
import { inSpan } from './spans.ts';

/** An event on its way: CloudEvents 1.0, JSON format, with the distributed tracing extension. */
export interface Event<Data = unknown> {
  specversion: '1.0';
  /** UUIDv7, the same in every delivery */
  id: string;
  /** `kerf/<module>` */
  source: string;
  type: string;
  /** the aggregate's id: events of one subject are delivered in the order they were published */
  subject: string;
  /** ISO instant of publication */
  time: string;
  datacontenttype: 'application/json';
  traceparent?: string;
  data: Data;
}

/**
 * Publishes inside the business transaction: subscribers get the event if, and only if, the transaction commits.
 * One queue entry per subscriber, at the publisher; a type nobody listens to costs nothing. A list of data is one event
 * each, in one statement.
 */
export type Publish = <T extends EventType>(
  trx: Transaction,
  type: T,
  data: z.input<T['data']> | readonly z.input<T['data']>[],
) => Promise<void>;

export function createPublish(module: string, queue: Queue, listeners: (type: string) => readonly string[], now: () => Date): Publish {
  return async (trx, { type, orderedBy, data: schema }, data) => {
    const subscribers = listeners(type);
    const all = [data].flat();
    if (subscribers.length === 0 || all.length === 0) return;
    await inSpan(type, { kind: SpanKind.PRODUCER, attributes: { 'kerf.from': module } }, async () => {
      const traceparent = currentContext()?.traceparent;
      const events = all.map((one): Event => {
        const checked = schema.parse(one) as Record<string, unknown>;
        return {
          specversion: '1.0',
          id: newId(),
          source: `kerf/${module}`,
          type,
          subject: String(checked[orderedBy]),
          time: now().toISOString(),
          datacontenttype: 'application/json',
          ...(traceparent && { traceparent }),
          data: checked,
        };
      });
      await queue.addEvents(
        trx,
        events.flatMap((event) => subscribers.map((to) => ({ to, key: event.subject, data: { to, event, traceparent } }))),
      );
    });
  };
}

/** A handler of one event type. It runs in the same transaction as the row that makes a second delivery a no-op. */
export interface Subscription {
  type: string;
  handle(trx: Transaction, event: Event): Promise<void>;
}

/** Subscribes to an event of another module's contract: `on(orderContract.events.placed, async (trx, event) => …)`. */
export const on = <T extends EventType>(
  type: T,
  handle: (trx: Transaction, event: Event<EventData<T>>) => Promise<void>,
): Subscription => ({
  type: type.type,
  handle: (trx, event) => handle(trx, { ...event, data: type.data.parse(event.data) as EventData<T> }),
});

/** Takes in one event for a module; a repeat of the same event changes nothing. */
export type Deliver = (event: Event) => Promise<void>;

/** The same in a span of its own, in the trace in which the event was published. */
export const consuming = (module: string, deliver: Deliver): Deliver => (event) =>
  inSpan(event.type, { kind: SpanKind.CONSUMER, attributes: { 'kerf.from': event.type.split('.')[0]!, 'kerf.to': module } }, () => deliver(event));

const REMEMBERED_DAYS = 30;

/** Forgets events that were handled so long ago that none comes again: one that was handled is tried for a week at most. */
export async function tidyInbox(db: Database, now: Date): Promise<void> {
  const before = new Date(now.getTime() - REMEMBERED_DAYS * 86_400_000);
  await deleteInBatches(db, 'delete from inbox where ctid in (select ctid from inbox where received_at < :before limit :limit for update skip locked)', { before });
}

/** The module's inbox: table `inbox (event_id, handler, received_at)` in its schema. */
export function createInbox(db: Database, subscriptions: readonly Subscription[]): Deliver {
  const byType = Map.groupBy(subscriptions, (subscription) => subscription.type);
  return async (event) => {
    for (const [index, { handle }] of (byType.get(event.type) ?? []).entries()) {
      await transaction(db, async (trx) => {
        const inserted = await trx('inbox')
          .insert({ event_id: event.id, handler: `${event.type}#${index}` })
          .onConflict()
          .ignore()
          .returning('event_id');
        if (inserted.length > 0) await handle(trx, event);
      });
    }
  };
}
