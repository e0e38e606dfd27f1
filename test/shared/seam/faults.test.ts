import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { withDeadline } from '../../../src/shared/context.ts';
import { createBreaker, createBulkhead, createRetryBudget, DEFAULT_POLICY } from '../../../src/shared/seam/resilience.ts';
import { createLogger } from '../../../src/shared/telemetry.ts';
import { closeAll, createLamp, lampAt, lampContract, lampServer, listenTo, listenWith } from './support.ts';

afterEach(closeAll);

const unavailable = expect.objectContaining({ code: 'unavailable', reason: 'unavailable' });

/** The lamp behind a fault: `broken` decides by the number of the call (the comparison of contracts is not counted). */
async function behind(broken: (turn: number, next: () => void, ...http: Parameters<RequestListener>) => void) {
  const { service, asked } = createLamp();
  const real = lampServer({ service });
  let turn = 0;
  const { address } = await listenTo((req, res) => (req.method === 'GET' ? real(req, res) : broken((turn += 1), () => real(req, res), req, res)));
  return { address, asked, turns: () => turn };
}

describe('a lost connection', () => {
  it('is tried again for what may be repeated', async () => {
    const { address, turns } = await behind((turn, next, req) => (turn === 1 ? void req.socket.resetAndDestroy() : next()));
    expect(await lampAt(address).service.light({ id: 'a' })).toEqual({ size: 1 });
    expect(turns()).toBe(2);
  });

  it('is not tried again for what may not: nobody knows whether it took effect', async () => {
    const { address, turns } = await behind((_turn, _next, req) => void req.socket.resetAndDestroy());
    await expect(lampAt(address).service.flicker({})).rejects.toEqual(unavailable);
    expect(turns()).toBe(1);
  });

  it('after the effect is tried again too, with the same input', async () => {
    const { address, asked } = await behind((turn, next, req, res) => {
      if (turn === 1) res.end = (() => req.socket.resetAndDestroy()) as never;
      next();
    });
    expect(await lampAt(address).service.light({ id: 'a' })).toEqual({ size: 1 });
    expect(asked).toEqual(['light', 'light']);
  });

  it('that never came about is tried again for everything, and found when the peer is back', async () => {
    const { server, port } = await listenTo(lampServer());
    const { service } = lampAt(`http://127.0.0.1:${port}`, { failures: 100 });
    await service.flicker({});
    (server as Server).closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await expect(service.flicker({})).rejects.toEqual(unavailable);
    await listenWith(createServer(lampServer()), port);
    await expect.poll(() => service.flicker({}).catch(() => undefined)).toEqual({ times: 3 });
  });
});

describe('a comparison of contracts that is lost', () => {
  it('leaves the call behind it unsent, so that it is made again whatever it does', async () => {
    const { service, asked } = createLamp();
    const real = lampServer({ service });
    let comparisons = 0;
    const { address } = await listenTo((req, res) => (req.method === 'GET' && (comparisons += 1) === 1 ? void req.socket.resetAndDestroy() : real(req, res)));
    expect(await lampAt(address).service.flicker({})).toEqual({ times: 3 });
    expect([comparisons, asked]).toEqual([2, ['flicker']]);
  });
});

describe('a connection that nobody uses', () => {
  it('is closed by its caller, before a peer that ends would cut it, whatever the peer promises', { timeout: 30_000 }, async () => {
    const server = createServer({ keepAliveTimeout: 600_000 }, lampServer());
    const { address } = await listenWith(server);
    await lampAt(address).service.look({ id: 'x' });
    const connections = () => promisify(server.getConnections.bind(server))();
    expect(await connections()).toBeGreaterThan(0);
    await expect.poll(connections, { timeout: 25_000 }).toBe(0);
  });
});

