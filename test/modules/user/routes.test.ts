import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFakeUsers } from '../../../src/modules/user/fake.ts';
import { userRoutes } from '../../../src/modules/user/user-routes.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';
import { ADDRESS, OTHER_PASSWORD, PASSWORD } from './support.ts';

const users = createFakeUsers();
const routes = userRoutes(users);
let shop: Awaited<ReturnType<typeof createTestApp>>;
beforeAll(async () => {
  shop = await createTestApp(routes);
});
afterAll(() => shop.close());

const post = (path: string, body: object, headers: Record<string, string> = {}) => request(shop.app).post(`/v1${path}`).set(headers).send(body);
const signedIn = async (role: 'customer' | 'admin' = 'customer') => {
  const { id, email } = users.addUser({ role });
  return { id, email, headers: await shop.as(role, id) };
};
const address = { address: ADDRESS, isDefault: false };

describe('credentials over HTTP', () => {
  it('answer the same to a known and an unknown address', async () => {
    const { email } = users.addUser();
    const ask = async (address: string) =>
      Promise.all([
        post('/auth/register', { email: address, password: PASSWORD, name: '김미나' }).expect(202),
        post('/auth/verify/resend', { email: address }).expect(202),
        post('/auth/password/forgot', { email: address }).expect(202),
        post('/auth/login', { email: address, password: OTHER_PASSWORD }).expect(401),
      ]);
    const [known, unknown] = [await ask(email), await ask(`${newId()}@example.com`)];
    const shape = (answers: typeof known) => answers.map(({ status, body, headers }) => ({ status, body: { ...body, traceId: '' }, names: Object.keys(headers).toSorted() }));
    expect(shape(unknown)).toEqual(shape(known));
  });

  it('go the whole way: register, verify, log in, refresh, log out', async () => {
    const account = { email: `${newId()}@example.com`, password: PASSWORD };
    await post('/auth/register', { ...account, name: '김미나' }).expect(202, { message: 'If there is something to do, a mail is on its way.' });
    await post('/auth/verify', { token: users.mails.at(-1)!.token! }).expect(204);
    const cartId = newId();
    const login = await post('/auth/login', { ...account, cartId }).expect(200);
    expect(login.headers['cache-control']).toBe('no-store');
    expect(login.body).toEqual({ accessToken: expect.any(String), refreshToken: expect.any(String), expiresIn: 600, tokenType: 'Bearer' });
    expect(users.logins.at(-1)).toMatchObject({ cartId });
    const { body } = await post('/auth/refresh', { refreshToken: login.body.refreshToken }).expect(200);
    await post('/auth/logout', { refreshToken: body.refreshToken }).expect(204);
    const refused = await post('/auth/refresh', { refreshToken: body.refreshToken }).expect(401);
    expect(refused.body.reason).toBe('refresh_token_invalid');
  });

  it('tell devices apart by their User-Agent, however long it is', async () => {
    const { email } = users.addUser();
    const device = { 'user-agent': 'phone '.repeat(80) };
    const { body } = await post('/auth/login', { email, password: PASSWORD }, device).expect(200);
    await post('/auth/refresh', { refreshToken: body.refreshToken }, device).expect(200);
    await post('/auth/refresh', { refreshToken: body.refreshToken }, device).expect(200);
    const stolen = await post('/auth/refresh', { refreshToken: body.refreshToken }, { 'user-agent': 'thief' });
    expect(stolen.body).toMatchObject({ status: 401, reason: 'refresh_token_invalid' });
  });

  it('reset and change passwords', async () => {
    const { id, email, headers } = await signedIn();
    await post('/auth/password/forgot', { email }).expect(202);
    const { token } = users.mails.at(-1)!;
    expect((await post('/auth/password/reset', { token, newPassword: 'password123' }).expect(400)).body.reason).toBe('password_too_common');
    await post('/auth/password/reset', { token, newPassword: OTHER_PASSWORD }).expect(204);
    expect((await post('/auth/password/reset', { token, newPassword: OTHER_PASSWORD }).expect(400)).body.reason).toBe('token_invalid');
    const wrong = await post('/auth/password/change', { currentPassword: PASSWORD, newPassword: PASSWORD }, headers).expect(400);
    expect(wrong.body.reason).toBe('password_wrong');
    await post('/auth/password/change', { currentPassword: OTHER_PASSWORD, newPassword: PASSWORD }, headers).expect(200);
    await post('/auth/logout-everywhere', {}, headers).expect(204);
    expect(await users.getProfile({ userId: id })).toMatchObject({ email });
  });

  it.each([
    ['/auth/register', { email: 'mina@example.com', password: PASSWORD, name: 'Mina', role: 'admin' }],
    ['/auth/register', { email: 'mina@example.com', password: 'too-short', name: 'Mina' }],
    ['/auth/register', { email: 'not an address', password: PASSWORD, name: 'Mina' }],
    ['/auth/register', { email: 'mina@example.com', password: PASSWORD, name: '   ' }],
    ['/auth/login', { email: 'mina@example.com', password: PASSWORD, epoch: 1 }],
    ['/auth/login', { email: 'mina@example.com', password: ['a'] }],
    ['/auth/login', { email: 'mina@example.com', password: PASSWORD, device: 'mine' }],
    ['/auth/refresh', { refreshToken: 'x'.repeat(201) }],
  ])('%s refuses %j', async (path, body) => {
    expect((await post(path, body).expect(400)).body.reason).toBe('invalid_input');
  });

  it('are behind the strict limit, all of them', () => {
    const credentials = routes.filter(({ tag, operationId }) => tag === 'auth' && operationId !== 'logoutEverywhere');
    expect(credentials).toHaveLength(9);
    expect(credentials.filter(({ guarded }) => !guarded)).toEqual([]);
  });

  it('are not kept by the edge under an Idempotency-Key', () => {
    expect(routes.filter(({ tag, idempotency }) => tag === 'auth' && idempotency)).toEqual([]);
  });
});

