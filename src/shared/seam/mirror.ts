import { setImmediate, setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { withTrace } from '../context.ts';
import { type Contract, errorToWire, type Service } from '../contract.ts';
import { RefusedCall } from './resilience.ts';

/** Where a share of a module's reads is asked for a second time: docs/decisions/0014, `shadow`. */
export interface Mirrored {
  /** figures begin anew with another one */
  id: string;
  /** of a hundred reads; none: what is under way comes to its end */
  percent: number;
  service: Service<Contract>;
}

/** What one process has seen so far. Plain JSON; nothing in it is anybody's data. */
export interface Seen {
  id: string;
  percent: number;
  underWay: number;
  /** reads that were asked for a second time, and those for which too many of them were under way */
  mirrored: number;
  skipped: number;
  /** the same in the end; not the same, and changing too often to tell; not the same, and not changing; no answer */
  alike: number;
  unsettled: number;
  different: number;
  failed: number;
  /** methods that were compared, and those that are no reads there, because they write */
  methods: string[];
  writing: string[];
  /** by method: fields of its answer that differ, the first few */
  fields: Record<string, string[]>;
  /** how often an answer took so many milliseconds, of two digits: the owner's inside its process, the other one over the seam */
  owner: Record<string, number>;
  target: Record<string, number>;
}

/** What several processes have seen together. */
export type ShadowReport = Pick<Seen, 'mirrored' | 'skipped' | 'alike' | 'unsettled' | 'different' | 'failed' | 'methods' | 'writing' | 'fields'> & Record<'owner' | 'target', Latency>;

/** Milliseconds; null: nothing was answered. */
export interface Latency {
  p50: number | null;
  p99: number | null;
}

export interface Mirror {
  /** the module's own, whose callers notice nothing of the second asking */
  service: Service<Contract>;
  to(mirrored: Mirrored | undefined): void;
  seen(): Seen | undefined;
}

/** An answer or a refusal as it crosses the seam; undefined: neither, for it failed. */
type Outcome = { answer: unknown } | { refusal: unknown } | undefined;
type Method = (input: unknown) => Promise<unknown>;

const MOST_UNDER_WAY = 8;
const MOST_FIELDS = 5;
/** Milliseconds between asking both again: what is on its way to the follower comes there meanwhile. */
const PAUSES = [50, 250, 1_000, 3_000];

/** Has a share of the reads of `service` answered elsewhere too, after their caller has been answered, and compares. */
export function createMirror(contract: Contract, service: Service<Contract>, log: Logger, pauses: readonly number[] = PAUSES): Mirror {
  let mirrored: Mirrored | undefined;
  let seen: Seen | undefined;

  const reads = Object.entries(contract.methods).filter(([, { kind }]) => kind === 'read').map(([name]) => {
    const own = service[name] as Method;
    const read: Method = async (input) => {
      const begun = performance.now();
      const told = (outcome: Outcome) => outcome && again(name, input, outcome, performance.now() - begun);
      try {
        const answer = await own(input);
        told({ answer });
        return answer;
      } catch (error) {
        told(toRefusal(error));
        throw error;
      }
    };
    return [name, (input: unknown) => (mirrored ? read(input) : own(input))];
  });

  function again(name: string, input: unknown, outcome: NonNullable<Outcome>, took: number): void {
    if (!mirrored || !seen || Math.random() * 100 >= mirrored.percent || seen.writing.includes(name)) return;
    if (seen.underWay >= MOST_UNDER_WAY) return void (seen.skipped += 1);
    const [to, into] = [mirrored, seen];
    into.mirrored += 1;
    into.underWay += 1;
    count(into.owner, took);
    void withTrace(undefined, () => compareCopies(name, input, outcome, to, into))
      .catch((error: unknown) => {
        into.failed += 1;
        log.warn({ err: error, method: name }, 'a read could not be compared with that of the target');
      })
      .finally(() => (into.underWay -= 1));
  }

  /** Their caller may change them once it is answered, and is not concerned where they cannot be copied. */
  async function compareCopies(name: string, input: unknown, outcome: NonNullable<Outcome>, to: Mirrored, into: Seen): Promise<void> {
    const copies = JSON.stringify([input ?? {}, outcome]);
    await setImmediate();
    const [asked, sent] = JSON.parse(copies) as [unknown, NonNullable<Outcome>];
    return compare(name, asked, overWire(name, sent), to, into);
  }

  /** What does not agree is asked for again on both sides; it differs if it stays so while the owner's answer stays as it is. */
  async function compare(name: string, input: unknown, first: Outcome, { service: target }: Mirrored, into: Seen): Promise<void> {
    let [owners, before]: [Outcome, Outcome] = [first, undefined];
    for (let asked = 0; ; asked += 1) {
      const begun = performance.now();
      const theirs = await outcomeOf(name, (target[name] as Method)(input), into);
      if (asked === 0 && theirs) count(into.target, performance.now() - begun);
      if (into.writing.includes(name)) return;
      if (!theirs || !owners) return void (into.failed += 1);
      into.methods = [...new Set([...into.methods, name])];
      if (isDeepStrictEqual(theirs, owners)) return void (into.alike += 1);
      if (asked === pauses.length) return judge(name, { owners, before, theirs }, into);
      await setTimeout(pauses[asked], undefined, { ref: false });
      before = owners;
      owners = await outcomeOf(name, (service[name] as Method)(input));
    }
  }

  function judge(name: string, { owners, before, theirs }: Record<'owners' | 'before' | 'theirs', Outcome>, into: Seen): void {
    if (!isDeepStrictEqual(owners, before)) return void (into.unsettled += 1);
    const fields = fieldsThatDiffer(owners, theirs);
    if (into.fields[name] === undefined) log.warn({ method: name, fields }, 'a read is answered otherwise by the target');
    into.different += 1;
    into.fields[name] = [...new Set([...(into.fields[name] ?? []), ...fields])].slice(0, MOST_FIELDS);
  }

  async function outcomeOf(name: string, asked: Promise<unknown>, into?: Seen): Promise<Outcome> {
    try {
      return overWire(name, { answer: await asked });
    } catch (error) {
      if (error instanceof RefusedCall && error.refusal === 'unknown_method' && into) into.writing = [...new Set([...into.writing, name])];
      return overWire(name, toRefusal(error));
    }
  }

  /** As somebody in another process would read it. */
  function overWire(name: string, outcome: Outcome): Outcome {
    const sent = outcome && (JSON.parse(JSON.stringify(outcome)) as NonNullable<Outcome>);
    return sent && 'answer' in sent ? { answer: contract.methods[name]!.output.parse(sent.answer) } : sent;
  }

  return {
    service: { ...service, ...Object.fromEntries(reads) } as Service<Contract>,
    to(next) {
      if (next?.id !== seen?.id) seen = next && nothing(next);
      if (seen && next) seen.percent = next.percent;
      mirrored = next;
    },
    seen: () => seen,
  };
}

const nothing = ({ id, percent }: Mirrored): Seen => ({
  id, percent, underWay: 0, mirrored: 0, skipped: 0, alike: 0, unsettled: 0, different: 0, failed: 0, methods: [], writing: [], fields: {}, owner: {}, target: {},
});

/** Whoever could not answer says nothing about what the answer is. */
function toRefusal(error: unknown): Outcome {
  const { code, reason, details } = errorToWire(error);
  return code === 'internal' || code === 'unavailable' ? undefined : { refusal: { code, reason, details } };
}

function count(times: Record<string, number>, milliseconds: number): void {
  const time = Number(milliseconds.toPrecision(2));
  times[time] = (times[time] ?? 0) + 1;
}

/** Names of fields, and nothing that stands in them: a key that is no name may be data too. */
export function fieldsThatDiffer(here: unknown, there: unknown, field = ''): string[] {
  if (isDeepStrictEqual(here, there)) return [];
  if (!isObject(here) || !isObject(there) || Array.isArray(here) !== Array.isArray(there)) return [field];
  if (Array.isArray(here) && here.length !== (there as unknown as unknown[]).length) return [`${field}.length`];
  const names = [...new Set([...Object.keys(here), ...Object.keys(there)])];
  const nameOf = (name: string) => (Array.isArray(here) ? '[]' : `${field && '.'}${/^[a-z][a-zA-Z_]{0,40}$/.test(name) ? name : '*'}`);
  return [...new Set(names.flatMap((name) => fieldsThatDiffer(here[name], there[name], `${field}${nameOf(name)}`)))];
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
