import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { contractChanges } from '../../src/boundaries/contracts/contract-changes.ts';
import { defineContract, describeContract, write } from '../../src/shared/contract.ts';

/** A type, with a generator of values that it may take: most of them it does. */
interface Type {
  schema: z.ZodType;
  value: fc.Arbitrary<unknown>;
}
type Pair = [before: Type, after: Type];

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const both = (type: fc.Arbitrary<Type>): fc.Arbitrary<Pair> => fc.tuple(type, type);

const text = fc
  .record({
    least: maybe(fc.nat(3)),
    most: maybe(fc.integer({ min: 2, max: 5 })),
    form: fc.constantFrom('none', 'none', 'none', 'digits', 'date'),
    rule: maybe(fc.constantFrom('no a', 'no b')),
    trimmed: fc.boolean(),
  })
  .map(({ least, most, form, rule, trimmed }): Type => {
    let schema: z.ZodString = z.string();
    if (trimmed) schema = schema.trim();
    if (least !== undefined) schema = schema.min(least);
    if (most !== undefined) schema = schema.max(most);
    if (form === 'digits') schema = schema.regex(/^\d*$/);
    if (rule) schema = schema.refine((value) => !value.includes(rule.slice(3)), rule);
    return { schema: form === 'date' ? z.iso.date() : schema, value: fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('', '1', '12', '12345', 'ab', ' a ', '   ', '2026-01-31')) };
  });

const number = fc
  .record({
    whole: fc.boolean(),
    least: maybe(fc.integer({ min: -3, max: 3 })),
    most: maybe(fc.integer({ min: 0, max: 6 })),
    open: fc.boolean(),
    step: maybe(fc.constantFrom(1, 2, 4)),
  })
  .map(({ whole, least, most, open, step }): Type => {
    let schema: z.ZodNumber = whole ? z.int() : z.number();
    if (least !== undefined) schema = open ? schema.gt(least) : schema.min(least);
    if (most !== undefined) schema = open ? schema.lt(most) : schema.max(most);
    if (step !== undefined) schema = schema.multipleOf(step);
    return { schema, value: fc.oneof(fc.integer({ min: -4, max: 8 }), fc.constantFrom(0.5, 2.5, 6.0)) };
  });

const literals = fc
  .subarray(['a', 'b', ' a ', 1, 2, null, true], { minLength: 1 })
  .map((values): Type => ({ schema: z.literal(values), value: fc.constantFrom(...values) }));
const flag = fc.constant<Type>({ schema: z.boolean(), value: fc.boolean() });
const anything = fc.constant<Type>({ schema: z.unknown(), value: fc.constantFrom(0, 'a', null, [1], { a: 1 }) });
const scalar = fc.oneof(text, number, literals, flag);

const lists = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> => {
  const limits = fc.record({ least: maybe(fc.nat(2)), most: maybe(fc.integer({ min: 1, max: 3 })) });
  const list = ({ schema, value }: Type, { least, most }: { least: number | undefined; most: number | undefined }): Type => ({
    schema: z.array(schema).min(least ?? 0).max(most ?? 9),
    value: fc.array(value, { maxLength: 4 }),
  });
  return fc.tuple(entry, limits, limits).map(([[was, is], one, two]) => [list(was, one), list(is, two)]);
};

const tuples = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> => {
  const tuple = (types: Type[], rest: Type | undefined): Type => {
    const schemas = types.map(({ schema }) => schema) as [z.ZodType];
    return { schema: rest ? z.tuple(schemas, rest.schema) : z.tuple(schemas), value: fc.tuple(...types.map(({ value }) => value), ...(rest ? [rest.value] : [])) };
  };
  return fc.tuple(fc.array(entry, { minLength: 1, maxLength: 2 }), maybe(entry), fc.boolean()).map(([entries, rest, longer]) => [
    tuple(entries.map(([was]) => was), rest?.[0]),
    tuple([...entries, ...(longer ? entries : [])].map(([, is]) => is), rest?.[1]),
  ]);
};

