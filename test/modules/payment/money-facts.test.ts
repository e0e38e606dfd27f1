import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fact, ledgerOf, unknownOf } from '../../../src/modules/payment/money-facts.ts';
import { stateOf } from '../../../src/modules/payment/payment.ts';

const at = (second: number) => new Date(Date.UTC(2026, 2, 2, 0, 0, second));
const fact = (change: Partial<Fact>): Fact => ({
  kind: 'capture', outcome: 'succeeded', amount: 100, reference: 'a', operationId: null, reason: '', at: at(1), ...change,
});

describe('what the facts add up to', () => {
  it.each<{ given: string; facts: Partial<Fact>[]; then: object }>([
    { given: 'nothing', facts: [], then: { authorized: 0, captured: 0, refunded: 0, refusal: null } },
    { given: 'two captures', facts: [{}, { reference: 'b', amount: 50 }], then: { captured: 150 } },
    { given: 'one capture told twice', facts: [{}, { at: at(2) }], then: { captured: 100, conflicts: [] } },
    { given: 'another amount for the same reference', facts: [{}, { amount: 70, at: at(2) }], then: { captured: 100, conflicts: [{ amount: 70 }] } },
    { given: 'the other amount was first at the provider', facts: [{ at: at(3) }, { amount: 70, at: at(2) }], then: { captured: 70, conflicts: [{ amount: 100 }] } },
    { given: 'a success, then a failure', facts: [{}, { outcome: 'failed', at: at(2) }], then: { captured: 0 } },
    { given: 'a failure, then a success', facts: [{ at: at(2) }, { outcome: 'failed', at: at(1) }], then: { captured: 100 } },
    { given: 'a pending refund', facts: [{}, { kind: 'refund', outcome: 'pending', operationId: 'r', reference: 'r', amount: 30 }], then: { refundPending: 30, refunded: 0 } },
    {
      given: 'its success',
      facts: [{}, { kind: 'refund', outcome: 'pending', operationId: 'r', reference: 'r', amount: 30 }, { kind: 'refund', operationId: 'r', reference: 're_1', amount: 30 }],
      then: { refundPending: 0, refunded: 30, pending: [] },
    },
    {
      given: 'its failure',
      facts: [{}, { kind: 'refund', outcome: 'pending', operationId: 'r', reference: 'r', amount: 30 }, { kind: 'refund', outcome: 'failed', operationId: 'r', reference: 're_1', amount: 30 }],
      then: { refundPending: 0, refunded: 0, pending: [] },
    },
    { given: 'a refused authorization', facts: [{ kind: 'authorization', outcome: 'failed', reason: 'card_declined' }], then: { authorized: 0, refusal: 'card_declined' } },
  ])('given $given', ({ facts, then }) => {
    expect(ledgerOf(facts.map(fact))).toMatchObject(then);
  });

  it('hears of each fact once', () => {
    const known = [fact({})];
    expect(unknownOf(known, [fact({}), fact({ reference: 'b' }), fact({ reference: 'b' })])).toEqual([fact({ reference: 'b' })]);
  });
});

const facts = fc.array(
  fc.record<Fact>({
    kind: fc.constantFrom('authorization', 'capture', 'void', 'refund'),
    outcome: fc.constantFrom('pending', 'succeeded', 'succeeded', 'failed'),
    amount: fc.constantFrom(10, 20, 30),
    reference: fc.constantFrom('a', 'b', 'c'),
    operationId: fc.constantFrom('one', 'two', null),
    reason: fc.constantFrom('', 'x', 'y'),
    at: fc.integer({ min: 0, max: 5 }).map(at),
  }),
  { maxLength: 12 },
).map((list) => unknownOf([], list));

const summary = (heard: readonly Fact[]) => {
  const { pending, conflicts, ...sums } = ledgerOf(heard);
  const byText = (a: Fact, b: Fact) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return { ...sums, pending: pending.toSorted(byText), conflicts: conflicts.toSorted(byText) };
};
const conclusion = (heard: readonly Fact[]) =>
  ([null, 'cancelled'] as const).map((closedAs) => stateOf({ closedAs, nextActionUrl: null, free: false }, ledgerOf(heard)));
const RUNS = { numRuns: Number(process.env['PROPERTY_RUNS'] ?? 100_000) };

describe('in any order', () => {
  it('the same facts make the same amounts and state', () => {
    fc.assert(
      fc.property(facts.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))), ([list, shuffled]) => {
        expect(summary(shuffled)).toEqual(summary(list));
        expect(conclusion(shuffled)).toEqual(conclusion(list));
      }),
      RUNS,
    );
  }, 120_000);

  it('facts heard again, in readings that overlap, change nothing', () => {
    fc.assert(
      fc.property(
        facts.chain((list) => fc.tuple(fc.constant(list), fc.array(fc.subarray(list), { maxLength: 6 }))),
        ([list, readings]) => {
          const heard = [...readings, list, ...readings].reduce<Fact[]>((known, reading) => [...known, ...unknownOf(known, reading)], []);
          expect(summary(heard)).toEqual(summary(list));
        },
      ),
      { numRuns: RUNS.numRuns / 10 },
    );
  }, 120_000);
});
