import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { agree, anyShopper, begin, expire, shopperActs, staffActs } from './shop-model.ts';
import { inFull, openShop } from './shopping.ts';

let at: Awaited<ReturnType<typeof openShop>>;
beforeAll(async () => {
  at = await openShop();
});
afterAll(() => at.close());

/** `KERF_SEED` and `KERF_PATH` repeat a failure: it names both. */
const { KERF_SEED: seed, KERF_PATH: path } = process.env;
const chosen = { ...(seed && { seed: Number(seed) }), ...(path && { path }) };
const FORM = inFull ? { numRuns: 400, interruptAfterTimeLimit: 1_200_000 } : { numRuns: 24, interruptAfterTimeLimit: 12_000 };
const timeout = FORM.interruptAfterTimeLimit + 60_000;

it('shoppers and staff, one after the other, find what they may expect after every step', { timeout }, async () => {
  let waits = inFull ? 40 : 1;
  const mayWait = () => waits > 0;
  const acts = [...shopperActs(anyShopper), ...staffActs, fc.constant(expire(mayWait))];
  const runs = fc.asyncProperty(fc.commands(acts, { maxCommands: 40, size: 'max' }), async (commands) => {
    const before = at.shop.clock.ahead;
    const begun = await begin(at, true);
    await fc.asyncModelRun(() => begun, commands);
    if (at.shop.clock.ahead - before > 60_000) waits -= 1;
    await at.expectWhole();
  });
  await fc.assert(runs, { ...FORM, ...chosen });
});

it('shoppers and staff at the same time end with what they were told', { timeout }, async () => {
  const each = (who: number) => fc.commands(shopperActs(fc.constant(who)), { maxCommands: 24, size: 'max' });
  const runs = fc.asyncProperty(each(0), each(1), each(2), fc.commands(staffActs, { maxCommands: 8, size: 'max' }), async (...everybody) => {
    const begun = await begin(at, false);
    await Promise.all(everybody.map((commands) => fc.asyncModelRun(() => begun, commands)));
    await agree(begun.model, begun.real);
    await at.expectWhole();
  });
  await fc.assert(runs, { ...FORM, ...chosen });
});
