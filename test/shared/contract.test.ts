import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { contractHash, defineContract, describeContract, event, overWire, read, type Service, write } from '../../src/shared/contract.ts';
import { AppError, conflict } from '../../src/shared/errors.ts';

const define = (size: z.ZodType) =>
  defineContract({
    module: 'lamp',
    methods: {
      look: read({ input: z.object({ id: z.string() }), output: z.object({ lit: z.boolean(), since: z.iso.datetime().nullable() }) }),
      light: write({ input: z.object({ id: z.string(), size }), output: z.object({}), reasons: ['no_oil'], idempotentBy: 'id' }),
    },
    events: { lit: event('lamp.lit', 'id', z.object({ id: z.string() })) },
  });
const contract = define(z.int().default(1));
type Lamp = Service<typeof contract>;

const lamp = (over: Partial<Record<keyof Lamp, (input: never) => Promise<unknown>>> = {}) =>
  overWire(contract, { look: async () => ({ lit: true, since: null }), light: async () => ({}), ...over } as Lamp);

describe('a service over the wire', () => {
  it('answers the same', async () => expect(await lamp().look({ id: '1' })).toEqual({ lit: true, since: null }));

  it('fills in defaults and hands on what was parsed', async () => {
    const seen: unknown[] = [];
    await lamp({ light: async (input) => (seen.push(input), {}) }).light({ id: '1', size: undefined });
    expect(seen).toEqual([{ id: '1', size: 1 }]);
  });

  it('keeps the reason of a refusal, and nothing of the class or the cause', async () => {
    const refusing = lamp({ light: () => Promise.reject(conflict('no_oil', 'The lamp is empty.', { left: 0 })) });
    const error = await refusing.light({ id: '1', size: 2 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'conflict', reason: 'no_oil', message: 'The lamp is empty.', details: { left: 0 } });
    const breaking = lamp({ light: () => Promise.reject(new Error('select secret')) });
    await expect(breaking.light({ id: '1', size: 2 })).rejects.toMatchObject({ reason: 'internal', message: expect.not.stringMatching(/secret/) });
  });

  it('refuses what does not fit the contract, in both directions', async () => {
    await expect(lamp().look({ id: 1 } as never)).rejects.toThrow(/lamp.look input/);
    await expect(lamp({ look: async () => ({ lit: true, since: 'yesterday' }) }).look({ id: '1' })).rejects.toThrow(/lamp.look output/);
  });
});

describe('the hash of a contract', () => {
  it('is the same for the same contract and moves with every change', () => {
    expect(contractHash(define(z.int().default(1)))).toBe(contractHash(contract));
    expect(contractHash(define(z.int().default(2)))).not.toBe(contractHash(contract));
    expect(contractHash(define(z.int().max(5).default(1)))).not.toBe(contractHash(contract));
  });

  it('moves with what a schema has no word for', () => {
    const plain = contractHash(define(z.string()));
    expect(contractHash(define(z.string().trim()))).not.toBe(plain);
    expect(contractHash(define(z.string().refine((size) => size !== 'huge', 'not so large')))).not.toBe(plain);
    expect(contractHash(define(z.strictObject({})))).not.toBe(contractHash(define(z.object({}))));
  });

  it('does not move with what nobody depends on', () => {
    const Size = z.enum(['small', 'large']);
    const kept = z.object({ size: Size, lit: z.boolean().default(true) });
    const turned = z.object({ lit: z.boolean().default(false), size: z.enum(['large', 'small']).meta({ title: 'Size', examples: ['small'] }) }).describe('What is kept.');
    const shown = (output: z.ZodType, reasons: string[]) => contractHash(defineContract({ module: 'lamp', methods: { look: read({ input: z.object({}), output, reasons }) }, events: {} }));
    expect(shown(turned, ['dark', 'broken'])).toBe(shown(kept, ['broken', 'dark']));
  });
});

describe('the description of a contract', () => {
  it('names types once for all methods, as they are sent and as they are read', () => {
    const Oil = z.object({ drops: z.int().default(1) }).meta({ id: 'Oil' });
    const { methods, $defs } = describeContract(
      defineContract({ module: 'lamp', methods: { fill: write({ input: Oil, output: Oil }), drain: write({ input: Oil, output: Oil }) }, events: {} }),
    );
    expect(methods['fill']).toMatchObject({ input: { $ref: '#/$defs/input/Oil' }, output: { $ref: '#/$defs/output/Oil' } });
    expect($defs.input['Oil']).not.toHaveProperty('required');
    expect($defs.output['Oil']).toHaveProperty('required', ['drops']);
  });

  it.each([
    ['a transform', z.string().transform(Number), /makes nothing else of it/],
    ['a pipe', z.string().pipe(z.email()), /makes nothing else of it/],
    ['a fallback', z.string().catch(''), /makes nothing else of it/],
    ['coercion', z.coerce.number(), /makes nothing else of it/],
    ['a date', z.date(), /JSON, which has no such date/],
    ['a bigint', z.bigint(), /JSON, which has no such bigint/],
    ['a map', z.map(z.string(), z.string()), /JSON, which has no such map/],
    ['a type in code', z.custom<string>(() => true), /JSON, which has no such custom/],
    ['a rule about a property', z.string().check(z.property('length', z.literal(3))), /no words for the check "property"/],
    ['a length of anything', z.unknown().check(z.minLength(3) as never), /no words for the check "min_length"/],
  ])('refuses %s, which no schema shows, in one sentence that says where', (_what, size, why) => {
    const place = /^The input of lamp\.light, at size: [^\n]*\.$/;
    for (const pattern of [place, why]) expect(() => describeContract(define(size))).toThrow(pattern);
  });

  it('says where in an answer or an event it refuses something', () => {
    const parts = z.object({ parts: z.array(z.object({ since: z.date() })) });
    const having = (methods: object, events: object) => () => describeContract(defineContract({ module: 'lamp', methods: { ...methods }, events: { ...events } }));
    expect(having({ look: read({ input: z.object({}), output: parts }) }, {})).toThrow(/^The output of lamp\.look, at parts\[\]\.since: /);
    expect(having({}, { lit: event('lamp.lit', 'parts', parts) })).toThrow(/^The event lamp\.lit, at parts\[\]\.since: /);
  });
});

describe('the events of a contract', () => {
  const telling = (...types: string[]) => () => defineContract({ module: 'lamp', methods: {}, events: Object.fromEntries(types.map((type, index) => [`told${index}`, event(type, 'id', z.object({ id: z.string() }))])) });
  it('are told in its own name', () => expect(telling('lamp.lit', 'sofa.moved')).toThrow(/^The contract of lamp has the event sofa\.moved: [^\n]*begins with "lamp\."\.$/));
  it('are told once each', () => expect(telling('lamp.lit', 'lamp.lit')).toThrow(/a type of its own/));
  it('may be several', () => expect(telling('lamp.lit', 'lamp.lit_again')).not.toThrow());
});
