import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../src/kit/kit.ts';
import { runCases } from '../../src/kit/run.ts';
import { MODULES } from '../../src/calls.ts';
import { failuresOf, startApart, subjectAt } from './support.ts';

let kerf: Awaited<ReturnType<typeof startApart>>;
beforeAll(async () => {
  kerf = await startApart();
});
afterAll(() => kerf.stop());

describe('our own modules, each behind an address of its own', () => {
  it.each(MODULES)('%s does what its contract says', async (module) => {
    const subject = subjectAt(module, kerf.address(module));
    const results = await runCases(subject, casesOf(subject), { report: () => undefined });
    expect(failuresOf(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(20);
  }, 120_000);
});
