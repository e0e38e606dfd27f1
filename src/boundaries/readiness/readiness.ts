import type { Observed } from '../../shared/observation.ts';
import type { Finding } from '../database/catalog-world.ts';
import type { ContractState } from '../contracts/contract-snapshots.ts';
import type { Violation } from '../lint/lint.ts';
import type { ModuleFacts } from '../map/module-facts.ts';

/** Facts that could be read, or the reason why not, as a sentence. */
export type Looked<Facts> = { facts: Facts } | { notLooked: string };

/** Everything that is known about a module before it is cut out. */
export interface ReadinessFacts {
  /** what is declared: contract, table of calls, events */
  declared: Pick<ModuleFacts, 'name' | 'calls' | 'calledBy' | 'methods' | 'emits' | 'listens'>;
  sources: Looked<SourceReading>;
  database: Looked<DatabaseReading | NotSetUp>;
  observed: Looked<Observed>;
  contract: Looked<ContractState>;
}

/** What the sources say of this module. */
export interface SourceReading {
  /** imports that lean on its inside, or with which it leans on others' */
  violations: readonly Violation[];
  /** its methods that other modules call */
  calls: readonly { from: string; method: string; file: string }[];
}

/** What its database says of it. Sizes in bytes. */
export interface DatabaseReading {
  /** `host:port/database` */
  place: string;
  /** like 180000 */
  serverVersion: number;
  /** migrations of this tree that have not run there, and ones that have run and are not in this tree */
  pending: readonly string[];
  unknown: readonly string[];
  findings: readonly Finding[];
  hasInbox: boolean;
  walLevel: string;
  /** replication slots and senders that the server allows */
  slots: number;
  senders: number;
  tables: readonly { name: string; bytes: number }[];
  sequences: readonly string[];
  /** extensions that its objects lean on */
  extensions: readonly string[];
}

/** A database that knows nothing of the module, or does not let its role in; `why` is the sentence. */
export interface NotSetUp {
  place: string;
  why: string;
}

export interface Blocker {
  /** what stands in the way, one sentence */
  what: string;
  /** file and line, object, or edge */
  where: string;
  /** what to do, one sentence */
  todo: string;
}

export interface Readiness {
  module: string;
  /** `not known`: without its sources or its database, nothing can be said */
  verdict: 'ready' | 'not ready' | 'ready, as far as looked at' | 'not known';
  blockers: Blocker[];
  /** what stops nothing, and is good to know or to prepare */
  notes: string[];
  looked: string[];
  notLooked: string[];
}

type Judged = Partial<Pick<Readiness, 'blockers' | 'notes' | 'notLooked'>>;

/** Whether a module could be extracted today, and what is in the way. Decides by the facts alone. */
export function judge(facts: ReadinessFacts): Readiness {
  const { name: module } = facts.declared;
  const parts: [string, Judged | string][] = [
    ['what leans on what, in the sources', read(facts.sources, ({ violations }) => ({ blockers: violations.map(fromViolation) }))],
    ['the catalogs of its database', read(facts.database, (database) => judgeDatabase(facts, database))],
    ['what a running Kerf was seen to do', read(facts.observed, (observed) => judgeObserved(facts, observed))],
    ['its contract against the accepted one', read(facts.contract, judgeContract)],
    ['who calls it and who listens', judgeNeighbours(facts)],
  ];
  const judged = parts.flatMap(([, part]) => (typeof part === 'string' ? [] : [part]));
  const blockers = judged.flatMap(({ blockers = [] }) => blockers);
  const notLooked = parts.flatMap(([what, part]) => (typeof part === 'string' ? [`${what}: ${part}`] : (part.notLooked ?? []).map((why) => `${what}: ${why}`)));
  return {
    module,
    verdict: verdictOf(facts, blockers, notLooked),
    blockers,
    notes: judged.flatMap(({ notes = [] }) => notes),
    looked: parts.flatMap(([what, part]) => (typeof part === 'string' || part.notLooked ? [] : [what])),
    notLooked,
  };
}

function verdictOf({ sources, database }: ReadinessFacts, blockers: readonly Blocker[], notLooked: readonly string[]): Readiness['verdict'] {
  if (blockers.length > 0) return 'not ready';
  if ('notLooked' in sources || 'notLooked' in database) return 'not known';
  return notLooked.length > 0 ? 'ready, as far as looked at' : 'ready';
}

