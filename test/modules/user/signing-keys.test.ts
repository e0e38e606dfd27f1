import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createUserBackground } from '../../../src/modules/user/user-jobs.ts';
import { createUserService } from '../../../src/modules/user/user-service.ts';
import { claimsOf, createUserSetup, move, PASSWORD } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
beforeAll(async () => {
  setup = await createUserSetup();
});
beforeEach(async () => {
  await setup.context.db('signing_keys').delete();
  await setup.background.prepare!();
});
afterAll(() => setup.context.close());

/** Another process with the same database. */
const elsewhere = () => createUserService(setup.context, setup.hasher);
const published = async () => (await setup.users.listSigningKeys({})).keys.map(({ kid }) => kid as string);
const states = async () => (await setup.context.db('signing_keys').orderBy('state').pluck('state')) as string[];
const tokenFrom = async (users = elsewhere()) => {
  const { email } = await setup.account();
  return (await users.login({ email, password: PASSWORD })).accessToken;
};
const keyIdOf = (token: string) => (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
const verify = (token: string) => claimsOf(setup.users, token, setup.context.now());

describe('signing keys', () => {
  it('are two, a current and a next one, however many processes prepare', async () => {
    await setup.context.db('signing_keys').delete();
    await Promise.all(Array.from({ length: 5 }, () => createUserBackground(setup.context).prepare!()));
    expect(await states()).toEqual(['current', 'next']);
  });

  it('are published without their private part', async () => {
    const { keys } = await setup.users.listSigningKeys({});
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(key).toEqual({ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), kid: expect.any(String), alg: 'ES256', use: 'sig' });
    }
  });

  it('are rotated so that the next one, long published, signs, and old tokens go on being good', async () => {
    const before = await published();
    const users = elsewhere();
    const old = await tokenFrom(users);
    const { keyId } = await users.rotateSigningKeys({});
    expect(before).toContain(keyId);
    const fresh = await tokenFrom(users);
    expect([keyIdOf(old), keyIdOf(fresh)]).toEqual([before.find((id) => id !== keyId), keyId]);
    await expect(verify(old)).resolves.toMatchObject({ epoch: 0 });
    await expect(verify(fresh)).resolves.toMatchObject({ epoch: 0 });
    expect(await states()).toEqual(['current', 'next', 'retired']);
  });

  it('go on being published, when retired, until the last token of the last process has ended', async () => {
    const slow = elsewhere();
    const first = await tokenFrom(slow);
    await setup.users.rotateSigningKeys({});
    move(setup.context, 59);
    const last = await tokenFrom(slow);
    expect(keyIdOf(last)).toBe(keyIdOf(first));
    move(setup.context, 1);
    expect(keyIdOf(await tokenFrom(slow)), 'it has looked again after a minute').not.toBe(keyIdOf(last));
    move(setup.context, 598);
    await expect(verify(last)).resolves.toMatchObject({ epoch: 0 });
    move(setup.context, 62);
    expect(await published()).not.toContain(keyIdOf(last));
    await setup.background.sweeps![0]!.run();
    expect(await states()).toEqual(['current', 'next']);
  });

  it('stay two when several rotations come at once', async () => {
    const rotated = await Promise.all(Array.from({ length: 4 }, () => elsewhere().rotateSigningKeys({})));
    expect(new Set(rotated.map(({ keyId }) => keyId)).size).toBe(4);
    expect(await states()).toEqual(['current', 'next', 'retired', 'retired', 'retired', 'retired']);
  });

  it('cannot be opened with another secret, and the refusal tells nothing of them', async () => {
    const { email } = await setup.account();
    const stranger = createUserService({ ...setup.context, settings: { ...setup.context.settings, secret: 'x'.repeat(32) } }, setup.hasher);
    await expect(stranger.login({ email, password: PASSWORD })).rejects.toThrow('KERF_SECRET is not the one it was made with');
  });

  it('are replaced when the installation went over to another secret', async () => {
    const { email } = await setup.account();
    const before = await published();
    const context = { ...setup.context, settings: { ...setup.context.settings, secret: 'x'.repeat(32) } };
    await createUserBackground(context).prepare!();
    await expect(createUserService(context, setup.hasher).login({ email, password: PASSWORD })).resolves.toHaveProperty('accessToken');
    expect(await published()).toEqual(expect.arrayContaining(before));
  });

  it('cannot be put in each other’s place', async () => {
    const [current, next] = await setup.context.db('signing_keys').orderBy('state').select('id', 'sealed_private_key');
    await setup.context.db('signing_keys').where({ id: current.id }).update({ sealed_private_key: next.sealed_private_key });
    await expect(tokenFrom()).rejects.toThrow('cannot be opened');
  });
});
