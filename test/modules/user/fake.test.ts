import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userContract, type Users } from '../../../src/modules/user/contract.ts';
import { createFakeUsers } from '../../../src/modules/user/fake.ts';
import { overWire } from '../../../src/shared/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { ADDRESS, claimsOf, createUserSetup, OTHER_PASSWORD, PASSWORD, tokenIn } from './support.ts';

/** What the same steps are tried on: the real module and its fake, both behind the encoding of the wire. */
interface Subject {
  users: Users;
  clock: { now: Date };
  /** tokens mailed since the last look, oldest first; undefined for a mail without one */
  mailed(): Promise<(string | undefined)[]>;
  close(): Promise<void>;
}

async function real(): Promise<Subject> {
  const { users, context, deliver } = await createUserSetup();
  const mailed = async () => (await deliver()).map(({ text }) => (text.includes('Token:') ? tokenIn(text) : undefined));
  return { users: overWire(userContract, users), clock: context.clock, mailed, close: () => context.close() };
}

async function fake(): Promise<Subject> {
  const clock = { now: new Date('2026-03-02T03:00:00.000Z') };
  const users = createFakeUsers({ now: () => clock.now });
  const mailed = async () => users.mails.splice(0).map(({ token }) => token);
  return { users: overWire(userContract, users), clock, mailed, close: async () => undefined };
}

const reasonOf = (call: Promise<unknown>) => call.then(() => 'answered', (error: { code: string; reason: string }) => `${error.code}: ${error.reason}`);

