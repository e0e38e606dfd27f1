import type { Basket, CodeReason, Coupon, Promotion, Quote } from '../modules/coupon/contract.ts';
import {
  amountsOf, basketOf, basketWith, type CouponCases, type Draft, fixed, FREE_SHIPPING, KITCHEN, newCode, onlyFor, percent, PRODUCT_1, PRODUCT_2, promote, reserve, SALE, used,
} from './coupon-goods.ts';
import { newId } from '../shared/ids.ts';
import { expectMatch, Finding } from './expectation.ts';

/** Promotions, each with a code that is entered, and what each takes off or why it does not. */
interface Example {
  promotions: Partial<Draft>[];
  /** by promotion: the sum it takes off, or the reason why nothing */
  gives: (number | CodeReason)[];
  prices?: number[];
  basket?: Partial<Basket>;
  /** the shares of the first promotion's discount, by line */
  shares?: Record<string, number>;
}

const ALL = ['item', 'order', 'shipping'] as const;
const together = { combinesWith: [...ALL] };
const item = { class: 'item' as const, ...together };
const DAY = 86_400_000;
const day = (days: number) => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

/** Baskets hold 30,000 and 20,000 won and 3,000 for shipping, unless they say otherwise. */
const EXAMPLES: Record<string, Example> = {
  'a percentage of the whole, shared by the lines': { promotions: [{}], gives: [5_000], shares: { L1: 3_000, L2: 2_000 } },
  'a percentage is rounded once, half up': { promotions: [{}], prices: [15], gives: [2] },
  'a percentage is rounded down where it says so': { promotions: [{ benefit: percent(1_000, { rounding: 'floor' }) }], prices: [19], gives: [1] },
  'a percentage is rounded over all lines together, ties to the earlier line': { promotions: [{}], prices: [333, 333], gives: [67], shares: { L1: 34, L2: 33 } },
  'a percentage is rounded to whole tens': { promotions: [{ benefit: percent(1_000, { roundTo: 10 }) }], prices: [1_450], gives: [150] },
  'a percentage is rounded down to whole hundreds': { promotions: [{ benefit: percent(1_000, { roundTo: 100, rounding: 'floor' }) }], prices: [19_900], gives: [1_900] },
  'a percentage is at most its cap': { promotions: [{ benefit: percent(1_000, { cap: 2_000 }) }], gives: [2_000], shares: { L1: 1_200, L2: 800 } },
  'a percentage without a currency is for every currency': { promotions: [{ currency: null }], basket: { currency: 'USD' }, gives: [5_000] },
  'a fixed sum, shared by the lines': { promotions: [{ benefit: fixed(7_000) }], gives: [7_000], shares: { L1: 4_200, L2: 2_800 } },
  'a fixed sum is never more than there is': { promotions: [{ benefit: fixed(90_000) }], gives: [50_000], shares: { L1: 30_000, L2: 20_000 } },
  'free shipping is the whole fee and of no line': { promotions: [{ class: 'shipping', benefit: FREE_SHIPPING, currency: null }], gives: [3_000], shares: {} },
  'items named by product': { promotions: [{ ...item, scope: onlyFor(PRODUCT_1) }], gives: [3_000], shares: { L1: 3_000 } },
  'items named by category': { promotions: [{ ...item, scope: { categoryIds: [SALE] } }], gives: [2_000], shares: { L2: 2_000 } },
  'an excluded product wins over its category': { promotions: [{ ...item, scope: { categoryIds: [KITCHEN, SALE], excludedProductIds: [PRODUCT_1] } }], gives: [2_000], shares: { L2: 2_000 } },
  'an excluded category wins over its product': { promotions: [{ ...item, scope: { ...onlyFor(PRODUCT_1, PRODUCT_2), excludedCategoryIds: [SALE] } }], gives: [3_000], shares: { L1: 3_000 } },
  'only exclusions mean everything else': { promotions: [{ scope: { excludedProductIds: [PRODUCT_2] } }], gives: [3_000], shares: { L1: 3_000 } },

  'items, then the order on what they leave, then shipping': { promotions: [item, together, { class: 'shipping', benefit: FREE_SHIPPING, ...together }], gives: [5_000, 4_500, 3_000] },
  'each line takes the largest of several item promotions': { promotions: [{ ...item, scope: onlyFor(PRODUCT_2), benefit: percent(2_000) }, item], gives: [4_000, 3_000], shares: { L2: 4_000 } },
  'item promotions that do not allow each other do not share': { promotions: [{ class: 'item', benefit: percent(2_000) }, { class: 'item' }], gives: [10_000, 'not_combinable'] },
  'both have to allow the other': { promotions: [{ ...together, benefit: percent(2_000) }, { class: 'item', combinesWith: ['shipping'] }], gives: [10_000, 'not_combinable'] },
  'of two for the order the larger one': { promotions: [together, { ...together, benefit: fixed(6_000) }], gives: ['not_combinable', 6_000] },
  'of two that are equal the higher priority': { promotions: [{}, { priority: 1 }], gives: ['not_combinable', 5_000] },
  'two together that give more than one alone': { promotions: [item, together, { benefit: fixed(9_000) }], gives: [5_000, 4_500, 'not_combinable'] },
  'one alone that gives more than two together': { promotions: [item, together, { benefit: fixed(9_600) }], gives: ['not_combinable', 'not_combinable', 9_600] },
  'an exclusive one that gives more than all others stands alone': { promotions: [{ ...together, exclusive: true, benefit: fixed(9_600) }, item, together], gives: [9_600, 'not_combinable', 'not_combinable'] },
  'an exclusive one that gives less stays out': { promotions: [{ ...together, exclusive: true, benefit: fixed(9_400) }, item, together], gives: ['not_combinable', 5_000, 4_500] },

  'a minimum that is just reached': { promotions: [{ minimumSpend: 50_000 }], gives: [5_000] },
  'a minimum that is missed by one won, shipping not counted': { promotions: [{ minimumSpend: 50_001 }], gives: ['minimum_not_reached'] },
  'a minimum looks at what item discounts leave': { promotions: [{ ...item, benefit: percent(2_000) }, { ...together, minimumSpend: 50_000 }], gives: [10_000, 'minimum_not_reached'] },
  'a minimum of an item promotion looks at what the other item discounts leave, not its own': { promotions: [{ ...item, scope: onlyFor(PRODUCT_1), benefit: percent(2_000) }, { ...item, scope: onlyFor(PRODUCT_2), minimumSpend: 44_000 }], gives: [6_000, 2_000] },
  'a minimum of an item promotion is missed by one won that another item discount took': { promotions: [{ ...item, scope: onlyFor(PRODUCT_1), benefit: percent(2_000) }, { ...item, scope: onlyFor(PRODUCT_2), minimumSpend: 44_001 }], gives: [6_000, 'minimum_not_reached'] },
  'free shipping is given from its minimum on': { promotions: [{ class: 'shipping', benefit: FREE_SHIPPING, minimumSpend: 50_001 }], gives: ['minimum_not_reached'] },

  'within its instants': { promotions: [{ startsAt: new Date(Date.now() - DAY).toISOString(), endsAt: new Date(Date.now() + DAY).toISOString() }], gives: [5_000] },
  'within its days': { promotions: [{ startsAt: day(-2), endsAt: day(2) }], gives: [5_000] },
  'before its first day': { promotions: [{ startsAt: day(2) }], gives: ['not_started'] },
  'after its last day': { promotions: [{ endsAt: day(-2) }], gives: ['ended'] },
  'after its end, told with an offset': { promotions: [{ endsAt: '2024-06-01T09:00:00+09:00' }], gives: ['ended'] },
  'while it is paused': { promotions: [{ active: false }], gives: ['paused'] },
  'in another currency': { promotions: [{}], basket: { currency: 'EUR' }, gives: ['currency_mismatch'] },
  'with nothing eligible in the basket': { promotions: [{ ...item, scope: { productIds: ['01990000-0000-7000-8000-00000000dead'] } }], gives: ['no_eligible_items'] },
  'with nothing to take it off': { promotions: [{}], prices: [0], gives: ['nothing_to_discount'] },
  'with no shipping fee to waive': { promotions: [{ class: 'shipping', benefit: FREE_SHIPPING }], basket: { shipping: 0 }, gives: ['nothing_to_discount'] },
  'limited per customer, and nobody known': { promotions: [{ perCustomerLimit: 1 }], basket: { customerId: null }, gives: ['customer_required'] },
  'limited in all, and nobody known': { promotions: [{ totalLimit: 1 }], basket: { customerId: null }, gives: [5_000] },
};

