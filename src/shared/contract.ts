import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ContractError, type JsonSchema, schemaThatCounts } from './contract-schema.ts';
import { AppError, type ErrorCode, toAppError } from './errors.ts';

export type { JsonSchema };

/**
 * One method of a module's contract. Data is JSON-safe: sums in minor units, instants as ISO strings; no Date, bigint,
 * class, function or stream. Lists where a caller would otherwise loop.
 */
export interface Method<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  kind: 'read' | 'write';
  input: Input;
  output: Output;
  /** the `reason`s of the AppErrors it may answer, besides `unavailable` and `internal` */
  reasons: readonly string[];
  /**
   * Writes only: the input field that makes a repeat harmless. With it the seam may call again after a lost answer;
   * without it, never. Reads may always be repeated.
   */
  idempotentBy?: string;
  /** milliseconds within which it promises to answer, where five seconds are not enough */
  timeout?: number;
  /** bytes that its input may have over the wire, where a mebibyte is not enough */
  largestRequest?: number;
}

type Definition<I extends z.ZodType, O extends z.ZodType> = { input: I; output: O; reasons?: readonly string[]; timeout?: number; largestRequest?: number };

/** A method that changes nothing. */
export const read = <I extends z.ZodType, O extends z.ZodType>(method: Definition<I, O>) =>
  ({ kind: 'read', reasons: [], ...method }) as const satisfies Method<I, O>;

/** A method that changes the module's state. Name the key in its input that makes it repeatable, where there is one. */
export const write = <I extends z.ZodType, O extends z.ZodType>(
  method: Definition<I, O> & { idempotentBy?: keyof z.input<I> & string },
) => ({ kind: 'write', reasons: [], ...method }) as const satisfies Method<I, O>;

/** An event type: what happened, in the past tense, with the field of `data` that orders it among its like. */
export interface EventType<Data extends z.ZodType = z.ZodType> {
  type: string;
  data: Data;
  /** the field of `data` with the aggregate's id: events of one aggregate are delivered in order */
  orderedBy: string;
}

export const event = <D extends z.ZodType>(type: string, orderedBy: keyof z.input<D> & string, data: D): EventType<D> => ({
  type,
  orderedBy,
  data,
});

export interface Contract<
  Methods extends Record<string, Method> = Record<string, Method>,
  Events extends Record<string, EventType> = Record<string, EventType>,
> {
  module: string;
  methods: Methods;
  events: Events;
  /** the injection token under which the service, here or elsewhere, is found */
  token: symbol;
}

/** The public face of a module: the one value other modules may import from it. Its events are told in its own name, each type once. */
export const defineContract = <M extends Record<string, Method>, E extends Record<string, EventType>>(contract: {
  module: string;
  methods: M;
  events: E;
}): Contract<M, E> => {
  const types = Object.values(contract.events).map(({ type }) => type);
  const wrong = types.find((type, index) => !type.startsWith(`${contract.module}.`) || types.indexOf(type) < index);
  if (wrong !== undefined) throw new ContractError(`The contract of ${contract.module} has the event ${wrong}: each has a type of its own that begins with "${contract.module}.".`);
  return { ...contract, token: Symbol.for(`kerf:${contract.module}`) };
};

/** The TypeScript interface of a contract: what callers hold and what the module's service implements. */
export type Service<C extends Contract> = {
  [Name in keyof C['methods']]: (
    input: z.input<C['methods'][Name]['input']>,
  ) => Promise<z.output<C['methods'][Name]['output']>>;
};

export type Input<C extends Contract, Name extends keyof C['methods']> = z.output<C['methods'][Name]['input']>;
export type Output<C extends Contract, Name extends keyof C['methods']> = z.output<C['methods'][Name]['output']>;
export type EventData<T extends EventType> = z.output<T['data']>;

/** Characters of an error's details. */
const LARGEST_DETAILS = 262_144;

/** An error as it crosses the seam: the reason survives, the class and the stack do not. */
export const WireError = z.object({
  code: z.string(),
  reason: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});

export function errorToWire(error: unknown): z.infer<typeof WireError> {
  const { code, reason, message, details } = toAppError(error);
  return { code, reason, message, ...(details && { details }) };
}

/** Undefined for what a method with these reasons does not answer: whoever sends it, it is no refusal to hand on. */
export function errorFromWire(wire: unknown, reasons: readonly string[]): AppError | undefined {
  const { code, reason, message, details } = WireError.parse(wire);
  if (reason === 'internal') return toAppError(undefined);
  if (reason === 'unavailable') return code === 'unavailable' ? new AppError(code, reason, message) : undefined;
  return reasons.includes(reason) ? new AppError(code as ErrorCode, reason, message, canBeHandedOn(details) ? details : undefined) : undefined;
}

/** Not so large, nor so deep, that whoever writes it down again breaks. */
function canBeHandedOn(details: unknown): boolean {
  try {
    return JSON.stringify(details ?? {}).length <= LARGEST_DETAILS;
  } catch {
    return false;
  }
}

/**
 * The same service behind the encoding of the wire: inputs and answers are checked against the contract and go through
 * JSON, errors lose their class and have a reason that is listed. With it a test shows that a module would answer the same from another process.
 */