const records = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> => {
  const keys = fc.constantFrom(z.string(), z.string().max(1), z.enum(['a', 'b']), z.enum(['a', 'b', 'c']));
  const record = ({ schema, value }: Type, key: z.ZodString | z.ZodEnum<{ a: 'a'; b: 'b' }>, partial: boolean): Type => ({
    schema: partial ? z.partialRecord(key, schema) : z.record(key, schema),
    value: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'long'), value),
  });
  return fc.tuple(entry, keys, keys, fc.boolean(), fc.boolean()).map(([[was, is], one, two, some, all]) => [record(was, one as z.ZodString, some), record(is, two as z.ZodString, all)]);
};

interface Shape {
  fields: Record<string, Type & { presence: 'absent' | 'required' | 'optional' | 'default'; standard: unknown }>;
  others: 'ignored' | 'refused' | 'kept' | 'numbers';
}
function object({ fields, others }: Shape, kind?: string): Type {
  const there = Object.entries(fields).filter(([, { presence }]) => presence !== 'absent');
  const shape = Object.fromEntries([
    ...there.map(([name, { schema, presence, standard }]) => [
      name,
      presence === 'required' ? schema : presence === 'optional' || !schema.safeParse(standard).success ? schema.optional() : schema.default(standard as never),
    ]),
    ...(kind === undefined ? [] : [['kind', z.literal(kind)]]),
  ]) as Record<string, z.ZodType>;
  const value = fc
    .record(Object.fromEntries(there.map(([name, field]) => [name, field.value])), { requiredKeys: there.filter(([, { presence }]) => presence === 'required').map(([name]) => name) })
    .chain((known) => (others === 'kept' || others === 'numbers' ? fc.dictionary(fc.constantFrom('a', 'b', 'x'), fc.nat(3)) : fc.constant({})).map((more) => ({ ...more, ...known, ...(kind && { kind }) })));
  const make = { ignored: () => z.object(shape), refused: () => z.strictObject(shape), kept: () => z.looseObject(shape), numbers: () => z.object(shape).catchall(z.number()) };
  return { schema: make[others](), value };
}

const shapes = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<[Shape, Shape]> => {
  const presence = fc.constantFrom<Shape['fields'][string]['presence']>('absent', 'required', 'optional', 'default');
  const field = fc.tuple(entry, presence, maybe(presence), fc.constantFrom('a', '', 1, 2, null), maybe(fc.constantFrom('b', 3)));
  const others = fc.constantFrom<Shape['others']>('ignored', 'ignored', 'ignored', 'refused', 'kept', 'numbers');
  return fc.tuple(fc.record({ a: field, b: field, c: field }), others, maybe(others)).map(([fields, one, two]) => {
    const side = (which: 0 | 1) =>
      Object.fromEntries(
        Object.entries(fields).map(([name, [pair, first, second = first, standard, other = standard]]) => [
          name,
          { ...pair[which], presence: which === 0 ? first : second, standard: which === 0 ? standard : other },
        ]),
      );
    return [{ fields: side(0), others: one }, { fields: side(1), others: two ?? one }];
  });
};
const objects = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> => shapes(entry).map(([was, is]) => [object(was), object(is)]);

