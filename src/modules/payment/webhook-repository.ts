import { type Database, rows, type Transaction } from '../../shared/database.ts';

export interface WebhookEvent {
  provider: string;
  eventId: string;
  reference: string;
}

/** False when it came before. */
export async function insertWebhook(trx: Transaction, { provider, eventId, reference }: WebhookEvent, now: Date): Promise<boolean> {
  const inserted = await rows(
    trx,
    `insert into webhook_events (provider, event_id, reference, received_at) values (?, ?, ?, ?)
     on conflict do nothing returning event_id`,
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
