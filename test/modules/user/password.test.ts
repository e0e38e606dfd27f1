import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPasswordHasher, createTurnstile } from '../../../src/modules/user/password-hash-service.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createUserSetup, move, OTHER_PASSWORD, PASSWORD, tokenIn } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
beforeAll(async () => {
  setup = await createUserSetup();
});
afterAll(() => setup.context.close());

const ended = { reason: 'session_ended' };
const check = async (accessToken: string) => setup.users.checkSession(await setup.claims(accessToken));
const login = (email: string, password: string) => setup.users.login({ email, password, device: 'phone' });
const resetToken = async (email: string) => {
  await setup.users.requestPasswordReset({ email });
  return tokenIn((await setup.deliver()).at(-1)!.text);
};

describe('resetting a password', () => {
  it('sets it, ends every session and lifts the throttle', async () => {
    const account = await setup.account();
    const session = await login(account.email, PASSWORD);
    await Promise.allSettled(Array.from({ length: 10 }, () => login(account.email, 'a wrong one')));
    await setup.users.resetPassword({ token: await resetToken(account.email), newPassword: OTHER_PASSWORD });
    await expect(check(session.accessToken)).rejects.toMatchObject(ended);
    await expect(setup.users.refresh({ refreshToken: session.refreshToken, device: 'phone' })).rejects.toMatchObject({ reason: 'refresh_token_invalid' });
    await expect(login(account.email, PASSWORD)).rejects.toMatchObject({ reason: 'login_failed' });
    await expect(login(account.email, OTHER_PASSWORD)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('proves the address of somebody who never verified it', async () => {
    const account = { email: `${newId()}@example.com`, password: PASSWORD, name: 'Mina' };
    await setup.users.register(account);
    await setup.users.resetPassword({ token: await resetToken(account.email), newPassword: OTHER_PASSWORD });
    await expect(login(account.email, OTHER_PASSWORD)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('takes a token once, also when it comes twice at the same time, and no older one after it', async () => {
    const { email } = await setup.account();
    const [older, newer] = [await resetToken(email), await resetToken(email)];
    const both = await Promise.allSettled([0, 1].map((n) => setup.users.resetPassword({ token: newer, newPassword: `${OTHER_PASSWORD}-${n}` })));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(setup.users.resetPassword({ token: older, newPassword: OTHER_PASSWORD })).rejects.toMatchObject({ reason: 'token_invalid' });
  });

  it('keeps the token when the new password is refused, and refuses it after an hour', async () => {
    const { email } = await setup.account();
    const token = await resetToken(email);
    const refusal = setup.users.resetPassword({ token, newPassword: 'password123' });
    await expect(refusal).rejects.toMatchObject({ reason: 'password_too_common' });
    await expect(setup.users.resetPassword({ token, newPassword: email })).rejects.toMatchObject({ reason: 'password_too_common' });
    await setup.users.resetPassword({ token, newPassword: OTHER_PASSWORD });
    const late = await resetToken(email);
    move(setup.context, 3_600);
    await expect(setup.users.resetPassword({ token: late, newPassword: PASSWORD })).rejects.toMatchObject({ code: 'invalid', reason: 'token_invalid' });
  });

  it('answers the same for an unknown address and mails nobody', async () => {
    const { email } = await setup.account();
    const jobs = setup.context.enqueued.length;
    const ask = (address: string) => setup.statementsOf(async () => expect(await setup.users.requestPasswordReset({ email: address })).toEqual({}));
    expect(await ask(email)).toEqual(await ask(`${newId()}@example.com`));
    expect(setup.context.enqueued.length - jobs).toBe(2);
    expect((await setup.deliver()).map(({ to }) => to)).toEqual([email]);
  });

  it('does not take a verification token', async () => {
    const email = `${newId()}@example.com`;
    await setup.users.register({ email, password: PASSWORD, name: 'Mina' });
    const token = tokenIn((await setup.deliver()).at(-1)!.text);
    await expect(setup.users.resetPassword({ token, newPassword: OTHER_PASSWORD })).rejects.toMatchObject({ reason: 'token_invalid' });
  });
});

describe('changing a password', () => {
  it('ends every other session, and outstanding reset tokens, and answers a new session', async () => {
    const { email, userId } = await setup.account();
    const [here, there] = [await login(email, PASSWORD), await login(email, PASSWORD)];
    const token = await resetToken(email);
    const session = await setup.users.changePassword({ userId, currentPassword: PASSWORD, newPassword: OTHER_PASSWORD });
    for (const { accessToken } of [here, there]) await expect(check(accessToken)).rejects.toMatchObject(ended);
    await expect(check(session.accessToken)).resolves.toEqual({ role: 'customer' });
    await expect(login(email, OTHER_PASSWORD)).resolves.toMatchObject({ tokenType: 'Bearer' });
    await expect(setup.users.resetPassword({ token, newPassword: PASSWORD })).rejects.toMatchObject({ reason: 'token_invalid' });
  });

  it('refuses a wrong current password, and the right one too after ten', async () => {
    const { userId } = await setup.account();
    const change = (currentPassword: string) => setup.users.changePassword({ userId, currentPassword, newPassword: OTHER_PASSWORD });
    for (let n = 0; n < 10; n += 1) await expect(change('a wrong one')).rejects.toMatchObject({ code: 'invalid', reason: 'password_wrong' });
    await expect(change(PASSWORD)).rejects.toMatchObject({ reason: 'password_wrong' });
  });

  it('lets one of two changes at once win', async () => {
    const { email, userId } = await setup.account();
    const passwords = ['the-first-of-the-two', 'the-second-of-the-two'];
    const answers = await Promise.allSettled(passwords.map((newPassword) => setup.users.changePassword({ userId, currentPassword: PASSWORD, newPassword })));
    const winners = passwords.filter((_, n) => answers[n]!.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await expect(login(email, winners[0]!)).resolves.toMatchObject({ tokenType: 'Bearer' });
  });
});

describe('the hasher', () => {
  it('makes salted argon2id hashes with the OWASP parameters, and tells right from wrong', async () => {
    const { hash, verify } = createPasswordHasher();
    const [first, second] = [await hash(PASSWORD), await hash(PASSWORD)];
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(second).not.toBe(first);
    expect(await Promise.all([verify(PASSWORD, first), verify(OTHER_PASSWORD, first), verify(PASSWORD, undefined)])).toEqual([true, false, false]);
  });

  it('takes a password composed in another way for the same', async () => {
    const { hash, verify } = createPasswordHasher();
    expect(await verify('비밀번호는길수록좋다'.normalize('NFD'), await hash('비밀번호는길수록좋다'.normalize('NFC')))).toBe(true);
  });

  it('agrees with the reference implementation', async () => {
    const known = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    expect(await createPasswordHasher().verify('password', known)).toBe(true);
  });

  it('lets two compute at once, the others in turn, and turns away who would wait for too long', async () => {
    const inTurn = createTurnstile(2, 3);
    const order: number[] = [];
    const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
    const runs = gates.map(({ promise }, n) => 
      inTurn(() => {
        order.push(n);
        return promise;
      }),
    );
    await expect(inTurn(async () => undefined)).rejects.toMatchObject({ reason: 'unavailable' });
    expect(order).toEqual([0, 1]);
    gates[1]!.resolve();
    await expect.poll(() => order).toEqual([0, 1, 2]);
    for (const { resolve } of gates) resolve();
    await Promise.all(runs);
    expect(order).toEqual([0, 1, 2, 3, 4]);
    await expect(inTurn(async () => 'free again')).resolves.toBe('free again');
  });

  it('frees the turn of a computation that failed', async () => {
    const inTurn = createTurnstile(1, 1);
    await expect(inTurn(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(inTurn(async () => 'next')).resolves.toBe('next');
  });
});
