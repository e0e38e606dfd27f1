import { z } from 'zod';

export type JsonSchema = z.core.JSONSchema.JSONSchema;

/** A contract that cannot be: what it says, in one sentence, is for whoever writes it. */
export class ContractError extends Error {
  override name = 'ContractError';
}

type Path = readonly (string | number)[];

/** The JSON schema of a contract's types, in the form that is documented at ContractDescription. */
export const schemaThatCounts = (io: 'input' | 'output', type: z.ZodType, placeOf: (path: Path) => string): JsonSchema =>
  z.toJSONSchema(type, {
    io,
    override: ({ zodSchema, jsonSchema, path }) => {
      const objection = objectionTo(zodSchema);
      if (objection) throw new ContractError(`${placeOf(path)}: ${objection}`);
      keepWhatCounts(zodSchema, jsonSchema, io);
    },
    unrepresentable: ({ zodSchema, path }) => {
      throw new ContractError(`${placeOf(path)}: ${objectionTo(zodSchema) ?? `a contract is JSON, which has no such ${zodSchema._zod.def.type}.`}`);
    },
  });

/** Kinds of checks that a schema has words for, by type; those of every type are the rules and rewritings below. */
const WORDED: Record<string, readonly string[]> = {
  string: ['min_length', 'max_length', 'length_equals', 'string_format'],
  number: ['less_than', 'greater_than', 'multiple_of', 'number_format'],
  array: ['min_length', 'max_length', 'length_equals'],
  tuple: ['min_length', 'max_length', 'length_equals'],
};
const WORDED_EVERYWHERE = ['custom', 'overwrite', 'describe', 'meta'];

function objectionTo(schema: z.core.$ZodType): string | undefined {
  const { def } = schema._zod;
  if (['pipe', 'transform', 'catch'].includes(def.type) || ('coerce' in def && def.coerce))
    return 'a contract says what crosses the wire and makes nothing else of it: no transform, pipe, catch or coerce.';
  const kind = checksOf(schema).find(({ check }) => ![...(WORDED[def.type] ?? []), ...WORDED_EVERYWHERE].includes(check))?.check;
  return kind && `a contract shows what it demands, and has no words for the check "${kind}" of this type (${def.type}).`;
}

const ANNOTATIONS = ['id', 'title', 'description', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly', '$comment'];

function keepWhatCounts(schema: z.core.$ZodTypes, jsonSchema: JsonSchema, io: 'input' | 'output'): void {
  const { def } = schema._zod;
  for (const annotation of ANNOTATIONS) delete jsonSchema[annotation];
  if (io === 'output') delete jsonSchema.default;
  if (io === 'output' && def.type === 'object' && !def.catchall) delete jsonSchema.additionalProperties;
  jsonSchema.required?.sort();
  jsonSchema.enum?.sort();
  const beyond = { 'x-flags': flagsOf(schema), 'x-rules': rulesOf(schema), 'x-rewrites': rewritesOf(schema) };
  for (const [keyword, words] of Object.entries(beyond)) if (words.length > 0) jsonSchema[keyword] = words;
}

/** What the check says of itself, whichever kind it is. */
interface Check extends z.core.$ZodCheckDef {
  pattern?: RegExp;
  format?: string;
  /** of a link: it is written anew, as browsers do */
  normalize?: boolean;
  hostname?: RegExp;
  protocol?: RegExp;
  alg?: string;
  minimum?: number;
  maximum?: number;
  length?: number;
  value?: number;
  tx?(value: unknown): unknown;
}

/** In the order in which they are made; a type like `z.email()` is its own first check. */
const checksOf = (schema: z.core.$ZodType): Check[] =>
  [...(schema._zod.traits.has('$ZodCheck') ? [schema as unknown as z.core.$ZodCheck] : []), ...(schema._zod.def.checks ?? [])].map(({ _zod }) => _zod.def as Check);

const flagsOf = (schema: z.core.$ZodType): string[] =>
  checksOf(schema)
    .flatMap(({ pattern }) => (pattern?.flags ? [String(pattern)] : []))
    .toSorted();

/** What a type demands that JSON schema has no word for. */
function rulesOf(schema: z.core.$ZodType): string[] {
  const rules = checksOf(schema).flatMap((check) => {
    const { hostname, protocol, alg } = check;
    const options = Object.entries({ hostname, protocol, alg }).flatMap(([name, value]) => (value ? [`${name} ${String(value)}`] : []));
    return check.check === 'custom' ? [messageOf(check)] : options;
  });
  return rules.toSorted();
}

/** Checks after the last rewriting are left out: they are made of what is used, as the other keywords say. */
function rewritesOf(schema: z.core.$ZodType): string[] {
  const checks = checksOf(schema);
  const last = checks.findLastIndex(({ check, normalize }) => check === 'overwrite' || normalize);
  return checks.slice(0, last + 1).map(stepOf);
}

function stepOf(check: Check): string {
  if (check.check === 'overwrite') return rewritingOf(check);
  if (check.check === 'custom') return messageOf(check);
  const demand = check.minimum ?? check.maximum ?? check.length ?? check.value ?? (check.format === 'regex' ? check.pattern : check.format);
  return [check.check, ...(demand === undefined ? [] : [String(demand)]), ...(check.normalize ? ['normalize'] : [])].join(' ');
}

/** It tells the usual rewritings apart: space around, both cases, letters in composed and in compatible forms. */
const SAMPLE = ' Ab e\u0301 \u00c5 \ufb01 ';
const REWRITINGS: Record<string, (text: string) => string> = {
  trim: (text) => text.trim(),
  toLowerCase: (text) => text.toLowerCase(),
  toUpperCase: (text) => text.toUpperCase(),
  ...Object.fromEntries(['NFC', 'NFD', 'NFKC', 'NFKD'].map((form) => [`normalize ${form}`, (text: string) => text.normalize(form)])),
  slugify: (text) => z.core.util.slugify(text),
};

function rewritingOf({ tx }: Check): string {
  try {
    const made = tx?.(SAMPLE);
    return Object.keys(REWRITINGS).find((name) => REWRITINGS[name]?.(SAMPLE) === made) ?? 'a rewriting in code';
  } catch {
    return 'a rewriting in code';
  }
}

function messageOf({ error }: z.core.$ZodCheckDef): string {
  try {
    const said = error?.({ code: 'custom', input: undefined, path: [] } as never);
    return (typeof said === 'string' ? said : said?.message) ?? 'a rule without a name';
  } catch {
    return 'a rule whose message depends on the value';
  }
}
