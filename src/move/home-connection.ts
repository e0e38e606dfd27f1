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
  let connecting: Promise<Client> | undefined;

  const connected = () =>
    (connecting ??= connect().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    }));

  async function connect(): Promise<Client> {
    if (hasEnded) throw new Error('The placement is followed no more.');
    const made = clientTo(url);
    made.once('end', () => (connecting = undefined));
    made.on('notification', heard);
    try {
      await made.connect();
      await made.query('listen kerf_placement');
      return made;
    } catch (error) {
      await made.end().catch(() => undefined);
      throw error;
    }
  }

  return {
    /** A server that has gone quiet is asked by another connection the next time. */
    async ask<R extends QueryResultRow>(text: string, values: unknown[] = []) {
      const client = await connected();
      try {
        return (await client.query<R>(text, values)).rows;
      } catch (error) {
        connecting = undefined;
        void client.end().catch(() => undefined);
        throw error;
      }
    },
    async end(last) {
      hasEnded = true;
      const client = await connecting?.catch(() => undefined);
      if (!client) return;
      if (last) await client.query(last).catch(() => undefined);
      await Promise.race([client.end().catch(() => undefined), delay(FAREWELL, undefined, { ref: false })]);
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
