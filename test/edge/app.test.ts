import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { timeLeft } from '../../src/shared/context.ts';
import { conflict, unavailable } from '../../src/shared/errors.ts';
import { etag, route } from '../../src/shared/http.ts';
import { createTestApp } from '../support/app.ts';

const seen: string[] = [];
let failures = 0;
let frozen = 0;
let ahead = 0;
let release: () => void = () => undefined;
const Thing = z.object({ name: z.string(), by: z.string() });
const common = { tag: 'test', summary: 'for tests' };

const routes = [
  route({
    ...common, method: 'post', path: '/things', operationId: 'createThing', access: 'anyone', idempotency: 'edge',
    body: z.strictObject({ name: z.string().max(20) }),
    responses: { 201: { description: 'made', schema: Thing } },
    async handle({ body, operationId }) {
      seen.push(operationId);
      if (body.name === 'taken') throw conflict('name_taken', 'That name is taken.', { name: body.name });
      if (body.name === 'flaky' && (failures += 1) === 1) throw unavailable();
      if (body.name === 'slow') await new Promise<void>((resolve) => { release = resolve; });
      if (body.name === 'frozen' && (frozen += 1) === 1) {
        await new Promise<void>((resolve) => { release = resolve; });
        throw conflict('name_taken', 'That name is taken.');
      }
      if (body.name === 'deep') throw conflict('too_deep', 'Deep.', JSON.parse(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`) as Record<string, unknown>);
      if (body.name === 'broken') throw new Error('select secret_column from somewhere');
      return { body: { name: body.name, by: operationId, secret: 'left out' } };
    },
  }),
  route({
    ...common, method: 'get', path: '/things/{thingId}', operationId: 'getThing', access: 'customer',
    params: z.strictObject({ thingId: z.uuid() }), query: z.strictObject({ deep: z.enum(['true', 'false']).optional() }),
    responses: { 200: { description: 'found', schema: Thing } },
    handle: async ({ principal }) => ({ body: { name: 'x', by: principal.kind }, headers: etag(3) }),
  }),
  route({
    ...common, method: 'put', path: '/things/{thingId}', operationId: 'putThing', access: 'staff', ifMatch: true,
    params: z.strictObject({ thingId: z.uuid() }), body: z.strictObject({ name: z.string() }),
    responses: { 200: { description: 'kept', schema: z.object({ version: z.int() }) } },
    handle: async ({ version }) => ({ body: { version } }),
  }),
  route({
    ...common, method: 'get', path: '/shelf', operationId: 'getShelf', access: 'anyone', cacheable: true,
    responses: { 200: { description: 'for all', schema: Thing } },
    handle: async () => ({ body: { name: 'x', by: 'all' } }),
  }),
  route({
    ...common, method: 'get', path: '/hurry', operationId: 'getHurry', access: 'anyone',
    responses: { 200: { description: 'milliseconds left', schema: z.object({ left: z.number() }) } },
    handle: async () => ({ body: { left: timeLeft() } }),
  }),
];

const ID = '01900000-0000-7000-8000-00000000abcd';
let api: Awaited<ReturnType<typeof createTestApp>>;
beforeAll(async () => {
  api = await createTestApp(routes, () => new Date(Date.now() + ahead));
});
afterAll(() => api.close());

const create = (name: string, key?: string) => {
  const call = request(api.app).post('/v1/things');
  return (key ? call.set('idempotency-key', key) : call).send({ name });
};

describe('every answer', () => {
  it('carries the safety headers and only what its schema names', async () => {
    const { body, headers } = await create('a').expect(201);
    expect(Object.keys(body)).toEqual(['name', 'by']);
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['x-powered-by']).toBeUndefined();
  });

  it('is a problem with a reason and a trace when refused', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { body, type } = await create('taken').set('traceparent', traceparent).expect(409);
    expect(type).toBe('application/problem+json');
    expect(body).toMatchObject({ reason: 'name_taken', name: 'taken', status: 409, traceId: '0af7651916cd43dd8448eb211c80319c' });
  });

  it('is made within half a minute, which the calls to other modules hear of', async () => {
    const { left } = (await request(api.app).get('/v1/hurry').expect(200)).body as { left: number };
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(30_000);
  });

  it('that cannot be written down is a problem all the same, and no page', async () => {
    const { body, headers } = await create('deep').expect(500);
    expect([body, headers['content-type']]).toMatchObject([{ reason: 'internal' }, expect.stringContaining('application/problem+json')]);
  });

  it('tells nothing of what broke inside', async () => {
    const { body } = await create('broken').expect(500);
    expect(JSON.stringify(body)).not.toMatch(/select|Error|\.ts/);
    expect(body.reason).toBe('internal');
  });
});

describe('input', () => {
  it.each([
    ['an unknown property', { name: 'a', admin: true }],
    ['a wrong type', { name: 1 }],
    ['a missing property', {}],
    ['an array', []],
  ])('refuses %s with the place', async (_what, sent) => {
    const { body } = await request(api.app).post('/v1/things').send(sent).expect(400);
    expect(body).toMatchObject({ reason: 'invalid_input', errors: [{ path: expect.stringMatching(/^body/) }] });
  });

  it.each([
    ['no content type', 415, (call: request.Test) => call.set('content-type', '').send('{"name":"a"}')],
    ['a form', 415, (call: request.Test) => call.type('form').send({ name: 'a' })],
    ['too much', 413, (call: request.Test) => call.send({ name: 'x'.repeat(300_000) })],
    ['broken JSON', 400, (call: request.Test) => call.type('json').send('{"name"')],
    ['a false length of gzip', 400, (call: request.Test) => call.type('json').set('content-encoding', 'gzip').send('no gzip')],
  ])('refuses %s', async (_what, status, send) => {
    const { body } = await send(request(api.app).post('/v1/things'));
    expect(body.status).toBe(status);
  });

  it('refuses odd paths and unknown queries', async () => {
    const customer = await api.as('customer');
    await request(api.app).get('/v1/things/not-an-id').set(customer).expect(400);
    await request(api.app).get(`/v1/things/${ID}?wide=true`).set(customer).expect(400);
    await request(api.app).get(`/v1/things/${ID}?deep=true&deep=false`).set(customer).expect(400);
    await request(api.app).get('/v1/things/%00').set(customer).expect(400);
    await request(api.app).get('/v1/things/%ff').set(customer).expect(400);
    await request(api.app).get('/v1/nothing').expect(404);
    await request(api.app).delete(`/v1/things/${ID}`).expect(405).expect('allow', 'GET, PUT, HEAD');
  });
});

describe('access', () => {
  it('knows guests, customers and staff apart', async () => {
    await request(api.app).get(`/v1/things/${ID}`).expect(401).expect('www-authenticate', 'Bearer');
    await request(api.app).get(`/v1/things/${ID}`).set(await api.as('customer')).expect(200).expect('etag', '"3"');
    await request(api.app).put(`/v1/things/${ID}`).set(await api.as('customer')).send({ name: 'a' }).expect(403);
  });

  it.each(['Bearer', 'Bearer a.b.c', 'Basic YTpi', 'Bearer eyJhbGciOiJub25lIn0.e30.'])('refuses the credentials %j even where guests are welcome', async (authorization) => {
    await request(api.app).post('/v1/things').set({ authorization }).send({ name: 'a' }).expect(401);
  });

  it('asks for the version that is to be replaced', async () => {
    const staff = await api.as('staff');
    const put = () => request(api.app).put(`/v1/things/${ID}`).set(staff);
    await put().send({ name: 'a' }).expect(428);
    await put().set('if-match', 'W/"x"').send({ name: 'a' }).expect(400);
    expect((await put().set('if-match', '"12"').send({ name: 'a' }).expect(200)).body).toEqual({ version: 12 });
  });
});

describe('Idempotency-Key', () => {
  it('answers the same again, once done', async () => {
    const first = await create('kept', 'key-1').expect(201);
    const again = await create('kept', 'key-1').expect(201).expect('idempotent-replayed', 'true');
    expect(again.body).toEqual(first.body);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
  });

  it('keeps refusals as well', async () => {
    await create('taken', 'key-2').expect(409);
    const { body } = await create('taken', 'key-2').expect(409).expect('idempotent-replayed', 'true');
    expect(body.reason).toBe('name_taken');
  });

  it('refuses another body', async () => {
    await create('one', 'key-3').expect(201);
    expect((await create('two', 'key-3').expect(422)).body.reason).toBe('idempotency_key_reused');
  });

  it('lets a request that failed on our side try again as the same operation', async () => {
    await create('flaky', 'key-4').expect(503).expect('retry-after', '1');
    const { body } = await create('flaky', 'key-4').expect(201);
    expect(seen.filter((operation) => operation === body.by)).toHaveLength(2);
  });

  it('says so while the first one runs', async () => {
    const first = create('slow', 'key-5').then((answer) => answer);
    await expect.poll(async () => (await create('slow', 'key-5')).status).toBe(409);
    release();
    expect((await first).status).toBe(201);
  });

  it('has one answer, also for a run that froze and was taken over', async () => {
    const first = create('frozen', 'key-8').then((answer) => answer);
    await expect.poll(async () => (await create('frozen', 'key-8')).status).toBe(409);
    ahead += 16_000;
    const { body } = await create('frozen', 'key-8').expect(201);
    release();
    expect(await first).toMatchObject({ status: 201, body });
    expect((await create('frozen', 'key-8').expect(201)).body).toEqual(body);
  });

  it('belongs to one account', async () => {
    const [one, other] = [await api.as('customer'), await api.as('customer')];
    await create('mine', 'key-6').set(one).expect(201);
    const { headers } = await create('theirs', 'key-6').set(other).expect(201);
    expect(headers['idempotent-replayed']).toBeUndefined();
  });

  it('must be printable and short', async () => {
    await create('a', 'x'.repeat(256)).expect(400);
    await create('a', 'with space').expect(400);
  });

  it('runs 50 identical requests at once only once', async () => {
    const before = seen.length;
    const answers = await Promise.all(Array.from({ length: 50 }, () => create('many', 'key-7')));
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    expect(answers.every(({ status }) => [201, 409].includes(status))).toBe(true);
    expect(seen.length - before).toBe(1);
  });
});

describe('what may be kept by a cache', () => {
  it('is what is the same for every guest, and nothing that is somebody’s', async () => {
    const keep = async (sent: request.Test) => (await sent.expect(200)).headers['cache-control'];
    expect(await keep(request(api.app).get('/v1/shelf'))).toBe('no-cache');
    expect(await keep(request(api.app).get('/v1/shelf').set(await api.as('customer')))).toBe('no-store');
    expect(await keep(request(api.app).get(`/v1/things/${ID}`).set(await api.as('customer')))).toBe('no-store');
    const { headers } = await request(api.app).get('/v1/shelf');
    await request(api.app).get('/v1/shelf').set('if-none-match', headers['etag']!).expect(304);
  });
});

describe('a page on another origin', () => {
  it('may call when its origin is named, and not otherwise', async () => {
    const preflight = (origin: string) =>
      request(api.app).options('/v1/things').set({ origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'idempotency-key' });
    expect((await preflight('https://front.test').expect(204)).headers).toMatchObject({
      'access-control-allow-origin': 'https://front.test', 'access-control-allow-headers': 'idempotency-key',
    });
    expect((await preflight('https://other.test')).headers['access-control-allow-origin']).toBeUndefined();
    expect((await create('a').set('origin', 'https://front.test').expect(201)).headers['access-control-expose-headers']).toContain('ETag');
  });
});

describe('the strict limit', () => {
  it('of a route that names which bodies can guess is met by those alone', async () => {
    const guess = route({
      ...common, method: 'post', path: '/guesses', operationId: 'guess', access: 'anyone', guarded: ({ codes }) => codes.length > 0,
      body: z.strictObject({ codes: z.array(z.string()) }),
      responses: { 200: { description: 'heard', schema: Thing } },
      handle: async () => ({ body: { name: 'x', by: 'anyone' } }),
    });
    const limited = await createTestApp([guess], undefined, { rateLimit: 1_000 });
    const statuses = [];
    for (let tries = 0; tries < 21; tries += 1) statuses.push((await request(limited.app).post('/v1/guesses').send({ codes: ['A'] })).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
    await request(limited.app).post('/v1/guesses').send({ codes: [] }).expect(200);
    await limited.close();
  });
});

describe('many first requests at once', () => {
  it('share one look at the signing keys, and all get in', async () => {
    const fresh = await createTestApp(routes);
    const me = await fresh.as('customer');
    const answers = await Promise.all(Array.from({ length: 5 }, () => request(fresh.app).get(`/v1/things/${ID}`).set(me)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await fresh.close();
  });
});

describe('what the shop says of itself', () => {
  it('describes exactly what is mounted', async () => {
    const { body } = await request(api.app).get('/openapi.json').expect(200);
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toEqual(['/v1/things', '/v1/things/{thingId}', '/v1/shelf', '/v1/hurry']);
    expect(body.paths['/v1/things'].post.responses).toHaveProperty('422');
  });

  it('serves the reference page with nothing from elsewhere', async () => {
    const { text, headers } = await request(api.app).get('/docs').expect(200);
    expect(text).not.toMatch(/https?:\/\//);
    expect(headers['content-security-policy']).toContain("script-src 'self'");
    for (const [, path] of text.matchAll(/(?:src|href)="([^"]+)"/g)) await request(api.app).get(path!).expect(200);
  });

  it('publishes its keys and its health', async () => {
    expect((await request(api.app).get('/.well-known/jwks.json').expect(200)).body.keys[0]).not.toHaveProperty('d');
    await request(api.app).get('/livez').expect(200);
    await request(api.app).get('/readyz').expect(200);
  });
});
