import { describe, expect, it } from 'vitest';
import { summaryOf, unseenOf } from '../../src/kit/report.ts';

const result = { about: 'the handshake', name: 'says which contract it serves', milliseconds: 1 };
const summary = (suite: boolean, left: number) => summaryOf([result], unseenOf('gift', { suite, left }));

describe('the summary', () => {
  it('says no more than that all is well where all was looked at', () => {
    expect(summary(true, 0)).toBe('✓ 1 case, all as the contract says.');
  });

  it('says what was not looked at', () => {
    expect(summary(false, 0)).toBe('✓ 1 case, all as the contract says. Only the protocol is looked at: there is no suite for gift.');
    expect(summary(true, 9)).toBe('✓ 1 case, all as the contract says. What it does is not looked at: 9 cases that write test data are left out (--writes).');
  });

  it('says first what is wrong', () => {
    expect(summaryOf([{ ...result, failure: { sentence: 'No.' } }], ' Much was left out.')).toBe('✗ 1 of 1 case not as the contract says.');
  });
});
