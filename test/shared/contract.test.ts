import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { contractHash, defineContract, event, overWire, read, type Service, write } from '../../src/shared/contract.ts';
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
});
