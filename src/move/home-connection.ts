import { setTimeout as delay } from 'node:timers/promises';
import { Client, type QueryResultRow } from 'pg';

/** Milliseconds for one statement, or a connection: whoever asks because of a refusal waits no longer. */
const PATIENCE = 2_000;
const FAREWELL = 500;

/** One connection to the shop's own database, which hears when a module moves; made anew by whoever asks once it is lost. */
export interface HomeConnection {
  ask<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<R[]>;
  /** `last`: said before, if there is a connection to say it by */
  end(last?: { text: string; values: unknown[] }): Promise<void>;
}

export function connectHome(url: string, heard: () => void): HomeConnection {
  let hasEnded = false;
  let current: { client: Client; ready: Promise<unknown> } | undefined;
  /** the current one, and those that were given up and have not ended yet */
  const open = new Set<Client>();

  function connected(): NonNullable<typeof current> {
    if (hasEnded) throw new Error('The placement is followed no more.');
    if (current) return current;
    const client = clientTo(url);
    const made = { client, ready: client.connect().then(() => client.query('listen kerf_placement')) };
    open.add(client);
    client.once('end', () => {
      open.delete(client);
      forget(made);
    });
    client.on('notification', heard);
    return (current = made);
  }

  /** A newer one stays. */
  const forget = (made: typeof current) => {
    if (current === made) current = undefined;
  };

  return {
    /** A server that has gone quiet is asked by another connection the next time. */
    async ask<R extends QueryResultRow>(text: string, values: unknown[] = []) {
      const made = connected();
      try {
        await made.ready;
        return (await made.client.query<R>(text, values)).rows;
      } catch (error) {
        forget(made);
        void made.client.end().catch(() => undefined);
        throw error;
      }
    },
    async end(last) {
      hasEnded = true;
      const made = current;
      await made?.ready.then(() => last && made.client.query(last)).catch(() => undefined);
      await Promise.race([Promise.allSettled([...open].map((client) => client.end())), delay(FAREWELL, undefined, { ref: false })]);
    },
  };
}

/** Why this process cannot connect to a database, if so. */
export async function unreachable(url: string): Promise<unknown> {
  const client = clientTo(url);
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function clientTo(url: string): Client {
  const client = new Client({ connectionString: url, application_name: 'kerf placement', keepAlive: true, connectionTimeoutMillis: PATIENCE, query_timeout: PATIENCE });
  client.on('error', () => undefined);
  return client;
}
