/**
 * The protocol of docs/decisions/0014-a-move-is-below-the-service.md, and the world that it has to stand. A step happens at
 * once and in one place; between any two of them all others can happen. So a frozen process, a late notification and a slow
 * network are no steps of their own: whoever is slow does not take the next step yet.
 */
export interface State {
  /** rows at home: what hosts read, and how far the move is */
  placement: { at: Place; hold: boolean };
  move: { from: Place; to: Place; phase: Phase };
  /** commands that run */
  movers: Mover[];
  databases: Record<Place, Database>;
  /** what was written here and is on its way to the other one; null: the other one does not follow */
  streams: Record<Place, Stream | null>;
  hosts: Record<string, Knows>;
  /** that hosts have begun in a database and neither committed nor given up: each does one write, known by its number */
  transactions: { write: number; by: string; at: Place }[];
  /** for each write, whether its client was told that it is done; until then the client asks, again and anywhere, under the same key */
  acknowledged: boolean[];
  /** a client was told of an error */
  failed: boolean;
}

export type Place = 'home' | 'away';
export type Phase = 'preflight' | 'prepare' | 'copy' | 'hold' | 'fence' | 'catch up' | 'flip' | 'open' | 'settle' | 'completing' | 'complete' | 'cancelling' | 'cancelled';

/**
 * Where a process takes its connections; `hold` and `refused`: nowhere until it has read the placement. `anything` stands for any number of
 * processes with any news, however old: each goes wherever it is let.
 */
export type Knows = Place | 'hold' | 'anything' | `refused at ${Place}`;

interface Database {
  /** the module's tables are here */
  exists: boolean;
  /** of the module's role */
  rights: 'none' | 'read' | 'all';
  /** writes in the order of their keys, the first of which is 1 */
  rows: number[];
  /** the last key that was given out here */
  sequence: number;
  /** the mark of this fence has come here */
  mark: boolean;
}

export interface Stream {
  changes: (number | 'mark')[];
  /** so many can be seen at the other end, but are not durable there yet */
  applied: number;
}

export interface Mover {
  plan: keyof Protocol['plans'];
  step: number;
  /** where its session is still there */
  sessions: Record<Place, boolean>;
}

export interface MoverStep {
  says: string;
  on: 'home' | 'from' | 'to';
  does?(state: State): void;
  when?(state: State): boolean;
  /** a phase that is recorded at once with it */
  records?: Phase;
  /** commits nothing */
  looks?: boolean;
}

const record = (phase: Phase): MoverStep => ({ on: 'home', says: `records "${phase}"`, records: phase });
const source = ({ move, databases }: State) => databases[move.from];
const target = ({ move, databases }: State) => databases[move.to];
export const nothing = (): Database => ({ exists: false, rights: 'none', rows: [], sequence: 0, mark: false });

/** `compare` and `shadow` change nothing, so they are not here. Folding is the same from away to home, where much is there already. */
const MOVE: MoverStep[] = [
  { on: 'to', says: 'makes tables without rights', does: (state) => { if (!target(state).exists) state.databases[state.move.to] = { ...nothing(), exists: true }; } },
  record('prepare'),
  { on: 'to', says: 'copies the source and follows it', does: copyAndFollow },
  { on: 'to', says: 'begins the way back', does: ({ streams, move }) => { streams[move.to] ??= { changes: [], applied: 0 }; } },
  record('copy'),
  { on: 'home', says: 'tells hosts to hold', does: ({ placement }) => { placement.hold = true; }, records: 'hold' },
  { on: 'from', says: 'takes the rights on the source', does: (state) => { source(state).rights = 'none'; } },
  { on: 'from', says: 'ends open transactions on the source', does: endTransactions },
  record('fence'),
  { on: 'from', says: 'writes a new mark on the source', does: writeMark },
  { on: 'to', says: 'sees the mark on the target', when: (state) => target(state).mark, looks: true },
  { on: 'to', says: 'advances the sequences', does: (state) => { target(state).sequence = Math.max(target(state).sequence, source(state).sequence); } },
  record('catch up'),
  { on: 'home', says: 'flips the placement', does: ({ placement, move }) => { placement.at = move.to; }, records: 'flip' },
  { on: 'to', says: 'gives the rights on the target', does: (state) => { target(state).rights = 'all'; } },
  { on: 'home', says: 'lets hosts go', does: ({ placement }) => { placement.hold = false; }, records: 'open' },
  { on: 'to', says: 'stops following the source', does: ({ streams, move }) => { streams[move.from] = null; } },
  record('settle'),
];

const RETURN: MoverStep[] = [
  { on: 'from', says: 'gives the rights on the source back', does: (state) => { source(state).rights = 'all'; } },
  { on: 'home', says: 'lets hosts go', does: ({ placement }) => { placement.hold = false; } },
];
const STOP_STREAMS: MoverStep = { on: 'to', says: 'drops both streams', does: ({ streams }) => { streams.home = streams.away = null; } };

export const PROTOCOL = {
  /** What commands do, in this order. What undoes is recorded before its first step, everything else behind its last. */
  plans: {
    move: MOVE,
    /** too much lag: hosts go on for a while, then it is tried again */
    retreat: [record('copy'), ...RETURN],
    cancel: [record('cancelling'), ...RETURN, STOP_STREAMS, { on: 'to', says: 'drops the copy', does: ({ databases, move }) => { databases[move.to] = nothing(); } }, record('cancelled')],
    complete: [record('completing'), { on: 'from', says: 'drops the data on the source', does: ({ databases, move }) => { databases[move.from] = nothing(); } }, STOP_STREAMS, record('complete')],
  } as Record<'move' | 'retreat' | 'cancel' | 'complete', MoverStep[]>,
  /** a command does its steps in one session for each database, which it never opens again; where that session has a lock, no other command begins */
  locks: ['home', 'away'] as Place[],
  /** a command that is run again goes on behind the phase that is recorded, not at its first step */
  resumes: true,
  /** the last phase from which a move can be cancelled */
  cancelledUntil: 'catch up' as Phase,
  /** which changes are sent on: only those that did not come by a stream themselves, or any */
  origin: 'none' as 'none' | 'any',
  /** a write that is asked for again is looked for by its key first */
  asksByKey: true,
  /** a host that is refused gives no connections until it has read the placement, and then tries again, also where that is as before */
  refusedHost: 'reads' as 'reads' | 'goes on' | 'reads, and fails without news',
  /** missing tables are to a host what missing rights are */
  missingIsRefused: true,
};

export type Protocol = typeof PROTOCOL;

function copyAndFollow(state: State): void {
  if (state.streams[state.move.from]) return;
  target(state).rows = [...source(state).rows];
  state.streams[state.move.from] = { changes: [], applied: 0 };
}

function endTransactions(state: State): void {
  giveUp(state, ({ at }) => at === state.move.from);
}

/** An earlier mark, which nobody waits for, is left out. */
function writeMark(state: State): void {
  const stream = state.streams[state.move.from];
  const isWrite = (change: number | 'mark') => change !== 'mark';
  target(state).mark = false;
  if (!stream) return;
  stream.applied = stream.changes.slice(0, stream.applied).filter(isWrite).length;
  stream.changes = [...stream.changes.filter(isWrite), 'mark'];
}

/** These have had no effect; their host has seen that, and reads the placement before it goes on. */
export function giveUp(state: State, isOver: (transaction: State['transactions'][number]) => boolean): void {
  for (const { by } of state.transactions.filter(isOver)) if (state.hosts[by] !== 'anything') state.hosts[by] = 'hold';
  state.transactions = state.transactions.filter((transaction) => !isOver(transaction));
}
