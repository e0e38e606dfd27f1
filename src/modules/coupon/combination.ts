import { type Applied, apply, benefitOf, type Goods, isApplied, merchandise, reduce, sum } from './discounting.ts';
import type { Terms } from './promotion.ts';

/**
 * Of item promotions that may stand beside each other, so many take part in the search, the strongest first: every
 * selection of them is tried (256), so the work is bounded however many promotions there are.
 */
const MAX_ITEM_PROMOTIONS_TOGETHER = 8;

/**
 * The promotions that together take the most off, out of `offers`: each as it would be alone on these goods. Depends on
 * nothing but the promotions and the goods: ties go to fewer promotions, then to higher priority, then to the lower id.
 *
 * Exclusive ones win alone, and only when they give more than the best of all the others together.
 */
export function bestCombination(offers: readonly Applied[], goods: Goods): Applied[] {
  const together = best(combinations(offers.filter(({ terms }) => !terms.exclusive), goods));
  const alone = best(offers.filter(({ terms }) => terms.exclusive).map((offer) => [offer]));
  return totalOf(alone) > totalOf(together) ? alone : together;
}

/** Item discounts first, then at most one for the order on what they leave, and at most one for shipping. */
function* combinations(offers: readonly Applied[], goods: Goods): Generator<Applied[]> {
  const ofClass = (wanted: Terms['class']) => offers.filter(({ terms }) => terms.class === wanted);
  for (const items of selections(ofClass('item'))) {
    const onItems = shareLines(items, goods);
    if (!onItems) continue;
    const reduced = reduce(goods, onItems);
    const noneOrOne = (wanted: Terms['class']) => [
      [],
      ...ofClass(wanted).map(({ terms }) => apply(terms, reduced)).filter(isApplied).map((one) => [one]),
    ];
    const onShipping = noneOrOne('shipping');
    for (const onOrder of noneOrOne('order')) {
      for (const last of onShipping) {
        const combination = [...onItems, ...onOrder, ...last];
        if (standTogether(combination)) yield combination;
      }
    }
  }
}

/** Sets of item promotions worth trying: none, each one alone, and all mixtures of those that mix. */
function selections(offers: readonly Applied[]): Applied[][] {
  const mixing = offers
    .filter(({ terms }) => terms.combinesWith.includes('item'))
    .toSorted((a, b) => b.amount - a.amount || byRank(a.terms, b.terms))
    .slice(0, MAX_ITEM_PROMOTIONS_TOGETHER);
  const solitary = offers.filter((offer) => !mixing.includes(offer));
  return [...subsets(mixing), ...solitary.map((offer) => [offer])];
}

const subsets = <T>(list: readonly T[]): T[][] =>
  list.reduce<T[][]>((sets, member) => [...sets, ...sets.map((set) => [...set, member])], [[]]);

/**
 * Gives each line to the promotion that takes the largest part off it. Undefined when one of them is left with nothing,
 * or with too little spent: a minimum is measured after the item discounts of all the others.
 */
function shareLines(offers: readonly Applied[], goods: Goods): Applied[] | undefined {
  const taken = new Set<number>();
  const applied = offers.toSorted(byRate).map(({ terms, bases }) => {
    const own = bases.map((base, index) => (taken.has(index) ? 0 : base));
    for (const [index, base] of own.entries()) if (base > 0) taken.add(index);
    return { terms, amount: benefitOf(terms.benefit, sum(own)), bases: own };
  });
  const spent = merchandise(goods) - totalOf(applied);
  const holds = applied.every(({ terms, amount }) => amount > 0 && spent + amount >= terms.minimumSpend);
  return holds ? applied : undefined;
}

/** The larger part of each sum first: on any line that both could have, that is the larger discount. */
function byRate(a: Applied, b: Applied): number {
  const [one, other] = [BigInt(a.amount) * BigInt(sum(b.bases)), BigInt(b.amount) * BigInt(sum(a.bases))];
  return one === other ? byRank(a.terms, b.terms) : one > other ? -1 : 1;
}

export const standTogether = (combination: readonly Pick<Applied, 'terms'>[]): boolean =>
  combination.every(({ terms }, index) => combination.slice(index + 1).every((other) => combine(terms, other.terms)));

/** Each must allow the other's class. */
const combine = (a: Terms, b: Terms) =>
  !a.exclusive && !b.exclusive && a.combinesWith.includes(b.class) && b.combinesWith.includes(a.class);

function best(combinations: Iterable<Applied[]>): Applied[] {
  let winner: Applied[] = [];
  for (const combination of combinations) if (byBenefit(combination, winner) < 0) winner = combination;
  return winner;
}

function byBenefit(a: readonly Applied[], b: readonly Applied[]): number {
  return totalOf(b) - totalOf(a) || a.length - b.length || byRanks(ranked(a), ranked(b));
}

const totalOf = (combination: readonly Applied[]) => sum(combination.map(({ amount }) => amount));

const ranked = (combination: readonly Applied[]) => combination.map(({ terms }) => terms).toSorted(byRank);

function byRanks(a: readonly Terms[], b: readonly Terms[]): number {
  const differing = a.findIndex((terms, index) => terms.id !== b[index]!.id);
  return differing < 0 ? 0 : byRank(a[differing]!, b[differing]!);
}

const byRank = (a: Terms, b: Terms) => b.priority - a.priority || (a.id < b.id ? -1 : Number(a.id > b.id));
