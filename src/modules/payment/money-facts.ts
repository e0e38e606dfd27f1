import type { MoneyEvent } from './contract.ts';

/** Something that happened to a payment's money, or (`pending`) that was asked of the provider. Never changed or removed. */
export interface Fact {
  kind: MoneyEvent['kind'];
  outcome: MoneyEvent['outcome'];
  amount: number;
  /** the provider's reference, or the operation's id while there is none */
  reference: string;
  /** our operation that caused it; null for what was done at the provider without us */
  operationId: string | null;
  /** why it was asked for, or why it failed */
  reason: string;
  /** provider time: what counts is when it happened, not when we heard */
  at: Date;
}

/** A fact that asks for something, with the id under which its outcome will be known. */
export interface Operation extends Fact {
  outcome: 'pending';
  operationId: string;
}

/** What the facts of one payment add up to. */
export interface Ledger {
  authorized: number;
  voided: number;
  captured: number;
  refunded: number;
  capturePending: number;
  refundPending: number;
  /** operations whose outcome is not known */
  pending: readonly Operation[];
  /** why the provider refused the authorization, when it did */
  refusal: string | null;
  /** how often it refused to give money back, or to let it go */
  refusedReturns: number;
  /** successes that name another amount than an earlier one with the same kind and reference: they do not count */
  conflicts: readonly Fact[];
}

/**
 * A function of the *set* of facts: neither the order in which they were heard nor repeats make a difference (docs/rules.md
 * B6). Facts of one kind and reference are about one movement: the newest says whether it took place, and the first
 * success says how much.
 */
export function ledgerOf(facts: readonly Fact[]): Ledger {
  const pending = facts.filter(isOperation).filter((operation) => !facts.some((fact) => settles(fact, operation)));
  const movements = [...Map.groupBy(facts.filter(({ outcome }) => outcome !== 'pending'), movementKey).values()].map(movementOf);
  const counted = (kind: Fact['kind']) => sum(movements.flatMap(({ success }) => (success?.kind === kind ? [success] : [])));
  const asked = (kind: Fact['kind']) => sum(pending.filter((operation) => operation.kind === kind));
  const refused = movements.flatMap(({ newest }) => (newest.kind === 'authorization' && newest.outcome === 'failed' ? [newest] : []));
  return {
    authorized: counted('authorization'),
    voided: counted('void'),
    captured: counted('capture'),
    refunded: counted('refund'),
    capturePending: asked('capture'),
    refundPending: asked('refund'),
    pending,
    refusal: refused.toSorted(byTime).at(-1)?.reason ?? null,
    refusedReturns: movements.filter(({ newest }) => isReturn(newest) && newest.outcome === 'failed').length,
    conflicts: movements.flatMap(({ conflicts }) => conflicts),
  };
}

/** Those of `heard` that are not among the `known`: a repeat is a no-op. */
export function unknownOf(known: readonly Fact[], heard: readonly Fact[]): Fact[] {
  const seen = new Set(known.map(identity));
  return heard.filter((fact) => {
    const id = identity(fact);
    return !seen.has(id) && seen.add(id);
  });
}

const isReturn = ({ kind }: Fact) => kind === 'refund' || kind === 'void';

const isOperation = (fact: Fact): fact is Operation => fact.outcome === 'pending' && fact.operationId !== null;

const settles = (fact: Fact, { kind, operationId }: Operation) =>
  fact.outcome !== 'pending' && fact.kind === kind && fact.operationId === operationId;

function movementOf(facts: readonly Fact[]): { newest: Fact; success: Fact | null; conflicts: Fact[] } {
  const inOrder = facts.toSorted(byTime);
  const newest = inOrder.at(-1)!;
  const successes = inOrder.filter(({ outcome }) => outcome === 'succeeded');
  return {
    newest,
    success: newest.outcome === 'succeeded' ? successes[0]! : null,
    conflicts: successes.filter(({ amount }) => amount !== successes[0]!.amount),
  };
}

/** A total order, so that nothing is left to the order of arrival. At one instant a success comes after a failure. */
const byTime = (a: Fact, b: Fact) => a.at.getTime() - b.at.getTime() || compare(rank(a), rank(b));
const rank = ({ outcome, amount, reference, reason }: Fact) =>
  JSON.stringify([outcome === 'succeeded' ? 1 : 0, String(amount).padStart(15, '0'), reference, reason]);
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const movementKey = ({ kind, reference }: Fact) => JSON.stringify([kind, reference]);
export const identity = ({ kind, reference, outcome, amount, at }: Fact) => JSON.stringify([kind, reference, outcome, amount, at.getTime()]);

const sum = (facts: readonly Fact[]) => facts.reduce((all, { amount }) => all + amount, 0);
