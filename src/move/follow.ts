import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { QueryResultRow } from 'pg';
import { newId } from '../shared/ids.ts';
import { isOfOneMachine, type Whereabouts } from '../placement/placement.ts';
import { connectHome, unreachable } from './home-connection.ts';

/** Milliseconds between looks; a notification is faster, but may be lost with its connection. */
const LOOK_EVERY = 2_000;
/** Who was not seen for so long may be gone, and is. */
const JUST_NOW = '6 seconds';
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
  /** what is known now, by module */
  whereabouts(): Promise<ReadonlyMap<string, Whereabouts>>;
  /** from now on each change is told, again until it could be followed; `shadowed`: what was found of reads that are answered twice; `met`: what flows met in moves */
  follow(place: (module: string, whereabouts: Whereabouts) => Promise<void>, shadowed?: () => object, met?: () => object): void;
  /** from now on this process is known to whoever moves modules or looks for one: it answers */
  appear(): void;
  /** addresses of other processes that have the module by their configuration, as far as they mean something here; whoever was seen just now comes first */
  hosts(module: string): readonly string[];
  /** reads it again; resolves once `place` has heard of what was read */
  look(): Promise<void>;
  /** from now on nobody who looks for a module finds it here; moves are followed as before */
  leave(): Promise<void>;
  stop(): Promise<void>;
}

interface Row {
  module: string;
  epoch: string;
  held: boolean;
  database_url: string | null;
  address: string | null;
  next_url: string | null;
  shadow: Shadow | null;
}

/** Of placement.modules: reads of a module that is about to move, so many of a hundred, are answered by that process too. */
export interface Shadow {
  id: string;
  percent: number;
  /** without user and password */
  database: string;
  address: string;
}

interface Other {
  address: string;
  machine: string;
  modules: string[];
}

/**
 * Follows the table that says where modules are, so that they can move while this process serves, and says there what it
 * has followed. While that database does not answer, what was known stays; nobody waits for it for long.
 */
export function createFollower({ url, self, withRole, log }: FollowerOptions): Follower {
  const id = newId();
  const ended = new AbortController();
  const followed = new Map<string, string>();
  let isThere = false;
  let others: Other[] = [];
  let place: ((module: string, whereabouts: Whereabouts) => Promise<void>) | undefined;
  let found: { shadowed?: (() => object) | undefined; met?: (() => object) | undefined } = {};
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const home = connectHome(url, () => void look().catch(() => undefined));

  const isThis = (module: string, address: string) => address === self?.address && self.modules.includes(module);
  const toWhereabouts = ({ module, held, database_url: database, address, shadow }: Row): Whereabouts => ({
    held,
    ...(database && { databaseUrl: withRole(database, module) }),
    ...(address && !isThis(module, address) && { address }),
    ...(shadow && self && {
      shadowed: {
        id: shadow.id,
        percent: shadow.percent,
        ...(isThis(module, shadow.address) ? { databaseUrl: withRole(shadow.database, `${module}_shadow`) } : { address: shadow.address }),
      },
    }),
  });

  async function read(): Promise<Row[]> {
    others = (await home.ask<Other & QueryResultRow>(OTHERS, [id])).filter(({ address, machine }) => URL.canParse(address) && (machine === hostname() || !isOfOneMachine(address)));
    return home.ask<Row & QueryResultRow>(LOOK);
  }

  async function lookOnce(): Promise<void> {
    for (const row of await read()) {
      const mark = `${row.epoch} ${row.next_url ?? ''}`;
      if (!place || followed.get(row.module) === mark) continue;
      followed.set(row.module, mark);
      // Not waited for: a pool that is held is drained by those who use it, who may be waiting for this very look.
      void followOne(row, mark, place).catch((error: unknown) => {
        log.warn({ err: error, module: row.module }, 'a change of place could not be followed; it is tried again');
        if (followed.get(row.module) === mark) followed.delete(row.module);
      });
    }
  }

  async function followOne(row: Row, mark: string, tell: NonNullable<typeof place>): Promise<void> {
    await tell(row.module, toWhereabouts(row));
    if (!self || !isThere) return;
    const { module, next_url: next } = row;
    // Who holds is waited for by shoppers, and does nothing else before it says so.
    const unreached = next && !row.held ? await unreachable(withRole(next, module)) : undefined;
    const reaches = row.held || unreached ? null : next;
    // A later change was told meanwhile, and perhaps is followed already: this one is not said behind it.
    if (followed.get(module) !== mark) return;
    await home.ask('update hosts set followed = followed || $2 where id = $1', [id, { [module]: { epoch: Number(row.epoch), reaches } }]);
    if (unreached) throw unreached;
  }

  /** One at a time: who asks while one is under way shares the one after it. */
  function look(): Promise<void> {
    if (!current) return (current = lookOnce().finally(() => (current = undefined)));
    next ??= current.catch(() => undefined).then(() => {
      next = undefined;
      return look();
    });
    return next;
  }

  /** A row that somebody deleted, because this process stood still, is filled again. */
  async function beSeen(): Promise<void> {
    if (!self || !isThere) return;
    const [row] = await home.ask<{ is_new: boolean }>(SEEN, [id, self.address, hostname(), self.modules, self.edge, found.met?.() ?? {}, process.pid]);
    if (row?.is_new) followed.clear();
    const shadowed = found.shadowed?.() ?? {};
    if (Object.keys(shadowed).length > 0) await home.ask('update hosts set shadowed = $2 where id = $1', [id, shadowed]);
  }

  async function keepLooking(): Promise<void> {
    let wellSince = true;
    while (!ended.signal.aborted) {
      try {
        // Where nothing can be written, on a disk that is full perhaps, it is followed none the less.
        await beSeen().finally(look);
        if (!wellSince) log.info('the placement is followed again');
        wellSince = true;
      } catch (error) {
        if (wellSince && !ended.signal.aborted) log.warn({ err: error }, 'the placement cannot be followed; what was known stays');
        wellSince = false;
      }
      await delay(LOOK_EVERY, undefined, { ref: false, signal: ended.signal }).catch(() => undefined);
    }
  }

  return {
    whereabouts: async () => new Map((await read()).map((row) => [row.module, toWhereabouts(row)])),
    follow(tell, shadowed, met) {
      place = tell;
      found = { shadowed, met };
      void keepLooking();
    },
    appear() {
      isThere = true;
      void beSeen().finally(look).catch(() => undefined);
    },
    hosts: (module) => [...new Set(others.filter(({ modules, address }) => modules.includes(module) && !isThis(module, address)).map(({ address }) => address))],
    look,
    async leave() {
      isThere = false;
      await home.ask(FORGET, [id]).catch(() => undefined);
    },
    async stop() {
      ended.abort();
      await home.end(isThere ? { text: FORGET, values: [id] } : undefined);
    },
  };
}

const FORGET = 'delete from hosts where id = $1';
const LOOK = 'select module, epoch, held, database_url, address, next_url, shadow from modules';
const OTHERS = `
  select address, machine, modules from hosts where id <> $1
  order by seen_at > clock_timestamp() - interval '${JUST_NOW}' desc, started_at`;
const SEEN = `
  with gone as (
    delete from hosts where seen_at < clock_timestamp() - interval '${GONE_AFTER}' and id <> $1
  )
  insert into hosts (id, address, machine, modules, edge, met, pid) values ($1, $2, $3, $4, $5, $6, $7)
  on conflict (id) do update set seen_at = clock_timestamp(), met = excluded.met returning xmax = 0 as is_new`;
