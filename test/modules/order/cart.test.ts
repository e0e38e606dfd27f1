import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addCode, addItem, assertChangeable, assertOpenTo, type Cart, mergeInto, normalizeCode, removeCode, setQuantity } from '../../../src/modules/order/cart.ts';

const runs = { numRuns: Number(process.env['KERF_PROPERTY_RUNS'] ?? 2_000) };
const refusal = (reason: string) => expect.objectContaining({ reason });

const cart = (change: Partial<Cart> = {}): Cart =>
  ({
    id: 'cart', state: 'active', customerId: null, currency: 'KRW', version: 1, lines: [], codes: [], updatedAt: new Date(0),
    terms: { currency: 'KRW', shippingFee: 3_000, freeShippingFrom: 50_000, includedTaxBasisPoints: 1_000 }, ...change,
  }) as Cart;
const line = (variant: number, quantity = 1) => ({ id: `line ${variant}`, variantId: `variant ${variant}`, quantity });
const full = cart({ lines: Array.from({ length: 100 }, (_, variant) => line(variant)) });

describe('a cart', () => {
  it('adds to the line of a variant', () => {
    expect(addItem(cart({ lines: [line(1, 2)] }), { ...line(1, 3), id: 'new' }).lines).toEqual([line(1, 5)]);
    expect(addItem(cart({ lines: [line(1, 2)] }), line(2)).lines).toEqual([line(1, 2), line(2)]);
  });
  it('takes 999 pieces of a variant and 100 variants', () => {
    expect(addItem(cart({ lines: [line(1, 998)] }), line(1)).lines).toEqual([line(1, 999)]);
    expect(() => addItem(cart({ lines: [line(1, 999)] }), line(1))).toThrow(refusal('cart_full'));
    expect(() => addItem(full, line(100))).toThrow(refusal('cart_full'));
    expect(addItem(full, line(99)).lines.at(-1)).toEqual(line(99, 2));
  });
  it('sets quantities, and removes with 0 what may be gone already', () => {
    expect(setQuantity(cart({ lines: [line(1)] }), 'line 1', 7).lines).toEqual([line(1, 7)]);
    expect(setQuantity(cart({ lines: [line(1)] }), 'line 1', 0).lines).toEqual([]);
    expect(setQuantity(cart(), 'line 1', 0).lines).toEqual([]);
    expect(() => setQuantity(cart(), 'line 1', 1)).toThrow(refusal('item_not_found'));
  });
  it('keeps a code once, however it is spelled', () => {
    expect(normalizeCode(' ｗelcome10 ')).toBe('WELCOME10');
    expect(normalizeCode('\u0390')).toBe('\u03aa\u0301');
    const entered = cart({ codes: ['Welcome10'] });
    expect(addCode(entered, 'WELCOME10')).toBe(entered);
    expect(removeCode(entered, 'welcome10').codes).toEqual([]);
    expect(() => addCode(cart({ codes: Array.from({ length: 10 }, (_, index) => `C${index}`) }), 'C10')).toThrow(refusal('too_many_codes'));
  });
  it('is opened by a guest with its id, by a customer as their own, and by staff', () => {
    const own = cart({ customerId: 'mina' });
    const opens = (of: Cart | undefined, viewer: Parameters<typeof assertOpenTo>[1]) => {
      try {
        assertOpenTo(of, viewer);
        return true;
      } catch (error) {
        return (error as { reason?: string }).reason;
      }
    };
    expect(opens(cart(), { kind: 'guest' })).toBe(true);
    expect(opens(cart(), { kind: 'customer', customerId: 'jun' })).toBe(true);
    expect(opens(own, { kind: 'customer', customerId: 'mina' })).toBe(true);
    expect(opens(own, { kind: 'customer', customerId: 'jun' })).toBe('not_found');
    expect(opens(own, { kind: 'guest' })).toBe('not_found');
    expect(opens(own, { kind: 'staff', userId: 'kim' })).toBe(true);
    expect(opens(undefined, { kind: 'staff', userId: 'kim' })).toBe('not_found');
  });
  it('takes no changes once it was ordered or merged, or when it is not at the version expected', () => {
    assertChangeable(cart(), undefined);
    assertChangeable(cart(), 1);
    expect(() => assertChangeable(cart(), 2)).toThrow(refusal('version_mismatch'));
    expect(() => assertChangeable(cart({ state: 'ordered' }), 1)).toThrow(refusal('cart_not_active'));
    expect(() => assertChangeable(cart({ state: 'merged' }), undefined)).toThrow(refusal('cart_not_active'));
  });
});

describe('merging', () => {
  const newLineId = () => 'new';
  it('sums quantities up to the cap and joins codes', () => {
    const target = cart({ lines: [line(1, 990), line(2)], codes: ['A'] });
    const source = cart({ lines: [line(1, 20), line(3, 4)], codes: ['a', 'B'] });
    expect(mergeInto(target, source, newLineId)).toMatchObject({ lines: [line(1, 999), line(2), { ...line(3, 4), id: 'new' }], codes: ['A', 'B'] });
  });
  it('leaves out what does not fit', () => {
    expect(mergeInto(full, cart({ lines: [line(100), line(5)] }), newLineId).lines).toHaveLength(100);
    const ten = Array.from({ length: 10 }, (_, index) => `C${index}`);
    expect(mergeInto(cart({ codes: ten }), cart({ codes: ['c3', 'D'] }), newLineId).codes).toEqual(ten);
  });
  it('refuses another currency', () => {
    expect(() => mergeInto(cart(), cart({ currency: 'USD' }), newLineId)).toThrow(refusal('currency_mismatch'));
  });
  it('never loses a piece that fits, and never passes the caps', () => {
    const lines = fc.uniqueArray(fc.record({ variant: fc.integer({ min: 0, max: 120 }), quantity: fc.integer({ min: 1, max: 999 }) }), { selector: ({ variant }) => variant, maxLength: 100 });
    const of = (all: { variant: number; quantity: number }[]) => cart({ lines: all.map(({ variant, quantity }) => line(variant, quantity)) });
    fc.assert(
      fc.property(lines, lines, (mine, theirs) => {
        const merged = mergeInto(of(mine), of(theirs), newLineId).lines;
        expect(merged.length).toBe(Math.min(100, new Set([...mine, ...theirs].map(({ variant }) => variant)).size));
        for (const { variantId, quantity } of merged) {
          const pieces = [...mine, ...theirs].filter(({ variant }) => `variant ${variant}` === variantId).reduce((all, one) => all + one.quantity, 0);
          expect(quantity).toBe(Math.min(999, pieces));
        }
      }),
      runs,
    );
  });
});
