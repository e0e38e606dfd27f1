import type { Place, State } from './model.ts';

/** What is true at every instant. */
export const PROPERTIES: Record<string, (state: State) => boolean> = {
  'the module may write in one database at most': ({ databases: { home, away } }) => home.rights !== 'all' || away.rights !== 'all',
  'no acknowledged write is missing at the owner': (state) => state.databases[state.placement.at].rights === 'none' || isWhole(state, state.placement.at),
  'nobody is answered where an acknowledged write is missing': (state) =>
    Object.values(state.hosts).every((knows) => placesOf(knows).every((at) => state.databases[at].rights === 'none' || isWhole(state, at))),
  'no write is done twice': ({ databases: { home, away } }) => [home, away].every(({ rows }) => new Set(rows).size === rows.length),
  'no request fails': ({ failed }) => !failed,
  'the old place has all that the new one has, or it is on its way, until it is given up': ({ move: { phase, from, to }, streams, databases }) =>
    !['open', 'settle'].includes(phase) || [...databases[from].rows, ...onItsWay(streams[to])].join() === databases[to].rows.join(),
  'a cancelled move leaves the source the owner, a completed one the target': ({ move: { phase, from, to }, placement, databases }) => {
    if (phase !== 'cancelled' && phase !== 'complete') return true;
    const [owner, old] = phase === 'cancelled' ? [from, to] : [to, from];
    return placement.at === owner && !placement.hold && databases[owner].rights === 'all' && databases[old].rights === 'none';
  },
};

export const moveHasEnded = ({ move: { phase }, movers }: State) => movers.length === 0 && (phase === 'complete' || phase === 'cancelled');
export const allHasEnded = (state: State) => moveHasEnded(state) && state.acknowledged.every(Boolean);

const isWhole = ({ databases, acknowledged }: State, at: Place) => acknowledged.every((isDone, write) => !isDone || databases[at].rows.includes(write));
const placesOf = (knows: State['hosts'][string]): Place[] => (knows === 'anything' ? ['home', 'away'] : knows === 'home' || knows === 'away' ? [knows] : []);
const onItsWay = (stream: State['streams'][Place]) => stream?.changes.slice(stream.applied).filter((change) => change !== 'mark') ?? [];
