import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../src/kit/kit.ts';
import { runCases } from '../../src/kit/run.ts';
import { MODULES } from '../../src/calls.ts';
import { rows } from '../../src/shared/database.ts';
import { failuresOf, startApart, subjectAt } from './support.ts';

let kerf: Awaited<ReturnType<typeof startApart>>;
beforeAll(async () => {
  kerf = await startApart();
});
afterAll(() => kerf.stop());

/** How many rows each of the module's own tables has; its keys are made when somebody first asks for them. */
async function rowsOf(module: string): Promise<Record<string, number>> {
  const counted = await rows<{ table: string; count: number }>(
    kerf.databases.get(module)!,
    `select relname as "table", (xpath('/row/count/text()', query_to_xml(format('select count(*) from %I.%I', nspname, relname), false, true, '')))[1]::text::int as count
     from pg_class join pg_namespace n on n.oid = relnamespace where nspname = ? and relkind = 'r' and relname <> 'signing_keys'`,
    [module],
  );
  return Object.fromEntries(counted.map(({ table, count }) => [table, count]));
}

describe('our own modules, each behind an address of its own', () => {
  it.each(MODULES)('%s is left without a trace by what does not write', async (module) => {
    const subject = subjectAt(module, kerf.address(module));
    const before = await rowsOf(module);
    const results = await runCases(subject, casesOf(subject).filter(({ writes }) => !writes), { report: () => undefined });
    expect(failuresOf(results)).toEqual([]);
    expect(await rowsOf(module)).toEqual(before);
    expect(Object.keys(before).length).toBeGreaterThan(2);
  }, 60_000);

  it.each(MODULES)('%s does what its contract says', async (module) => {
    const subject = subjectAt(module, kerf.address(module));
    const results = await runCases(subject, casesOf(subject).filter(({ writes }) => writes), { report: () => undefined, patience: 60_000 });
    expect(failuresOf(results)).toEqual([]);
    expect(results.length).toBeGreaterThan(15);
  }, 180_000);
});
