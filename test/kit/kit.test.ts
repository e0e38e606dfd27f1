import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { couponSuite } from '../../src/kit/coupon-suite.ts';
import { protocolCases } from '../../src/kit/protocol-cases.ts';
import { runCases } from '../../src/kit/run.ts';
import type { Case } from '../../src/kit/suite.ts';
import { MODULES } from '../../src/calls.ts';
import { failuresOf, startApart, subjectAt } from './support.ts';

const SUITES: Record<string, readonly Case[]> = { coupon: couponSuite };

let kerf: Awaited<ReturnType<typeof startApart>>;
beforeAll(async () => {
  kerf = await startApart();
});
afterAll(() => kerf.stop());

describe('our own modules, each behind an address of its own', () => {
  it.each(MODULES)('%s does what its contract says', async (module) => {
    const subject = subjectAt(module, kerf.address(module));
    const results = await runCases(subject, [...protocolCases(subject), ...(SUITES[module] ?? [])], { report: () => undefined });
    expect(failuresOf(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(20);
  }, 120_000);
});
