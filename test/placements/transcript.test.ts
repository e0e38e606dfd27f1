import { describe, expect, it } from 'vitest';
import { CHOICES } from './choices.ts';
import { createNeutral, differenceBetween } from './transcript.ts';

const [one, other] = ['0197c9a0-0000-7000-8000-000000000001', '0197c9a0-0000-7000-8000-000000000002'];
const NOW = Date.parse('2026-01-01T00:00:00Z');

describe('a transcript', () => {
  it('says the same of two runs that differ in ids, instants and secrets alone', () => {
    const told = (id: string, secret: string, port: number) =>
      createNeutral(`http://127.0.0.1:${port}`, () => NOW)(`{"id":"${id}","at":"2026-01-01T00:00:0${port % 10}.000Z","secret":"${secret}","url":"http://127.0.0.1:${port}/v1/x_${id}"}`);
    const first = told(one!, `a1${'b'.repeat(41)}`, 4_001);
    expect(first).toBe('{"id":"<id 1>","at":"<now>","secret":"<secret 2>","url":"<shop>/v1/x_<id 1>"}');
    expect(told(other!, `c2${'d'.repeat(41)}`, 4_002)).toBe(first);
  });

  it('tells apart which of two ids stands where', () => {
    expect(createNeutral('http://shop', () => NOW)(`${one} ${other} ${one}`)).not.toBe(createNeutral('http://shop', () => NOW)(`${one} ${other} ${other}`));
  });

  it('tells how far an instant was from the step in which it first stood, whatever the machine took', () => {
    let now = NOW;
    const neutral = createNeutral('http://shop', () => now);
    expect(neutral('2026-01-01T00:30:41.123Z 2026-01-01T01:00:00Z 2025-12-31T23:45:02Z')).toBe('<+30m> <+60m> <-15m>');
    now += 30 * 60_000;
    expect(neutral('2026-01-01T00:30:41.123Z 2026-01-01T00:30:42.000Z')).toBe('<+30m> <now>');
  });

  it('leaves names, sums and reasons as they are', () => {
    const text = '{"reason":"coupon_not_applicable","total":39000,"number":"K-260000002","traceId":"00000000000000000000000000000033"}';
    expect(createNeutral('http://shop', () => NOW)(text)).toBe(text);
  });
});

describe('the difference between two transcripts', () => {
  const told = ['# 1. GET /me', '200', '# 2. POST /orders', '409', ' "reason": "out_of_stock"', 'span order.placeOrder'];

  it('is none when they say the same', () => {
    expect(differenceBetween(told, [...told])).toBeUndefined();
  });

  it('is shown with the request it belongs to and what comes before', () => {
    expect(differenceBetween(told, told.with(4, ' "reason": "total_changed"'))).toBe(
      ['  2. POST /orders', '    409', '  -  "reason": "out_of_stock"', '  - span order.placeOrder', '  +  "reason": "total_changed"', '  + span order.placeOrder'].join('\n'),
    );
  });

  it('is an entry too many, or one that is missing at the end', () => {
    expect(differenceBetween(told, [...told, 'span coupon.reserve'])).toContain('- (the end)\n  + span coupon.reserve');
    expect(differenceBetween(told, told.slice(0, -1))).toContain('- span order.placeOrder\n  + (the end)');
  });
});

it('there are sixty-four choices of six modules, each of them once', () => {
  expect(new Set(CHOICES.map((out) => out.join())).size).toBe(64);
  expect([CHOICES[0], CHOICES[63]!.length]).toEqual([[], 6]);
});
