import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../../shared/contract.ts';
import { type Finding, finding, type Spot, unclear } from './contract-findings.ts';
import {
  type Alternatives,
  alternatives,
  disjoint,
  type Document,
  family,
  isAnything,
  isPlain,
  type Literal,
  marks,
  opened,
  same,
} from './json-schema-alternatives.ts';
import { admits, facetDifferences, facetKeywords, isRepeated } from './json-schema-facets.ts';
import { structureFindings, STRUCTURE } from './json-schema-structure.ts';

/**
 * What changed between two schemas, and whom it breaks. One rule: what is written has to be readable. In an input the old
 * side writes and the new one reads; in an answer or an event the new side writes and the old one reads.
 */
export function schemaFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  if (spot.seen.some(([was, is]) => isOne(was, before) && isOne(is, after))) return [];
  const inside = { ...spot, seen: [...spot.seen, [before, after] as const] };
  const [was, is] = [withoutDefault(before, spot.before), withoutDefault(after, spot.after)];
  const [old, now] = [alternatives(was, spot.before), alternatives(is, spot.after)];
  if (!old.entangled && !now.entangled) return [...valueFindings(old, now, inside), ...shapeFindings(old.shapes, now.shapes, inside)];
  return same(was, spot.before, is, spot.after) ? [] : [unclear(spot, 'its alternatives, which have values in common,')];
}

const isOne = (one: JsonSchema, other: JsonSchema) => one === other || (one.$ref !== undefined && isDeepStrictEqual(one, other));

/** A default belongs to the field that is left out, not to its values. */
function withoutDefault(schema: JsonSchema, document: Document): JsonSchema {
  const { default: _, ...rest } = schema.default === undefined && schema.$ref === undefined ? schema : opened(schema, document);
  return rest;
}

function valueFindings(was: Alternatives, is: Alternatives, spot: Spot): Finding[] {
  const left = was.values.filter((value) => !is.values.includes(value) && !is.shapes.some((shape) => admits(shape, value)));
  const added = is.values.filter((value) => !was.values.includes(value) && !was.shapes.some((shape) => admits(shape, value)));
  return [...(left.length > 0 ? [leaving(listed(left), spot)] : []), ...(added.length > 0 ? [arriving(listed(added), spot)] : [])];
}

const leaving = (what: string, spot: Spot) => {
  const input = spot.part === 'input';
  if (what === ANYTHING) return finding(spot, `${input ? 'no longer takes' : 'is no longer'} just anything`, input ? 'refused' : undefined);
  return input ? finding(spot, `no longer takes ${what}`, 'refused') : finding(spot, `is never ${what} any more`);
};
const arriving = (what: string, spot: Spot) =>
  spot.part === 'input' ? finding(spot, `also takes ${what}`) : finding(spot, `may also be ${what}`, 'unknown');

const listed = (values: Literal[]) => values.map((value) => JSON.stringify(value)).join(', ');

/** Compares each old shape with the new one most like it; those that remain have left or arrived. */
function shapeFindings(was: JsonSchema[], is: JsonSchema[], spot: Spot): Finding[] {
  const findings: Finding[] = [];
  const left: JsonSchema[] = [];
  const free = new Set(is);
  for (const shape of was) {
    const label = Math.max(was.length, is.length) > 1 ? markOf(shape, spot.before) : '';
    const [best] = [...free]
      .filter((other) => comparable(shape, other, spot))
      .map((other) => ({ other, found: shapeChanges(shape, other, { ...spot, path: spot.path + label }) }))
      .sort((a, b) => harmful(a.found) - harmful(b.found) || a.found.length - b.found.length);
    if (!best) left.push(shape);
    else {
      free.delete(best.other);
      findings.push(...best.found);
    }
  }
  const uncovered = left.filter((shape) => spot.part !== 'input' || !is.some((reader) => reads(reader, shape, shape, reader, spot)));
  const unknown = [...free].filter((shape) => spot.part === 'input' || !was.some((reader) => reads(reader, shape, reader, shape, spot)));
  return [
    ...findings,
    ...uncovered.map((shape) => leaving(named(shape, spot.before), spot)),
    ...unknown.map((shape) => arriving(named(shape, spot.after), spot)),
  ];
}

const harmful = (findings: Finding[]) => findings.filter(({ harm }) => harm).length;

const comparable = (before: JsonSchema, after: JsonSchema, spot: Spot) =>
  isAnything(before) === isAnything(after) && family(before) === family(after) && !disjoint(before, spot.before, after, spot.after);

/** Whatever is written in one shape can be read in another one. In an input, "anything" fills in no defaults and trims nothing. */
const reads = (reader: JsonSchema, writer: JsonSchema, before: JsonSchema, after: JsonSchema, spot: Spot) =>
  isAnything(reader)
    ? spot.part !== 'input' || isPlain(writer)
    : comparable(before, after, spot) && harmful(shapeChanges(before, after, spot)) === 0;

/** What changed between two shapes of one type. */
function shapeChanges(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const understood = ['type', 'allOf', ...facetKeywords(before), ...(STRUCTURE[family(before) ?? ''] ?? [])];
  const others = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((keyword) => !understood.includes(keyword));
  const [writer, harm] = spot.part === 'input' ? (['before', 'refused'] as const) : (['after', 'unknown'] as const);
  return [
    ...facetDifferences(before, after).map(({ change, detail, fits }) => ({ ...finding(spot, change, fits(writer) ? undefined : harm), ...(detail && { detail }) })),
    ...structureFindings(before, after, spot),
    ...conjunctionFindings(before, after, spot),
    ...others.flatMap((keyword) => (same(before[keyword], spot.before, after[keyword], spot.after) ? [] : [unclear(spot, wordsOf(keyword))])),
  ];
}

const WORDS: Record<string, string> = {
  'x-rewrites': 'how it is rewritten (trimmed and the like), or what is checked before that,',
  'x-flags': 'the regular expressions with flags that it must match',
};
const wordsOf = (keyword: string) => WORDS[keyword] ?? `"${keyword}" of its schema`;

/** Of two schemas that must both hold, each is compared with its counterpart. */
function conjunctionFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const [was, is] = [before, after].map(({ allOf = [] }) => allOf.filter((schema) => !isRepeated(schema))) as [JsonSchema[], JsonSchema[]];
  if (was.length !== is.length) return [unclear(spot, 'the number of schemas that must hold together')];
  return was.flatMap((schema, index) => schemaFindings(schema, is[index]!, spot));
}

/** Says which branch of a union a path goes through: `[kind=cart]`. */
function markOf(shape: JsonSchema, document: Document): string {
  const mark = Object.entries(marks(shape, document)).find(([, values]) => values.length === 1);
  return mark ? `[${mark[0]}=${String(mark[1][0])}]` : '';
}

const ANYTHING = 'anything';

/** A shape in a few words. */
function named(shape: JsonSchema, document: Document): string {
  if (isAnything(shape)) return ANYTHING;
  const kinds: Record<string, string> = { string: 'text', integer: 'a whole number', number: 'a number', array: 'a list', object: 'an object' };
  const form = shape.format === undefined ? '' : ` in the form ${shape.format}`;
  return `${kinds[String(shape.type)] ?? 'what has no single type'}${form}${markOf(shape, document).replace(/^\[(.*)=(.*)\]$/, ' whose $1 is $2')}`;
}