const read = <Facts>(looked: Looked<Facts>, judged: (facts: Facts) => Judged): Judged | string => ('facts' in looked ? judged(looked.facts) : looked.notLooked);

const fromViolation = ({ rule, file, line, to, advice }: Violation): Blocker => ({
  what: to ? `${file} leans on ${to} (${rule}).` : `${file} breaks the rule ${rule}.`,
  where: `${file}:${line}`,
  todo: advice,
});

const OLDEST_SERVER = 150_000;
const MIGRATE = 'Run "npm run migrate" with this version of Kerf.';

function judgeDatabase({ declared: { name, listens } }: ReadinessFacts, database: DatabaseReading | NotSetUp): Judged {
  if ('why' in database) return { blockers: [{ what: database.why, where: database.place, todo: 'Set it up first: run "npm run migrate".' }] };
  const { place, serverVersion, pending, unknown, findings, hasInbox } = database;
  const blockers: Blocker[] = findings.map(({ problem, object, advice }) => ({ what: problem, where: object, todo: advice }));
  if (pending.length > 0) blockers.push({ what: `Its schema is older than its code: ${pending.join(', ')} did not run.`, where: place, todo: MIGRATE });
  if (unknown.length > 0) {
    blockers.push({ what: `Its schema is newer than its code: nobody here knows ${unknown.join(', ')}.`, where: place, todo: 'Use the version of Kerf that ran these migrations.' });
  }
  if (listens.length > 0 && !hasInbox) {
    blockers.push({ what: 'It listens to events and has no table "inbox": an event that comes twice would count twice.', where: `migrations/${name}`, todo: 'Add the table as in the migrations of a module that listens.' });
  }
  if (serverVersion < OLDEST_SERVER) {
    blockers.push({ what: `The server is Postgres ${Math.floor(serverVersion / 10_000)}.`, where: place, todo: 'Move to Postgres 15 or newer.' });
  }
  return { blockers, notes: preparations(database) };
}

/** What whoever moves it has to do or to know. */
function preparations({ place, walLevel, slots, senders, tables, sequences, extensions }: DatabaseReading): string[] {
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const largest = tables.toSorted((a, b) => b.bytes - a.bytes)[0];
  const notes = [`${tables.length} tables with ${inMegabytes(bytes)} to copy${largest ? `, the largest ${largest.name} with ${inMegabytes(largest.bytes)}` : ''}.`];
  if (walLevel !== 'logical') notes.push(`Prepare the server ${place}: set wal_level = logical and restart it; now it is ${walLevel}.`);
  if (slots < 1 || senders < 1) notes.push(`Prepare the server ${place}: allow a replication slot and a sender (max_replication_slots, max_wal_senders).`);
  if (sequences.length > 0) notes.push(`Sequences are not replicated: ${sequences.join(', ')} must be set when it arrives.`);
  if (extensions.length > 0) notes.push(`The server it moves to needs the extension ${extensions.join(', ')}.`);
  return notes;
}

const inMegabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;

