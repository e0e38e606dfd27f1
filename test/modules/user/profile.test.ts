import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeCursor } from '../../../src/shared/http.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createUserSetup } from './support.ts';

let setup: Awaited<ReturnType<typeof createUserSetup>>;
beforeAll(async () => {
  setup = await createUserSetup();
});
beforeEach(() => setup.context.db('users').whereNotIn('id', setup.context.db('sessions').select('user_id')).delete());
afterAll(() => setup.context.close());

const absent = { code: 'not_found', reason: 'not_found' };

it('reads and renames an account', async () => {
  const { userId, email } = await setup.account();
  expect(await setup.users.updateProfile({ userId, name: '한바다' })).toMatchObject({ id: userId, email, name: '한바다' });
  expect(await setup.users.getProfile({ userId })).toEqual({
    id: userId,
    email,
    emailVerified: true,
    name: '한바다',
    role: 'customer',
    createdAt: setup.context.now().toISOString(),
  });
  await expect(setup.users.getProfile({ userId: newId() })).rejects.toMatchObject(absent);
  await expect(setup.users.updateProfile({ userId: newId(), name: 'Nobody' })).rejects.toMatchObject(absent);
});

describe('listing accounts', () => {
  it('pages through all of them, newest first, each once', async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.unshift((await setup.account()).userId);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { items, nextCursor } = await setup.users.listUsers({ limit: 2, ...(cursor && { cursor }) });
      seen.push(...items.map(({ id }) => id));
      cursor = nextCursor ?? undefined;
    } while (cursor);
    expect(seen).toEqual(made);
  });

  it('finds one by its address, and nobody by a part of it', async () => {
    const { email, userId } = await setup.account();
    expect((await setup.users.listUsers({ email: email.toUpperCase(), limit: 5 })).items.map(({ id }) => id)).toEqual([userId]);
    expect(await setup.users.listUsers({ email: '%@example.com', limit: 5 })).toEqual({ items: [], nextCursor: null });
  });

  it.each(['nonsense', encodeCursor([]), encodeCursor([7]), encodeCursor(['not a uuid'])])('refuses the cursor %s', async (cursor) => {
    await expect(setup.users.listUsers({ limit: 5, cursor })).rejects.toMatchObject({ code: 'invalid', reason: 'invalid_cursor' });
  });
});

describe('roles', () => {
  it('are given and taken', async () => {
    const { userId } = await setup.account();
    await setup.account('admin');
    expect(await setup.users.setRole({ userId, role: 'admin' })).toMatchObject({ role: 'admin' });
    expect(await setup.users.setRole({ userId: userId.toUpperCase(), role: 'customer' })).toMatchObject({ role: 'customer' });
    await expect(setup.users.setRole({ userId: newId(), role: 'admin' })).rejects.toMatchObject(absent);
  });

  it('leave one administrator', async () => {
    const { userId } = await setup.account('admin');
    await expect(setup.users.setRole({ userId, role: 'staff' })).rejects.toMatchObject({ code: 'conflict', reason: 'last_admin' });
    expect(await setup.users.setRole({ userId, role: 'admin' })).toMatchObject({ role: 'admin' });
  });

  it('leave one administrator when several are demoted at once', async () => {
    const admins = await Promise.all(Array.from({ length: 4 }, () => setup.account('admin')));
    const answers = await Promise.allSettled(admins.map(({ userId }) => setup.users.setRole({ userId, role: 'customer' })));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect((await setup.users.listUsers({ limit: 10 })).items.filter(({ role }) => role === 'admin')).toHaveLength(1);
  });
});
