import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Client } from 'pg';
import { newId } from '../shared/ids.ts';
import type { Whereabouts } from '../placement/placement.ts';

/** Milliseconds between looks; a notification is faster, but may be lost with its connection. */
const LOOK_EVERY = 2_000;
const CONNECT_AGAIN = 250;
/** Who was not seen for so long is gone. */
const GONE_AFTER = '1 minute';

export interface FollowerOptions {
  /** address of the shop's own database, with the role of `placement` */
  url: string;
  /** this process, as others reach it; undefined for one that only looks */
  self?: { address: string; modules: readonly string[]; edge: boolean };
  /** address of a module's database, with its own role, from one without */
  withRole: (url: string, module: string) => string;
  log: Logger;
}

export interface Follower {
  /** what is known when this is called, by module; resolves when it was read once */
  whereabouts(): Promise<ReadonlyMap<string, Whereabouts>>;
  /** from now on each change is told, in order for each module, and what it answers is waited for */
  follow(place: (module: string, place: Whereabouts) => Promise<void>): void;
  /** reads it again at once; who waits is answered when what was read is followed, a held module as held */
  look(): Promise<void>;
  stop(): Promise<void>;
}

interface Row {
  module: string;
  epoch: string;
  held: boolean;
  database_url: string | null;
  address: string | null;
  next_url: string | null;
}

/**
 * Follows the table that says where modules are, so that they can move while this process serves, and says there what it
 * has followed. While that database does not answer, what was known stays.
 */
export function createFollower({ url, self, withRole, log }: FollowerOptions): Follower {
  const id = newId();
  const ended = new AbortController();
  const followed = new Map<string, string>();
  let tell: ((module: string, place: Whereabouts) => Promise<void>) | undefined;
  let client: Client | undefined;
  let looking: Promise<void> | undefined;
  let again = false;

  async function connected(): Promise<Client> {
    if (client) return client;
    const made = new Client({ connectionString: url, application_name: 'kerf placement', keepAlive: true, connectionTimeoutMillis: 3_000 });
    made.on('error', () => undefined);
    made.once('end', () => client === made && (client = undefined));
    made.on('notification', () => void look().catch(() => undefined));
    await made.connect();
    await made.query('listen kerf_placement');
    client = made;
    return made;
  }

  async function read(): Promise<Row[]> {
    const asked = await connected();
    // Seen and read in one turn: it is the whole cost of an idle process.
    const { rows } = await asked.query<Row>(self ? { name: 'look', text: `${SEEN} ${LOOK}`, values: [id, self.address, self.modules, self.edge] } : LOOK);
    return rows;
  }

  const toPlace = ({ module, held, database_url: database, address }: Row): Whereabouts => ({
    held,
    ...(database && { databaseUrl: withRole(database, module) }),
    ...(address && address !== self?.address && { address }),
  });

  async function lookOnce(): Promise<void> {
    for (const row of await read()) {
      const mark = `${row.epoch} ${row.next_url ?? ''}`;
      if (!tell || followed.get(row.module) === mark) continue;
      followed.set(row.module, mark);
      // A pool that is held is drained by those who use it, who may be waiting for this very look.
      void followOne(row, tell).catch((error: unknown) => log.error({ err: error, module: row.module }, 'a change of place could not be followed'));
    }
  }

  async function followOne(row: Row, place: NonNullable<typeof tell>): Promise<void> {
    await place(row.module, toPlace(row));
    const reaches = row.next_url && (await canReach(withRole(row.next_url, row.module))) ? row.next_url : null;
    await (await connected()).query('update hosts set followed = followed || $2 where id = $1', [id, { [row.module]: { epoch: Number(row.epoch), reaches } }]);
  }

  /** One look at a time; who asks while one is under way gets the next one. */
  function look(): Promise<void> {
    if (looking) {
      again = true;
      return looking;
    }
    looking = (async () => {
      do {
        again = false;
        await lookOnce();
      } while (again);
    })().finally(() => (looking = undefined));
    return looking;
  }

  async function keepLooking(): Promise<void> {
    while (!ended.signal.aborted) {
      const failed = await look().then(() => false, () => true);
      await delay(failed ? CONNECT_AGAIN : LOOK_EVERY, undefined, { ref: false, signal: ended.signal }).catch(() => undefined);
    }
  }

  return {
    whereabouts: async () => new Map((await read()).map((row) => [row.module, toPlace(row)])),
    follow(place) {
      tell = place;
      void keepLooking();
    },
    look,
    async stop() {
      ended.abort();
      const open = client;
      if (!open) return;
      await open.query('delete from hosts where id = $1', [id]).catch(() => undefined);
      const gone = once(open, 'end');
      await open.end().catch(() => undefined);
      await gone;
    },
  };
}

const LOOK = 'select module, epoch, held, database_url, address, next_url from modules';
const SEEN = `
  with seen as (
    insert into hosts (id, address, modules, edge) values ($1, $2, $3, $4) on conflict (id) do update set seen_at = clock_timestamp()
  ), gone as (
    delete from hosts where seen_at < clock_timestamp() - interval '${GONE_AFTER}' and id <> $1
  )`;

async function canReach(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, application_name: 'kerf placement', connectionTimeoutMillis: 3_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
