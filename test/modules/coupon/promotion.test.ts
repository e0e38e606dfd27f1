import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PromotionDraft } from '../../../src/modules/coupon/contract.ts';
import { assertConsistent, normalizeCode, windowOf } from '../../../src/modules/coupon/promotion.ts';
import { startOfDay } from '../../../src/modules/coupon/shop-days.ts';

describe('two spellings of a code', () => {
  it.each([
    ['case', 'Welcome10', 'WELCOME10'],
    ['spaces around', '  welcome10\u3000', 'WELCOME10'],
    ['full width', 'ｗｅｌｃｏｍｅ１０', 'WELCOME10'],
    ['composed and decomposed', 'cafe\u0301', 'CAFÉ'],
    ['Hangul in jamo', '\u1112\u1161\u11ab글', '한글'],
    ['ligatures', 'ﬁve', 'FIVE'],
  ])('are one: %s', (_, typed, normalized) => {
    expect(normalizeCode(typed)).toBe(normalized);
  });

  it('are the same however often they are normalized', () => {
    const anyCode = fc.string({ unit: 'grapheme' });
    const property = fc.property(anyCode, (code) => {
      expect(normalizeCode(normalizeCode(code))).toBe(normalizeCode(code));
    });
    fc.assert(property, { numRuns: 5_000 });
  });
});

describe('the window', () => {
  const window = (startsAt: string | null, endsAt: string | null, timeZone = 'Asia/Seoul') => {
    const { startsAt: from, endsAt: until } = windowOf({ startsAt, endsAt }, timeZone);
    return [from?.toISOString() ?? null, until?.toISOString() ?? null];
  };

  it.each([
    ['is open without dates', null, null, [null, null]],
    ['begins with its first day and ends with the end of its last, in the shop’s zone', '2026-03-01', '2026-03-31', ['2026-02-28T15:00:00.000Z', '2026-03-31T15:00:00.000Z']],
    ['may be a single day', '2026-12-31', '2026-12-31', ['2026-12-30T15:00:00.000Z', '2026-12-31T15:00:00.000Z']],
    ['takes instants as they are', '2026-03-01T09:30:00+09:00', '2026-03-01T01:00:00Z', ['2026-03-01T00:30:00.000Z', '2026-03-01T01:00:00.000Z']],
  ])('%s', (_, from, until, expected) => {
    expect(window(from, until)).toEqual(expected);
  });

  it.each([
    ['in summer time', '2026-07-01', 'America/New_York', '2026-07-01T04:00:00.000Z'],
    ['in winter time', '2026-01-01', 'America/New_York', '2026-01-01T05:00:00.000Z'],
    ['on the day the clocks go forward', '2026-03-08', 'America/New_York', '2026-03-08T05:00:00.000Z'],
    ['on the day after', '2026-03-09', 'America/New_York', '2026-03-09T04:00:00.000Z'],
    ['on the day they go back', '2026-11-01', 'America/New_York', '2026-11-01T04:00:00.000Z'],
    ['on the day after that', '2026-11-02', 'America/New_York', '2026-11-02T05:00:00.000Z'],
    ['when there is no midnight', '2024-03-31', 'Asia/Beirut', '2024-03-30T22:00:00.000Z'],
    ['when there are two midnights', '2024-11-03', 'America/Havana', '2024-11-03T04:00:00.000Z'],
    ['when midnight was left just before it', '2018-02-18', 'America/Sao_Paulo', '2018-02-18T03:00:00.000Z'],
    ['on a day that was left out', '2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
    ['half an hour off', '2026-03-02', 'Asia/Kolkata', '2026-03-01T18:30:00.000Z'],
  ])('finds the start of a day %s', (_, day, timeZone, instant) => {
    expect(startOfDay(day, timeZone).toISOString()).toBe(instant);
  });

  it('ends a day where the next one starts, in every zone', () => {
    const day = fc.date({ min: new Date('2000-01-01'), max: new Date('2037-12-31'), noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10));
    const zone = fc.constantFrom('Asia/Seoul', 'Europe/Berlin', 'America/Havana', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Chatham', 'Africa/Casablanca');
    fc.assert(
      fc.property(day, zone, (date, timeZone) => {
        const [start, end] = [startOfDay(date, timeZone), startOfDay(date, timeZone, 1)];
        const shown = (instant: number) => new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(instant);
        expect([shown(start.getTime()), shown(end.getTime() - 1)]).toEqual([date, date]);
        expect(shown(start.getTime() - 1) < date && shown(end.getTime()) > date).toBe(true);
      }),
    );
  });
});

describe('a draft', () => {
  const check = (more: object) => {
    const draft = PromotionDraft.parse({ name: 'Test', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, ...more });
    assertConsistent(draft, windowOf(draft, 'Asia/Seoul'));
  };
  const freeShipping = { class: 'shipping', benefit: { kind: 'free_shipping' } };

  it.each([
    ['a percentage in every currency', {}],
    ['free shipping in every currency', freeShipping],
    ['a fixed sum in won', { benefit: { kind: 'fixed', amount: 5_000 }, currency: 'KRW' }],
    ['one day', { startsAt: '2026-12-31', endsAt: '2026-12-31' }],
  ])('may be %s', (_, more) => {
    expect(() => check(more)).not.toThrow();
  });

  it.each([
    ['class shipping with a percentage', { class: 'shipping' }, ['class']],
    ['free shipping in class order', { benefit: { kind: 'free_shipping' } }, ['class']],
    ['a fixed sum without a currency', { benefit: { kind: 'fixed', amount: 5_000 } }, ['currency']],
    ['a cap without a currency', { benefit: { kind: 'percent', basisPoints: 1_000, cap: 1 } }, ['currency']],
    ['a minimum spend without a currency', { ...freeShipping, minimumSpend: 1 }, ['currency']],
    ['an end before its start', { startsAt: '2026-03-02', endsAt: '2026-03-01' }, ['endsAt']],
    ['an end at its start', { startsAt: '2026-03-02', endsAt: '2026-03-02T00:00:00+09:00' }, ['endsAt']],
    ['a code twice', { codes: ['A', 'B', ' ａ'] }, ['codes.2']],
    ['everything at once', { class: 'shipping', minimumSpend: 1, codes: ['A', 'a'] }, ['class', 'currency', 'codes.1']],
  ])('may not be %s', (_, more, paths) => {
    expect(() => check(more)).toThrow(
      expect.objectContaining({
        reason: 'promotion_inconsistent',
        details: { errors: paths.map((path) => ({ path, message: expect.stringMatching(/\.$/) })) },
      }),
    );
  });
});
