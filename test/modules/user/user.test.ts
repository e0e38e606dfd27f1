import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideChangedDefault, decideNewDefault } from '../../../src/modules/user/address-book.ts';
import { COMMON_PASSWORDS } from '../../../src/modules/user/common-passwords.ts';
import { Password } from '../../../src/modules/user/contract.ts';
import { knownAddressMail, passwordResetMail, verificationMail } from '../../../src/modules/user/mails.ts';
import { judge, type PresentedToken, refreshTokenEnd, sessionEnd } from '../../../src/modules/user/session.ts';
import { assertHardToGuess, isThrottled, normalizeEmail } from '../../../src/modules/user/user.ts';
import { ADDRESS } from './support.ts';

const NOW = new Date('2026-03-02T03:00:00.000Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000);

describe('an e-mail', () => {
  it.each([
    ['  Mina@Example.COM ', 'mina@example.com'],
    ['ｍｉｎａ@example.com', 'mina@example.com'],
  ])('%s is kept as %s', (typed, kept) => expect(normalizeEmail(typed)).toBe(kept));

  it('is normalized once and for all', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (email) => {
        expect(normalizeEmail(normalizeEmail(` ${email.toUpperCase()}`))).toBe(normalizeEmail(email));
      }),
    );
  });
});

describe('a password', () => {
  it.each(['password123', 'PASSWORD123', 'ⓟassword123', 'aaaaaaaaaa', 'mina.kim.1990', 'mina.kim.1990@example.com'])('%s is refused', (password) => {
    expect(() => assertHardToGuess(password, 'mina.kim.1990@example.com')).toThrow(expect.objectContaining({ reason: 'password_too_common' }));
  });

  it.each(['a-quiet-blue-kettle', '비밀번호는길수록좋다', 'mina.kim.1991', 'aaaaaaaaab'])('%s is taken', (password) => {
    expect(() => assertHardToGuess(password, 'mina.kim.1990@example.com')).not.toThrow();
  });

  it('is looked up among common ones that the length rule would let through', () => {
    for (const common of COMMON_PASSWORDS) {
      expect(Password.safeParse(common).success, common).toBe(true);
      expect(common).toBe(common.normalize('NFKC').toLowerCase());
    }
  });
});

describe('a presented refresh token that was not fresh', () => {
  const used: PresentedToken = {
    id: 't',
    sessionId: 's',
    userId: 'u',
    epoch: 0,
    usedAt: ago(10),
    usedBy: 'phone',
    sessionEndedAt: null,
    sessionExpiresAt: ago(-3_600),
  };

  it.each<[string, Partial<PresentedToken>, string, 'repeat' | 'reuse' | 'over']>([
    ['used just now by the same device', {}, 'phone', 'repeat'],
    ['used at this instant by a process whose clock is ahead', { usedAt: ago(-1) }, 'phone', 'repeat'],
    ['used 30 seconds ago', { usedAt: ago(30) }, 'phone', 'repeat'],
    ['used longer ago', { usedAt: ago(30.001) }, 'phone', 'reuse'],
    ['used by another device', {}, 'tablet', 'reuse'],
    ['used by a device without a name, and again by one', { usedBy: '' }, '', 'repeat'],
    ['of an ended session', { sessionEndedAt: ago(5) }, 'phone', 'over'],
    ['of a session past its end', { sessionExpiresAt: NOW }, 'tablet', 'over'],
    ['past its end and never used', { usedAt: null, usedBy: null }, 'phone', 'over'],
  ])('%s', (_, change, device, verdict) => expect(judge({ ...used, ...change }, device, NOW)).toBe(verdict));

  it('never lives longer than its session', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 90 * 86_400 }), (age) => {
        const end = sessionEnd(ago(age));
        expect(refreshTokenEnd(NOW, end).getTime()).toBeLessThanOrEqual(end.getTime());
      }),
    );
  });
});

describe('the throttle', () => {
  const credentials = { id: '', email: '', emailVerifiedAt: null, name: '', role: 'customer', passwordHash: '', epoch: 0, createdAt: NOW } as const;

  it.each([
    [0, null, false],
    [9, ago(60), false],
    [10, ago(60), true],
    [500, ago(15 * 60 - 1), true],
    [500, ago(15 * 60), false],
  ])('with %i failures since %s is %s', (failures, failingSince, throttled) => {
    expect(isThrottled({ ...credentials, failures, failingSince }, NOW)).toBe(throttled);
  });
});

describe('the default address', () => {
  const known = { id: 'a', address: { ...ADDRESS, region: '', line2: '' }, isDefault: false, version: 3 };

  it.each([
    [0, false, true],
    [0, true, true],
    [1, false, false],
    [49, true, true],
  ])('with %i present and wanted %s a new one is it: %s', (present, wanted, isDefault) => expect(decideNewDefault(present, wanted)).toBe(isDefault));

  it('stays the default until another takes over', () => {
    expect(decideChangedDefault({ ...known, isDefault: true }, 3, false)).toBe(true);
    expect(decideChangedDefault(known, 3, true)).toBe(true);
    expect(decideChangedDefault(known, 3, false)).toBe(false);
  });

  it('is not decided for an absent address, another version or a full book', () => {
    expect(() => decideChangedDefault(undefined, 3, true)).toThrow(expect.objectContaining({ reason: 'not_found' }));
    expect(() => decideChangedDefault(known, 2, true)).toThrow(expect.objectContaining({ reason: 'version_mismatch' }));
    expect(() => decideNewDefault(50, true)).toThrow(expect.objectContaining({ reason: 'too_many_addresses' }));
  });
});

describe('mails', () => {
  it('carry the token, plainly and in a command', () => {
    for (const { text } of [verificationMail('http://shop.test', 'the-token'), passwordResetMail('http://shop.test', 'the-token')]) {
      expect(text).toContain('Token: the-token\n');
      expect(text).toContain('{"token":"the-token"');
    }
  });

  it('keep a command whole whatever the address is', () => {
    const { text } = knownAddressMail('http://shop.test', "o'brien@example.com");
    const body = /-d '([^']*)'/.exec(text)![1]!;
    expect(JSON.parse(body)).toEqual({ email: "o'brien@example.com" });
  });
});