describe('a peer that', () => {
  it.each<[string, RequestListener]>([
    ['answers with a web page', (_req, res) => void res.end('<h1>It works!</h1>')],
    ['answers not found as a web page', (_req, res) => void res.writeHead(404).end('<h1>Not found</h1>')],
    ['answers another shape', (_req, res) => void res.end(JSON.stringify({ lit: 'yes' }))],
    ['answers an error of nobody', (_req, res) => void res.writeHead(409).end(JSON.stringify({ error: 'no' }))],
    ['answers half', (_req, res) => void res.writeHead(200, { 'content-length': '100' }).write('{"lit":', () => res.destroy())],
    ['answers without end', (_req, res) => void res.writeHead(200).write('{"lit": true')],
    ['sends headers and trickles', (_req, res) => void setInterval(() => res.write(' '), 5).unref()],
    ['takes everything in and is silent', () => undefined],
  ])('%s is unavailable, in time', async (_what, fault) => {
    const { address } = await behind((_turn, _next, req, res) => fault(req, res));
    const { service } = lampAt(address, { timeout: 100, retries: 0 });
    await expect(service.look({ id: 'x' })).rejects.toEqual(unavailable);
  });

  it('accepts connections and never speaks is unavailable, in time', async () => {
    const { address } = await listenWith(createTcpServer(() => undefined) as never);
    await expect(withDeadline(100, () => lampAt(address).service.look({ id: 'x' }))).rejects.toEqual(unavailable);
  });

  it('speaks an older contract that does not fit is never called', async () => {
    const { asked, service } = createLamp();
    const { light, flicker } = lampContract.methods;
    const { address } = await listenTo(lampServer({ contract: { ...lampContract, methods: { light, flicker } }, service }));
    await expect(lampAt(address).check()).rejects.toThrow(/contract/);
    await expect(lampAt(address).service.light({ id: 'a' })).rejects.toEqual(unavailable);
    expect(asked).toEqual([]);
  });
});

describe('a peer that does not take a call', () => {
  const refusing = (reason: string, status = 422) => behind((_turn, _next, _req, res) => void res.writeHead(status).end(JSON.stringify({ code: 'protocol', reason, message: 'No.' })));

  it.each(['too_large', 'contract_violation', 'unknown_method', 'caller_refused', 'unsupported_media_type', 'method_not_allowed'])('because of the call itself (%s) is asked once, and goes on being asked', async (reason) => {
    const { address, turns } = await refusing(reason);
    const { service, state } = lampAt(address, { failures: 1 });
    for (let calls = 1; calls <= 3; calls += 1) {
      await expect(service.look({ id: 'x' })).rejects.toEqual(unavailable);
      expect(turns()).toBe(calls);
    }
    expect(state().breaker).toBe('closed');
  });

  it.each(['caller_unknown', 'unknown_module'])('of anybody here (%s) is asked once and left alone', async (reason) => {
    const { address, turns } = await refusing(reason);
    const { service, state, refusal } = lampAt(address, { failures: 1, pause: 60_000 });
    await expect(service.flicker({})).rejects.toEqual(unavailable);
    expect([turns(), state().breaker, refusal()]).toEqual([1, 'open', reason]);
  });

  it('is told of once, until it takes one', async () => {
    const lines: string[] = [];
    const log = createLogger('error', new Writable({ write: (line, _, done) => (lines.push(String(line)), done()) }));
    const { address } = await behind((turn, next, _req, res) => (turn === 3 ? next() : void res.writeHead(401).end(JSON.stringify({ code: 'protocol', reason: 'caller_unknown', message: 'No.' }))));
    const { service } = lampAt(address, { failures: Infinity, patience: Infinity }, 'order', { log });
    for (let calls = 1; calls <= 4; calls += 1) await service.look({ id: 'x' }).catch(() => undefined);
    expect(lines.length).toBe(2);
  });
});

describe('a refusal', () => {
  const refused = async (body: object, method: 'look' | 'light' = 'light') => {
    const { address } = await behind((_turn, _next, _req, res) => void res.writeHead(409).end(JSON.stringify(body)));
    return lampAt(address, { retries: 0 }).service[method]({ id: 'x' }).then(() => undefined, (error: unknown) => error);
  };

  it('that the contract does not list is none', async () => {
    expect(await refused({ code: 'conflict', reason: 'no_oil', message: 'Empty.' })).toMatchObject({ code: 'conflict', reason: 'no_oil', message: 'Empty.' });
    expect(await refused({ code: 'conflict', reason: 'no_oil', message: 'Empty.' }, 'look')).toEqual(unavailable);
    expect(await refused({ code: 'unauthenticated', reason: 'unauthenticated', message: 'Sign in.' })).toEqual(unavailable);
    expect(await refused({ code: 'unauthenticated', reason: 'internal', message: 'Sign in.' })).toMatchObject({ code: 'internal' });
  });

  it('of nobody foreseen has our own sentence', async () => {
    expect(await refused({ code: 'internal', reason: 'internal', message: 'select secret from lamps', details: { secret: 1 } })).toMatchObject({ code: 'internal', reason: 'internal', message: 'Something went wrong on our side.', details: undefined });
  });

  it('comes without details that are too many or too deep to be handed on', async () => {
    const deep = `{"code":"conflict","reason":"no_oil","message":"Empty.","details":{"left":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`;
    const { address } = await behind((_turn, _next, _req, res) => void res.writeHead(409).end(deep));
    await expect(lampAt(address).service.light({ id: 'x' })).rejects.toMatchObject({ reason: 'no_oil', details: undefined });
    expect(await refused({ code: 'conflict', reason: 'no_oil', message: 'Empty.', details: { left: 'x'.repeat(300_000) } })).toMatchObject({ reason: 'no_oil', details: undefined });
  });
});

