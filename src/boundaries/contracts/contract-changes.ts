import type { ContractDescription, EventDescription, MethodDescription } from '../../shared/contract.ts';
import { type Finding, type Part, sentencesOf, type Spot } from './contract-findings.ts';
import { schemaFindings } from './json-schema-changes.ts';
import { absence } from './json-schema-structure.ts';

/** One change of a contract. Breaking ones say whom they break, and what to do instead. */
export interface Change {
  module: string;
  method?: string;
  /** the event's type */
  event?: string;
  /** which schema of the method or event changed; absent: the method or event itself */
  part?: Part;
  /** the field: `source[kind=lines].lines[].quantity`; absent: the whole */
  field?: string;
  change: string;
  /** the patterns of a form that a sentence has a name for */
  detail?: { before: string[]; after: string[] };
  breaking: boolean;
  why?: string;
  instead?: string;
}

/**
 * What changed from one contract to the next, for those who were written before and are not changed along: the callers
 * that send old inputs and read answers, the subscribers that read events.
 *
 * Inputs may become wider: every old input must still be accepted, with the same meaning. Answers and events may become
 * narrower: whatever is told must have been tellable before. Readers ignore fields that they do not know, that is the
 * protocol's rule; so a new field in an answer is compatible, unless its readers use `z.strictObject`. A field of an old
 * input that the schema did not name is assumed not to be there. What this does not understand is breaking.
 */
export function contractChanges(before: ContractDescription, after: ContractDescription): Change[] {
  const spot = (part: Part): Spot => ({ part, path: '', before, after, seen: [], compare: schemaFindings });
  return [
    ...compared(before.methods, after.methods, {
      gone: { change: 'is gone', why: 'Those who call it get no answer.', instead: 'Keep it beside the new one until nobody calls it.' },
      changed: (was, is) => methodChanges(was, is, spot),
    }).map(({ name, ...change }) => ({ module: after.module, method: name, ...change })),
    ...compared(before.events, after.events, {
      gone: { change: 'is gone', why: 'Those who subscribed wait for it in vain.', instead: 'Publish it beside the new one until nobody listens to it.' },
      changed: (was, is) => eventChanges(was, is, spot),
    }).map(({ name, ...change }) => ({ module: after.module, event: name, ...change })),
  ];
}

/**
 * Why a caller with its copy of a contract cannot talk to a process that serves another version of it; empty: it can, whatever
 * the two hashes. The caller is the older side whichever was released first: it sends its inputs and reads the other's answers.
 */
export const misfits = (caller: ContractDescription, host: ContractDescription): Change[] =>
  contractChanges(caller, host).filter(({ breaking }) => breaking);

type Difference = Omit<Change, 'module' | 'method' | 'event'>;
type Reason = Required<Pick<Change, 'change' | 'why' | 'instead'>>;

function compared<Kind>(
  before: Record<string, Kind>,
  after: Record<string, Kind>,
  { gone, changed }: { gone: Reason; changed(was: Kind, is: Kind): Difference[] },
): (Difference & { name: string })[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return names.flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    const differences = was && is ? changed(was, is) : [is ? compatible('is new') : breaking(gone)];
    return differences.map((difference) => ({ name, ...difference }));
  });
}

function methodChanges(was: MethodDescription, is: MethodDescription, spot: (part: Part) => Spot): Difference[] {
  return [
    ...kindChanges(was, is),
    ...repeatChanges(was, is),
    ...reasonChanges(was, is),
    ...fromFindings('input', [...absence(was.input, is.input, spot('input')), ...schemaFindings(was.input, is.input, spot('input'))]),
    ...fromFindings('output', schemaFindings(was.output, is.output, spot('output'))),
  ];
}

function kindChanges({ kind: was }: MethodDescription, { kind: is }: MethodDescription): Difference[] {
  if (was === is) return [];
  if (is === 'read') return [compatible('is a read, before a write')];
  return [
    breaking({
      change: 'is a write, before a read',
      why: 'The seam of callers written before repeats it after a lost answer, as it does with reads, and may have it take effect twice.',
      instead: 'Leave it a read, and add a method that writes.',
    }),
  ];
}

function repeatChanges({ idempotentBy: was }: MethodDescription, { idempotentBy: is, kind }: MethodDescription): Difference[] {
  if (was === is) return [];
  if (was === undefined) return [compatible(`may be repeated, by ${is}`)];
  if (kind === 'read') return [compatible(`needs no ${was} to be repeated`)];
  return [
    breaking({
      change: is === undefined ? `may no longer be repeated, before by ${was}` : `may be repeated by ${is}, before by ${was}`,
      why: `The seam of callers written before repeats it with the same ${was} after a lost answer, and may have it take effect twice.`,
      instead: `Keep a repeat with the same ${was} harmless, or add a new method.`,
    }),
  ];
}

function reasonChanges({ reasons: was }: MethodDescription, { reasons: is }: MethodDescription): Difference[] {
  const added = is.filter((reason) => !was.includes(reason));
  const left = was.filter((reason) => !is.includes(reason));
  return [
    ...added.map((reason) =>
      breaking({
        change: `may refuse with the reason ${reason}`,
        why: 'Callers written before do not know this reason, and cannot tell what to do about it.',
        instead: 'Refuse with a reason that they know and say more in its details, or refuse so in a new method.',
      }),
    ),
    ...left.map((reason) => compatible(`never refuses with the reason ${reason} any more`)),
  ];
}

function eventChanges(was: EventDescription, is: EventDescription, spot: (part: Part) => Spot): Difference[] {
  const reordered = breaking({
    change: `is ordered by ${is.orderedBy}, before by ${was.orderedBy}`,
    why: `Subscribers written before count on the order of events with the same ${was.orderedBy}.`,
    instead: 'Keep its order, or publish an event of a new type.',
  });
  return [...(was.orderedBy === is.orderedBy ? [] : [reordered]), ...fromFindings('data', schemaFindings(was.data, is.data, spot('data')))];
}

const fromFindings = (part: Part, findings: Finding[]): Difference[] =>
  findings.map(({ path, change, detail, harm }) => ({
    part,
    ...(path && { field: path }),
    ...(detail && { detail }),
    ...(harm ? breaking({ change, ...sentencesOf(harm, part) }) : compatible(change)),
  }));

const compatible = (change: string) => ({ change, breaking: false });
const breaking = (reason: Reason) => ({ ...reason, breaking: true });
