import { describe, expect, it } from 'vitest';
import { alwaysCanEnd, type Counterexample, explore, fairRunsEnd, type Graph } from './model-checker.ts';
import { type MoverStep, PROTOCOL, type Protocol, type State } from './model.ts';
import { modelOf, type World } from './model-world.ts';
import { allHasEnded, moveHasEnded, PROPERTIES } from './model-properties.ts';

const ENDS = 'every run can end, without luck';
const STANDS_STILL = 'a move ends while a host stands still';
const NOT_FOR_EVER = 'nobody goes on for ever';

/** `apart` has old news from the start, as a process apart has that was left over from a move before, or that comes too early. */
const TWO_HOSTS: World = { hosts: { shop: 'home', apart: 'away' }, writes: 2, fold: false };
const THREE_HOSTS: World = { ...TWO_HOSTS, hosts: { 'shop 1': 'home', 'shop 2': 'home', apart: 'away' } };
const ANY_HOSTS: World = { hosts: { 'a host': 'anything' }, writes: 2, fold: true };

const WORLDS: Record<string, World> = {
  'two processes and one apart': THREE_HOSTS,
  'any processes with any news, there and back': { ...ANY_HOSTS, writes: 3 },
  ...(process.env.KERF_FAULTS === 'all' && {
    'a process and one apart, there and back': { ...TWO_HOSTS, fold: true },
    'more writes by any processes with any news, there and back': { ...ANY_HOSTS, writes: 4 },
  }),
};

describe('the protocol of a move', () => {
  it.for(Object.entries(WORLDS))('keeps its promises whatever fails and whoever is slow: %s', { timeout: 300_000 }, async ([, world], { annotate }) => {
    const graph = explore(modelOf(PROTOCOL, world), PROPERTIES);
    expect(firstFlaw(graph, world)).toBeUndefined();
    const { states, next } = graph as Graph<State>;
    await annotate(`${states.length} states, ${next.flat().length} steps`);
  });

  it('needs nobody to hold: rights alone keep the promises, holding only spares refusals', () => {
    const graph = explore(modelOf(moving(without('tells hosts to hold')), TWO_HOSTS), PROPERTIES);
    expect(firstFlaw(graph, TWO_HOSTS)).toBeUndefined();
  }, 120_000);
});

const { move, retreat, cancel, complete } = PROTOCOL.plans;
const TAKES = 'takes the rights on the source';
const GIVES = 'gives the rights on the target';
const ENDS_OPEN = 'ends open transactions on the source';
const MARKS = 'writes a new mark on the source';
const SEES = 'sees the mark on the target';
const ADVANCES = 'advances the sequences';
const FLIPS = 'flips the placement';
const READS_EARLY: MoverStep = { on: 'to', says: 'gives the right to read', does: ({ databases, move: { to } }) => (databases[to].rights = 'read') };

const ONE_OWNER = 'the module may write in one database at most';
const NOTHING_LOST = 'no acknowledged write is missing at the owner';
const NOTHING_STALE = 'nobody is answered where an acknowledged write is missing';
const NOTHING_TWICE = 'no write is done twice';
const NO_FAILURE = 'no request fails';
const WAY_BACK = 'the old place has all that the new one has, or it is on its way, until it is given up';
const RIGHT_OWNER = 'a cancelled move leaves the source the owner, a completed one the target';

