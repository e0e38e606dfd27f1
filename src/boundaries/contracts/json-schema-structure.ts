import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from '../../shared/contract.ts';
import { type Finding, finding, type Spot } from './contract-findings.ts';
import { family, isAnything, opened } from './json-schema-alternatives.ts';

/** The keywords by which values contain values, per type. */
export const STRUCTURE: Record<string, readonly string[]> = {
  object: ['properties', 'required', 'additionalProperties', 'propertyNames'],
  array: ['items', 'prefixItems'],
};

/** What changed in the fields of objects and the entries of lists. */
export function structureFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  if (family(before) === 'array') return entryFindings(before, after, spot);
  if (family(before) !== 'object') return [];
  const names = new Set([before, after].flatMap(({ properties = {}, required = [] }) => [...Object.keys(properties), ...required]));
  return [
    ...[...names].flatMap((name) => fieldFindings(fieldOf(before, name), fieldOf(after, name), before, at(spot, spot.path ? `.${name}` : name))),
    ...otherFieldFindings(before, after, at(spot, spot.path ? '.*' : '*')),
    ...nameFindings(before, after, at(spot, '(names)')),
  ];
}

const at = (spot: Spot, suffix: string): Spot => ({ ...spot, path: spot.path + suffix });

interface Field {
  /** undefined: the name is required among those of a record, whose values have one schema for all */
  schema: JsonSchema | undefined;
  required: boolean;
}

function fieldOf({ properties = {}, required = [] }: JsonSchema, name: string): Field | undefined {
  const schema = Object.hasOwn(properties, name) ? asSchema(properties[name]!) : undefined;
  return schema || required.includes(name) ? { schema, required: required.includes(name) } : undefined;
}

function fieldFindings(was: Field | undefined, is: Field | undefined, object: JsonSchema, spot: Spot): Finding[] {
  if (was?.schema && !is?.schema) return [finding(spot, 'is gone', spot.part === 'input' ? 'ignored' : 'lost')];
  if (is?.schema && !was?.schema) return [...newField(is, object, spot), ...takenOver(object, is.schema, spot)];
  return [
    ...presence(was, is, spot),
    ...(was?.schema && is?.schema ? [...(was.required || is.required ? [] : absence(was.schema, is.schema, spot)), ...spot.compare(was.schema, is.schema, spot)] : []),
  ];
}

function newField({ required }: Field, { additionalProperties: others }: JsonSchema, spot: Spot): Finding[] {
  if (spot.part === 'input') return [required ? finding(spot, 'is new and required', 'missing') : finding(spot, 'is new and optional')];
  // Readers ignore what they do not know, unless their schema refuses it.
  return [others === false ? finding(spot, 'is new, where readers refuse what they do not know', 'unwelcome') : finding(spot, 'is new')];
}

/** A field that gets a schema of its own where there was one for all others. */
function takenOver({ additionalProperties: others }: JsonSchema, schema: JsonSchema, spot: Spot): Finding[] {
  return others === undefined || others === false ? [] : spot.compare(asSchema(others), schema, spot);
}

function presence(was: Field | undefined, is: Field | undefined, spot: Spot): Finding[] {
  if (Boolean(was?.required) === Boolean(is?.required)) return [];
  if (spot.part === 'input') return [is?.required ? finding(spot, 'is no longer optional', 'missing') : finding(spot, 'is optional now')];
  return [is?.required ? finding(spot, 'is always there now') : finding(spot, 'may be left out now', 'lost')];
}

/** What it means when an optional field, or the whole of an input, is left out. */
export function absence(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const [was, is] = [opened(before, spot.before).default, opened(after, spot.after).default];
  if (spot.part !== 'input' || isDeepStrictEqual(was, is)) return [];
  const words = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));
  return [finding(spot, `left out, it means ${words(is)}, before ${words(was)}`, 'meaning')];
}

/** Fields that have no name in the schema: ignored, refused (`false`), or values of one schema as in a record. */
function otherFieldFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const { additionalProperties: was } = before;
  const { additionalProperties: is } = after;
  const [taken, takes] = [was !== undefined && was !== false, is !== undefined && is !== false];
  if (taken && takes) return spot.compare(asSchema(was!), asSchema(is!), spot);
  if (taken) return [finding(spot, 'fields of other names are gone', spot.part === 'input' ? 'ignored' : 'lost')];
  if (was === is) return [];
  if (spot.part === 'input') return newlyRead(was, is, spot);
  if (takes) return [finding(spot, 'has fields of other names', was === false ? 'unwelcome' : undefined)];
  return [finding(spot, is === false ? 'readers refuse unknown fields from now on' : 'readers ignore unknown fields from now on')];
}

function newlyRead(was: JsonSchema['additionalProperties'], is: JsonSchema['additionalProperties'], spot: Spot): Finding[] {
  if (was === false) return [finding(spot, 'fields of other names are no longer refused')];
  const harmless = is !== false && isAnything(asSchema(is ?? {}));
  return [finding(spot, is === false ? 'fields of other names are refused, not ignored' : 'fields of other names are read', harmless ? undefined : 'refused')];
}

function nameFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const { propertyNames: was = { type: 'string' } } = before;
  const { propertyNames: is = { type: 'string' } } = after;
  return spot.compare(asSchema(was), asSchema(is), spot);
}

/** Entries by their position, then those that follow. Whether there may be so many is a matter of limits, not of entries. */
function entryFindings(before: JsonSchema, after: JsonSchema, spot: Spot): Finding[] {
  const positions = Math.max(before.prefixItems?.length ?? 0, after.prefixItems?.length ?? 0);
  const spots = [...Array.from({ length: positions }, (_, index) => [index, at(spot, `[${index}]`)] as const), [positions, at(spot, '[]')] as const];
  return spots.flatMap(([index, entry]) => {
    const [was, is] = [entryOf(before, index), entryOf(after, index)];
    return was && is ? entry.compare(was, is, entry) : [];
  });
}

function entryOf({ prefixItems = [], items = {} }: JsonSchema, index: number): JsonSchema | undefined {
  const entry = prefixItems[index] ?? (Array.isArray(items) ? {} : items);
  return entry === false ? undefined : asSchema(entry);
}

const asSchema = (schema: JsonSchema | boolean): JsonSchema => (schema === true ? {} : schema === false ? { not: {} } : schema);

