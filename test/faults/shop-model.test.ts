import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { anyShopper, expire, managerActs, shopperActs, staffActs } from './shop-acts.ts';
import { agree, begin } from './shop-model.ts';
import { inFull, openShop } from './shopping.ts';

let at: Awaited<ReturnType<typeof openShop>>;
beforeAll(async () => {
  at = await openShop();
});
afterAll(() => at.close());

/** `seconds` for the trials; more, up to the `longest`, until each kind of thing happened `least` times. */
const FORM = inFull ? { numRuns: 400, seconds: 900, longest: 1_200, least: 20, halfHours: 40 } : { numRuns: 200, seconds: 12, longest: 240, least: 1, halfHours: 2 };
const timeout = (FORM.longest + 90) * 1_000;

const BY_SHOPPERS = [
  'open a cart', 'add', 'change', 'look', 'enter the code', 'take the code off', 'give an e-mail address',
  'place: placed', 'place: placed, with the discount', 'place: pending', 'place: pending, with the discount', 'place: payment_declined', 'place: refused later',
  'approve: placed, the shopper came back', 'approve: placed, the provider told', 'refuse: refused, the shopper came back', 'refuse: refused, the provider told',
  'cancel: pending', 'cancel: placed',
];
const BY_STAFF = ['staff receives', 'staff writes off', 'staff changes a price', 'staff pauses the promotion', 'staff resumes the promotion', 'staff refunds a part'];
/** Few trials see them all. */
const RARE = ['place: email_required', 'place: out_of_stock', 'place: total_changed', 'staff writes off: below_reserved'];

/** After a failure the shop is not whole any more: simpler forms of it are judged by what their shoppers see alone. */
function createTrials(kinds: readonly string[]) {
  const began = Date.now();
  const happened = new Map<string, number>();
  const rare = () => kinds.filter((kind) => (happened.get(kind) ?? 0) < FORM.least);
  const state = { failed: false, tried: 0 };
  const isOver = () => {
    const seconds = (Date.now() - began) / 1_000;
    return seconds > FORM.longest || (seconds > FORM.seconds && (state.failed || rare().length === 0));
  };
  return {
    happened,
    state,
    /** One that was begun ends as it ends. */
    async try(trial: () => Promise<void>): Promise<void> {
      if (isOver()) return;
      state.tried += 1;
      if (inFull && state.tried % 20 === 0) process.stdout.write(`${state.tried} trials, ${[...happened.values()].reduce((sum, times) => sum + times, 0)} acts\n`);
      try {
        await trial();
        if (!state.failed) await at.expectWhole();
      } catch (error) {
        state.failed = true;
        throw error;
      }
    },
    /** Nothing failed, and not because nothing happened. */
    async check(property: fc.IAsyncProperty<unknown>): Promise<void> {
      const { KERF_SEED: seed, KERF_TRIAL: path } = process.env;
      const outcome = await fc.check(property, { numRuns: FORM.numRuns, unbiased: true, ...(seed && { seed: Number(seed) }), ...(path && { path }) });
      const again = `KERF_SEED=${outcome.seed} KERF_TRIAL=${outcome.counterexamplePath?.split(':')[0]}`;
      if (outcome.failed) throw new Error(`${fc.defaultReportMessage(outcome)}\nTo begin with this trial: ${again} before the same command.`, { cause: outcome.errorInstance });
      expect(rare(), `too rare to say that they work (${JSON.stringify(Object.fromEntries(happened))})`).toEqual([]);
    },
  };
}

it('shoppers and staff, one after the other, find what they may expect after every step', { timeout }, async () => {
  const trials = createTrials([...BY_SHOPPERS, ...BY_STAFF, 'half an hour passes', 'a person has no use left', ...(inFull ? RARE : [])]);
  const { happened, state } = trials;
  let halfHours = FORM.halfHours;
  const acts = [...shopperActs(anyShopper), ...staffActs, ...managerActs, fc.constant(expire(() => state.failed || halfHours-- > 0))];
  const runs = fc.asyncProperty(fc.commands(acts, { maxCommands: 60, size: 'max' }), (commands) =>
    trials.try(async () => {
      const begun = await begin(at, true, happened);
      await fc.asyncModelRun(() => begun, commands);
    }),
  );
  await trials.check(runs);
});

it('shoppers and staff at the same time end with what they were told', { timeout }, async () => {
  const trials = createTrials([...BY_SHOPPERS, ...BY_STAFF]);
  const each = (who: number) => fc.commands([...shopperActs(fc.constant(who)), ...staffActs], { maxCommands: 30, size: 'max' });
  const runs = fc.asyncProperty(each(0), each(1), each(2), fc.commands(managerActs, { maxCommands: 8, size: 'max' }), (...everybody) =>
    trials.try(async () => {
      const begun = await begin(at, false, trials.happened);
      await Promise.all(everybody.map((commands) => fc.asyncModelRun(() => begun, commands)));
      await agree(begun.model, begun.real);
    }),
  );
  await trials.check(runs);
});