/** What is done otherwise, and which promise it breaks; where no hosts are named, it does so whatever they know. */
const MISTAKES: [mistake: string, protocol: Protocol, breaks: string, world?: World][] = [
  ['rights are given before they are taken', moving(before(TAKES, GIVES)), ONE_OWNER],
  ['rights are given before the placement says so', moving(before(FLIPS, GIVES)), ONE_OWNER],
  ['only the right to write is taken', moving(instead(TAKES, { does: ({ databases, move: { from } }) => (databases[from].rights = 'read') })), NOTHING_STALE],
  ['the module may read at the target for the sake of comparing', moving(after('begins the way back', READS_EARLY)), NOTHING_STALE, TWO_HOSTS],
  ['open transactions are left alone', moving(without(ENDS_OPEN)), NOTHING_LOST],
  ['open transactions are ended before the rights are taken', moving(before(TAKES, ENDS_OPEN)), NOTHING_LOST],
  ['open transactions are waited for', moving(instead(ENDS_OPEN, { when: ({ transactions, move }) => transactions.every(({ at }) => at !== move.from) })), STANDS_STILL],
  ['the mark is written while transactions are open', moving(before(ENDS_OPEN, MARKS)), NOTHING_LOST],
  ['the flip does not wait for the mark', moving(without(SEES)), NOTHING_LOST],
  ['the mark of an earlier fence counts', moving(instead(MARKS, { does: ({ streams, move: { from } }) => streams[from]!.changes.push('mark') })), NOTHING_LOST],
  ['the mark does not travel', moving(instead(MARKS, { does: () => undefined })), ENDS],
  ['what came before the mark is not made durable', moving(before(SEES, ADVANCES)), NOTHING_LOST],
  ['sequences stay where they are', moving(without(ADVANCES)), NO_FAILURE],
  ['the way back begins when the target is open', moving(before('stops following the source', 'begins the way back')), WAY_BACK],
  ['changes are sent back to where they came from', { ...PROTOCOL, origin: 'any' }, NOTHING_TWICE],
  ['a move can be cancelled after the flip', { ...PROTOCOL, cancelledUntil: 'flip' }, ONE_OWNER],
  ['a cancel is recorded only when it is done', planned({ cancel: cancel.slice(1) }), ONE_OWNER],
  ['a retreat is recorded only when it is done', planned({ retreat: [...retreat.slice(1), retreat[0]!] }), ONE_OWNER],
  ['a completion is recorded only when it is done', planned({ complete: complete.slice(1) }), WAY_BACK],
  ['a command that was killed begins at its first step', { ...PROTOCOL, resumes: false }, ONE_OWNER],
  ['commands have their lock at home only', { ...PROTOCOL, locks: ['home'] }, NOTHING_LOST],
  ['commands have their lock away only', { ...PROTOCOL, locks: ['away'] }, RIGHT_OWNER],
  ['commands have no lock', { ...PROTOCOL, locks: [] }, RIGHT_OWNER],
  ['a write whose answer was lost is done anew', { ...PROTOCOL, asksByKey: false }, NOTHING_TWICE],
  ['a host that is refused does not read the placement', { ...PROTOCOL, refusedHost: 'goes on' }, NOT_FOR_EVER, { ...ANY_HOSTS, hosts: { shop: 'home' } }],
  ['a host that is refused gives up when it reads what it knew', { ...PROTOCOL, refusedHost: 'reads, and fails without news' }, NO_FAILURE, { ...ANY_HOSTS, hosts: { shop: 'home' } }],
  ['missing tables are not taken for a refusal', { ...PROTOCOL, missingIsRefused: false }, NO_FAILURE, { ...TWO_HOSTS, hosts: { shop: 'home' } }],
];

describe('a protocol with a mistake', () => {
  it.each(MISTAKES)('is found out when %s', (_, protocol, breaks, world = ANY_HOSTS) => {
    const flaw = firstFlaw(explore(modelOf(protocol, world), PROPERTIES), world);
    expect(flaw?.property, flaw?.steps.join('\n')).toBe(breaks);
  }, 60_000);
});

function firstFlaw(graph: Graph<State> | Counterexample, { hosts }: World): Counterexample | undefined {
  if ('property' in graph) return graph;
  const still = Object.keys(hosts).map((host) => alwaysCanEnd(graph, STANDS_STILL, moveHasEnded, [host]));
  return alwaysCanEnd(graph, ENDS, allHasEnded) ?? still.find(Boolean) ?? fairRunsEnd(graph, NOT_FOR_EVER);
}

function planned(plans: Partial<Protocol['plans']>): Protocol {
  return { ...PROTOCOL, plans: { ...PROTOCOL.plans, ...plans } };
}

function moving(changed: MoverStep[]): Protocol {
  return planned({ move: changed });
}

function named(says: string): MoverStep {
  return move.find((step) => step.says === says)!;
}

function without(says: string): MoverStep[] {
  return move.filter((step) => step !== named(says));
}

/** The second one is done just before the first. */
function before(first: string, second: string): MoverStep[] {
  return without(second).flatMap((step) => (step === named(first) ? [named(second), step] : [step]));
}

function after(says: string, added: MoverStep): MoverStep[] {
  return move.flatMap((step) => (step === named(says) ? [step, added] : [step]));
}

function instead(says: string, other: Partial<MoverStep>): MoverStep[] {
  return move.map((step) => (step === named(says) ? { ...step, ...other } : step));
}
