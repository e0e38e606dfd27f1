import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { type Fault, faults, LOSING } from '../support/fault-proxy.ts';
import { openStreet, type Street } from './street.ts';

/** `KERF_FAULTS=all`: every fault before every module; otherwise each fault and each module at least once. */
const everything = process.env['KERF_FAULTS'] === 'all';
const MATRIX: [string, Fault][] = [...Object.entries(LOSING), ['late', faults.late(20, 20)], ['doubled', faults.doubled], ['a newer version', faults.newerVersion]];
const meets = (module: string) => MATRIX.filter((_, index) => everything || index % MODULES.length === MODULES.indexOf(module));

let street: Street;
beforeAll(async () => {
  street = await openStreet({ timeout: 2_000, pause: 50, longestPause: 200 });
  await street.crowd();
});
afterAll(() => street.close());

describe.each(MODULES)('while %s cannot be reached as it should', (module) => {
  it.each(meets(module))('%s: every answer is right or unavailable', { timeout: 90_000 }, async (_, fault) => {
    await street.signIn();
    await street.proxy(module).meet(fault);
    await street.crowd();
    await street.heal();
    expect(street.wrong.splice(0)).toEqual([]);
  });
});

it('in the end nothing is half done', { timeout: 90_000 }, async () => {
  await expect.poll(() => street.settle(), { timeout: 80_000, interval: 500 }).toEqual([]);
  expect(street.wrong.splice(0)).toEqual([]);
});
