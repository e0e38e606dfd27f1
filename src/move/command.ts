import { ConfigError } from '../setup/config-error.ts';
import { cancel, complete } from './ending.ts';
import { readRights } from './fence.ts';
import { beginMove, type Direction, liveHosts, type Move, openMove, placeOf } from './journal.ts';
import { goOn } from './mover.ts';
import { preflight, type Preflight } from './preflight.ts';
import type { ApartHost, Progress, Running } from './running.ts';
import { closeSite, lookUntil, openSite, rows, type Site, withoutUser } from './site.ts';
import { isFollowing } from './stream.ts';

/** What a command is told; addresses are those of administrators. */
export interface Wishes {
  module: string;
  /** the shop's own database, and the one that the configuration names for the module: mostly the same */
  home: string;
  here: string;
  /** the database that the module goes to, or comes back from */
  apart: string;
  /** where the process apart answers */
  address: () => Promise<string>;
  secret: string;
  host: ApartHost;
  /** told to stop, it does at the next place where nobody waits for it */
  signal: AbortSignal;
  say: (progress: Progress) => void;
}

interface Sessions {
  home: Site;
  here: Site;
  apart: Site;
}

/** What would happen. Changes nothing. */
export const look = (wishes: Wishes, direction: Direction): Promise<Preflight> =>
  inSessions(wishes, async (sessions) => judge(wishes, sessions, direction, await openMove(sessions.home, wishes.module)));

/** Moves the module, or goes on where an earlier command ended. Answers how it went. */
export const move = (wishes: Wishes, direction: Direction): Promise<Move> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    const isBack = known?.phase === 'settle' && known.direction !== direction;
    if (known && !isBack && known.direction !== direction) throw new ConfigError(`${wishes.module} is on its way: run "kerf ${known.direction} ${wishes.module}" again until it is done, or "kerf move cancel ${wishes.module}".`);
    const run = running(wishes, sessions, known && !isBack ? known : await begin(wishes, sessions, direction, known));
    await goOn(run);
    return run.move;
  });

/** Takes back a move before its flip, or gives up the way back of one that is done. */
export const end = (wishes: Wishes, how: 'cancel' | 'complete'): Promise<Move> =>
  inSessions(wishes, async (sessions) => {
    const known = await openMove(sessions.home, wishes.module);
    if (!known) throw new ConfigError(`No move of ${wishes.module} is under way.`);
    const run = running(wishes, sessions, known);
    await (how === 'cancel' ? cancel(run) : complete(run));
    return run.move;
  });

async function begin(wishes: Wishes, sessions: Sessions, direction: Direction, instead: Move | undefined): Promise<Move> {
  const { blockers } = await judge(wishes, sessions, direction, instead);
  if (blockers.length > 0) throw new ConfigError(blockers.join('\n'));
  const { from, to } = sidesOf(sessions, direction);
  const { address } = await placeOf(sessions.home, wishes.module);
  const begun = await beginMove(
    sessions.home,
    {
      module: wishes.module,
      direction,
      from: withoutUser(from.url),
      to: withoutUser(to.url),
      address: address ?? (await wishes.address()),
      rights: await readRights(from),
      detail: instead?.detail.process ? { process: instead.detail.process } : {},
    },
    instead,
  );
  wishes.say({ module: wishes.module, phase: 'preflight', over: true });
  return begun;
}

async function judge({ module }: Wishes, sessions: Sessions, direction: Direction, instead: Move | undefined): Promise<Preflight> {
  const { from, to } = sidesOf(sessions, direction);
  const { database_url: at } = await placeOf(sessions.home, module);
  if (direction === 'extract' && at !== null) return { blockers: [`${module} is at ${at} already: fold it first.`], notes: [] };
  if (direction === 'fold' && at !== withoutUser(from.url)) return { blockers: [`${module} is at ${at ?? 'home'} and not at ${withoutUser(from.url)}: name the database that it is to come from.`], notes: [] };
  const hosts = await liveHosts(sessions.home, module);
  const { blockers, notes } = await preflight({ from, to }, { goesBack: instead !== undefined && (await isFollowing(to)) });
  return {
    blockers: [
      ...blockers,
      ...(hosts.length === 0 ? ['No process of the shop runs on this database: start it, for what follows no move would be refused after it.'] : []),
      ...((await readRights(from)).length === 0 ? [`kerf_${module} has no rights at the source, so ${module} does not live there.`] : []),
    ],
    notes,
  };
}

const sidesOf = ({ here, apart }: Sessions, direction: Direction) => (direction === 'extract' ? { from: here, to: apart } : { from: apart, to: here });

function running({ apart: url, secret, host, signal, say }: Wishes, sessions: Sessions, known: Move): Running {
  const apart = known.direction === 'extract' ? known.to : known.from;
  if (withoutUser(url) !== apart) throw new ConfigError(`The move of ${known.module} that is under way is one of ${apart}: name that database.`);
  return { home: sessions.home, ...sidesOf(sessions, known.direction), move: known, secret, apart: host, signal, say };
}

/** One session for each database, with a lock in each: another command would have to wait for the end of this one, however late that is. */
async function inSessions<T>({ module, home: homeUrl, here: hereUrl, apart: apartUrl }: Wishes, work: (sessions: Sessions) => Promise<T>): Promise<T> {
  const opened: Site[] = [];
  const open = async (url: string) => {
    const site = await openSite(url, module).catch(({ message }: Error) => {
      throw new ConfigError(`${withoutUser(url)} does not let this command in: ${message}.`);
    });
    opened.push(site);
    await lock(site);
    return site;
  };
  try {
    const home = await open(homeUrl);
    const here = hereUrl === homeUrl ? home : await open(hereUrl);
    return await work({ home, here, apart: await open(apartUrl) });
  } finally {
    await Promise.all(opened.map(closeSite));
  }
}

/** A command that was killed may take a moment to be gone. */
async function lock(site: Site): Promise<void> {
  const isLocked = await lookUntil(LOCK_WITHIN, async () => {
    const [lock] = await rows<{ taken: boolean }>(site, `select pg_try_advisory_lock(hashtext('kerf move ' || $1)) as taken`, [site.module]);
    return lock!.taken || undefined;
  });
  if (!isLocked) throw new ConfigError(`Another command moves ${site.module}: wait until it has ended.`);
}

/** Milliseconds. */
const LOCK_WITHIN = 5_000;
