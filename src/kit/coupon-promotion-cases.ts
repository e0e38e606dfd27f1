import type { Coupon } from '../modules/coupon/contract.ts';
import { newId } from '../shared/ids.ts';
import { basketWith, type CouponCases, type Draft, draftOf, fixed, FREE_SHIPPING, newCode, percent, promote, reserve, used } from './coupon-goods.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding, throughPages } from './expectation.ts';

const NOTHING_SAID = {
  scope: { productIds: [], categoryIds: [], excludedProductIds: [], excludedCategoryIds: [] },
  minimumSpend: 0, startsAt: null, endsAt: null, totalLimit: null, perCustomerLimit: null, combinesWith: [], exclusive: false, priority: 0, active: true, used: 0,
};

const CONTRADICTIONS: Record<string, Partial<Draft>> = {
  'class shipping with a percentage': { class: 'shipping' },
  'free shipping in another class': { benefit: FREE_SHIPPING },
  'a fixed sum without a currency': { benefit: fixed(1_000), currency: null },
  'a cap without a currency': { benefit: percent(1_000, { cap: 1_000 }), currency: null },
  'a minimum without a currency': { minimumSpend: 1_000, currency: null },
  'an end before its start': { startsAt: '2030-01-02', endsAt: '2030-01-01' },
};

export const creatingCases: CouponCases = {
  'answers what was written, with what nobody said filled in': async ({ service: coupon }) => {
    const id = newId();
    const draft = draftOf();
    const promotion = await coupon.createPromotion({ id, draft });
    expectMatch(promotion, { ...NOTHING_SAID, ...draft, id, benefit: { kind: 'percent', basisPoints: 1_000, cap: null, roundTo: 1, rounding: 'half_up' } });
    expectMatch(await coupon.getPromotion({ id }), promotion, 'The promotion, read again,');
  },
  'answers the first one to a repeat, also with another draft and ten at once': async ({ service: coupon }) => {
    const [id, draft] = [newId(), draftOf()];
    const first = await expectSameAgain(() => coupon.createPromotion({ id, draft }));
    expectMatch(await coupon.createPromotion({ id, draft: draftOf({ name: 'Another' }) }), first, 'The answer to another draft under the same id');
  },
  'makes one of ten that come at once': async ({ service: coupon }) => {
    const [id, draft] = [newId(), draftOf()];
    const [first, ...others] = await atOnce(10, () => coupon.createPromotion({ id, draft }));
    for (const other of others) expectMatch(other, first, 'One of ten answers');
    const { items } = await coupon.listPromotions({ code: draft.codes![0]!, limit: 10 });
    expectMatch(items.map((one) => one.id), [id], 'The promotions of the code');
  },
  'refuses a code of another promotion, however it is written, and keeps nothing': async ({ service: coupon }) => {
    const [code, id] = [newCode(), newId()];
    await promote(coupon, { codes: [code] });
    const { details } = await expectRefusal(coupon.createPromotion({ id, draft: draftOf({ codes: [newCode(), code.toLowerCase()] }) }), 'code_taken');
    expectMatch((details as { codes?: string[] } | undefined)?.codes?.map((one) => one.toUpperCase()), [code], 'The details');
    await expectRefusal(coupon.getPromotion({ id }), 'not_found');
  },
  'gives a code that ten want at once to one': async ({ service: coupon }) => {
    const codes = [newCode()];
    const outcomes = await atOnce(10, () => promote(coupon, { codes }));
    expectMatch(countsOf(outcomes), { done: 1, code_taken: 9 }, 'What came of ten');
  },
  'refuses what contradicts itself, and says where': async ({ service: coupon }) => {
    for (const [what, draft] of Object.entries(CONTRADICTIONS)) {
      const { details } = await expectRefusal(promote(coupon, draft), 'promotion_inconsistent');
      const errors = (details as { errors?: { path?: unknown; message?: unknown }[] } | undefined)?.errors;
      if (!errors?.length || errors.some(({ path, message }) => typeof path !== 'string' || typeof message !== 'string')) throw new Finding(`The details name what contradicts itself (${what}).`, { errors: [{ path: 'class', message: '…' }] }, details);
    }
  },
  'ignores a field that it does not know, but not inside of a draft': async ({ service: coupon, ...wire }) => {
    const input = { id: newId(), draft: draftOf(), addedLater: true };
    await coupon.createPromotion(input);
    await wire.expectRefused({ path: 'createPromotion', body: JSON.stringify({ id: newId(), draft: { ...draftOf(), addedLater: true } }) }, 'contract_violation');
  },
  'does nothing when the caller has no time left': async ({ service: coupon, ...wire }) => {
    const id = newId();
    await wire.expectRefused({ path: 'createPromotion', body: JSON.stringify({ id, draft: draftOf() }), timeout: 0 }, 'deadline_exceeded');
    await expectRefusal(coupon.getPromotion({ id }), 'not_found');
  },
};

