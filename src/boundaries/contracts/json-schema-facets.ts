import type { JsonSchema } from '../../shared/contract.ts';
import { family, type Literal } from './json-schema-alternatives.ts';

/** One thing that a schema may demand of a value, apart from its structure. */
interface Facet<Demand> {
  keywords: readonly string[];
  /** what this shape demands; undefined: nothing */
  of(shape: JsonSchema): Demand | undefined;
  /** what is written under one demand is always readable under the other */
  within(written: Demand, readable: Demand): boolean;
  words(demand: Demand | undefined): string;
  /** what the words leave out */
  detail?(demand: Demand | undefined): string[];
}

interface Limit {
  value: number;
  exclusive: boolean;
}

/** How two shapes differ in one facet. `fits`: everything written by the first is readable by the second. */
export interface FacetDifference {
  change: string;
  detail?: { before: string[]; after: string[] };
  fits(writer: 'before' | 'after'): boolean;
}

export function facetDifferences(before: JsonSchema, after: JsonSchema): FacetDifference[] {
  return facetsOf(before).flatMap((facet) => {
    const demands = { before: facet.of(before), after: facet.of(after) };
    if (JSON.stringify(demands.before) === JSON.stringify(demands.after)) return [];
    const fits = (writer: 'before' | 'after') => isWithin(facet, demands[writer], demands[writer === 'before' ? 'after' : 'before']);
    const [was, is] = [facet.words(demands.before), facet.words(demands.after)];
    const detail = facet.detail && { before: facet.detail(demands.before), after: facet.detail(demands.after) };
    return [{ change: was === is ? `${is}, but another one than before` : `${is}, before ${was}`, ...(detail && { detail }), fits }];
  });
}

/** The keywords that the facets of this shape's type understand. */
export const facetKeywords = (shape: JsonSchema): string[] => facetsOf(shape).flatMap(({ keywords }) => keywords);

/** A single value fits a shape, as far as facets tell. */
export function admits(shape: JsonSchema, value: Literal): boolean {
  if (Object.keys(shape).length === 0) return true;
  if (family(shape) !== typeof value) return false;
  const understood = ['type', ...facetKeywords(shape)];
  const only = typeof value === 'string' ? ofLength(value) : { type: Number.isInteger(value) ? 'integer' : 'number', minimum: value, maximum: value };
  return (
    Object.keys(shape).every((keyword) => understood.includes(keyword)) &&
    facetsOf(shape).every((facet) => isWithin(facet, facet.of(only as JsonSchema), facet.of(shape)))
  );
}

const ofLength = (text: string) => ({ type: 'string', minLength: text.length, maxLength: text.length });

const isWithin = <D>(facet: Facet<D>, written: D | undefined, readable: D | undefined) =>
  readable === undefined || (written !== undefined && facet.within(written, readable));

interface Unit {
  one: string;
  many: string;
}
const CHARACTERS = { one: 'character', many: 'characters' };
const ENTRIES = { one: 'entry', many: 'entries' };
const FIELDS = { one: 'field', many: 'fields' };
const counted = (count: number, { one, many }: Unit) => `${count} ${count === 1 ? one : many}`;

const atLeast = (keyword: string, unit: Unit): Facet<number> => ({
  keywords: [keyword],
  of: (shape) => (shape[keyword] as number | undefined) || undefined,
  within: (written, readable) => written >= readable,
  words: (least) => (least === undefined ? `any number of ${unit.many}` : `at least ${counted(least, unit)}`),
});

const atMost = (keyword: string, unit: Unit): Facet<number> => ({
  keywords: [keyword],
  of: (shape) => shape[keyword] as number | undefined,
  within: (written, readable) => written <= readable,
  words: (most) => (most === undefined ? `any number of ${unit.many}` : `at most ${counted(most, unit)}`),
});

const lowest: Facet<Limit> = {
  keywords: ['minimum', 'exclusiveMinimum'],
  of: (shape) => tightest(shape, 'minimum', 'exclusiveMinimum', 1),
  within: (written, readable) => written.value > readable.value || (written.value === readable.value && (written.exclusive || !readable.exclusive)),
  words: (limit) => (limit === undefined ? 'no least value' : `${limit.exclusive ? 'above' : 'at least'} ${limit.value}`),
};

