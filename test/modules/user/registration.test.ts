import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { createUserSetup, move, OTHER_PASSWORD, PASSWORD, tokenIn } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
beforeAll(async () => {
  setup = await createUserSetup();
});
afterAll(() => setup.context.close());

const fresh = () => ({ email: `${newId()}@example.com`, password: PASSWORD, name: '김미나' });

describe('registering', () => {
  const verify = async () => setup.users.verifyEmail({ token: tokenIn((await setup.deliver()).at(-1)!.text) });

  it('makes an account that may log in once the mailed token has proven its address', async () => {
    const account = fresh();
    expect(await setup.users.register(account)).toEqual({});
    const [mail] = await setup.deliver();
    expect(mail).toMatchObject({ to: account.email, subject: expect.stringMatching(/확인.*confirm/) });
    expect(mail!.text).toContain(`curl -X POST http://shop.test/v1/auth/verify -H 'content-type: application/json' -d '{"token":"${tokenIn(mail!.text)}"}'`);
    expect(mail!.text, 'a stranger may have chosen the name').not.toContain(account.name);
    await expect(setup.users.login(account)).rejects.toMatchObject({ reason: 'login_failed' });
    await setup.users.verifyEmail({ token: tokenIn(mail!.text) });
    const { userId } = await setup.claims((await setup.users.login(account)).accessToken);
    expect(await setup.users.getProfile({ userId })).toMatchObject({ email: account.email, emailVerified: true, role: 'customer' });
  });

  it('tells nobody by logging in with what was just registered whether there was an account', async () => {
    const { email } = await setup.account();
    const guess = { password: OTHER_PASSWORD, name: 'A stranger' };
    for (const address of [email, `${newId()}@example.com`]) {
      await setup.users.register({ ...guess, email: address });
      await expect(setup.users.login({ ...guess, email: address })).rejects.toMatchObject({ reason: 'login_failed' });
    }
    await setup.deliver();
  });

  it('answers the same for a known address, with the same work, and tells its owner by mail', async () => {
    const account = fresh();
    const work = async () => {
      const before = { computations: setup.hasher.counter.computations, jobs: setup.context.enqueued.length };
      const statements = await setup.statementsOf(() => setup.users.register({ ...account, password: OTHER_PASSWORD, name: 'Somebody else' }));
      return { computations: setup.hasher.counter.computations - before.computations, jobs: setup.context.enqueued.length - before.jobs, statements };
    };
    const first = await work();
    await verify();
    const second = await work();
    expect(second).toEqual(first);
    expect(first.computations).toBe(1);
    const [mail] = await setup.deliver();
    expect(mail).toMatchObject({ to: account.email, subject: expect.stringContaining('already have an account') });
    expect(mail!.text).not.toContain('Token');
  });

  it('changes nothing about a proven account that is registered again', async () => {
    const account = fresh();
    await setup.users.register(account);
    await verify();
    await setup.users.register({ ...account, password: OTHER_PASSWORD });
    await expect(setup.users.login({ ...account, password: OTHER_PASSWORD })).rejects.toMatchObject({ reason: 'login_failed' });
    await expect(setup.users.login(account)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('starts over when an unproven address is registered again: whoever squatted on it has nothing', async () => {
    const account = fresh();
    await setup.deliver();
    await setup.users.register({ ...account, password: OTHER_PASSWORD });
    const [squatter] = await setup.deliver();
    await setup.users.register(account);
    await expect(setup.users.verifyEmail({ token: tokenIn(squatter!.text) })).rejects.toMatchObject({ reason: 'token_invalid' });
    await verify();
    await expect(setup.users.login({ ...account, password: OTHER_PASSWORD })).rejects.toMatchObject({ reason: 'login_failed' });
    await expect(setup.users.login(account)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('takes an address once, however it is typed and however many ask at once', async () => {
    const { email, ...rest } = fresh();
    await Promise.all([email, email.toUpperCase(), ` ${email} `, email].map((typed) => setup.users.register({ ...rest, email: typed })));
    expect((await setup.users.listUsers({ email: email.toUpperCase(), limit: 10 })).items).toHaveLength(1);
    const mails = (await setup.deliver()).filter(({ to }) => to === email);
    expect(mails.filter(({ text }) => text.includes('Token'))).toHaveLength(4);
  });

  it.each(['1234567890', 'QwertyUiop', 'ＰＡＳＳＷＯＲＤ１２３', 'zzzzzzzzzzzz', 'kim.mina.1990', 'Kim.Mina.1990@example.com'])('refuses the password %s', async (password) => {
    await expect(setup.users.register({ email: 'kim.mina.1990@example.com', password, name: 'Mina' })).rejects.toMatchObject({
      code: 'invalid',
      reason: 'password_too_common',
    });
  });
});

describe('verifying', () => {
  it('takes a token once', async () => {
    const account = fresh();
    await setup.users.register(account);
    const token = tokenIn((await setup.deliver())[0]!.text);
    const answers = await Promise.allSettled([1, 2, 3].map(() => setup.users.verifyEmail({ token })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await setup.users.listUsers({ email: account.email, limit: 1 })).items[0]).toMatchObject({ emailVerified: true });
    await expect(setup.users.verifyEmail({ token })).rejects.toMatchObject({ code: 'invalid', reason: 'token_invalid' });
  });

  it('refuses a token after 24 hours, one for another purpose and one that never was', async () => {
    const account = fresh();
    await setup.users.register(account);
    await setup.users.requestPasswordReset({ email: account.email });
    const [verification, reset] = (await setup.deliver()).map(({ text }) => tokenIn(text));
    await expect(setup.users.verifyEmail({ token: reset! })).rejects.toMatchObject({ reason: 'token_invalid' });
    await expect(setup.users.verifyEmail({ token: 'nonsense' })).rejects.toMatchObject({ reason: 'token_invalid' });
    move(setup.context, 24 * 3_600);
    await expect(setup.users.verifyEmail({ token: verification! })).rejects.toMatchObject({ reason: 'token_invalid' });
  });

  it('mails again while there is something to verify, and does the same for every address', async () => {
    const account = fresh();
    await setup.users.register(account);
    await setup.deliver();
    const known = await setup.statementsOf(() => setup.users.resendVerification({ email: account.email }));
    const [mail] = await setup.deliver();
    await setup.users.verifyEmail({ token: tokenIn(mail!.text) });
    const verified = await setup.statementsOf(() => setup.users.resendVerification({ email: account.email }));
    const unknown = await setup.statementsOf(() => setup.users.resendVerification({ email: `${newId()}@example.com` }));
    expect(await setup.deliver()).toEqual([]);
    expect([verified, unknown]).toEqual([known, known]);
  });
});

it('keeps no token and no password in clear', async () => {
  const account = { ...fresh(), password: 'canary-of-a-password' };
  await setup.users.register(account);
  await setup.users.requestPasswordReset({ email: account.email });
  const secrets = (await setup.deliver()).map(({ text }) => tokenIn(text));
  await setup.users.verifyEmail({ token: secrets[0]! });
  const { accessToken, refreshToken } = await setup.users.login(account);
  const tables = ['users', 'sessions', 'refresh_tokens', 'mail_tokens', 'login_failures', 'signing_keys'];
  const stored = JSON.stringify(await Promise.all(tables.map((table) => setup.context.db(table).select())));
  for (const secret of [...secrets, account.password, accessToken, refreshToken]) {
    expect(stored).not.toContain(secret);
    expect(JSON.stringify(setup.context.enqueued)).not.toContain(secret);
  }
  expect(stored).not.toContain('"d":');
});

it('ensures an account once and leaves a known one as it is', async () => {
  const admin = { email: `${newId()}@example.com`, password: PASSWORD, name: 'Admin', role: 'admin' as const };
  const [first, second] = [await setup.users.ensureUser(admin), await setup.users.ensureUser({ ...admin, role: 'customer', password: OTHER_PASSWORD })];
  expect([first.created, second]).toEqual([true, { userId: first.userId, created: false }]);
  expect(await setup.users.getProfile({ userId: first.userId })).toMatchObject({ role: 'admin', emailVerified: true });
});
