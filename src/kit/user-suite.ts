import type { Session, userContract, Users } from '../modules/user/contract.ts';
import { newId } from '../shared/ids.ts';
import { addressCases } from './user-address-cases.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding, throughPages } from './expectation.ts';
import { claimsOf, enrol, expectEnded, logIn, newEmail, PASSWORD, type UserCases } from './user-people.ts';
import { type Case, reading, writing } from './suite.ts';

const unknownThings: UserCases = {
  'an account that is not there is not_found, its session has ended, and it has no addresses': async ({ service: users }) => {
    const userId = newId();
    await expectRefusal(users.getProfile({ userId }), 'not_found');
    await expectRefusal(users.checkSession({ userId, epoch: 0, sessionId: newId() }), 'session_ended');
    expectMatch(await users.listAddresses({ userId }), { addresses: [] });
    expectMatch(await users.listUsers({ email: newEmail(), limit: 10 }), { items: [], nextCursor: null });
  },
  'a cursor that it has not given is invalid_cursor': async ({ service: users }) => {
    for (const cursor of ['nonsense', '']) await expectRefusal(users.listUsers({ cursor, limit: 1 }), 'invalid_cursor');
  },
  'the keys it publishes are public, each with an id of its own': async ({ service: users }) => {
    const { keys } = await users.listSigningKeys({});
    const ids = keys.map(({ kid }) => kid);
    if (keys.length === 0 || new Set(ids).size < ids.length || keys.some((key) => 'd' in key || typeof key['kid'] !== 'string')) throw new Finding('Published are public keys (RFC 7517).', [{ kid: '…', kty: '…' }], keys);
  },
};

const enrolling: UserCases = {
  'ensureUser: makes a verified account once; a known address stays as it is': async ({ service: users }) => {
    const account = { email: newEmail(), password: PASSWORD, name: 'Kit', role: 'customer' as const };
    const outcomes = (await atOnce(10, () => users.ensureUser(account))) as Awaited<ReturnType<Users['ensureUser']>>[];
    expectMatch(outcomes.filter(({ created }) => created).length, 1, 'How many of ten made it');
    const { userId, created } = await users.ensureUser({ ...account, password: 'another-quiet-kettle', role: 'admin' });
    expectMatch(created, false, 'Whether a repeat made another one');
    expectMatch(new Set(outcomes.map((one) => one.userId)), new Set([userId]), 'Whose account each of ten was told');
    expectMatch(await users.getProfile({ userId }), { id: userId, email: account.email, emailVerified: true, name: 'Kit', role: 'customer' });
    await logIn(users, account.email);
  },
  'register: answers the same to a repeat and to ten at once, and lets nobody in before the address is proven': async ({ service: users }) => {
    const register = { email: newEmail(), password: PASSWORD, name: 'Kit' };
    for (const answer of await atOnce(10, () => users.register(register))) expectMatch(answer, {}, 'One of ten answers');
    expectMatch(await users.register(register), {});
    await expectRefusal(logIn(users, register.email), 'login_failed');
  },
  'register: answers the same for an address that somebody has proven, and changes nothing of the account': async ({ service: users }) => {
    const known = await enrol(users);
    expectMatch(await users.register({ email: known.email, password: 'another-quiet-kettle', name: 'Somebody' }), {});
    await logIn(users, known.email);
    await expectRefusal(logIn(users, known.email, 'another-quiet-kettle'), 'login_failed');
    expectMatch(await users.getProfile(known), { name: 'Kit' });
  },
  'register: refuses a password that is guessed first, the own address among them': async ({ service: users }) => {
    const email = newEmail();
    for (const password of ['password123', '1111111111', email]) await expectRefusal(users.register({ email, password, name: 'Kit' }), 'password_too_common');
  },
  'mails are asked for without telling whether there is an account; a token that nobody mailed is token_invalid': async ({ service: users }) => {
    for (const email of [newEmail(), (await enrol(users)).email]) {
      expectMatch(await expectSameAgain(() => users.resendVerification({ email })), {});
      expectMatch(await expectSameAgain(() => users.requestPasswordReset({ email })), {});
    }
    await expectRefusal(users.verifyEmail({ token: newId() }), 'token_invalid');
    await expectRefusal(users.resetPassword({ token: newId(), newPassword: PASSWORD }), 'token_invalid');
  },
};

