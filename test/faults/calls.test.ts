import type { RequestListener } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { timeLeft, withDeadline } from '../../src/shared/context.ts';
import type { Event } from '../../src/shared/events.ts';
import { createBreaker, DEFAULT_POLICY } from '../../src/shared/seam/resilience.ts';
import { faults, LOSING, startFaultProxy } from '../support/fault-proxy.ts';
import { closeAll, createLamp, lampAt, lampContract, lampServer, listenTo, listenWith, type Lamp } from '../shared/seam/support.ts';

const proxies: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await closeAll();
  for (const proxy of proxies.splice(0)) await proxy.close();
});

const unavailable = expect.objectContaining({ code: 'unavailable', reason: 'unavailable' });

/** A lamp behind a fault proxy. */
async function lamp(over: Partial<Lamp> = {}) {
  const { service, asked } = createLamp(over);
  const proxy = await startFaultProxy((await listenTo(lampServer({ service }))).address);
  proxies.push(proxy);
  return { proxy, asked, address: proxy.address };
}

/** The first answer may take longer than a call here has, when the machine is busy. */
const answers = async (service: Lamp) => {
  await expect.poll(() => service.look({ id: 'lit' }).catch(() => undefined)).toEqual({ lit: true });
};

const answering = async (answer: RequestListener) => {
  const real = lampServer();
  return (await listenTo((req, res) => (req.method === 'GET' ? real(req, res) : answer(req, res)))).address;
};

describe('every fault', () => {
  const { 'an older version': _, ...onAnyContract } = LOSING;
  it.each(Object.entries(onAnyContract))('%s is unavailable to the caller, within the deadline, and over when it is over', async (_what, fault) => {
    const { proxy, address } = await lamp();
    const { service } = lampAt(address, { timeout: 150, pause: 20, longestPause: 40 });
    await answers(service);
    await proxy.meet(fault);
    for (let call = 0; call < 4; call += 1) await expect(service.look({ id: 'lit' })).rejects.toEqual(unavailable);
    await proxy.meet(faults.none);
    await answers(service);
  });

  it('leaves no connection open once the callers are closed', async () => {
    const { proxy, address } = await lamp();
    for (const fault of Object.values(LOSING)) {
      await proxy.meet(fault);
      const { service } = lampAt(address, { timeout: 80, retries: 0 });
      await Promise.allSettled([service.look({ id: 'a' }), service.light({ id: 'a' }), service.flicker({})]);
    }
    await proxy.meet(faults.none);
    await closeAll();
    await expect.poll(() => proxy.connections()).toBe(0);
  });
});

describe('an answer that is none of the module', () => {
  const error = { code: 'conflict', reason: 'no_oil', message: 'The lamp is empty.' };
  it.each([
    ['an unknown code', { ...error, code: 'teapot' }],
    ['a code that every object has', { ...error, code: 'constructor' }],
    ['details that are none', { ...error, details: 'none' }],
    ['no message', { ...error, message: null }],
    ['nothing', null],
  ])('is unavailable: an error with %s', async (_, body) => {
    const address = await answering((_req, res) => void res.writeHead(409).end(JSON.stringify(body)));
    await expect(lampAt(address, { retries: 0 }).service.light({ id: 'a' })).rejects.toEqual(unavailable);
  });

  const event: Event = { specversion: '1.0', id: '1', source: 'kerf/catalog', type: 'catalog.changed', subject: 's', time: '2026-03-02T03:00:00.000Z', datacontenttype: 'application/json', data: {} };
  it.each(['{}', '{"lit":true,"size":1,"times":3}'])('is unavailable: a 200 of whoever else sits at the address (%s)', async (body) => {
    const address = await answering((_req, res) => void res.end(body));
    await expect(lampAt(address, { retries: 0 }).service.light({ id: 'a' })).rejects.toEqual(unavailable);
    await expect(lampAt(address, {}, 'catalog').deliver(event)).rejects.toEqual(unavailable);
  });

  it.each(['null', '{}', '{"hash":"x"}', '{"hash":"x","methods":null,"events":{},"$defs":7}'])('is unavailable: %s as what it says of its contract', async (body) => {
    const { address } = await listenTo((_req, res) => void res.writeHead(200, { 'kerf-contract': 'x' }).end(body));
    const { service } = lampAt(address, { retries: 0 });
    await expect(service.look({ id: 'a' })).rejects.toEqual(unavailable);
  });
});

describe('the time of a call', () => {
  it('is one for all of its tries', async () => {
    const left: number[] = [];
    const { proxy, address } = await lamp({ light: async () => (left.push(timeLeft()), { size: 1 }) });
    await proxy.meet(LOSING['lost answer'], /light/);
    await expect(lampAt(address, { timeout: 60_000 }).service.light({ id: 'a' })).rejects.toEqual(unavailable);
    expect(left).toHaveLength(3);
    expect(left).toEqual(left.toSorted((a, b) => b - a));
  });

  it('is not begun anew for a peer that is silent', async () => {
    const { proxy, address } = await lamp();
    const { service } = lampAt(address, { timeout: 400 });
    await answers(service);
    await proxy.meet(LOSING['silent on open connections'], /look/);
    await expect(service.look({ id: 'a' })).rejects.toEqual(unavailable);
    expect(proxy.requests().filter((path) => path === 'lamp/look')).toHaveLength(1);
  });

  it("ends for one caller while another's comparison of contracts hangs", async () => {
    const { proxy, address } = await lamp();
    await proxy.meet(LOSING['silent from the start']);
    const { service } = lampAt(address, { timeout: 60_000 });
    const patient = service.look({ id: 'a' });
    await expect(withDeadline(50, () => service.look({ id: 'b' }))).rejects.toEqual(unavailable);
    await proxy.meet(LOSING.dead);
    await expect(patient).rejects.toEqual(unavailable);
  });

  it('counts what was spent in line', async () => {
    const left: number[] = [];
    let first = true;
    const { address } = await lamp({
      look: async () => {
        left.push(timeLeft());
        if (first) await vi.waitUntil(() => timeLeft() < left[0]! - 150);
        first = false;
        return { lit: true };
      },
    });
    const { service } = lampAt(address, { concurrency: 1, timeout: 60_000 });
    await service.flicker({});
    await Promise.all([service.look({ id: 'a' }), service.look({ id: 'b' })]);
    expect(left[1]).toBeLessThan(left[0]! - 150);
  });
});

