import type { Model, Step } from './model-checker.ts';
import { giveUp, type Knows, type Mover, type MoverStep, nothing, type Phase, type Place, type Protocol, type State, type Stream } from './model.ts';

/** Whom the protocol meets, besides replication and databases that crash. */
export interface World {
  hosts: Record<string, Knows>;
  /** one that was acknowledged before, and the others */
  writes: number;
  /** somebody may fold once the move has settled */
  fold: boolean;
}

const PLACES = ['home', 'away'] as const;
const CANCELLABLE: Phase[] = ['preflight', 'prepare', 'copy', 'hold', 'fence', 'catch up', 'flip', 'open', 'settle'];

export function modelOf(protocol: Protocol, world: World): Model<State> {
  const { plans } = protocol;
  const start: State = {
    placement: { at: 'home', hold: false },
    move: { from: 'home', to: 'away', phase: 'preflight' },
    movers: [],
    databases: { home: { exists: true, rights: 'all', rows: [0], sequence: 1, mark: false }, away: nothing() },
    streams: { home: null, away: null },
    hosts: world.hosts,
    transactions: [],
    acknowledged: Array.from({ length: world.writes }, (_, write) => write === 0),
    failed: false,
  };

  function next(state: State): Step<State>[] {
    const steps: Step<State>[] = [];
    const can = (by: string, says: string, change: (state: State) => void, chance = false) => {
      const to = copyOf(state);
      change(to);
      to.movers = to.movers.filter(({ plan, step, sessions }) => sessions[placeOf(to, plans[plan][step]!)]);
      steps.push({ by, says, to, chance });
    };
    const mayHappen: typeof can = (by, says, change) => can(by, says, change, true);

    for (const [n, mover] of state.movers.entries()) commandGoesOn(n, mover);
    if (state.movers.length < 2 && !state.movers.some(({ sessions }) => protocol.locks.some((place) => sessions[place]))) commandBegins();
    for (const place of PLACES) {
      if (canApply(state, place)) can('replication', `brings ${place === 'home' ? 'away' : 'home'} a change`, (to) => apply(to, place));
      mayHappen(`the database at ${place}`, 'crashes and starts again', (to) => crash(to, place));
    }
    for (const [name, knows] of Object.entries(state.hosts)) hostGoesOn(name, knows);
    return steps;

    function commandGoesOn(n: number, { plan, step }: Mover) {
      const now = plans[plan][step]!;
      if (now.when?.(state) ?? true) can('the mover', now.says, (to) => take(to, n, now));
      if (plan === 'move' && ['hold', 'fence'].includes(state.move.phase)) mayHappen('the mover', 'finds too much lag', (to) => Object.assign(to.movers[n]!, { plan: 'retreat', step: 0 }));
      mayHappen('the mover', 'is killed', (to) => to.movers.splice(n, 1));
    }

    function commandBegins() {
      const { phase, to: place } = state.move;
      const run = (plan: Mover['plan'], step = 0) => (to: State) => to.movers.push({ plan, step, sessions: { home: true, away: true } });
      if (phase === 'cancelling') can('an operator', 'cancels again', run('cancel', 1));
      else if (phase === 'cancelled') mayHappen('an operator', 'begins anew', (to) => { to.move.phase = 'preflight'; });
      else if (phase === 'settle' || phase === 'completing') can('an operator', 'completes the move', run('complete'));
      else if (phase !== 'complete') can('an operator', 'runs the move', run('move', protocol.resumes ? behind(phase) : 0));
      if (CANCELLABLE.slice(0, CANCELLABLE.indexOf(protocol.cancelledUntil) + 1).includes(phase)) mayHappen('an operator', 'cancels', run('cancel'));
      if (world.fold && phase === 'settle' && place === 'away') mayHappen('an operator', 'folds', (to) => { to.move = { from: 'away', to: 'home', phase: 'preflight' }; });
    }

    function hostGoesOn(name: string, knows: Knows) {
      const own = state.transactions.filter(({ by }) => by === name);
      for (const { write, at } of own) {
        can(name, `commits write ${write} at ${at} and says so`, (to) => (to.acknowledged[write] = commit(to, write, at)));
        mayHappen(name, `commits write ${write} at ${at}, and the answer is lost`, (to) => commit(to, write, at));
        mayHappen(name, `is killed with write ${write} open at ${at}`, (to) => giveUp(to, (other) => other.write === write && other.at === at));
      }
      for (const at of PLACES) {
        const write = state.acknowledged.findIndex((done, n) => !done && !state.transactions.some((other) => other.write === n && other.at === at));
        const goes = knows === 'anything' ? state.databases[at].rights === 'all' : knows === at && own.length === 0;
        if (goes && write >= 0) can(name, `begins write ${write} at ${at}`, (to) => begin(to, write, name, at));
      }
      const told = state.placement.hold ? 'hold' : state.placement.at;
      if (knows !== 'anything' && knows !== told) can(name, `reads the placement: ${told}`, (to) => readPlacement(to, name, told));
    }
  }

  const behind = (phase: Phase) => plans.move.findIndex(({ records }) => records === phase) + 1;

  function take(state: State, n: number, { on, does, records, looks }: MoverStep): void {
    const place = placeOf(state, { on });
    does?.(state);
    state.move.phase = records ?? state.move.phase;
    if (!looks) makeDurable(state, place);
    const mover = state.movers[n]!;
    mover.step += 1;
    if (mover.step < plans[mover.plan].length) return;
    if (mover.plan === 'retreat') Object.assign(mover, { plan: 'move', step: behind('copy') });
    else state.movers.splice(n, 1);
  }

  function begin(state: State, write: number, by: string, at: Place): void {
    const { exists, rights, rows } = state.databases[at];
    if (!exists && !protocol.missingIsRefused) state.failed = true;
    else if (rights !== 'all') state.hosts[by] = ({ reads: 'hold', 'goes on': at, 'reads, and fails without news': `refused at ${at}` } as const)[protocol.refusedHost];
    else if (protocol.asksByKey && rows.includes(write)) state.acknowledged[write] = true;
    else state.transactions = [...state.transactions, { write, by, at }].sort((a, b) => a.write - b.write);
  }

  function readPlacement(state: State, name: string, told: Place | 'hold'): void {
    if (state.hosts[name] === `refused at ${told}` && protocol.refusedHost === 'reads, and fails without news') state.failed = true;
    state.hosts[name] = told;
  }

  function apply(state: State, from: Place): void {
    const stream = state.streams[from]!;
    const change = stream.changes[stream.applied]!;
    const database = state.databases[other(from)];
    stream.applied += 1;
    if (change === 'mark') database.mark = true;
    else database.rows.push(change);
    if (change !== 'mark' && protocol.origin === 'any') state.streams[other(from)]?.changes.push(change);
  }

  return { start, next };
}

