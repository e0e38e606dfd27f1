import type { JsonSchema } from '../../shared/contract.ts';
import type { Document } from './json-schema-alternatives.ts';

/** What a schema describes: what callers send, what they read in an answer, or what subscribers read in an event. */
export type Part = 'input' | 'output' | 'data';

/**
 * What a change does to those who were written before it. `refused`: they send what is no longer taken. `missing`: they do
 * not send what is needed now. `ignored`: they send what nobody reads any more. `meaning`: what they send means something
 * else now. `lost`: they look for what is not there any more. `unknown`: they get what they do not know. `unwelcome`: they
 * get a field that they do not know, and refuse it. `unclear`: the check does not understand the change.
 */
export type Harm = 'refused' | 'missing' | 'ignored' | 'meaning' | 'lost' | 'unknown' | 'unwelcome' | 'unclear';

/** One difference between two schemas; without a harm it is compatible. */
export interface Finding {
  /** the field: `source[kind=lines].lines[].quantity`; empty for the whole */
  path: string;
  change: string;
  /** what is too long for a sentence */
  detail?: { before: string[]; after: string[] };
  harm?: Harm;
}

/** Where in a contract two schemas are compared. */
export interface Spot {
  part: Part;
  path: string;
  before: Document;
  after: Document;
  /** what is being compared further up: a type that contains itself ends here */
  seen: readonly (readonly [JsonSchema, JsonSchema])[];
  /** how what is inside is compared */
  compare(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[];
}

export const finding = ({ path }: Spot, change: string, harm?: Harm): Finding => ({ path, change, ...(harm && { harm }) });
export const unclear = (spot: Spot, what: string): Finding => finding(spot, `${what} changed in a way this check cannot judge`, 'unclear');

/** Why a harm breaks whom, and what to do instead, as sentences. */
export function sentencesOf(harm: Harm, part: Part): { why: string; instead: string } {
  const { why, instead } = SENTENCES[harm];
  const readers = part === 'data' ? 'subscribers' : 'callers';
  return { why: `${part === 'data' ? 'Subscribers' : 'Callers'} written before ${why}`, instead: instead(readers, part === 'data' ? 'an event of a new type' : 'a new method') };
}

const SENTENCES: Record<Harm, { why: string; instead: (readers: string, another: string) => string }> = {
  refused: {
    why: 'may send what is no longer taken, and are refused.',
    instead: (_, another) => `Keep taking it; what is stricter goes into a new optional field or ${another}.`,
  },
  missing: {
    why: 'do not send it, and are refused.',
    instead: () => 'Make it optional, or give it a default.',
  },
  ignored: {
    why: 'send it, and what they mean by it gets lost.',
    instead: () => 'Keep the field, beside a new optional one if need be, until no caller sends it.',
  },
  meaning: {
    why: 'leave it out and mean by that what it meant then.',
    instead: () => 'Keep what its absence means; another meaning goes into a new optional field.',
  },
  lost: {
    why: 'rely on it and do not find it.',
    instead: (readers) => `Keep it, beside a new field if need be, until no ${readers} read it.`,
  },
  unknown: {
    why: 'do not know what may come now, and cannot read it.',
    instead: (_, another) => `Leave this as it is; what is new goes into a new field or ${another}.`,
  },
  unwelcome: {
    why: 'refuse fields that they do not know.',
    instead: (_, another) => `Tell it by ${another}, or make the type z.object and release that to its readers first.`,
  },
  unclear: {
    why: 'may not understand it: the check cannot tell.',
    instead: (_, another) => `Look at it yourself and accept it, or put what is new into a new optional field or ${another}.`,
  },
};