describe('a peer that is down', () => {
  it('is left alone after some failures, and found again by one call at a time', async () => {
    let down = true;
    const { address, turns } = await behind((_turn, next, req) => (down ? void req.socket.destroy() : next()));
    const { service } = lampAt(address, { failures: 3, pause: 30, longestPause: 60, retries: 0 });
    const look = () => service.look({ id: 'lit' }).catch(({ reason }: { reason: string }) => reason);
    for (let i = 0; i < 20; i += 1) expect(await look()).toBe('unavailable');
    expect(turns()).toBeLessThan(10);
    down = false;
    await expect.poll(look).toEqual({ lit: true });
    expect(await Promise.all(Array.from({ length: 10 }, look))).toEqual(Array.from({ length: 10 }, () => ({ lit: true })));
  });

  it('gets at most a tenth more calls than were made', async () => {
    const { address, turns } = await behind((_turn, _next, req) => void req.socket.destroy());
    const { service } = lampAt(address, { failures: Infinity, patience: Infinity });
    for (let i = 0; i < 200; i += 1) await service.look({ id: 'x' }).catch(() => undefined);
    expect(turns()).toBeGreaterThan(200);
    expect(turns()).toBeLessThanOrEqual(220 + 5);
  });

  it('holds up no more calls than the bulkhead lets in', async () => {
    const { address, turns } = await behind(() => undefined);
    const { service } = lampAt(address, { concurrency: 4, queue: 2, timeout: 80, retries: 0 });
    const reasons = await Promise.all(Array.from({ length: 20 }, () => service.look({ id: 'x' }).catch(({ reason }: { reason: string }) => reason)));
    expect(new Set(reasons)).toEqual(new Set(['unavailable']));
    expect(turns()).toBeLessThanOrEqual(6);
  });
});

describe('the parts', () => {
  it('a breaker opens when failures are seconds apart, as timeouts are', () => {
    let now = 0;
    const breaker = createBreaker(DEFAULT_POLICY, () => now);
    breaker.failed(now);
    expect(breaker.state()).toBe('closed');
    now = 3_000;
    breaker.failed(now);
    expect(breaker.state()).toBe('open');
    now += DEFAULT_POLICY.pause * 2;
    expect(breaker.state()).toBe('half-open');
    breaker.assertClosed();
    expect(() => breaker.assertClosed()).toThrow();
    breaker.succeeded();
    expect(breaker.state()).toBe('closed');
  });

  it('a breaker hears nothing new from a call of before the pause, also while one tries', () => {
    let now = 0;
    const breaker = createBreaker({ ...DEFAULT_POLICY, failures: 1 }, () => now);
    breaker.failed(now);
    now = DEFAULT_POLICY.pause * 2;
    breaker.assertClosed();
    breaker.failed(0);
    expect(breaker.state()).toBe('half-open');
    breaker.failed(now);
    expect(breaker.state()).toBe('open');
  });

  it('a bulkhead gives its places on, also after failures', async () => {
    const through = createBulkhead({ concurrency: 1, queue: 10 });
    const done: number[] = [];
    await Promise.allSettled(
      [1, 2, 3].map((n) =>
        through(1_000, async () => {
          done.push(n);
          if (n === 2) throw new Error('no');
        }),
      ),
    );
    expect(done).toEqual([1, 2, 3]);
    await expect(through(1_000, async () => 'in')).resolves.toBe('in');
  });

  it('a budget has to be earned', () => {
    const budget = createRetryBudget({ retryBudget: 0.1 });
    const spent = () => Array.from({ length: 20 }, () => budget.spend()).filter(Boolean).length;
    expect(spent()).toBe(5);
    for (let i = 0; i < 31; i += 1) budget.earn();
    expect(spent()).toBe(3);
  });
});