/** Branches of a union, some of them on one side only, in an order of their own. */
const unions = (branch: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> => {
  const join = (types: Type[]): Type => ({ schema: z.union(types.map(({ schema }) => schema)), value: fc.oneof(...types.map(({ value }) => value)) });
  return fc.tuple(branch, fc.array(fc.tuple(branch, fc.constantFrom('both', 'before', 'after')), { maxLength: 2 }), fc.boolean()).map(([[was, is], more, turned]) => {
    const after = [is, ...more.filter(([, side]) => side !== 'before').map(([[, type]]) => type)];
    return [join([was, ...more.filter(([, side]) => side !== 'after').map(([[type]]) => type)]), join(turned ? after.toReversed() : after)];
  });
};
const discriminated = (entry: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> =>
  fc.tuple(shapes(entry), shapes(entry), fc.constantFrom('both', 'before', 'after')).map(([[one, two], [three, four], side]) => {
    const join = (...types: Type[]): Type => ({ schema: z.discriminatedUnion('kind', types.map(({ schema }) => schema) as unknown as [z.ZodObject]), value: fc.oneof(...types.map(({ value }) => value)) });
    const before = [object(one, 'x'), ...(side === 'after' ? [] : [object(three, 'y')])];
    return [join(...before), join(object(two, 'x'), ...(side === 'before' ? [] : [object(four, 'y')]))];
  });
const nullable = (inner: fc.Arbitrary<Pair>): fc.Arbitrary<Pair> =>
  fc.tuple(inner, fc.boolean(), fc.boolean()).map(([[was, is], one, two]) => {
    const made = ({ schema, value }: Type, may: boolean): Type => (may ? { schema: schema.nullable(), value: fc.option(value) } : { schema, value });
    return [made(was, one), made(is, two)];
  });

const { pair } = fc.letrec<{ pair: Pair }>((tie) => {
  const inner = tie('pair');
  const alike = scalar.map((type): Pair => [type, type]);
  const mixed = both(fc.oneof(scalar, anything));
  return {
    pair: fc.oneof(
      { maxDepth: 2, depthIdentifier: 'contract' },
      fc.oneof({ weight: 5, arbitrary: alike }, both(text), { weight: 2, arbitrary: both(number) }, both(literals), mixed, unions(fc.oneof(alike, mixed))),
      fc.oneof({ weight: 4, arbitrary: objects(inner) }, lists(inner), tuples(inner), records(inner), { weight: 2, arbitrary: unions(inner) }, discriminated(inner), nullable(inner)),
    ),
  };
});

const CASES = 2_500;
/** How many pairs of different types the check took for compatible. */
const taken = { input: 0, output: 0 };

const describing = (part: 'input' | 'output', { schema }: Type) =>
  describeContract(defineContract({ module: 'lamp', methods: { turn: write({ input: z.object({}), output: z.object({}), [part]: schema }) }, events: {} }));

/** The values with which two sides do not understand each other although the check says that they do. */
function misunderstood(part: 'input' | 'output', [before, after]: Pair, values: unknown[], understand: (value: unknown) => boolean): string[] {
  const [was, is] = [describing(part, before), describing(part, after)];
  const changes = contractChanges(was, is);
  if (changes.some(({ breaking }) => breaking)) return [];
  if (changes.length > 0) taken[part] += 1;
  const wrong = values.filter((value) => !understand(value));
  return wrong.map((value) => `${JSON.stringify(value)} from ${JSON.stringify(was.methods)} to ${JSON.stringify(is.methods)}`);
}

/** All that one side understood, the other understood as well. */
function contains(more: unknown, less: unknown): boolean {
  if (less === null || typeof less !== 'object') return Object.is(more, less);
  return typeof more === 'object' && more !== null && Object.entries(less).every(([key, value]) => contains(more[key as keyof typeof more], value));
}

/** Two types, and values that the one at `index` mostly takes. */
const withValues = (index: 0 | 1) =>
  pair.chain((types) => fc.tuple(fc.constant(Object.assign(types, { [fc.toStringMethod]: () => '(two types)' })), fc.array(types[index].value, { minLength: 30, maxLength: 30 })));

describe('a change that the check takes for compatible', () => {
  it('leaves every old input accepted, with the same meaning', () => {
    fc.assert(
      fc.property(withValues(0), ([types, values]) => {
        const [before, after] = types.map(({ schema }) => schema) as [z.ZodType, z.ZodType];
        const understand = (value: unknown) => {
          const [meant, taken] = [before.safeParse(value), after.safeParse(value)];
          return !meant.success || (taken.success && contains(taken.data, meant.data));
        };
        expect(misunderstood('input', types, values, understand)).toEqual([]);
      }),
      { numRuns: CASES },
    );
  });

  it('leaves everything answered readable by those who knew the old answer', () => {
    fc.assert(
      fc.property(withValues(1), ([types, values]) => {
        const [before, after] = types.map(({ schema }) => schema) as [z.ZodType, z.ZodType];
        const understand = (value: unknown) => {
          const answer = after.safeParse(value);
          return !answer.success || before.safeParse(JSON.parse(JSON.stringify(answer.data))).success;
        };
        expect(misunderstood('output', types, values, understand)).toEqual([]);
      }),
      { numRuns: CASES },
    );
  });

  it('is not rare among those that were tried, so that this says something', () => {
    expect(Math.min(taken.input, taken.output)).toBeGreaterThan(CASES / 30);
  });
});