describe('the account over HTTP', () => {
  it('is read and renamed by its owner only', async () => {
    const { id, headers } = await signedIn();
    await request(shop.app).get('/v1/me').expect(401);
    expect((await request(shop.app).get('/v1/me').set(headers).expect(200)).body).toMatchObject({ id, role: 'customer' });
    const renamed = await request(shop.app).patch('/v1/me').set(headers).send({ name: ' 한바다 ' }).expect(200);
    expect(renamed.body).toMatchObject({ id, name: '한바다' });
    for (const stolen of [{ role: 'admin' }, { email: 'x@example.com' }, { emailVerified: true }, { epoch: 9 }]) {
      await request(shop.app).patch('/v1/me').set(headers).send({ name: 'Mina', ...stolen }).expect(400);
    }
  });

  it('saves, changes and deletes addresses by version', async () => {
    const { headers } = await signedIn();
    const added = await post('/me/addresses', address, headers).expect(201);
    expect([added.headers['etag'], added.body.isDefault]).toEqual(['"1"', true]);
    const path = `/v1/me/addresses/${added.body.id}`;
    await request(shop.app).put(path).set(headers).send(address).expect(428);
    const changed = await request(shop.app).put(path).set({ ...headers, 'if-match': '"1"' }).send(address).expect(200);
    expect(changed.headers['etag']).toBe('"2"');
    const stale = await request(shop.app).put(path).set({ ...headers, 'if-match': '"1"' }).send(address).expect(412);
    expect(stale.body).toMatchObject({ reason: 'version_mismatch', version: 2 });
    expect((await request(shop.app).get('/v1/me/addresses').set(headers).expect(200)).body.addresses).toMatchObject([{ id: added.body.id, version: 2 }]);
    await request(shop.app).delete(path).set(headers).expect(204);
    await request(shop.app).delete(path).set(headers).expect(404);
  });

  it('saves one address for one Idempotency-Key', async () => {
    const { headers } = await signedIn();
    const keyed = { ...headers, 'idempotency-key': newId() };
    const [first, second] = [await post('/me/addresses', address, keyed).expect(201), await post('/me/addresses', address, keyed).expect(201)];
    expect(second.body).toEqual(first.body);
    expect((await request(shop.app).get('/v1/me/addresses').set(headers)).body.addresses).toHaveLength(1);
  });

  it('answers a foreign address as an absent one', async () => {
    const [mine, theirs] = [await signedIn(), await signedIn()];
    const { body } = await post('/me/addresses', address, mine.headers).expect(201);
    const attempt = async (id: string) => {
      const path = `/v1/me/addresses/${id}`;
      const answers = [
        await request(shop.app).put(path).set({ ...theirs.headers, 'if-match': '"1"' }).send(address),
        await request(shop.app).delete(path).set(theirs.headers),
      ];
      return answers.map((answer) => ({ status: answer.status, body: { ...answer.body, traceId: '' } }));
    };
    expect(await attempt(body.id)).toEqual(await attempt(newId()));
    expect((await attempt(body.id))[0]).toMatchObject({ status: 404, body: { reason: 'not_found' } });
  });
});

describe('administration over HTTP', () => {
  it('is for administrators', async () => {
    const { id } = await signedIn();
    for (const role of ['customer', 'staff'] as const) {
      const headers = await shop.as(role, id);
      const list = await request(shop.app).get('/v1/admin/users').set(headers);
      const promotion = await request(shop.app).put(`/v1/admin/users/${id}/role`).set(headers).send({ role: 'admin' });
      expect([list.status, promotion.status]).toEqual([403, 403]);
    }
  });

  it('finds accounts, shows nothing secret, and gives roles', async () => {
    const [admin, { id, email }] = [await signedIn('admin'), await signedIn()];
    const found = await request(shop.app).get('/v1/admin/users').query({ email }).set(admin.headers).expect(200);
    expect(found.body).toEqual({ items: [{ id, email, name: 'Mina', role: 'customer', emailVerified: true, createdAt: expect.any(String) }], nextCursor: null });
    expect((await request(shop.app).put(`/v1/admin/users/${id}/role`).set(admin.headers).send({ role: 'staff' }).expect(200)).body.role).toBe('staff');
    await request(shop.app).put(`/v1/admin/users/${newId()}/role`).set(admin.headers).send({ role: 'staff' }).expect(404);
    await request(shop.app).put(`/v1/admin/users/${id}/role`).set(admin.headers).send({ role: 'owner' }).expect(400);
    expect((await request(shop.app).get('/v1/admin/users').query({ cursor: 'nonsense' }).set(admin.headers).expect(400)).body.reason).toBe('invalid_cursor');
  });
});