const highest: Facet<Limit> = {
  keywords: ['maximum', 'exclusiveMaximum'],
  of: (shape) => tightest(shape, 'maximum', 'exclusiveMaximum', -1),
  within: (written, readable) => written.value < readable.value || (written.value === readable.value && (written.exclusive || !readable.exclusive)),
  words: (limit) => (limit === undefined ? 'no greatest value' : `${limit.exclusive ? 'below' : 'at most'} ${limit.value}`),
};

/** The limit that counts of the two; whole numbers above 4 are those from 5 on. `inwards`: 1 for least values, -1 for greatest. */
function tightest(shape: JsonSchema, inclusive: 'minimum' | 'maximum', exclusive: 'exclusiveMinimum' | 'exclusiveMaximum', inwards: 1 | -1) {
  const limits: Limit[] = [];
  if (shape[inclusive] !== undefined) limits.push({ value: shape[inclusive], exclusive: false });
  const open = shape[exclusive];
  if (typeof open === 'number') limits.push(shape.type === 'integer' ? { value: Math.floor(open * inwards + 1) * inwards, exclusive: false } : { value: open, exclusive: true });
  return limits.sort((a, b) => inwards * (b.value - a.value) || Number(b.exclusive) - Number(a.exclusive))[0];
}

const whole: Facet<true> = {
  keywords: [],
  of: ({ type }) => (type === 'integer' ? true : undefined),
  within: () => true,
  words: (isWhole) => (isWhole ? 'a whole number' : 'any number'),
};

const multiple: Facet<number[]> = {
  keywords: ['multipleOf'],
  of: ({ multipleOf, allOf }) => some([multipleOf, ...repeated(allOf, 'multipleOf')] as (number | undefined)[]),
  within: (written, readable) => readable.every((divisor) => written.some((own) => own === divisor || (Number.isInteger(own / divisor) && Number.isInteger(divisor)))),
  words: (divisors) => (divisors ? `a multiple of ${divisors.join(' and ')}` : 'any multiple'),
};

interface Form {
  format?: string | undefined;
  patterns: string[];
}
const form: Facet<Form> = {
  keywords: ['format', 'pattern'],
  of({ format, pattern, allOf }) {
    const patterns = some([pattern, ...repeated(allOf, 'pattern')] as (string | undefined)[]) ?? [];
    return format === undefined && patterns.length === 0 ? undefined : { format, patterns };
  },
  within: (written, readable) =>
    (readable.format === undefined || readable.format === written.format) && readable.patterns.every((pattern) => written.patterns.includes(pattern)),
  words: (demand) => (demand?.format ? `in the form ${demand.format}` : (demand?.patterns.map((pattern) => `matching ${pattern}`).join(' and ') ?? 'in any form')),
  detail: (demand) => demand?.patterns ?? [],
};

const rules: Facet<string[]> = {
  keywords: ['x-rules'],
  of: (shape) => shape['x-rules'] as string[] | undefined,
  within: (written, readable) => readable.every((rule) => count(readable, rule) <= count(written, rule)),
  words: (demands) => (demands ? `under the rule ${demands.map((rule) => `"${rule}"`).join(' and ')}` : 'under no rule'),
};

const most: Facet<number> = {
  ...atMost('maxItems', ENTRIES),
  of: ({ maxItems, items, prefixItems = [] }) => (items === false ? Math.min(maxItems ?? Infinity, prefixItems.length) : maxItems),
};

const FACETS: Record<string, Facet<unknown>[]> = {
  string: [atLeast('minLength', CHARACTERS), atMost('maxLength', CHARACTERS), form],
  number: [whole, lowest, highest, multiple],
  array: [atLeast('minItems', ENTRIES), most],
  object: [atLeast('minProperties', FIELDS), atMost('maxProperties', FIELDS)],
};
const facetsOf = (shape: JsonSchema): Facet<unknown>[] => [...(FACETS[family(shape) ?? ''] ?? []), rules];

/** In `allOf`, where zod repeats a keyword that a schema can carry once only. */
const repeated = (allOf: JsonSchema[] | undefined, keyword: string) => (allOf ?? []).map((schema) => (isRepeated(schema) ? schema[keyword] : undefined));
export const isRepeated = (schema: JsonSchema): boolean => ['pattern', 'multipleOf'].some((keyword) => Object.keys(schema).join() === keyword);

const some = <T>(demands: (T | undefined)[]): T[] | undefined => {
  const made = [...new Set(demands.filter((demand) => demand !== undefined))].toSorted();
  return made.length > 0 ? made : undefined;
};
const count = (rule: readonly string[], name: string) => rule.filter((other) => other === name).length;