const other = (place: Place): Place => (place === 'home' ? 'away' : 'home');
const placeOf = ({ move }: State, { on }: Pick<MoverStep, 'on'>) => (on === 'home' ? 'home' : move[on]);
const canApply = ({ streams, databases }: State, from: Place) => streams[from] !== null && streams[from].applied < streams[from].changes.length && databases[other(from)].exists;

function commit(state: State, write: number, at: Place): true {
  const database = state.databases[at];
  if (database.sequence < database.rows.length) state.failed = true;
  database.sequence += 1;
  database.rows.push(write);
  makeDurable(state, at);
  state.streams[at]?.changes.push(write);
  state.transactions = state.transactions.filter((done) => done.write !== write || done.at !== at);
  return true;
}

/** A commit makes durable what replication had applied before it. */
function makeDurable({ streams }: State, at: Place): void {
  const coming = streams[other(at)];
  if (coming) streams[other(at)] = { changes: coming.changes.slice(coming.applied), applied: 0 };
}

/** Connections are lost, and what was applied and not durable comes once more. */
function crash(state: State, at: Place): void {
  const database = state.databases[at];
  const coming = state.streams[other(at)];
  for (const change of coming?.changes.slice(0, coming.applied) ?? []) {
    if (change === 'mark') database.mark = false;
    else database.rows.pop();
  }
  if (coming) coming.applied = 0;
  for (const { sessions } of state.movers) sessions[at] = false;
  giveUp(state, (transaction) => transaction.at === at);
}

const copyOf = ({ placement, move, movers, databases: { home, away }, streams, hosts, transactions, acknowledged, failed }: State): State => ({
  placement: { ...placement },
  move: { ...move },
  movers: movers.map((mover) => ({ ...mover, sessions: { ...mover.sessions } })),
  databases: { home: { ...home, rows: [...home.rows] }, away: { ...away, rows: [...away.rows] } },
  streams: { home: copyOfStream(streams.home), away: copyOfStream(streams.away) },
  hosts: { ...hosts },
  transactions,
  acknowledged: [...acknowledged],
  failed,
});
const copyOfStream = (stream: Stream | null) => stream && { ...stream, changes: [...stream.changes] };
