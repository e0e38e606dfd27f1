import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesOf } from '../../src/kit/kit.ts';
import { runCases } from '../../src/kit/run.ts';
import { COUPON_BREAKS, INVENTORY_BREAKS } from './breaks.ts';
import { type Break, startBroken } from './broken.ts';
import { CATALOG_BREAKS, ORDER_BREAKS, PAYMENT_BREAKS, USER_BREAKS } from './shop-breaks.ts';
import { startApart, subjectAt } from './support.ts';

let kerf: Awaited<ReturnType<typeof startApart>>;
beforeAll(async () => {
  kerf = await startApart();
});
afterAll(() => kerf.stop());

/** Milliseconds that a case gets, where it is not long enough for a machine that has much else to do. */
const PATIENCE = { 'it hangs': 300 };

async function run(module: string, name: string, how: Break, patience = 50_000) {
  const broken = await startBroken(kerf.address(module), module, how);
  const subject = subjectAt(module, broken.address);
  const named = casesOf(subject).filter((one) => `${one.about}: ${one.name}` === name);
  const [result, ...others] = await runCases(subject, named, { report: () => undefined, patience }).finally(broken.stop);
  if (!result || others.length > 0) throw new Error(`There are ${named.length} cases of this name: ${name}`);
  return result;
}

const BREAKS = { user: USER_BREAKS, catalog: CATALOG_BREAKS, inventory: INVENTORY_BREAKS, coupon: COUPON_BREAKS, payment: PAYMENT_BREAKS, order: ORDER_BREAKS };
const table = Object.entries(BREAKS).flatMap(([module, all]) => Object.entries(all).map(([name, breaks]) => ({ module, name, breaks })));

describe.concurrent.each(table)('$module, $name', ({ module, name, breaks }) => {
  it('holds where nothing is broken', async () => {
    expect((await run(module, name, {})).failure).toBeUndefined();
  }, 60_000);

  it.each(breaks)('is reported when %s', async (what, how) => {
    const { failure } = await run(module, name, how, PATIENCE[what as keyof typeof PATIENCE]);
    expect(failure?.sentence).toMatch(/^(?!The kit itself broke).*\.$/);
    expect(failure?.sent).toBeTruthy();
  }, 60_000);
});
