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
const { numRuns, longest } = inFull ? { numRuns: 400, longest: 1_200_000 } : { numRuns: 24, longest: 12_000 };
const timeout = longest + 60_000;

/**
 * Runs as many as there is time for; one that was begun ends as it ends. After a failure the shop is not whole any more:
 * the simpler forms of it that are tried then are judged by what their shoppers see alone.
 */
function createTrials() {
  const until = Date.now() + longest;
  let failed = false;
  return async (trial: () => Promise<void>) => {
    if (Date.now() > until) return;
    try {
      await trial();
      if (!failed) await at.expectWhole();
    } catch (error) {
      failed = true;
      throw error;
    }
  };
}

it('shoppers and staff, one after the other, find what they may expect after every step', { timeout }, async () => {
  const tried = createTrials();
  let waits = inFull ? 40 : 1;
  const acts = [...shopperActs(anyShopper), ...staffActs, fc.constant(expire(() => waits-- > 0))];
  const runs = fc.asyncProperty(fc.commands(acts, { maxCommands: 40, size: 'max' }), (commands) =>
    tried(async () => {
      const begun = await begin(at, true);
      await fc.asyncModelRun(() => begun, commands);
    }),
  );
  await fc.assert(runs, { numRuns, ...chosen });
});

it('shoppers and staff at the same time end with what they were told', { timeout }, async () => {
  const tried = createTrials();
  const each = (who: number) => fc.commands(shopperActs(fc.constant(who)), { maxCommands: 24, size: 'max' });
  const runs = fc.asyncProperty(each(0), each(1), each(2), fc.commands(staffActs, { maxCommands: 8, size: 'max' }), (...everybody) =>
    tried(async () => {
      const begun = await begin(at, false);
      await Promise.all(everybody.map((commands) => fc.asyncModelRun(() => begun, commands)));
      await agree(begun.model, begun.real);
    }),
  );
  await fc.assert(runs, { numRuns, ...chosen });
});