export const updatingCases: CouponCases = {
  'replaces the promotion, whose version grows': async ({ service: coupon }) => {
    const before = await promote(coupon, { minimumSpend: 1_000 });
    const draft = draftOf({ name: 'Anew', codes: [newCode()] });
    const after = await coupon.updatePromotion({ id: before.id, version: before.version, draft });
    expectMatch(after, { ...NOTHING_SAID, id: before.id, name: 'Anew', codes: draft.codes, createdAt: before.createdAt });
    if (after.version <= before.version) throw new Finding('The version grows with each change.', `more than ${before.version}`, after.version);
    expectMatch(await coupon.getPromotion({ id: before.id }), after, 'The promotion, read again,');
    expectMatch((await coupon.quote(basketWith([before]))).codes, [{ reason: 'unknown_code' }], 'The code it had before');
  },
  'refuses another version than the current one, and changes nothing': async ({ service: coupon }) => {
    const before = await promote(coupon);
    const now = await update(coupon, before, { codes: before.codes });
    await expectRefusal(update(coupon, before, { codes: before.codes, name: 'Too late' }), 'version_mismatch');
    expectMatch(await coupon.getPromotion({ id: before.id }), now);
  },
  'lets one of ten changes of the same version through': async ({ service: coupon }) => {
    const before = await promote(coupon);
    const outcomes = await atOnce(10, (index) => update(coupon, before, { codes: before.codes, name: `Change ${index}` }));
    expectMatch(countsOf(outcomes), { done: 1, version_mismatch: 9 }, 'What came of ten');
  },
  'refuses a promotion that is not there': async ({ service: coupon }) => {
    await expectRefusal(coupon.updatePromotion({ id: newId(), version: 1, draft: draftOf() }), 'not_found');
    await expectRefusal(coupon.getPromotion({ id: newId() }), 'not_found');
  },
  'refuses a code of another promotion, and gives free the codes that are taken off': async ({ service: coupon }) => {
    const [one, other] = [await promote(coupon), await promote(coupon)];
    await expectRefusal(update(coupon, one, { codes: [...one.codes, ...other.codes] }), 'code_taken');
    await update(coupon, other, { codes: [newCode()] });
    await update(coupon, one, { codes: [...one.codes, ...other.codes] });
  },
  'refuses what contradicts itself, and taking the last code off an active one': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    await expectRefusal(update(coupon, promotion, { codes: [] }), 'promotion_inconsistent');
    await expectRefusal(update(coupon, promotion, { codes: promotion.codes, class: 'shipping' }), 'promotion_inconsistent');
  },
  'takes back nothing that was granted when the limit falls below it': async ({ service: coupon }) => {
    const promotion = await promote(coupon, { totalLimit: 5 });
    for (let uses = 0; uses < 2; uses += 1) await reserve(coupon, basketWith([promotion]));
    await update(coupon, promotion, { codes: promotion.codes, totalLimit: 1 });
    expectMatch(await used(coupon, promotion), 2, 'The number of uses');
    expectMatch((await coupon.quote(basketWith([promotion]))).codes, [{ reason: 'limit_reached' }], 'What became of the code');
  },
};

export const listingCases: CouponCases = {
  'gives every promotion once, newest first, page by page': async ({ service: coupon }) => {
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.push((await promote(coupon)).id);
    const found = await throughPages((page) => coupon.listPromotions(page), ({ id }) => id, made);
    expectMatch(found.map(({ id }) => id).filter((id) => made.includes(id)), made.toReversed(), 'What was made, oldest last,');
    expectMatch(found.map(({ createdAt }) => createdAt), found.map(({ createdAt }) => createdAt).toSorted().toReversed(), 'The order of the pages');
  },
  'finds the promotion that a code belongs to, however it is written': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    const { items, nextCursor } = await coupon.listPromotions({ code: promotion.codes[0]!.toLowerCase(), limit: 1 });
    expectMatch({ items, nextCursor }, { items: [promotion], nextCursor: null });
    expectMatch(await coupon.listPromotions({ code: newCode(), limit: 10 }), { items: [], nextCursor: null });
  },
  'refuses a cursor that it has not given': async ({ service: coupon }) => {
    for (const cursor of ['nonsense', '', Buffer.from('["2026-01-01",7]').toString('base64url')]) await expectRefusal(coupon.listPromotions({ cursor, limit: 1 }), 'invalid_cursor');
  },
};

export const auditCases: CouponCases = {
  'answers what each order has used up, from the order that is asked for on': async ({ service: coupon }) => {
    const promotion = await promote(coupon);
    const [first, second] = [await reserve(coupon, basketWith([promotion])), await reserve(coupon, basketWith([promotion]))].toSorted() as [string, string];
    await coupon.release({ orderId: second });
    const factsOf = (orderId: string, state: string) => ({ orderId, redemptions: [{ promotionId: promotion.id, code: promotion.codes[0], amount: 5_000, state }] });
    const { items } = await coupon.audit({ from: first, limit: 1_000 });
    expectMatch(items.filter(({ orderId }) => [first, second].includes(orderId)), [factsOf(first, 'reserved'), factsOf(second, 'released')], 'What is said of the two orders');
    expectMatch((await coupon.audit({ from: first, limit: 1 })).items, [factsOf(first, 'reserved')], 'A page of one');
  },
};

const update = (coupon: Coupon, { id, version }: { id: string; version: number }, draft: Partial<Draft>) => coupon.updatePromotion({ id, version, draft: draftOf(draft) });