export function overWire<C extends Contract>(contract: C, service: Service<C>): Service<C> {
  const calls = Object.entries(contract.methods).map(([name, method]) => [
    name,
    async (input: unknown) => {
      const received = checked(method.input, input, `${contract.module}.${name} input`);
      const call = service[name as keyof Service<C>] as (input: unknown) => Promise<unknown>;
      const answer = await call(received).catch((error: unknown) => {
        const wire: unknown = JSON.parse(JSON.stringify(errorToWire(error)));
        throw errorFromWire(wire, method.reasons) ?? new Error(`${contract.module}.${name} answered a reason that its contract does not list.`, { cause: error });
      });
      return checked(method.output, answer, `${contract.module}.${name} output`);
    },
  ]);
  return Object.fromEntries(calls) as Service<C>;
}

function checked(schema: z.ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
  if (result.success) return result.data;
  throw new Error(`${what} does not fit the contract: ${z.prettifyError(result.error)}`);
}

/**
 * A contract as plain data, keys in order: what its hash is taken of, what is kept as its snapshot, and what a reader in
 * another language needs. Only what callers depend on is in it: no titles, descriptions or examples. Beyond JSON schema
 * 2020-12:
 * - in an answer an object is closed (`additionalProperties: false`) only if its *reader* refuses unknown fields
 *   (`z.strictObject`); all others ignore what they do not know
 * - `x-flags` are those of regular expressions, `x-rules` names what `.refine()` and the like demand beyond the schema
 * - `x-rewrites` are the steps in which a value is changed before it is used (`.trim()`), with the checks that come before them
 *
 * What cannot be seen is the code inside a `.refine()`, which has its message only, and inside an `.overwrite()`, which is known
 * by what it makes of one sample: two that treat it alike are taken for one, and one that is no usual rewriting for any other.
 */
export interface ContractDescription {
  module: string;
  methods: Record<string, MethodDescription>;
  /** by the event's type */
  events: Record<string, EventDescription>;
  /** the named types, as they are sent in inputs and as they are read in outputs and events: `#/$defs/input/Address` */
  $defs: { input: Record<string, JsonSchema>; output: Record<string, JsonSchema> };
}

export interface MethodDescription {
  kind: Method['kind'];
  reasons: string[];
  idempotentBy?: string;
  input: JsonSchema;
  output: JsonSchema;
}

export interface EventDescription {
  orderedBy: string;
  data: JsonSchema;
}

/** A digest of all that callers depend on: two processes compare it when they first talk. */
export const contractHash = (contract: Contract): string => descriptionHash(describeContract(contract));

export const descriptionHash = (description: ContractDescription): string =>
  createHash('sha256').update(JSON.stringify(inOrder(description))).digest('hex').slice(0, 16);

export function describeContract({ module, methods, events }: Contract): ContractDescription {
  const types = Object.values(events);
  const input = schemasOf('input', mapped(methods, (method) => method.input), ([, method, ...field]) => `The input of ${module}.${method}${at(field)}`);
  const output = schemasOf(
    'output',
    {
      methods: z.object(mapped(methods, (method) => method.output)),
      events: z.object(Object.fromEntries(types.map(({ type, data }) => [type, data]))),
    },
    ([, kind, , name, ...field]) => (kind === 'methods' ? `The output of ${module}.${name}` : `The event ${name}`) + at(field),
  );
  const { methods: answers, events: happened } = mapped(output.schemas, ({ properties = {} }) => properties as Record<string, JsonSchema>);
  return inOrder({
    module,
    methods: mapped(methods, ({ kind, reasons, idempotentBy }, name) => ({
      kind,
      reasons: reasons.toSorted(),
      ...(idempotentBy && { idempotentBy }),
      input: input.schemas[name]!,
      output: answers![name]!,
    })),
    events: Object.fromEntries(types.map(({ type, orderedBy }) => [type, { orderedBy, data: happened![type]! }])),
    $defs: { input: input.$defs, output: output.$defs },
  });
}

/** A path in a JSON schema as the field of the value. */
function at(path: readonly (string | number)[]): string {
  const field = path.map((step, index) => (path[index - 1] === 'properties' ? `.${step}` : step === 'items' ? '[]' : '')).join('');
  return field && `, at ${field.replace(/^\./, '')}`;
}

/** Several types in one go, so that what they share is described once. `placeOf` names a type for people. */
function schemasOf(io: 'input' | 'output', types: Record<string, z.ZodType>, placeOf: (path: readonly (string | number)[]) => string) {
  const schema = schemaThatCounts(io, z.object(types), placeOf);
  const { properties = {}, $defs = {} } = JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' ? value.replace('#/$defs/', `#/$defs/${io}/`) : value,
  ) as JsonSchema;
  return { schemas: properties as Record<string, JsonSchema>, $defs };
}

const mapped = <From, To>(record: Record<string, From>, change: (value: From, name: string) => To): Record<string, To> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));

/** The same data with the keys of every object in alphabetical order. */
const inOrder = <T>(data: T): T =>
  JSON.parse(JSON.stringify(data), (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  ) as T;