function judgeObserved({ declared: { name, calls, calledBy, emits, listens } }: ReadinessFacts, observed: Observed): Judged {
  const ours = ({ from, to }: { from: string; to: string }) => from === name || to === name;
  const seenCalls = observed.calls.filter(ours);
  const seenEvents = observed.events.filter(ours);
  const agreed = ({ from, to }: { from: string; to: string }) => from === 'edge' || (from === name ? calls.includes(to) : calledBy.includes(from));
  const declaredEvent = ({ type, from, to }: Observed['events'][number]) =>
    from === name ? emits.some((event) => event.type === type && event.subscribers.includes(to)) : listens.some((event) => event.type === type && event.from === from);
  const statements = observed.foreignStatements.filter(({ module, schema }) => module === name || [name, `${name}_jobs`].includes(schema));
  const blockers = [
    ...seenCalls.filter((call) => !agreed(call)).map(({ from, to, method, count }) => ({
      what: `${from} called ${to}.${method} ${times(count)}, which is not in the table of calls.`, where: `${from} → ${to}`, todo: 'Agree on it in src/calls.ts, or use an event.',
    })),
    ...seenEvents.filter((event) => !declaredEvent(event)).map(({ type, from, to, count }) => ({
      what: `${to} got ${type} from ${from} ${times(count)}, which nobody declares.`, where: `${from} → ${to}`, todo: 'Declare it: in the contract of the one, and under listens in the module.ts of the other.',
    })),
    ...statements.map(({ module, schema, statement, count }) => ({
      what: `${module} named the schema ${schema} ${times(count)}.`, where: statement, todo: 'Ask the module by its contract, or keep what you need, fed by its events.',
    })),
  ];
  const silent = [...calls.map((to) => [name, to]), ...calledBy.map((from) => [from, name])].filter(([from, to]) => !seenCalls.some((call) => call.from === from && call.to === to));
  const neighbours = [...calls, ...calledBy, ...listens, ...emits.flatMap(({ subscribers }) => subscribers)];
  if (neighbours.length > 0 && seenCalls.length + seenEvents.length === 0) return { blockers, notLooked: [`nothing of ${name} was seen since ${observed.since}: use it, then ask again.`] };
  return { blockers, notes: silent.length > 0 ? [`Since ${observed.since} nobody saw the agreed calls ${silent.map((edge) => edge.join(' → ')).join(', ')}.`] : [] };
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`);

function judgeContract({ module, state, changes }: ContractState): Judged {
  const where = `src/modules/${module}/contract.ts`;
  if (state === 'new') return { blockers: [{ what: 'Its contract was never accepted.', where, todo: `Look at it and accept it: npx kerf contracts accept ${module}.` }] };
  const breaking = changes.filter((change) => change.breaking);
  const named = ({ method, event, part, field, change }: (typeof changes)[number]) => `${[method ?? event, part, field].filter(Boolean).join(' ')} ${change}`;
  return {
    blockers: breaking.map((change) => ({ what: `Its contract breaks the accepted one: ${named(change)}. ${change.why ?? ''}`.trim(), where, todo: change.instead ?? 'Take it back.' })),
    notes: state === 'compatible' ? [`Its contract changed since it was accepted, compatibly: ${changes.map(named).join('; ')}.`] : [],
  };
}

/** Apart, every call can be lost on its way, before it takes effect or after. */
function judgeNeighbours({ declared: { name, calls, calledBy, methods, emits, listens }, sources, observed }: ReadinessFacts): Judged {
  const inSources = 'facts' in sources ? sources.facts.calls : [];
  const atRunTime = 'facts' in observed ? observed.facts.calls.filter(({ from, to }) => to === name && from !== 'edge' && from !== name) : [];
  const callersOf = (method: string) => [...new Set([...inSources, ...atRunTime].filter((call) => call.method === method).map(({ from }) => from))];
  const once = methods.filter(({ kind, idempotentBy }) => kind === 'write' && !idempotentBy).map((method) => method.name);
  const blockers = once.flatMap((method) =>
    callersOf(method).map((from) => ({
      what: `${from} calls ${name}.${method}, which writes and names no key that makes a repeat harmless: after a lost answer ${from} can neither repeat it nor go on.`,
      where: inSources.find((call) => call.method === method && call.from === from)?.file ?? `${from} → ${name}`,
      todo: 'Give its input a key and name it in the contract (idempotentBy).',
    })),
  );
  const forClients = once.filter((method) => callersOf(method).length === 0);
  const notes = [
    ...calledBy.map((from) => `${from} calls it${list(methods.filter((method) => callersOf(method.name).includes(from)).map((method) => method.name))}: when it does not answer, ${from} gets "unavailable".`),
    ...(calls.length > 0 ? [`It calls ${calls.join(', ')}: its process needs their addresses.`] : []),
    ...emits.filter(({ subscribers }) => subscribers.length > 0).map(({ type, subscribers }) => `Its ${type} goes to ${subscribers.join(', ')}; the queue moves with it.`),
    ...[...Map.groupBy(listens, ({ from }) => from)].map(([from, events]) => `It listens to ${events.map(({ type }) => type).join(', ')}: ${from} must be able to reach it.`),
    ...(forClients.length > 0 ? [`Only clients call ${forClients.join(', ')}; after a lost answer it is for them to look and repeat.`] : []),
  ];
  return { blockers, notes };
}

const list = (names: string[]) => (names.length > 0 ? ` (${names.join(', ')})` : '');