describe('an answer after the deadline', () => {
  it('is not taken for that of the next call', async () => {
    const { proxy, address } = await lamp();
    const { service } = lampAt(address, { timeout: 60_000, concurrency: 1 });
    await service.look({ id: 'a' });
    await proxy.meet(faults.late(0, 150), /look/);
    await expect(withDeadline(50, () => service.look({ id: 'lit' }))).rejects.toEqual(unavailable);
    await expect(service.look({ id: 'dark' })).resolves.toEqual({ lit: false });
    await expect(service.light({ id: 'a', size: 7 })).resolves.toEqual({ size: 7 });
  });
});

describe('a connection that the peer closes as a request is sent', () => {
  /** Takes requests in and cuts the connection once, on a connection that has served one. */
  async function closing() {
    const { service, asked } = createLamp();
    const real = lampServer({ service });
    let cut = false;
    const served = new Set<Socket>();
    const { address } = await listenTo((req, res) => {
      const cutting = !cut && served.has(req.socket);
      cut ||= cutting;
      served.add(req.socket);
      if (cutting) req.socket.destroy();
      else real(req, res);
    });
    const remote = lampAt(address, { concurrency: 1 });
    await remote.check();
    return { ...remote, asked, wasCut: () => cut };
  }

  it('is made up for where the call may be repeated', async () => {
    const { service, asked, wasCut } = await closing();
    await expect(service.look({ id: 'lit' })).resolves.toEqual({ lit: true });
    expect([wasCut(), asked]).toEqual([true, ['look']]);
  });

  it('fails what may not be, which is never done twice', async () => {
    const { service, asked, wasCut } = await closing();
    await expect(service.flicker({})).rejects.toEqual(unavailable);
    expect([wasCut(), asked]).toEqual([true, []]);
    await expect(service.flicker({})).resolves.toEqual({ times: 3 });
    expect(asked).toEqual(['flicker']);
  });
});

describe('a peer that', () => {
  it('comes back with another contract in the middle of traffic is compared again before the next call', async () => {
    const { service, asked } = createLamp();
    const { look, light, flicker } = lampContract.methods;
    const whole = lampServer({ service });
    let serving = whole;
    const { address } = await listenTo((req, res) => serving(req, res));
    const { service: remote } = lampAt(address);
    await remote.look({ id: 'a' });
    serving = lampServer({ contract: { ...lampContract, methods: { look, light, flicker, dim: look } }, service: { ...service, dim: service.look } });
    for (let call = 0; call < 3; call += 1) await expect(remote.look({ id: 'lit' })).resolves.toEqual({ lit: true });
    serving = lampServer({ contract: { ...lampContract, methods: { look, light } }, service });
    await remote.look({ id: 'a' });
    asked.length = 0;
    for (let call = 0; call < 3; call += 1) await expect(remote.look({ id: 'lit' })).rejects.toEqual(unavailable);
    expect(asked).toEqual([]);
    serving = whole;
    await expect(remote.look({ id: 'lit' })).resolves.toEqual({ lit: true });
  });

  it('has a name that nobody knows is unavailable, and was never reached', async () => {
    const { service } = lampAt('http://lamp.invalid:1', { failures: Infinity });
    await expect(service.flicker({})).rejects.toMatchObject({ reason: 'unavailable', reached: false });
  });

  it('answers a request that nobody sent breaks nothing', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined).on('data', () => socket.write('HTTP/1.1 200 OK\r\nkerf-contract: x\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    });
    const { address } = await listenWith(server as never);
    await expect(lampAt(address, { retries: 0 }).service.look({ id: 'a' })).rejects.toEqual(unavailable);
  });

  it('gets each request once when its answers are lost, and three times at most', async () => {
    const { proxy, address, asked } = await lamp();
    const { service } = lampAt(address, { failures: Infinity, patience: Infinity });
    await service.look({ id: 'a' });
    await proxy.meet(LOSING['lost answer']);
    asked.length = 0;
    await expect(service.flicker({})).rejects.toEqual(unavailable);
    await expect(service.light({ id: 'a' })).rejects.toEqual(unavailable);
    expect(asked).toEqual(['flicker', 'light', 'light', 'light']);
  });
});

describe('the breaker', () => {
  it('opens on one call that was not answered for longer than its patience, unless others were', () => {
    let now = 0;
    const breaker = createBreaker(DEFAULT_POLICY, () => now);
    now = 5_000;
    breaker.failed(0);
    expect(breaker.state()).toBe('open');

    const busy = createBreaker(DEFAULT_POLICY, () => now);
    now = 9_000;
    busy.succeeded();
    now = 10_000;
    busy.failed(5_000);
    expect(busy.state()).toBe('closed');
  });

  it('waits no longer because many calls failed at once', () => {
    let now = 1_000;
    const breaker = createBreaker(DEFAULT_POLICY, () => now);
    for (let call = 0; call < 64; call += 1) breaker.failed(now);
    now += DEFAULT_POLICY.pause * 1.25;
    expect(breaker.state()).toBe('half-open');
  });
});