describe.each([
  ['the module', real],
  ['its fake', fake],
])('%s', (_, create) => {
  let subject: Subject;
  let users: Users;
  beforeAll(async () => {
    subject = await create();
    users = subject.users;
  });
  afterAll(() => subject.close());

  const account = async (role: 'customer' | 'admin' = 'customer') => {
    const email = `${newId()}@example.com`;
    const { userId } = await users.ensureUser({ email, password: PASSWORD, name: 'Mina', role });
    return { email, userId };
  };
  const check = async (accessToken: string) => users.checkSession(await claimsOf(users, accessToken, subject.clock.now));

  it('registers, verifies and mails the owner of a known address instead', async () => {
    const email = `${newId()}@example.com`;
    await users.register({ email, password: PASSWORD, name: 'Mina' });
    await users.resendVerification({ email });
    const [first, second] = await subject.mailed();
    await users.verifyEmail({ token: second! });
    expect(await reasonOf(users.verifyEmail({ token: first! }))).toBe('invalid: token_invalid');
    await users.register({ email, password: OTHER_PASSWORD, name: 'Other' });
    await users.resendVerification({ email });
    expect(await subject.mailed()).toEqual([undefined]);
    expect(await reasonOf(users.register({ email, password: 'password123', name: 'Mina' }))).toBe('invalid: password_too_common');
    expect((await users.listUsers({ email, limit: 1 })).items).toMatchObject([{ email, emailVerified: true, role: 'customer' }]);
  });

  it('logs in, refreshes with grace, and ends a family whose token is reused', async () => {
    const { email } = await account();
    expect(await reasonOf(users.login({ email, password: OTHER_PASSWORD }))).toBe('unauthenticated: login_failed');
    const { refreshToken, accessToken } = await users.login({ email: email.toUpperCase(), password: PASSWORD, device: 'phone' });
    expect(await check(accessToken)).toEqual({ role: 'customer' });
    await users.refresh({ refreshToken, device: 'phone' });
    const { refreshToken: sibling } = await users.refresh({ refreshToken, device: 'phone' });
    expect(await reasonOf(users.refresh({ refreshToken, device: 'thief' }))).toBe('unauthenticated: refresh_token_invalid');
    expect(await reasonOf(users.refresh({ refreshToken: sibling, device: 'phone' }))).toBe('unauthenticated: refresh_token_invalid');
    expect(await reasonOf(check(accessToken))).toBe('unauthenticated: session_ended');
  });

  it('throttles after ten wrong passwords, for a quarter of an hour', async () => {
    const { email } = await account();
    for (let n = 0; n < 10; n += 1) await reasonOf(users.login({ email, password: OTHER_PASSWORD }));
    expect(await reasonOf(users.login({ email, password: PASSWORD }))).toBe('unauthenticated: login_failed');
    subject.clock.now = new Date(subject.clock.now.getTime() + 15 * 60_000);
    expect(await reasonOf(users.login({ email, password: PASSWORD }))).toBe('answered');
  });

  it('logs out, here and everywhere', async () => {
    const { email, userId } = await account();
    const [first, second, third] = [await users.login({ email, password: PASSWORD }), await users.login({ email, password: PASSWORD }), await users.login({ email, password: PASSWORD })];
    await users.logout({ refreshToken: first.refreshToken });
    await users.logout({ refreshToken: 'nonsense' });
    expect([await reasonOf(check(first.accessToken)), await reasonOf(check(second.accessToken))]).toEqual(['unauthenticated: session_ended', 'answered']);
    await users.logoutEverywhere({ userId });
    expect([await reasonOf(check(second.accessToken)), await reasonOf(users.refresh({ refreshToken: third.refreshToken }))]).toEqual([
      'unauthenticated: session_ended',
      'unauthenticated: refresh_token_invalid',
    ]);
    expect(await users.logoutEverywhere({ userId: newId() })).toEqual({});
  });

  it('resets and changes passwords', async () => {
    const { email, userId } = await account();
    await users.requestPasswordReset({ email: `${newId()}@example.com` });
    await users.requestPasswordReset({ email });
    const [token] = (await subject.mailed()).slice(-1);
    const session = await users.login({ email, password: PASSWORD });
    expect(await reasonOf(users.resetPassword({ token: token!, newPassword: 'password123' }))).toBe('invalid: password_too_common');
    await users.resetPassword({ token: token!, newPassword: OTHER_PASSWORD });
    expect(await reasonOf(users.resetPassword({ token: token!, newPassword: PASSWORD }))).toBe('invalid: token_invalid');
    expect(await reasonOf(check(session.accessToken))).toBe('unauthenticated: session_ended');
    expect(await reasonOf(users.changePassword({ userId, currentPassword: PASSWORD, newPassword: PASSWORD }))).toBe('invalid: password_wrong');
    const changed = await users.changePassword({ userId, currentPassword: OTHER_PASSWORD, newPassword: PASSWORD });
    expect(await check(changed.accessToken)).toEqual({ role: 'customer' });
  });

  it('keeps addresses with one default', async () => {
    const { userId } = await account();
    const [first, second] = [newId(), newId()];
    await users.addAddress({ userId, id: first, address: ADDRESS, isDefault: false });
    await users.addAddress({ userId, id: first, address: ADDRESS, isDefault: false });
    expect(await users.addAddress({ userId, id: second, address: ADDRESS, isDefault: true })).toMatchObject({ isDefault: true, version: 1 });
    expect((await users.listAddresses({ userId })).addresses).toMatchObject([{ id: second, isDefault: true }, { id: first, isDefault: false, version: 2 }]);
    const change = { userId, id: second, version: 1, address: ADDRESS, isDefault: false };
    expect(await users.updateAddress(change)).toMatchObject({ isDefault: true, version: 2 });
    expect(await reasonOf(users.updateAddress(change))).toBe('conflict: version_mismatch');
    await users.deleteAddress({ userId, id: second });
    expect(await reasonOf(users.deleteAddress({ userId, id: second }))).toBe('not_found: not_found');
    expect((await users.listAddresses({ userId })).addresses).toMatchObject([{ id: first, isDefault: true, version: 3 }]);
    const stranger = await account();
    expect(await reasonOf(users.updateAddress({ ...change, userId: stranger.userId, id: first }))).toBe('not_found: not_found');
    expect(await reasonOf(users.addAddress({ userId: newId(), id: newId(), address: ADDRESS, isDefault: true }))).toBe('not_found: not_found');
  });

  it('gives roles and keeps one administrator', async () => {
    const { items } = await users.listUsers({ limit: 100 });
    for (const { id, role } of items) if (role === 'admin') await users.setRole({ userId: id, role: 'customer' });
    const { userId, email } = await account('admin');
    const session = await users.login({ email, password: PASSWORD });
    expect(await reasonOf(users.setRole({ userId, role: 'staff' }))).toBe('conflict: last_admin');
    await account('admin');
    expect(await users.setRole({ userId, role: 'staff' })).toMatchObject({ id: userId, role: 'staff' });
    expect(await reasonOf(check(session.accessToken))).toBe('unauthenticated: session_ended');
    expect(await check((await users.refresh({ refreshToken: session.refreshToken })).accessToken)).toEqual({ role: 'staff' });
    expect(await reasonOf(users.setRole({ userId: newId(), role: 'staff' }))).toBe('not_found: not_found');
  });

  it('reads, renames and lists accounts', async () => {
    const [older, newer] = [await account(), await account()];
    const { items, nextCursor } = await users.listUsers({ limit: 1 });
    expect(items.map(({ id }) => id)).toEqual([newer.userId]);
    expect((await users.listUsers({ limit: 1, cursor: nextCursor! })).items.map(({ id }) => id)).toEqual([older.userId]);
    expect(await reasonOf(users.listUsers({ limit: 1, cursor: 'nonsense' }))).toBe('invalid: invalid_cursor');
    await users.updateProfile({ userId: older.userId, name: '한바다' });
    expect(await users.getProfile({ userId: older.userId })).toMatchObject({ name: '한바다', email: older.email, emailVerified: true });
    expect(await reasonOf(users.getProfile({ userId: newId() }))).toBe('not_found: not_found');
    expect(await users.ensureUser({ email: older.email, password: OTHER_PASSWORD, name: 'Other', role: 'admin' })).toEqual({ userId: older.userId, created: false });
  });

  it('rotates keys, and old tokens go on being good', async () => {
    const { email } = await account();
    const { accessToken } = await users.login({ email, password: PASSWORD });
    const before = (await users.listSigningKeys({})).keys.map(({ kid }) => kid);
    const { keyId } = await users.rotateSigningKeys({});
    expect(before).toContain(keyId);
    expect(await check(accessToken)).toEqual({ role: 'customer' });
    expect(await check((await users.login({ email, password: PASSWORD })).accessToken)).toEqual({ role: 'customer' });
  });
});
