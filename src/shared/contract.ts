import { createHash } from 'node:crypto';
import { z } from 'zod';
import { AppError, type ErrorCode, toAppError } from './errors.ts';

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
}

type Definition<I extends z.ZodType, O extends z.ZodType> = { input: I; output: O; reasons?: readonly string[] };

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

/** The public face of a module: the one value other modules may import from it. */
export const defineContract = <M extends Record<string, Method>, E extends Record<string, EventType>>(contract: {
  module: string;
  methods: M;
  events: E;
}): Contract<M, E> => ({ ...contract, token: Symbol.for(`kerf:${contract.module}`) });

/** The TypeScript interface of a contract: what callers hold and what the module's service implements. */
export type Service<C extends Contract> = {
  [Name in keyof C['methods']]: (
    input: z.input<C['methods'][Name]['input']>,
  ) => Promise<z.output<C['methods'][Name]['output']>>;
};

export type Input<C extends Contract, Name extends keyof C['methods']> = z.output<C['methods'][Name]['input']>;
export type Output<C extends Contract, Name extends keyof C['methods']> = z.output<C['methods'][Name]['output']>;
export type EventData<T extends EventType> = z.output<T['data']>;

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

export function errorFromWire(wire: unknown): AppError {
  const { code, reason, message, details } = WireError.parse(wire);
  return new AppError(code as ErrorCode, reason, message, details);
}

/**
 * The same service behind the encoding of the wire: inputs and answers are checked against the contract and go through
 * JSON, errors lose their class. With it a test shows that a module would answer the same from another process.
 */
export function overWire<C extends Contract>(contract: C, service: Service<C>): Service<C> {
  const calls = Object.entries(contract.methods).map(([name, method]) => [
    name,
    async (input: unknown) => {
      const received = checked(method.input, input, `${contract.module}.${name} input`);
      const call = service[name as keyof Service<C>] as (input: unknown) => Promise<unknown>;
      const answer = await call(received).catch((error: unknown) => {
        throw errorFromWire(JSON.parse(JSON.stringify(errorToWire(error))));
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

/** A digest of all that callers depend on: two processes compare it when they first talk. */
export function contractHash(contract: Contract): string {
  return createHash('sha256').update(JSON.stringify(describeContract(contract))).digest('hex').slice(0, 16);
}

/** The contract as plain JSON schema: for its hash, its snapshot and readers in other languages. */
export function describeContract({ module, methods, events }: Contract) {
  const schema = (type: z.ZodType, io: 'input' | 'output') => z.toJSONSchema(type, { io, unrepresentable: 'throw' });
  return {
    module,
    methods: Object.fromEntries(
      Object.entries(methods).map(([name, { kind, input, output, reasons, idempotentBy }]) => [
        name,
        { kind, reasons, idempotentBy, input: schema(input, 'input'), output: schema(output, 'output') },
      ]),
    ),
    events: Object.fromEntries(
      Object.values(events).map(({ type, orderedBy, data }) => [type, { orderedBy, data: schema(data, 'output') }]),
    ),
  };
}
