import { z } from 'zod';
import type { JsonSchema, Method } from '../shared/contract.ts';
import { newId } from '../shared/ids.ts';

/** The least that a method takes: required fields only, the first of all choices, ids that nothing has. */
export function sampleOf({ input }: Pick<Method, 'input'>): unknown {
  const document = schemaOf(input);
  const sample = least(document, document);
  const result = input.safeParse(sample);
  if (!result.success) throw new Error(`The kit cannot make up an input: ${z.prettifyError(result.error)}. Give the type an example (.meta({ example })).`);
  return sample;
}

/** Inputs with one thing wrong each, which the contract refuses: every required field left out, every field of another type. */
export function wrongInputs({ input }: Pick<Method, 'input'>): { wrong: string; input: unknown }[] {
  const sample = sampleOf({ input });
  const candidates = [
    { wrong: 'a list in place of the input', input: [] },
    ...places(sample).flatMap((place) => [
      { wrong: `without ${place.join('.')}`, input: changed(sample, place, undefined) },
      { wrong: `${place.join('.')} of another type`, input: changed(sample, place, { not: 'this' }) },
    ]),
  ];
  return candidates.filter((candidate) => !input.safeParse(JSON.parse(JSON.stringify(candidate.input))).success);
}

const schemaOf = (input: z.ZodType) => z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

const FORMATS: Record<string, () => string> = {
  uuid: newId,
  email: () => 'kit@example.com',
  'date-time': () => new Date().toISOString(),
  date: () => new Date().toISOString().slice(0, 10),
  uri: () => 'https://example.com/',
};

function least(schema: JsonSchema, document: JsonSchema): unknown {
  if (schema.$ref) return least({ ...(document.$defs as Record<string, JsonSchema>)[schema.$ref.slice('#/$defs/'.length)], ...schema, $ref: undefined } as JsonSchema, document);
  if ('const' in schema) return schema['const'];
  if ('example' in schema) return schema['example'];
  const [choice] = (schema.enum ?? []) as unknown[];
  if (choice !== undefined) return choice;
  const [alternative] = schema.anyOf ?? schema.oneOf ?? [];
  if (alternative) return least(alternative as JsonSchema, document);
  if (schema.type === 'object') return Object.fromEntries((schema.required ?? []).map((name) => [name, least(schema.properties![name] as JsonSchema, document)]));
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 0 }, () => least(schema.items as JsonSchema, document));
  if (schema.type === 'string') return FORMATS[schema.format ?? '']?.() ?? 'x'.repeat(Math.max(1, schema.minLength ?? 1));
  if (schema.type === 'integer' || schema.type === 'number') return Math.min(Math.max(1, schema.minimum ?? 1), schema.maximum ?? Infinity);
  return schema.type === 'boolean' ? true : null;
}

/** Every field in it, those of lists and objects inside included. */
function places(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[key], ...places(inner).map((place) => [key, ...place])]);
}

function changed(value: unknown, [step, ...rest]: string[], to: unknown): unknown {
  const entries = Object.entries(value as object).map(([key, inner]) => [key, key !== step ? inner : rest.length > 0 ? changed(inner, rest, to) : to]);
  return Array.isArray(value) ? entries.map(([, inner]) => inner as unknown) : Object.fromEntries(entries);
}
