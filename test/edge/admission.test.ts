import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createAdmission } from '../../src/edge/admission.ts';
import { conflict } from '../../src/shared/errors.ts';
import { route } from '../../src/shared/http.ts';
import { createTestApp } from '../support/app.ts';

const LIMIT = 2;
const common = { tag: 'test', summary: 'for tests', access: 'anyone', responses: { 200: { description: 'done', schema: z.object({ done: z.boolean() }) } } } as const;

/** Requests whose work does not end before `finish`. */
const working: (() => void)[] = [];
let entered = 0;
let left = 0;
const work = async () => {
  entered += 1;
  await new Promise<void>((resolve) => working.push(resolve));
  return { body: { done: true } };
};
const finish = () => {
  for (const done of working.splice(0)) done();
};

const routes = [
  route({ ...common, method: 'get', path: '/shelf', operationId: 'readShelf', handle: work }),
  route({ ...common, method: 'post', path: '/shelf', operationId: 'fillShelf', body: z.strictObject({ with: z.string() }), handle: work }),
  route({ ...common, method: 'post', path: '/till', operationId: 'pay', shedLast: true, handle: work }),
  route({ ...common, method: 'get', path: '/nothing', operationId: 'readNothing', handle: () => Promise.reject(conflict('nothing', 'There is nothing.')) }),
];

let api: Awaited<ReturnType<typeof createTestApp>>;
let server: Server;
let url: string;
beforeAll(async () => {
  api = await createTestApp(routes, undefined, { admission: createAdmission(LIMIT) });
  server = createServer(api.app).listen(0, '127.0.0.1');
  server.on('request', (_req, res) => res.once('close', () => (left += 1)));
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(finish);
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await api.close();
});

const read = (headers = {}) => fetch(`${url}/v1/shelf`, { headers });
const change = () => fetch(`${url}/v1/shelf`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"with":"jam"}' });
const pay = () => fetch(`${url}/v1/till`, { method: 'POST' });
const status = async (answer: Promise<Response>) => (await answer).status;

/** So many, all at work; answers how to wait for what they were told. */
async function fill(count: number, send: () => Promise<Response>): Promise<() => Promise<(number | 'gone')[]>> {
  const before = entered;
  const told = Array.from({ length: count }, () => status(send()).catch(() => 'gone' as const));
  await expect.poll(() => entered).toBe(before + count);
  return () => Promise.all(told);
}

describe('more requests than the shop can answer', () => {
  it('are refused at once, by when to come back, before anybody is asked who they are', async () => {
    const inside = await fill(LIMIT, read);
    const refused = await read({ authorization: 'Bearer of.bad.news' });
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('content-type')]).toEqual([503, '1', 'application/problem+json; charset=utf-8']);
    expect(await refused.json()).toMatchObject({ reason: 'overloaded', traceId: expect.any(String) });
    finish();
    expect(await inside()).toEqual([200, 200]);
  });

  it('leave the buyers for the last, and those who change something before them', async () => {
    await fill(LIMIT, read);
    await fill(LIMIT / 2, change);
    expect([await status(read()), await status(change())]).toEqual([503, 503]);
    await fill(LIMIT / 2, pay);
    expect([await status(read()), await status(change()), await status(pay())]).toEqual([503, 503, 503]);
  });

  it('never stop it from saying that it is alive and ready', async () => {
    await fill(LIMIT * 2, pay);
    expect([await status(fetch(`${url}/livez`)), await status(fetch(`${url}/readyz`))]).toEqual([200, 200]);
  });

  it('are counted, and so are those that are worked on', async () => {
    const figure = async (name: string) => (await api.metrics.registry.metrics()).split('\n').find((line) => line.startsWith(`${name} `))?.split(' ').at(-1);
    const before = Number(await figure('kerf_refusals_total{reason="overloaded"}'));
    await fill(LIMIT, read);
    await read();
    expect(await figure('kerf_refusals_total{reason="overloaded"}')).toBe(`${before + 1}`);
    expect(await figure('kerf_http_requests_under_way')).toBe(`${LIMIT}`);
  });
});

describe('a place in the shop', () => {
  it('is free again after a refusal', async () => {
    for (let times = 0; times <= LIMIT * 2; times += 1) expect(await status(fetch(`${url}/v1/nothing`))).toBe(409);
    await fill(LIMIT, read);
  });

  it('is taken for as long as somebody works, also when the sender has gone', async () => {
    const gone = new AbortController();
    const before = left;
    const sent = await fill(LIMIT, () => fetch(`${url}/v1/shelf`, { signal: gone.signal }));
    gone.abort();
    expect(await sent()).toEqual(['gone', 'gone']);
    await expect.poll(() => left).toBe(before + LIMIT);
    expect(await status(read())).toBe(503);
    finish();
    await fill(LIMIT, read);
  });

  it('is not taken by who has not said yet what he wants', async () => {
    const slow = await Promise.all(Array.from({ length: LIMIT * 2 }, beginChange));
    const before = entered;
    const sent = await fill(LIMIT, read);
    finish();
    expect(await sent()).toEqual([200, 200]);
    const room = LIMIT * 1.5;
    for (const socket of slow.slice(0, room)) socket.write('}');
    await expect.poll(() => entered).toBe(before + LIMIT + room);
    expect([await status(read()), await status(change())]).toEqual([503, 503]);
    for (const socket of slow) socket.destroy();
  });

  it('is asked for again by who has said it: of many who end together, so many come in as there is room for', async () => {
    const slow = await Promise.all(Array.from({ length: LIMIT * 10 }, beginChange));
    const [before, room] = [entered, LIMIT * 1.5];
    let refused = 0;
    for (const socket of slow) socket.on('data', (told) => (refused += String(told).includes('"overloaded"') ? 1 : 0));
    for (const socket of slow) socket.write('}');
    await expect.poll(() => refused + entered - before).toBe(slow.length);
    expect(entered - before).toBe(room);
    finish();
    await fill(LIMIT, read);
    for (const socket of slow) socket.destroy();
  });
});

/** A change whose last byte is not sent; resolves once it is under way. */
async function beginChange(): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const continued = once(socket, 'data');
  socket.write('POST /v1/shelf HTTP/1.1\r\nhost: kerf\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"with":"jam"');
  expect(String((await continued)[0])).toContain('100 Continue');
  return socket;
}
