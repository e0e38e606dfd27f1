import { type Database, rows, type Transaction } from '../../shared/database.ts';

export interface WebhookEvent {
  provider: string;
  eventId: string;
  reference: string;
}

/** False when it was dealt with before; true also for one that came before and still waits. */
export async function keepWebhook(trx: Transaction, { provider, eventId, reference }: WebhookEvent, now: Date): Promise<boolean> {
  const inserted = await rows(
    trx,
    `insert into webhook_events (provider, event_id, reference, received_at) values (?, ?, ?, ?)
     on conflict (provider, event_id) do update set reference = webhook_events.reference where webhook_events.processed_at is null
     returning event_id`,
    [provider, eventId, reference, now],
  );
  return inserted.length > 0;
}

/** The reference it is about, unless it was dealt with. */
export async function findWaitingWebhook(db: Database, provider: string, eventId: string): Promise<string | undefined> {
  const [row] = await rows<{ reference: string }>(
    db,
    'select reference from webhook_events where provider = ? and event_id = ? and processed_at is null',
    [provider, eventId],
  );
  return row?.reference;
}

export async function markProcessed(db: Database, provider: string, eventId: string, now: Date): Promise<void> {
  await db('webhook_events').where({ provider, event_id: eventId }).update({ processed_at: now });
}

/** Deletes at most `limit` webhooks that were dealt with before `processedBefore`; those that wait are kept. */
export async function deleteProcessed(db: Database, { processedBefore, limit }: { processedBefore: Date; limit: number }): Promise<void> {
  await rows(
    db,
    `delete from webhook_events where (provider, event_id) in
       (select provider, event_id from webhook_events where processed_at < ? order by processed_at limit ? for update skip locked)`,
    [processedBefore, limit],
  );
}
