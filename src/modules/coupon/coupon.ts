import { conflict } from '../../shared/errors.ts';
import { bestCombination, standTogether } from './combination.ts';
import type { Basket, Discount, Quote } from './contract.ts';
import { type Applied, apply, type Goods, isApplied, reduce, sharesOf } from './discounting.ts';
import { normalizeCode, type Terms } from './promotion.ts';
import { currencyMismatch, type Refusal, refused } from './refusal.ts';

/** A promotion that may apply to a basket: brought by codes, or automatic. */
export interface Candidate {
  terms: Terms;
  /** its codes among those entered, as they were created; none: automatic */
  codes: readonly string[];
  /** uses that count towards its limits now, by anybody and by this customer */
  used: number;
  usedByCustomer: number;
}

/** A candidate with what it would take off alone, or why nothing. */
interface Offer extends Candidate {
  outcome: Applied | Refusal;
}

/**
 * What the basket gets, and what became of each entered code. The order in which codes and candidates come makes no
 * difference.
 */
export function quoteBasket(basket: Basket, candidates: readonly Candidate[], now: Date): Quote {
  const goods = goodsOf(basket);
  const offers = candidates.map((candidate): Offer => ({
    ...candidate,
    codes: candidate.codes.toSorted(bySpelling),
    outcome: closed(candidate, basket, now) ?? apply(candidate.terms, goods),
  }));
  const granted = bestCombination(offers.map(({ outcome }) => outcome).filter(isApplied), goods);
  return {
    discounts: granted.map((applied) => discountOf(applied, goods, offers)),
    codes: basket.codes.map((code) => {
      const refusal = refusalOf(code, { offers, granted, goods });
      return { code, applied: !refusal, reason: refusal?.reason ?? null, message: refusal?.message ?? '' };
    }),
  };
}

const goodsOf = ({ currency, lines, shipping }: Basket): Goods => ({
  currency,
  lines: lines.map(({ quantity, unitPrice, ...line }) => ({ ...line, amount: unitPrice * quantity })),
  shipping,
});

/** Why a promotion is not open to this basket, whatever is in it. */
function closed({ terms, used, usedByCustomer }: Candidate, basket: Basket, now: Date): Refusal | undefined {
  if (!terms.active) return refused('paused');
  if (terms.startsAt && now < terms.startsAt) return refused('not_started');
  if (terms.endsAt && now >= terms.endsAt) return refused('ended');
  if (terms.currency && terms.currency !== basket.currency) return currencyMismatch(terms.currency);
  if (terms.totalLimit !== null && used >= terms.totalLimit) return refused('limit_reached');
  if (terms.perCustomerLimit === null) return undefined;
  if (customerKey(basket) === null) return refused('customer_required');
  return usedByCustomer >= terms.perCustomerLimit ? refused('customer_limit_reached') : undefined;
}

/**
 * Whom limits per customer count: the account, or a guest's e-mail address (NFKC, lower case, without a `+tag`: those
 * reach the same mailbox everywhere; dots do so only at some providers and stay).
 */
export function customerKey({ customerId, email }: Pick<Basket, 'customerId' | 'email'>): string | null {
  if (customerId) return customerId;
  return email && `guest:${email.normalize('NFKC').trim().toLowerCase().replace(/(?<=.)\+.*(?=@)/, '')}`;
}

/** Why an entered code takes nothing off; undefined when it does. */
function refusalOf(
  code: string,
  { offers, granted, goods }: { offers: readonly Offer[]; granted: readonly Applied[]; goods: Goods },
): Refusal | undefined {
  const offer = offers.find(({ codes }) => codes.some((own) => sameCode(own, code)));
  if (!offer) return refused('unknown_code');
  const { terms, codes, outcome } = offer;
  if (!isApplied(outcome)) return outcome;
  if (!granted.some((applied) => applied.terms === terms)) return leftOut(terms, granted, goods);
  return sameCode(codes[0]!, code) ? undefined : refused('not_combinable');
}

/** Why a promotion that would take something off alone is not among those granted. */
function leftOut(terms: Terms, granted: readonly Applied[], goods: Goods): Refusal {
  if (!standTogether([...granted, { terms }])) return refused('not_combinable');
  const onItems = granted.filter((applied) => applied.terms.class === 'item');
  const outcome = apply(terms, reduce(goods, onItems));
  return isApplied(outcome) ? refused('not_combinable') : outcome;
}

/** Of several codes of one promotion, the first in the alphabet is the one that brings it. */
function discountOf(applied: Applied, { lines }: Goods, offers: readonly Offer[]): Discount {
  const { terms, amount } = applied;
  const shares = terms.class === 'shipping' ? [] : sharesOf(applied);
  return {
    promotionId: terms.id,
    name: terms.name,
    class: terms.class,
    code: offers.find((offer) => offer.terms === terms)?.codes[0] ?? null,
    amount,
    lines: shares.map((share, index) => ({ lineId: lines[index]!.lineId, amount: share })).filter((line) => line.amount > 0),
  };
}

const sameCode = (a: string, b: string) => normalizeCode(a) === normalizeCode(b);

const bySpelling = (a: string, b: string) => (normalizeCode(a) < normalizeCode(b) ? -1 : 1);

/** Throws `discount_changed`, with the new quote, when it does not give exactly these discounts. */
export function assertUnchanged(quote: Quote, discounts: readonly Discount[]): void {
  if (sameDiscounts(quote.discounts, discounts)) return;
  throw conflict('discount_changed', 'The discounts of this basket have changed in the meantime.', { quote });
}

/** The same promotions with the same shares: names and spellings do not matter, nor does the order. */
export const sameDiscounts = (some: readonly Given[], others: readonly Given[]): boolean => fingerprint(some) === fingerprint(others);

type Given = Pick<Discount, 'promotionId' | 'amount' | 'lines'>;

const fingerprint = (discounts: readonly Given[]) =>
  JSON.stringify(
    discounts.map(({ promotionId, amount, lines }) => [promotionId, amount, lines.map((line) => `${line.lineId} ${line.amount}`).toSorted()]).toSorted(),
  );