const loggingIn: UserCases = {
  'login: gives a session whose token a published key has signed': async ({ service: users }) => {
    const { userId, email } = await enrol(users);
    const session = await logIn(users, email);
    const claims = await claimsOf(users, session);
    expectMatch(claims.sub, userId, 'Whose token it is');
    expectMatch(await users.checkSession(asked(claims)), { role: 'customer' });
  },
  'login: says the same of a wrong password and of an address that nobody has': async ({ service: users }) => {
    const { email } = await enrol(users);
    const wrong = await expectRefusal(logIn(users, email, 'not-the-right-kettle'), 'login_failed');
    const nobody = await expectRefusal(logIn(users, newEmail()), 'login_failed');
    expectMatch({ message: nobody.message, details: nobody.details }, { message: wrong.message, details: wrong.details }, 'The refusal of an address that nobody has');
  },
  'refresh: gives a new pair, also to the same device that asks again at once, all of one session': async ({ service: users }) => {
    const first = await logIn(users, (await enrol(users)).email);
    const again = (await atOnce(10, () => users.refresh({ refreshToken: first.refreshToken, device: 'kit' }))) as Session[];
    expectMatch(countsOf(again), { done: 10 }, 'What came of ten');
    const { sid } = await claimsOf(users, first);
    for (const session of again) expectMatch((await claimsOf(users, session)).sid, sid, 'The session of one of ten');
    expectMatch(new Set(again.map(({ refreshToken }) => refreshToken)).size, 10, 'How many different refresh tokens ten got');
    await users.refresh({ refreshToken: again[9]!.refreshToken, device: 'kit' });
  },
  'refresh: a used token from another device ends the whole family': async ({ service: users }) => {
    const { email } = await enrol(users);
    const [first, other] = [await logIn(users, email), await logIn(users, email)];
    const second = await users.refresh({ refreshToken: first.refreshToken, device: 'kit' });
    await expectRefusal(users.refresh({ refreshToken: first.refreshToken, device: 'thief' }), 'refresh_token_invalid');
    await expectEnded(users, second);
    await expectRefusal(users.refresh({ refreshToken: newId() }), 'refresh_token_invalid');
    await users.refresh({ refreshToken: other.refreshToken, device: 'kit' });
  },
  'logout: ends this session and no other': async ({ service: users }) => {
    const { email } = await enrol(users);
    const [session, other] = [await logIn(users, email), await logIn(users, email)];
    expectMatch(await expectSameAgain(() => users.logout(session)), {});
    await expectEnded(users, session);
    await users.checkSession(asked(await claimsOf(users, other)));
    expectMatch(await users.logout({ refreshToken: newId() }), {}, 'The answer to an unknown token');
  },
  'logoutEverywhere: ends every session': async ({ service: users }) => {
    const { userId, email } = await enrol(users);
    const sessions = [await logIn(users, email), await logIn(users, email)];
    expectMatch(await expectSameAgain(() => users.logoutEverywhere({ userId })), {});
    for (const session of sessions) await expectEnded(users, session);
    await logIn(users, email);
  },
  'changePassword: ends every other session and answers a new one': async ({ service: users }) => {
    const { userId, email } = await enrol(users);
    const before = await logIn(users, email);
    const change = (currentPassword: string, newPassword: string) => users.changePassword({ userId, currentPassword, newPassword });
    await expectRefusal(change('not-the-right-kettle', 'another-quiet-kettle'), 'password_wrong');
    await expectRefusal(change(PASSWORD, 'password123'), 'password_too_common');
    await users.checkSession(asked(await claimsOf(users, before)));
    const after = await change(PASSWORD, 'another-quiet-kettle');
    await expectEnded(users, before);
    await users.checkSession(asked(await claimsOf(users, after)));
    await expectRefusal(logIn(users, email), 'login_failed');
    await logIn(users, email, 'another-quiet-kettle');
  },
  'rotateSigningKeys: what the last key has signed stays good': async ({ service: users }) => {
    const { email } = await enrol(users);
    const before = await logIn(users, email);
    const { keyId } = await users.rotateSigningKeys({});
    const { keys } = await users.listSigningKeys({});
    if (!keys.some(({ kid }) => kid === keyId)) throw new Finding('The new key is published.', keyId, keys);
    await claimsOf(users, before);
    await claimsOf(users, await logIn(users, email));
  },
};

const accounts: UserCases = {
  'updateProfile: changes the name': async ({ service: users }) => {
    const { userId } = await enrol(users);
    expectMatch(await expectSameAgain(() => users.updateProfile({ userId, name: 'Anew' })), { id: userId, name: 'Anew' });
    expectMatch(await users.getProfile({ userId }), { name: 'Anew' });
    await expectRefusal(users.updateProfile({ userId: newId(), name: 'Anew' }), 'not_found');
  },
  'setRole: counts from the next request on; sessions that know the old role have ended': async ({ service: users }) => {
    const { userId, email } = await enrol(users);
    const before = await logIn(users, email);
    expectMatch(await expectSameAgain(() => users.setRole({ userId, role: 'staff' })), { id: userId, role: 'staff' });
    await expectRefusal(users.checkSession(asked(await claimsOf(users, before))), 'session_ended');
    const after = await logIn(users, email);
    expectMatch(await users.checkSession(asked(await claimsOf(users, after))), { role: 'staff' });
    await users.setRole({ userId, role: 'staff' });
    await users.checkSession(asked(await claimsOf(users, after)));
    await expectRefusal(users.setRole({ userId: newId(), role: 'staff' }), 'not_found');
  },
  'listUsers: gives every account once, newest first, page by page, and finds one': async ({ service: users }) => {
    const people = [await enrol(users), await enrol(users), await enrol(users)];
    const made = people.map(({ userId }) => userId);
    const found = await throughPages((page) => users.listUsers(page), ({ id }) => id, made);
    expectMatch(found.map(({ id }) => id).filter((id) => made.includes(id)), made.toReversed(), 'Who was enrolled, first one last,');
    expectMatch(await users.listUsers({ email: people[1]!.email, limit: 10 }), { items: [{ id: made[1] }], nextCursor: null });
  },
};

const asked = ({ sub, sid, epoch }: Awaited<ReturnType<typeof claimsOf>>) => ({ userId: sub, sessionId: sid, epoch });

export const userSuite: Case<typeof userContract>[] = [
  ...reading('unknown things', unknownThings),
  ...writing('becoming somebody', enrolling),
  ...writing('sessions', loggingIn),
  ...writing('accounts', accounts),
  ...writing('addresses', addressCases),
];
