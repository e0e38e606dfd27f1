import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, formatAmount, includedTax, parseAmount, percentOf, perUnit } from '../../src/shared/money.ts';

const runs = { numRuns: Number(process.env['KERF_PROPERTY_RUNS'] ?? 2_000) };
const amount = fc.integer({ min: 0, max: 1_000_000_000 });

describe('percentOf', () => {
  it.each([
    { base: 12_345, basisPoints: 1_000, unit: 1, mode: 'half_up', result: 1_235 },
    { base: 12_344, basisPoints: 1_000, unit: 1, mode: 'half_up', result: 1_234 },
    { base: 12_345, basisPoints: 1_000, unit: 10, mode: 'half_up', result: 1_230 },
    { base: 12_350, basisPoints: 1_000, unit: 10, mode: 'half_up', result: 1_240 },
    { base: 12_399, basisPoints: 1_000, unit: 100, mode: 'floor', result: 1_200 },
    { base: 1, basisPoints: 5_000, unit: 1, mode: 'half_up', result: 1 },
    { base: 999, basisPoints: 10_000, unit: 1, mode: 'half_up', result: 999 },
    { base: 0, basisPoints: 10_000, unit: 1, mode: 'half_up', result: 0 },
    { base: -5, basisPoints: 1_000, unit: 1, mode: 'half_up', result: -1 },
  ] as const)('$basisPoints bp of $base by $unit $mode is $result', ({ base, basisPoints, result, ...rounding }) => {
    expect(percentOf(base, basisPoints, rounding)).toBe(result);
  });

  it('is never off by more than half a unit', () => {
    fc.assert(
      fc.property(amount, fc.integer({ min: 0, max: 10_000 }), (base, basisPoints) => {
        expect(Math.abs(percentOf(base, basisPoints) - (base * basisPoints) / 10_000)).toBeLessThanOrEqual(0.5 + 1e-6);
      }),
      runs,
    );
  });
});

describe('includedTax', () => {
  it.each([
    { gross: 9_026, tax: 821 },
    { gross: 30_000, tax: 2_727 },
    { gross: 0, tax: 0 },
    { gross: 11, tax: 1 },
  ])('of $gross at 10 % is $tax', ({ gross, tax }) => expect(includedTax(gross, 1_000)).toBe(tax));

  it('is nothing at 0 %', () => expect(includedTax(12_345, 0)).toBe(0));
});

describe('allocate', () => {
  it.each([
    { total: 100, weights: [1, 1, 1], shares: [34, 33, 33] },
    { total: 10, weights: [0, 5, 0, 5], shares: [0, 5, 0, 5] },
    { total: 1, weights: [1, 1_000], shares: [0, 1] },
    { total: 0, weights: [3, 4], shares: [0, 0] },
    { total: 0, weights: [], shares: [] },
    { total: 0, weights: [0, 0], shares: [0, 0] },
  ])('$total over $weights is $shares', ({ total, weights, shares }) => expect(allocate(total, weights)).toEqual(shares));

  it('refuses to spread something over nothing', () => expect(() => allocate(1, [0, 0])).toThrow(RangeError));

  it('gives exactly the total, nothing to the weightless, and never more than a weight', () => {
    fc.assert(
      fc.property(fc.array(amount, { minLength: 1, maxLength: 30 }), fc.double({ min: 0, max: 1, noNaN: true }), (weights, part) => {
        const sum = weights.reduce((all, weight) => all + weight, 0);
        const total = Math.floor(sum * part);
        const shares = allocate(total, weights);
        expect(shares.reduce((all, share) => all + share, 0)).toBe(total);
        for (const [index, share] of shares.entries()) {
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(weights[index]!);
        }
      }),
      runs,
    );
  });

  it('spreads over units without losing one', () => expect(perUnit(10, 3)).toEqual([4, 3, 3]));
});

describe('amounts as text', () => {
  it.each([
    { text: '12900', currency: 'KRW', value: 12_900 },
    { text: '24.90', currency: 'USD', value: 2_490 },
    { text: '24.9', currency: 'USD', value: 2_490 },
    { text: '24', currency: 'USD', value: 2_400 },
  ] as const)('$text $currency is $value', ({ text, currency, value }) => expect(parseAmount(text, currency)).toBe(value));

  it.each(['', '-1', '1.5', '1e3', ' 1', '１２', '12345678901', 'NaN'])('%j is not a price in won', (text) => {
    expect(() => parseAmount(text, 'KRW')).toThrow(RangeError);
  });

  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(amount, fc.constantFrom('KRW', 'USD', 'JPY', 'EUR'), (value, currency) => {
        expect(parseAmount(formatAmount(value, currency), currency)).toBe(value);
      }),
      runs,
    );
  });
});
