import { newId } from '../shared/ids.ts';
import type { Met } from '../shared/movable-pool.ts';
import type { ShadowReport } from '../shared/seam/mirror.ts';
import type { Comparison } from './compare.ts';
import type { Right } from './fence.ts';
import type { Shadow } from './follow.ts';
import { atOnce, rows, type Site } from './site.ts';

export type Direction = 'extract' | 'fold';
export type Phase = 'preflight' | 'prepare' | 'copy' | 'compare' | 'shadow' | 'hold' | 'fence' | 'catch up' | 'flip' | 'open' | 'settle' | 'completing' | 'complete' | 'cancelling' | 'cancelled' | 'returned';

/** How far a phase is that is under way. */
export interface Figures {
  phase: Phase;
  rows?: number;
  /** an estimate */
  ofRows?: number;
  /** rows a second */
  rate?: number;
  /** seconds, by rows and rate */
  left?: number;
  /** bytes that the follower is behind */
  lag?: number;
  /** answered twice, and those that were answered otherwise */
  reads?: number;
  different?: number;
}

/** What a move keeps beside its phase. */
export interface Detail {
  /** whether the process apart is for commands to start, and to end */
  startsApart?: boolean;
  /** the process apart that a command started, so that a command can end it */
  process?: { pid: number; machine: string } | null;
  comparison?: Comparison;
  /** what somebody wants to see of reads that are answered twice, and what was seen */
  shadow?: ShadowWish;
  shadowed?: ShadowReport;
  /** what "kerf move diff" has looked at, behind which phase, and since when, in milliseconds since 1970 */
  diff?: Comparison & { phase: Phase; at: number };
  /** how often hosts were told to hold, and when they were last, in milliseconds since 1970 */
  tries?: number;
  heldAt?: number;
  /** milliseconds from being told to hold until being told to go on: the longest of all tries */
  pause?: number;
  /** transactions that the fence ended */
  ended?: number;
  /** what flows had met in moves before this one held, by process; and what they met in this one, all together */
  metBefore?: Record<string, Met>;
  met?: Met;
  /** milliseconds that the way back is kept behind `settledAt`; absent: until somebody gives it up */
  keepReverse?: number;
  /** milliseconds since 1970 */
  settledAt?: number;
  /** what is under way, as of a second ago; null: nothing that has figures */
  progress?: (Figures & { at: number }) | null;
  /** it is cancelled, and nothing that is at the target was made by it */
  unprepared?: boolean;
  /** somebody wants it to stop where nobody waits for it, and to stay so */
  paused?: boolean;
}

/** How many of a hundred reads are answered twice, and for how long. */
export interface ShadowWish {
  percent: number;
  milliseconds: number;
}

/** A row of placement.moves. */
export interface Move {
  id: string;
  module: string;
  direction: Direction;
  /** addresses without user and password */
  from: string;
  to: string;
  address: string;
  phase: Phase;
  rights: Right[];
  epoch: number;
  /** whether hosts are told to hold: shoppers wait */
  held: boolean;
  detail: Detail;
  error: string | null;
  startedAt: Date;
  endedAt: Date | null;
}

export const UNTIL_FLIP: readonly Phase[] = ['preflight', 'prepare', 'copy', 'compare', 'shadow', 'hold', 'fence', 'catch up', 'cancelling'];

/** When the time of the way back is over; undefined: not by itself. */
export function keptUntil({ phase, detail: { keepReverse, settledAt } }: Move): Date | undefined {
  return phase === 'settle' && keepReverse !== undefined && settledAt !== undefined ? new Date(settledAt + keepReverse) : undefined;
}
/** Of placement.modules. */
export interface PlaceChange {
  held?: boolean;
  database_url?: string | null;
  address?: string | null;
  next_url?: string | null;
  shadow?: Shadow | null;
}
/** What is written at once: nobody sees a part of it. */
export interface Change {
  phase?: Phase;
  detail?: Detail;
  place?: PlaceChange;
  error?: string | null;
  ended?: boolean;
}

const MOVE = `id, module, direction, from_database as "from", to_database as "to", address, phase, rights, epoch::float8 as epoch, coalesce((select held from placement.modules where modules.module = moves.module), false) as held, detail, error, started_at as "startedAt", ended_at as "endedAt"`;

/** Moves that have not ended. A move whose way back is still there has not. */
export const openMoves = (home: Site): Promise<Move[]> => rows<Move>(home, `select ${MOVE} from placement.moves where ended_at is null order by module`);

export async function openMove(home: Site, module: string): Promise<Move | undefined> {
  return (await openMoves(home)).find((move) => move.module === module);
}

/** The process apart that a command started at this address and none has ended, by the last move that knew of it. */
export async function startedAt(home: Site, module: string, address: string): Promise<NonNullable<Detail['process']> | null> {
  const [last] = await rows<{ process: NonNullable<Detail['process']> | null }>(home, `select detail -> 'process' as process from placement.moves where module = $1 and address = $2 order by started_at desc limit 1`, [module, address]);
  return last?.process ?? null;
}

/** A new move, in place of the one whose way back it takes. */
export const beginMove = (home: Site, begun: Pick<Move, 'module' | 'direction' | 'from' | 'to' | 'address' | 'rights' | 'detail'>, instead?: Move): Promise<Move> =>
  atOnce(home, async () => {
    if (instead) await rows(home, `update placement.moves set phase = 'returned', ended_at = clock_timestamp() where id = $1`, [instead.id]);
    const [made] = await rows<Move>(
      home,
      `insert into placement.moves (id, module, direction, from_database, to_database, address, phase, rights, detail) values ($1, $2, $3, $4, $5, $6, 'preflight', $7, $8) returning ${MOVE}`,
      [newId(), begun.module, begun.direction, begun.from, begun.to, begun.address, JSON.stringify(begun.rights), JSON.stringify(begun.detail)],
    );
    return made!;
  });