export const quoteCases: CouponCases = {
  'gives nothing by itself (pause the automatic promotions of this installation first)': async ({ service: coupon }) => expectMatch(await coupon.quote(basketOf([])), { discounts: [], codes: [] }),
  ...Object.fromEntries(Object.entries(EXAMPLES).map(([name, example]) => [name, ({ service: coupon }) => expectExample(coupon, example)]) satisfies [string, CouponCases[string]][]),

  'counts a line as often as it is bought': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    const basket = basketWith([promotion]);
    const { discounts } = await coupon.quote({ ...basket, lines: basket.lines.map((line) => ({ ...line, quantity: 3 })) });
    expectMatch(discounts, [{ amount: 15_000 }]);
  },
  'finds a code however it is written, and shows it as it was created': async ({ service: coupon }) => {
    const code = newCode();
    await promote(coupon, { codes: [code] });
    for (const entered of [code.toLowerCase(), code.replace('KIT', 'ｋｉｔ'), ` ${code} `]) {
      const quote = await coupon.quote(basketOf([entered]));
      expectMatch(quote.discounts, [{ code, amount: 5_000 }], `The answer to the code "${entered}"`);
      expectMatch(quote.codes.map((one) => ({ ...one, code: one.code.trim() })), [{ code: entered.trim(), applied: true }]);
    }
  },
  'says of a code that nobody made that it is unknown_code': async ({ service: coupon }) => {
    const code = newCode();
    expectMatch(await coupon.quote(basketOf([code])), { discounts: [], codes: [{ code, applied: false, reason: 'unknown_code' }] });
  },
  'counts two codes of one promotion as one': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { codes: [newCode(), newCode()] });
    const { discounts, codes } = await coupon.quote(basketOf(promotion.codes));
    expectMatch(discounts.map(({ amount }) => amount), [5_000]);
    expectMatch(codes.map(({ reason }) => reason).toSorted(), [null, 'not_combinable'].toSorted());
  },
  'does not depend on the order of the codes': async ({ service: coupon }) => {
    const promotions = [await promote(coupon, item), await promote(coupon, together), await promote(coupon, { benefit: fixed(9_000) })];
    const basket = basketWith(promotions);
    const forwards = await coupon.quote(basket);
    const backwards = await coupon.quote({ ...basket, codes: basket.codes.toReversed() });
    expectMatch(amountsOf(backwards.discounts, promotions), amountsOf(forwards.discounts, promotions));
    expectMatch(backwards.codes.toReversed(), forwards.codes);
  },
  'gives an automatic promotion without a code, until it is paused': async ({ service: coupon }) => {
    const scope = onlyFor(newId());
    const promotion = await promote(coupon, { codes: [], class: 'item', scope });
    const basket = basketOf([]);
    const own = { ...basket, lines: basket.lines.map((line) => ({ ...line, productId: scope.productIds![0]! })) };
    expectMatch(await coupon.quote(own), { discounts: [{ promotionId: promotion.id, code: null, amount: 5_000 }], codes: [] });
    const { version } = promotion;
    await coupon.updatePromotion({ id: promotion.id, version, draft: { name: 'Contract kit', class: 'item', benefit: percent(1_000), currency: 'KRW', scope, active: false } });
    expectMatch(await coupon.quote(own), { discounts: [], codes: [] });
  },
  'binds nothing': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1, perCustomerLimit: 1 });
    const basket = basketWith([promotion]);
    const first = await coupon.quote(basket);
    expectMatch(await coupon.quote(basket), first, 'The answer to the same basket');
    expectMatch(await used(coupon, promotion), 0, 'The number of uses');
  },
  'says limit_reached once the last use is taken': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 1 });
    await reserve(coupon, basketWith([promotion]));
    await expectReason(coupon, basketWith([promotion]), 'limit_reached');
  },
  'says customer_limit_reached to the account that has had its uses, and to no other': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { perCustomerLimit: 1 });
    const basket = basketWith([promotion]);
    await reserve(coupon, basket);
    await expectReason(coupon, basket, 'customer_limit_reached');
    await expectReason(coupon, basketWith([promotion]), null);
  },
  'knows a guest by the address, however it is written': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { perCustomerLimit: 1 });
    const guest = (email: string) => basketWith([promotion], { customerId: null, email });
    await reserve(coupon, guest('Kit@Example.com'));
    for (const same of ['kit@example.com', 'kit+again@example.com']) await expectReason(coupon, guest(same), 'customer_limit_reached');
    await expectReason(coupon, guest('another@example.com'), null);
  },
};

