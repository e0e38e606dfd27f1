import { z } from 'zod';

/**
 * ISO 4217 code → decimal places (ISO 4217 table A.1). A currency that is not here is not accepted anywhere.
 * Sums are kept as safe integers of the minor unit: 12900 KRW is 12900, 24.90 USD is 2490.
 */
export const CURRENCY_EXPONENT = { KRW: 0, JPY: 0, USD: 2, EUR: 2 } as const;

export const Currency = z.enum(['KRW', 'JPY', 'USD', 'EUR']).meta({ id: 'Currency', description: 'ISO 4217 code' });
export type Currency = z.infer<typeof Currency>;

/** Largest sum: safely below 2^53, and above 100 lines of 999 pieces at the largest price. */
const MAX_AMOUNT = 1_000_000_000_000_000;
export const MAX_PRICE = 1_000_000_000;

/** Whole minor units, zero or more. */
export const Amount = z.int().min(0).max(MAX_AMOUNT).meta({ id: 'Amount', description: 'Whole minor units (won, cents)' });

/** The price of one piece. */
export const Price = z.int().min(0).max(MAX_PRICE).meta({ id: 'Price', description: 'Whole minor units (won, cents) for one piece' });

export const Money = z
  .object({ amount: Amount, currency: Currency })
  .meta({ id: 'Money', description: 'An amount in minor units of a currency', example: { amount: 12900, currency: 'KRW' } });
export type Money = z.infer<typeof Money>;

/** How a computed sum is brought to a whole number of `unit` minor units (10 = whole ten won). */
export interface Rounding {
  unit: number;
  mode: 'half_up' | 'floor';
}
export const TO_ONE: Rounding = { unit: 1, mode: 'half_up' };

/**
 * `basisPoints` (1 % = 100) of `base`, rounded once, half away from zero (docs/rules.md, Money). Exact: computed in bigint.
 */
export function percentOf(base: number, basisPoints: number, rounding: Rounding = TO_ONE): number {
  return divideRounded(BigInt(base) * BigInt(basisPoints), 10_000n, rounding);
}

/** The part of a tax-inclusive sum that is tax: gross × rate ÷ (1 + rate). KR VAT of 9026 is 821. */
export function includedTax(gross: number, basisPoints: number): number {
  return divideRounded(BigInt(gross) * BigInt(basisPoints), 10_000n + BigInt(basisPoints), TO_ONE);
}

function divideRounded(numerator: bigint, denominator: bigint, { unit, mode }: Rounding): number {
  const step = denominator * BigInt(unit);
  const magnitude = numerator < 0n ? -numerator : numerator;
  const steps = mode === 'floor' ? magnitude / step : (2n * magnitude + step) / (2n * step);
  const rounded = Number(steps * BigInt(unit));
  return numerator < 0n ? -rounded : rounded;
}

/**
 * Splits `total` over `weights` by largest remainder: Σ shares = total exactly, ties go to the earlier line, a weight
 * of 0 gets 0, no share exceeds its weight when total ≤ Σ weights. With Σ weights = 0 the total must be 0.
 */
export function allocate(total: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((all, weight) => all + BigInt(weight), 0n);
  if (sum === 0n) {
    if (total !== 0) throw new RangeError('Cannot allocate a sum over nothing.');
    return weights.map(() => 0);
  }
  const parts = weights.map((weight, index) => {
    const exact = BigInt(total) * BigInt(weight);
    return { index, share: Number(exact / sum), remainder: exact % sum };
  });
  let rest = total - parts.reduce((all, part) => all + part.share, 0);
  for (const part of parts.toSorted((a, b) => compare(b.remainder, a.remainder) || a.index - b.index)) {
    if (rest === 0) break;
    part.share += 1;
    rest -= 1;
  }
  return parts.map((part) => part.share);
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0);

/** The shares of `total` for each of `quantity` equal units, by largest remainder: `perUnit(10, 3)` is [4, 3, 3]. */
export const perUnit = (total: number, quantity: number) => allocate(total, Array.from({ length: quantity }, () => 1));

/** '24.90' USD → 2490. Throws a RangeError for anything but a plain decimal with at most the currency's places, up to MAX_PRICE. */
export function parseAmount(text: string, currency: Currency): number {
  const places = CURRENCY_EXPONENT[currency];
  const match = /^(\d{1,10})(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? '';
  const amount = Number(`${match?.[1]}${fraction.padEnd(places, '0')}`);
  if (!match || fraction.length > places || amount > MAX_PRICE) throw new RangeError(`"${text}" is not a price in ${currency}.`);
  return amount;
}

/** 2490 USD → '24.90' (for people and files; computations stay in minor units). */
export function formatAmount(amount: number, currency: Currency): string {
  const places = CURRENCY_EXPONENT[currency];
  const digits = String(Math.abs(amount)).padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return amount < 0 ? `-${text}` : text;
}