export const record = (home: Site, move: Move, { phase, detail = {}, place, error = null, ended = false }: Change): Promise<Move> =>
  atOnce(home, async () => {
    const epoch = place ? await changePlace(home, move.module, place) : move.epoch;
    const [changed] = await rows<Move>(
      home,
      `update placement.moves set phase = coalesce($2, phase), detail = detail || $3, epoch = $4, error = $5, updated_at = clock_timestamp(), ended_at = case when $6 then clock_timestamp() end
       where id = $1 and ended_at is null returning ${MOVE}`,
      [move.id, phase, JSON.stringify(detail), epoch, error, ended],
    );
    if (!changed) throw new Error(`The move of ${move.module} has been ended by another command.`);
    return changed;
  });

/** Answers whether there is a move that has not flipped. */
export async function askToPause(home: Site, module: string): Promise<boolean> {
  const asked = await rows(home, `update placement.moves set detail = detail || '{"paused": true}' where module = $1 and ended_at is null and phase = any($2) returning 1`, [module, UNTIL_FLIP]);
  return asked.length > 0;
}

export async function isPaused(home: Site, { id }: Move): Promise<boolean> {
  const [found] = await rows<{ paused: boolean | null }>(home, `select (detail ->> 'paused')::boolean as paused from placement.moves where id = $1`, [id]);
  return found?.paused === true;
}

async function changePlace(home: Site, module: string, change: PlaceChange): Promise<number> {
  await rows(home, 'insert into placement.modules (module, epoch, held) values ($1, 0, false) on conflict do nothing', [module]);
  const [changed] = await rows<{ epoch: number }>(
    home,
    `update placement.modules m set (epoch, held, database_url, address, next_url, shadow) = (select m.epoch + 1, held, database_url, address, next_url, shadow from jsonb_populate_record(m, $2))
     where module = $1 returning epoch::float8 as epoch`,
    [module, JSON.stringify(change)],
  );
  return changed!.epoch;
}

export interface Placed {
  database_url: string | null;
  address: string | null;
  shadow: Shadow | null;
}

/** Where hosts are told that a module is. */
export async function placeOf(home: Site, module: string): Promise<Placed> {
  const [found] = await rows<Placed>(home, 'select database_url, address, shadow from placement.modules where module = $1', [module]);
  return found ?? { database_url: null, address: null, shadow: null };
}

/** A module that has moved, or is on its way. */
export interface Moved {
  module: string;
  /** where its data is, without user and password; null: where the configuration says */
  databaseUrl: string | null;
  /** where its process answers; null: where the configuration says */
  address: string | null;
  held: boolean;
  /** of the move that has not ended */
  move: Pick<Move, 'direction' | 'phase' | 'from' | 'to'> | null;
}

/** By module. A shop that is not set up yet has none. */
export async function movedModules(home: Site): Promise<Map<string, Moved>> {
  const [table] = await rows<{ there: boolean }>(home, `select to_regclass('placement.modules') is not null and to_regclass('placement.moves') is not null as there`);
  const moved = table!.there ? await rows<Moved>(home, MOVED) : [];
  return new Map(moved.map((one) => [one.module, one]));
}

const MOVED = `
  select module, database_url as "databaseUrl", modules.address, coalesce(held, false) as held,
         case when id is not null then jsonb_build_object('direction', direction, 'phase', phase, 'from', from_database, 'to', to_database) end as move
  from placement.modules full join (select * from placement.moves where ended_at is null) as moves using (module)
  where id is not null or held or database_url is not null`;

/** What flows met in moves so far, by process. */
export async function metSoFar(home: Site, module: string): Promise<Record<string, Met>> {
  const found = await rows<{ id: string; met: Met }>(home, 'select id, met -> $1 as met from placement.hosts where met -> $1 is not null', [module]);
  return Object.fromEntries(found.map(({ id, met }) => [id, met]));
}
/** What they met since `before`; the pause is the longest of those that held. */
export function metSince(before: Record<string, Met>, now: Record<string, Met>): Met {
  const sum: Met = { held: 0, again: 0, failed: 0, pause: 0 };
  for (const [id, met] of Object.entries(now)) {
    const earlier = before[id] ?? { held: 0, again: 0, failed: 0, pause: 0 };
    for (const what of ['held', 'again', 'failed'] as const) sum[what] += met[what] - earlier[what];
    if (met.pause !== earlier.pause) sum.pause = Math.max(sum.pause, met.pause);
  }
  return sum;
}
/** Whether every process that is there has shown itself since a moment of this database's clock. */
export async function shownSince(home: Site, moment: string): Promise<boolean> {
  const [late] = await rows(home, `select from placement.hosts where seen_at between clock_timestamp() - interval '6 seconds' and $1::timestamptz limit 1`, [moment]);
  return !late;
}
export interface Host {
  /** where others reach it, and the machine that it runs on */
  address: string;
  machine: string;
  pid: number | null;
  modules: string[];
  edge: boolean;
  /** of the module that is asked for: what it has followed, and the database that it reaches */
  epoch: number;
  reaches: string | null;
}

/** Processes that were there just now; they show themselves every two seconds. */
export const liveHosts = (home: Site, module: string): Promise<Host[]> =>
  rows<Host>(
    home,
    `select address, machine, pid, modules, edge, coalesce((followed -> $1 ->> 'epoch')::float8, 0) as epoch, followed -> $1 ->> 'reaches' as reaches
     from placement.hosts where seen_at > clock_timestamp() - interval '6 seconds' order by started_at`,
    [module],
  );
