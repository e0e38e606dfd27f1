import { isDeepStrictEqual } from 'node:util';
import type { ContractDescription, JsonSchema } from '../../shared/contract.ts';

/** The types that a `$ref` of a contract's schemas may name. */
export type Document = Pick<ContractDescription, '$defs'>;

export type Literal = string | number | boolean | null;

/** What a value may be, taken apart: one of some literals, or a value of one of some shapes. */
export interface Alternatives {
  values: Literal[];
  /** each of one type, or `{}` for anything */
  shapes: JsonSchema[];
  /** a value may fit several, so that it depends on the rest what becomes of it: not to be compared one by one */
  entangled: boolean;
}

/** The alternatives of a schema: `$ref`, `anyOf`, `oneOf`, `enum`, `const` and lists of types resolved. */
export function alternatives(schema: JsonSchema, document: Document): Alternatives {
  const { values, shapes, exclusive } = flattened(schema, document);
  return { values: [...new Set(values)], shapes, entangled: exclusive ? overlap(values, shapes, document) : mixed(values, shapes, document) };
}

interface Flattened {
  values: Literal[];
  shapes: JsonSchema[];
  /** a value must fit one of them only */
  exclusive: boolean;
}

function flattened(schema: JsonSchema, document: Document, trail: readonly string[] = []): Flattened {
  if (schema.$ref !== undefined && trail.includes(schema.$ref)) return { values: [], shapes: [], exclusive: false };
  const { anyOf, oneOf, ...own } = opened(schema, document);
  const options = anyOf ?? oneOf ?? (Array.isArray(own.type) && isBare(own) ? own.type.map((type) => ({ type })) : undefined);
  if (!options) return simple(own);
  if (!isBare(own)) return { values: [], shapes: [{ ...own, anyOf, oneOf }], exclusive: false };
  const branches = options.map((option) => flattened(option, document, schema.$ref === undefined ? trail : [...trail, schema.$ref]));
  return {
    values: branches.flatMap(({ values }) => values),
    shapes: branches.flatMap(({ shapes }) => shapes),
    exclusive: oneOf !== undefined || branches.some(({ exclusive }) => exclusive),
  };
}

function simple(schema: JsonSchema): Flattened {
  const only = (values: Literal[]) => ({ values, shapes: [], exclusive: false });
  if (schema.const !== undefined && isBare(schema, 'const')) return only([schema.const]);
  if (schema.enum && isBare(schema, 'enum')) return only(schema.enum);
  if (schema.type === 'null' && isBare(schema)) return only([null]);
  if (schema.type === 'boolean' && isBare(schema)) return only([false, true]);
  return { values: [], shapes: [schema], exclusive: false };
}

/** It says nothing but its type, and what is said by one other keyword. */
const isBare = (schema: JsonSchema, keyword?: string) => Object.keys(schema).every((key) => key === 'type' || key === keyword);

/** The schema itself instead of a reference to it. What stands beside the reference refines it, and replaces what it repeats. */
export function opened({ $ref, ...own }: JsonSchema, document: Document): JsonSchema {
  return $ref === undefined ? own : { ...opened(named($ref, document), document), ...own };
}

function named(reference: string, { $defs }: Document): JsonSchema {
  const [, , direction, name = ''] = reference.split('/');
  const found = $defs[direction as keyof typeof $defs]?.[name.replaceAll('~1', '/').replaceAll('~0', '~')];
  if (!found) throw new Error(`Nothing is named ${reference}.`);
  return found;
}

/** Some value fits two of them. */
const overlap = (values: Literal[], shapes: JsonSchema[], document: Document) =>
  new Set(values).size < values.length || pairs(shapes).some(([a, b]) => !disjoint(a, document, b, document)) || values.some((value) => shapes.some(mayTake(value)));

/** Some value fits two of them and it matters which one reads it: for an object's fields, or where one rewrites it. */
const mixed = (values: Literal[], shapes: JsonSchema[], document: Document) =>
  pairs(shapes).some(([a, b]) => !(isPlain(a) && isPlain(b)) && !disjoint(a, document, b, document)) ||
  values.some((value) => shapes.filter((shape) => shape['x-rewrites']).some(mayTake(value)));

const mayTake = (value: Literal) => (shape: JsonSchema) => family(shape) === undefined || (value !== null && family(shape) === typeof value);

const pairs = <T>(items: T[]): [T, T][] => items.flatMap((a, index) => items.slice(index + 1).map((b): [T, T] => [a, b]));

/** A text or number that is used as it is sent. */
export const isPlain = (shape: JsonSchema): boolean => ['string', 'number'].includes(family(shape) ?? '') && !shape['x-rewrites'];
export const isAnything = (shape: JsonSchema): boolean => Object.keys(shape).length === 0;

/** The type by which shapes are told apart; undefined: of any or of no single one. */
export function family({ type }: JsonSchema): string | undefined {
  if (Array.isArray(type)) return undefined;
  return type === 'integer' ? 'number' : type;
}

/** No value fits both: their types differ, or a field that both require has no value in common. */
export function disjoint(a: JsonSchema, documentOfA: Document, b: JsonSchema, documentOfB: Document): boolean {
  if (family(a) !== family(b)) return family(a) !== undefined && family(b) !== undefined;
  if (family(a) !== 'object') return false;
  const others = marks(b, documentOfB);
  return Object.entries(marks(a, documentOfA)).some(([name, values]) => {
    const other = Object.hasOwn(others, name) ? others[name] : undefined;
    return other && !values.some((value) => other.includes(value));
  });
}

/** The fields that every object of this shape has, and that are one of some literals: such as the `kind` of a union's branch. */
export function marks({ required = [], properties = {} }: JsonSchema, document: Document): Record<string, Literal[]> {
  const literal = required.flatMap((name) => {
    const field = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (typeof field !== 'object') return [];
    const { values, shapes } = flattened(field, document);
    return shapes.length === 0 ? [[name, values] as const] : [];
  });
  return Object.fromEntries(literal);
}

/** The two say the same, whatever their types are named. */
export const same = (before: unknown, was: Document, after: unknown, is: Document): boolean =>
  isDeepStrictEqual(expanded(before, was), expanded(after, is));

function expanded(value: unknown, document: Document, trail: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.map((item) => expanded(item, document, trail));
  if (value === null || typeof value !== 'object') return value;
  const { $ref, ...own } = value as JsonSchema;
  if (typeof $ref !== 'string') return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expanded(inner, document, trail)]));
  if (trail.includes($ref)) return { ...own, $ref: trail.indexOf($ref) };
  return expanded({ ...named($ref, document), ...own }, document, [...trail, $ref]);
}