async function expectExample(coupon: Coupon, { promotions: drafts, gives, prices, basket: more, shares }: Example): Promise<void> {
  const promotions = await Promise.all(drafts.map((draft) => promote(coupon, draft)));
  const quote = await coupon.quote(basketWith(promotions, more, prices));
  const amounts = gives.map((one) => (typeof one === 'number' ? one : 0));
  expectMatch(amountsOf(quote.discounts, promotions), amounts, 'The sums taken off, by promotion,');
  expectMatch(quote.codes.map(({ reason }) => reason), gives.map((one) => (typeof one === 'string' ? one : null)), 'The reasons, by code,');
  if (shares) expectMatch(Object.fromEntries(quote.discounts[0]?.lines.map(({ lineId, amount }) => [lineId, amount]) ?? []), shares, 'The shares of the lines');
  expectSound(quote, promotions);
}

/** What is true of every quote. */
function expectSound({ discounts, codes }: Quote, promotions: readonly Promotion[]): void {
  for (const { promotionId, class: own, code, name, amount, lines } of discounts) {
    const promotion = promotions.find(({ id }) => id === promotionId);
    expectMatch({ class: own, code, name }, promotion && { class: promotion.class, code: promotion.codes[0], name: promotion.name }, 'A discount');
    const sum = lines.reduce((all, line) => all + line.amount, 0);
    expectMatch(sum, own === 'shipping' ? 0 : amount, 'The sum of the shares of the lines');
  }
  expectMatch(codes.map(({ code }) => code), promotions.map((promotion) => promotion.codes[0]), 'The codes, in the order they were entered,');
  const odd = codes.find(({ applied, reason, message }) => applied !== (reason === null) || applied !== (message === ''));
  if (odd) throw new Finding('A code is applied and says nothing, or it is not and says why.', { applied: false, reason: 'paused', message: 'One sentence for the shopper.' }, odd);
}

const expectReason = async (coupon: Coupon, basket: Basket, reason: CodeReason | null) =>
  expectMatch((await coupon.quote(basket)).codes, [{ applied: reason === null, reason }], 'What became of the code');
