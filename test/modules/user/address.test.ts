import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.ts';
import { ADDRESS, createUserSetup } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
let userId: string;
beforeAll(async () => {
  setup = await createUserSetup();
});
beforeEach(async () => {
  ({ userId } = await setup.account());
});
afterAll(() => setup.context.close());

const add = (isDefault = false, id = newId()) => setup.users.addAddress({ userId, id, address: ADDRESS, isDefault });
const list = async () => (await setup.users.listAddresses({ userId })).addresses;
const defaults = async () => (await list()).filter(({ isDefault }) => isDefault).map(({ id }) => id);

describe('an address book', () => {
  it('makes the first address the default, and a later one when asked to', async () => {
    const first = await add();
    expect(first).toEqual({ id: first.id, address: { ...ADDRESS, region: '', line2: '' }, isDefault: true, version: 1 });
    expect(await add()).toMatchObject({ isDefault: false });
    const third = await add(true);
    expect(await defaults()).toEqual([third.id]);
    expect((await list())[0]!.id).toBe(third.id);
  });

  it('changes the version of the address that stops being the default: it reads differently now', async () => {
    const first = await add();
    await add(true);
    expect((await list()).find(({ id }) => id === first.id)).toMatchObject({ isDefault: false, version: 2 });
  });

  it('has exactly one default after parallel adds', async () => {
    await Promise.all(Array.from({ length: 12 }, (_, n) => add(n % 2 === 0)));
    expect(await list()).toHaveLength(12);
    expect(await defaults()).toHaveLength(1);
  });

  it('has exactly one default after parallel adds, changes and deletions', async () => {
    const saved = await Promise.all(Array.from({ length: 6 }, () => add()));
    const current = await list();
    await Promise.allSettled([
      ...saved.slice(0, 3).map(({ id }) => setup.users.deleteAddress({ userId, id })),
      ...current.map(({ id, version }) => setup.users.updateAddress({ userId, id, version, address: ADDRESS, isDefault: true })),
      add(true),
      add(),
    ]);
    expect(await defaults()).toHaveLength(1);
  });

  it('adds one address for one id, however often it is sent', async () => {
    const id = newId();
    const answers = await Promise.all([add(false, id), add(true, id), add(false, id.toUpperCase())]);
    expect(await list()).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.id))).toEqual(new Set([id]));
  });

  it('holds 50 addresses, also when they come at once', async () => {
    const answers = await Promise.allSettled(Array.from({ length: 53 }, () => add()));
    expect(await list()).toHaveLength(50);
    const refusals = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []));
    expect(refusals).toHaveLength(3);
    expect(refusals[0]).toMatchObject({ code: 'conflict', reason: 'too_many_addresses' });
  });

  it('changes an address once per version', async () => {
    const { id } = await add();
    const change = (line1: string) => setup.users.updateAddress({ userId, id, version: 1, address: { ...ADDRESS, line1 }, isDefault: false });
    const answers = await Promise.allSettled(['1', '2', '3'].map(change));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(change('4')).rejects.toMatchObject({ code: 'conflict', reason: 'version_mismatch', details: { version: 2 } });
    expect(await list()).toMatchObject([{ id, version: 2, isDefault: true }]);
  });

  it('moves the default with a change', async () => {
    const [first, second] = [await add(), await add()];
    await setup.users.updateAddress({ userId, id: second.id, version: 1, address: ADDRESS, isDefault: true });
    expect(await list()).toMatchObject([{ id: second.id, isDefault: true, version: 2 }, { id: first.id, isDefault: false, version: 2 }]);
  });

  it('hands the default on to the address that came last when it is deleted', async () => {
    const [first, , third] = [await add(), await add(), await add()];
    await setup.users.deleteAddress({ userId, id: first.id });
    expect(await defaults()).toEqual([third.id]);
    for (const { id } of await list()) await setup.users.deleteAddress({ userId, id });
    expect(await list()).toEqual([]);
  });

  it('answers another account’s address exactly as an absent one', async () => {
    const { id } = await add();
    const stranger = await setup.account();
    const attempts = (wanted: string) => [
      setup.users.updateAddress({ userId: stranger.userId, id: wanted, version: 1, address: ADDRESS, isDefault: true }),
      setup.users.updateAddress({ userId: stranger.userId, id: wanted, version: 9, address: ADDRESS, isDefault: true }),
      setup.users.deleteAddress({ userId: stranger.userId, id: wanted }),
    ];
    const refusals = async (wanted: string) => Promise.all(attempts(wanted).map((attempt) => attempt.catch((error: unknown) => error)));
    const foreign = await refusals(id);
    expect(foreign).toEqual(await refusals(newId()));
    for (const refusal of foreign) expect(refusal).toMatchObject({ code: 'not_found', reason: 'not_found' });
    expect(await setup.users.listAddresses({ userId: stranger.userId })).toEqual({ addresses: [] });
    expect(await list()).toMatchObject([{ id, version: 1 }]);
  });

  it('does not give away an address to who adds one with its id', async () => {
    const mine = await add();
    const stranger = await setup.account();
    const theirs = await setup.users.addAddress({ userId: stranger.userId, id: mine.id, address: { ...ADDRESS, name: '이도둑' }, isDefault: false });
    expect(theirs.address.name).toBe('이도둑');
    expect((await list())[0]!.address.name).toBe(ADDRESS.name);
  });

  it('does not exist for an account that does not', async () => {
    const nobody = { userId: newId(), id: newId(), address: ADDRESS, isDefault: false };
    await expect(setup.users.addAddress(nobody)).rejects.toMatchObject({ reason: 'not_found' });
  });
});
