import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fact, ledgerOf, unknownOf } from '../../../src/modules/payment/money-facts.ts';
import { checkCapture, checkRefund, learn, newsOf, nextLook, type PaymentRecord, toGiveBack, toPayment } from '../../../src/modules/payment/payment.ts';

const NOW = new Date('2026-03-02T03:00:00.000Z');
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
const payment: PaymentRecord = {
  id: 'p', orderId: 'o', provider: 'sandbox', amount: { amount: 100, currency: 'KRW' }, capture: 'automatic', state: 'processing', closedAs: null,
  reference: null, readAt: null, nextActionUrl: null, declineReason: null, authorized: 0, captured: 0, refunded: 0, refundPending: 0,
  sealedToken: 'sealed', checks: 0, overdueAt: at(15), version: 1, createdAt: NOW,
};
const fact = (kind: Fact['kind'], change: Partial<Fact> = {}): Fact => ({
  kind, outcome: 'succeeded', amount: 100, reference: `${kind}-1`, operationId: 'p', reason: '', at: NOW, ...change,
});
const asked = fact('authorization', { outcome: 'pending', reference: 'p' });
const held = [asked, fact('authorization')];
const taken = [...held, fact('capture')];
const refused = [asked, fact('authorization', { outcome: 'failed', reason: 'card_declined' })];
const back = fact('refund');
const released = fact('void');
const charge = (change = {}) => ({ reference: 'ch', at: NOW, nextActionUrl: null, facts: [], ...change });
const cancelled = { ...payment, closedAs: 'cancelled' as const };
const after = (facts: Fact[], before: PaymentRecord = payment, reading: Parameters<typeof learn>[2] = null) => learn(before, ledgerOf(facts), reading);

describe('the state of a payment', () => {
  it.each<[string, Fact[], PaymentRecord, PaymentRecord['state'], PaymentRecord['closedAs']]>([
    ['asked for', [asked], payment, 'processing', null],
    ['held', held, payment, 'authorized', null],
    ['taken', taken, payment, 'captured', null],
    ['taken in part', [...held, fact('capture', { amount: 30 })], payment, 'captured', null],
    ['taken and given back', [...taken, back], payment, 'captured', null],
    ['refused', refused, payment, 'declined', 'declined'],
    ['released at the provider', [...held, released], payment, 'cancelled', 'cancelled'],
    ['cancelled while undecided', [asked], cancelled, 'processing', 'cancelled'],
    ['cancelled while held', held, cancelled, 'processing', 'cancelled'],
    ['cancelled and released', [...held, released], cancelled, 'cancelled', 'cancelled'],
    ['cancelled while taken', taken, cancelled, 'processing', 'cancelled'],
    ['cancelled and given back', [...taken, back], cancelled, 'cancelled', 'cancelled'],
    ['cancelled and given back in part', [...taken, fact('refund', { amount: 40 })], cancelled, 'processing', 'cancelled'],
    ['cancelled, then refused', refused, cancelled, 'cancelled', 'cancelled'],
    ['taken after all, having been declined', [...refused, fact('authorization', { at: at(1) }), fact('capture', { at: at(1) })], { ...payment, closedAs: 'declined' }, 'processing', 'declined'],
  ])('%s', (_, facts, before, state, closedAs) => {
    expect(after(facts, before)).toMatchObject({ state, closedAs });
  });

  it('waits for the shopper as the newest reading says, whenever that is heard', () => {
    const waiting = charge({ nextActionUrl: 'https://provider.test/step', at: at(1) });
    const done = charge({ at: at(2) });
    const inOrder = after([asked], after([asked], payment, waiting), done);
    const reversed = after([asked], after([asked], payment, done), waiting);
    expect(after([asked], payment, waiting)).toMatchObject({ state: 'requires_action', reference: 'ch' });
    expect([inOrder.state, reversed.state]).toEqual(['processing', 'processing']);
    expect(toPayment(after([asked], payment, waiting)).nextAction).toEqual({ kind: 'redirect', url: 'https://provider.test/step' });
    expect(toPayment(after(taken, payment, waiting)).nextAction).toBeNull();
  });

  it('forgets the means of payment as soon as the provider has it', () => {
    expect(after([asked]).sealedToken).toBe('sealed');
    expect(after([asked], payment, charge()).sealedToken).toBeNull();
    expect(after(refused).sealedToken).toBeNull();
  });
});

describe('what a closed payment has to give back', () => {
  it.each<[string, Fact[], PaymentRecord, object[]]>([
    ['nothing while it is open', taken, payment, []],
    ['what was taken', taken, cancelled, [{ kind: 'refund', amount: 100 }]],
    ['what was taken and is left', [...taken, fact('refund', { amount: 40 })], cancelled, [{ kind: 'refund', amount: 60 }]],
    ['what is held', held, cancelled, [{ kind: 'void', amount: 100 }]],
    ['both', [...held, fact('capture', { amount: 30 })], cancelled, [{ kind: 'void', amount: 70 }, { kind: 'refund', amount: 30 }]],
    ['nothing yet while an outcome is not known', [...taken, fact('refund', { outcome: 'pending', operationId: 'r' })], cancelled, []],
    ['nothing yet while it is undecided', [asked], cancelled, []],
    ['the step that the shopper was asked for', [asked], { ...cancelled, nextActionUrl: 'https://provider.test' }, [{ kind: 'void', amount: 100 }]],
    ['nothing when it is back', [...taken, back], cancelled, []],
  ])('%s', (_, facts, before, wanted) => {
    expect(toGiveBack(before, ledgerOf(facts))).toEqual(wanted);
  });
});

