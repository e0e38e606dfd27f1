import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUserService } from '../../../src/modules/user/user-service.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createUserSetup, move, OTHER_PASSWORD, PASSWORD } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
beforeAll(async () => {
  setup = await createUserSetup();
});
afterAll(() => setup.context.close());

const ended = { code: 'unauthenticated', reason: 'session_ended' };
const refused = { code: 'unauthenticated', reason: 'refresh_token_invalid' };
const login = async (device = 'phone') => {
  const account = await setup.account();
  return { ...account, ...(await setup.users.login({ email: account.email, password: PASSWORD, device })) };
};
const check = async (accessToken: string) => setup.users.checkSession(await setup.claims(accessToken));
const refresh = (refreshToken: string, device = 'phone') => setup.users.refresh({ refreshToken, device });
const atOnce = async <T>(count: number, call: () => Promise<T>) => {
  const answers = await Promise.allSettled(Array.from({ length: count }, call));
  return {
    given: answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])),
    reasons: answers.flatMap((answer) => (answer.status === 'rejected' ? [(answer.reason as { reason: string }).reason] : [])),
  };
};

describe('logging in', () => {
  it('answers a session that stands, and tells who came with which cart', async () => {
    const { email, userId } = await setup.account('staff');
    const cartId = newId();
    const session = await setup.users.login({ email: email.toUpperCase(), password: PASSWORD, cartId });
    expect(session).toMatchObject({ expiresIn: 600, tokenType: 'Bearer' });
    expect(await check(session.accessToken)).toEqual({ role: 'staff' });
    expect(setup.context.published.at(-1)).toEqual({ type: 'user.logged_in', data: { userId, cartId } });
  });

  it('answers a wrong password and an unknown address alike, with the same computations and statements', async () => {
    const { email } = await setup.account();
    const attempt = async (address: string) => {
      const before = setup.hasher.counter.computations;
      let error: unknown;
      const statements = await setup.statementsOf(async () => {
        error = await setup.users.login({ email: address, password: OTHER_PASSWORD }).catch((refusal: unknown) => refusal);
      });
      return { error, statements, computations: setup.hasher.counter.computations - before };
    };
    const wrong = await attempt(email);
    expect(await attempt(`${newId()}@example.com`)).toEqual(wrong);
    expect(wrong).toMatchObject({ computations: 1, error: { code: 'unauthenticated', reason: 'login_failed' } });
  });

  it('after ten wrong passwords refuses the right one too, with the same work, until 15 minutes have passed', async () => {
    const { email } = await setup.account();
    const wrong = { email, password: OTHER_PASSWORD };
    expect((await atOnce(10, () => setup.users.login(wrong))).reasons).toEqual(Array.from({ length: 10 }, () => 'login_failed'));
    const before = setup.hasher.counter.computations;
    const refusal = async (password: string) =>
      setup.statementsOf(() => expect(setup.users.login({ email, password })).rejects.toMatchObject({ reason: 'login_failed' }));
    expect(await refusal(PASSWORD)).toEqual(await refusal(OTHER_PASSWORD));
    expect(setup.hasher.counter.computations - before).toBe(2);
    move(setup.context, 15 * 60);
    await expect(setup.users.login({ email, password: PASSWORD })).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('does not let the right password through among many guesses sent at once', async () => {
    const { email } = await setup.account();
    const guesses = [...Array.from({ length: 20 }, () => OTHER_PASSWORD), PASSWORD];
    const answers = await Promise.allSettled(guesses.map((password) => setup.users.login({ email, password })));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['rejected']));
  });

  it('forgets failures after a success, and lets many right logins in at once', async () => {
    const { email } = await setup.account();
    for (let round = 0; round < 2; round += 1) {
      await atOnce(9, () => setup.users.login({ email, password: OTHER_PASSWORD }));
      await setup.users.login({ email, password: PASSWORD });
    }
    expect((await atOnce(15, () => setup.users.login({ email, password: PASSWORD }))).given).toHaveLength(15);
  });

  it('refuses a password that was changed while it was being checked', async () => {
    const { email, userId } = await setup.account();
    const [checked, changed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = createUserService(setup.context, {
      ...setup.hasher,
      async verify(password, hash) {
        const matches = await setup.hasher.verify(password, hash);
        checked.resolve();
        await changed.promise;
        return matches;
      },
    });
    const login = slow.login({ email, password: PASSWORD }).catch((error: unknown) => error);
    await checked.promise;
    await setup.users.changePassword({ userId, currentPassword: PASSWORD, newPassword: OTHER_PASSWORD });
    changed.resolve();
    expect(await login).toMatchObject({ reason: 'login_failed' });
  });
});

describe('refreshing', () => {
  it('answers a new pair of the same session', async () => {
    const first = await login();
    const second = await refresh(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect((await setup.claims(second.accessToken)).sessionId).toBe((await setup.claims(first.accessToken)).sessionId);
    await expect(refresh(second.refreshToken)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('gives each of many parallel refreshes by the same device a pair that goes on', async () => {
    const { refreshToken } = await login();
    const { given } = await atOnce(20, () => refresh(refreshToken));
    expect(new Set(given.map((session) => session.refreshToken)).size).toBe(20);
    const next = await Promise.all(given.map((session) => refresh(session.refreshToken)));
    for (const { accessToken } of next) await expect(check(accessToken)).resolves.toEqual({ role: 'customer' });
  });

  it('ends the whole family when another device uses a token again, even at once', async () => {
    const session = await login();
    const successor = await refresh(session.refreshToken);
    await expect(refresh(session.refreshToken, 'thief')).rejects.toMatchObject(refused);
    await expect(refresh(successor.refreshToken)).rejects.toMatchObject(refused);
    await expect(check(successor.accessToken)).rejects.toMatchObject(ended);
    await expect(check(session.accessToken)).rejects.toMatchObject(ended);
  });

  it('gives at most one side anything when two devices race with one token, and ends the family', async () => {
    const { refreshToken } = await login();
    const answers = await Promise.allSettled(['phone', 'thief'].map((device) => refresh(refreshToken, device)));
    const winner = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    expect(winner).toHaveLength(1);
    await expect(check(winner[0]!.accessToken)).rejects.toMatchObject(ended);
  });

  it('ends the whole family when a token is used again after 30 seconds, by the same device too', async () => {
    const session = await login();
    const successor = await refresh(session.refreshToken);
    move(setup.context, 30);
    const sibling = await refresh(session.refreshToken);
    move(setup.context, 1);
    await expect(refresh(session.refreshToken)).rejects.toMatchObject(refused);
    await expect(refresh(successor.refreshToken)).rejects.toMatchObject(refused);
    await expect(refresh(sibling.refreshToken)).rejects.toMatchObject(refused);
  });

  it('leaves other sessions of the account alone when a family ends', async () => {
    const first = await login();
    const other = await setup.users.login({ email: first.email, password: PASSWORD });
    await refresh(first.refreshToken);
    await expect(refresh(first.refreshToken, 'thief')).rejects.toMatchObject(refused);
    await expect(check(other.accessToken)).resolves.toEqual({ role: 'customer' });
  });

  it('takes a token for 30 days unless it is used, and a session for 90 in all', async () => {
    const { refreshToken } = await login();
    let current = refreshToken;
    for (let month = 0; month < 3; month += 1) {
      move(setup.context, 29 * 86_400);
      current = (await refresh(current)).refreshToken;
    }
    move(setup.context, 3 * 86_400);
    await expect(refresh(current)).rejects.toMatchObject(refused);
    const idle = await login();
    move(setup.context, 30 * 86_400);
    await expect(refresh(idle.refreshToken)).rejects.toMatchObject(refused);
  });

  it('refuses what never was a token', async () => {
    await expect(refresh('nonsense')).rejects.toMatchObject(refused);
  });
});

describe('ending', () => {
  it('ends the session of a refresh token on logout, also of a used one, and does not mind an unknown one', async () => {
    const session = await login();
    const successor = await refresh(session.refreshToken);
    await setup.users.logout({ refreshToken: session.refreshToken });
    await expect(check(successor.accessToken)).rejects.toMatchObject(ended);
    await expect(refresh(successor.refreshToken)).rejects.toMatchObject(refused);
    expect(await setup.users.logout({ refreshToken: session.refreshToken })).toEqual({});
    expect(await setup.users.logout({ refreshToken: 'nonsense' })).toEqual({});
  });

  it('ends everything on logout everywhere, and nothing of anybody else', async () => {
    const [session, stranger] = [await login(), await login()];
    const second = await setup.users.login({ email: session.email, password: PASSWORD });
    await setup.users.logoutEverywhere({ userId: session.userId });
    await setup.users.logoutEverywhere({ userId: session.userId });
    for (const { accessToken, refreshToken } of [session, second]) {
      await expect(check(accessToken)).rejects.toMatchObject(ended);
      await expect(refresh(refreshToken, 'phone')).rejects.toMatchObject(refused);
    }
    await expect(check(stranger.accessToken)).resolves.toEqual({ role: 'customer' });
  });

  it('refuses a session with another account’s id', async () => {
    const [mine, theirs] = [await setup.claims((await login()).accessToken), await setup.claims((await login()).accessToken)];
    await expect(setup.users.checkSession({ ...mine, sessionId: theirs.sessionId })).rejects.toMatchObject(ended);
  });

  it('ends access tokens when the role changes; the next refresh has the new one', async () => {
    const session = await login();
    await setup.users.setRole({ userId: session.userId, role: 'staff' });
    await expect(check(session.accessToken)).rejects.toMatchObject(ended);
    const { accessToken } = await refresh(session.refreshToken);
    await expect(check(accessToken)).resolves.toEqual({ role: 'staff' });
    await setup.users.setRole({ userId: session.userId, role: 'staff' });
    await expect(check(accessToken), 'the same role again changes nothing').resolves.toEqual({ role: 'staff' });
  });

  it('tidies up what has ended and keeps what lives', async () => {
    const [over, live] = [await login(), await login()];
    await setup.users.logout({ refreshToken: over.refreshToken });
    await setup.background.sweeps![0]!.run();
    const { sessionId } = await setup.claims(over.accessToken);
    expect(await setup.context.db('sessions').where({ id: sessionId })).toEqual([]);
    expect(await setup.context.db('refresh_tokens').where({ session_id: sessionId })).toEqual([]);
    await expect(refresh(live.refreshToken)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });
});