describe('what staff may ask for', () => {
  const pending = (kind: 'capture' | 'refund', amount: number) => fact(kind, { outcome: 'pending', operationId: kind, reference: kind, amount });
  it.each<[string, Fact[], PaymentRecord, number, string | null]>([
    ['all that is held', held, payment, 100, null],
    ['more than is held', held, payment, 101, 'capture_too_large'],
    ['more than is left', [...held, fact('capture', { amount: 30 })], payment, 71, 'capture_too_large'],
    ['what is being captured', [...held, pending('capture', 30)], payment, 71, 'capture_too_large'],
    ['when all was taken', taken, payment, 1, 'payment_not_capturable'],
    ['when it is undecided', [asked], payment, 1, 'payment_not_capturable'],
    ['when it was cancelled', held, cancelled, 1, 'payment_not_capturable'],
  ])('capture %s', (_, facts, before, amount, reason) => {
    expect(reasonOf(() => checkCapture(before, ledgerOf(facts), amount))).toBe(reason);
  });
  it.each<[string, Fact[], number, string | null]>([
    ['all that was taken', taken, 100, null],
    ['more than was taken', taken, 101, 'refund_too_large'],
    ['more than is left', [...taken, fact('refund', { amount: 30 })], 71, 'refund_too_large'],
    ['what is being refunded', [...taken, pending('refund', 30)], 71, 'refund_too_large'],
    ['what failed to be refunded', [...taken, pending('refund', 100), fact('refund', { outcome: 'failed', operationId: 'refund' })], 100, null],
    ['when nothing was taken', held, 1, 'refund_too_large'],
  ])('refund %s', (_, facts, amount, reason) => {
    expect(reasonOf(() => checkRefund(ledgerOf(facts), amount))).toBe(reason);
  });
});

it('is looked at less and less often while it is undecided, and not at all when nothing is left to do', () => {
  const pauses = [0, 1, 2, 8, 20].map((checks) => nextLook({ ...payment, checks }, ledgerOf([asked]), NOW).after);
  expect(pauses).toEqual([1, 2, 4, 256, 300]);
  expect(nextLook(after(taken), ledgerOf(taken), NOW)).toEqual({ checks: 0, after: null, overdueAt: null });
  const waiting = after([asked], payment, charge({ nextActionUrl: 'https://provider.test' }));
  expect(nextLook(waiting, ledgerOf([asked]), NOW).overdueAt).toBeNull();
});

it('tells each fact once', () => {
  const captured = after(taken);
  expect(newsOf(payment, after(held))).toEqual(['authorized']);
  expect(newsOf(payment, captured)).toEqual(['captured']);
  expect(newsOf(captured, after(taken, captured))).toEqual([]);
  expect(newsOf(captured, after([...taken, back], captured))).toEqual(['refunded']);
  expect(newsOf(payment, after([...taken, back], cancelled))).toEqual(['captured', 'refunded']);
  expect(newsOf(payment, after(refused))).toEqual(['declined']);
  expect(newsOf(after(refused), after(refused, after(refused)))).toEqual([]);
  expect(newsOf(cancelled, after(refused, cancelled))).toEqual([]);
});

/** The diagram in the module's README. */
const MACHINE: Record<PaymentRecord['state'], PaymentRecord['state'][]> = {
  processing: ['requires_action', 'authorized', 'captured', 'declined', 'cancelled'],
  requires_action: ['processing', 'authorized', 'captured', 'declined', 'cancelled'],
  authorized: ['captured', 'processing', 'cancelled'],
  captured: ['processing'],
  declined: [],
  cancelled: [],
};

it('whatever is heard in whatever order, and whenever it is cancelled, its states follow the diagram', () => {
  const histories = fc.constantFrom<Fact[]>(
    [refused[1]!],
    [held[1]!, released],
    [held[1]!, fact('capture'), fact('refund', { amount: 40, at: at(2) }), fact('refund', { amount: 60, reference: 'refund-2', at: at(3) })],
    [held[1]!, fact('capture', { amount: 30, at: at(1) }), fact('void', { amount: 70, at: at(2) }), fact('refund', { amount: 30, at: at(3) })],
  );
  const step = fc.oneof(fc.constant('cancel' as const), fc.nat({ max: 4 }));
  fc.assert(
    fc.property(histories, fc.array(step, { maxLength: 12 }), (history, steps) => {
      let current = payment;
      let known: Fact[] = [asked];
      for (const length of steps) {
        const before = current;
        if (length === 'cancel') current = before.closedAs ? before : { ...before, closedAs: 'cancelled', state: 'processing' };
        else {
          const facts = history.slice(0, length);
          known = [...known, ...unknownOf(known, facts)];
          current = learn(before, ledgerOf(known), charge({ at: at(length), nextActionUrl: length === 0 ? 'https://provider.test' : null, facts }));
        }
        expect([before.state, ...MACHINE[before.state]]).toContain(current.state);
      }
    }),
    { numRuns: 20_000 },
  );
});

function reasonOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return (error as { reason: string }).reason;
  }
}
