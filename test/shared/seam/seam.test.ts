import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { currentContext, timeLeft, withDeadline, withTrace } from '../../../src/shared/context.ts';
import type { Event } from '../../../src/shared/events.ts';
import { EVENTS, LARGEST_REQUEST, pathOf } from '../../../src/shared/seam/protocol.ts';
import { createServiceTokens, derivedKeys } from '../../../src/shared/seam/service-token.ts';
import { createLogger } from '../../../src/shared/telemetry.ts';
import { closeAll, createLamp, keys, lampAt, lampContract, lampServer, listenTo, tokens } from './support.ts';

afterEach(closeAll);

const event: Event = { specversion: '1.0', id: '018f6a3e-0000-7000-8000-000000000001', source: 'kerf/catalog', type: 'catalog.changed', subject: 's', time: '2026-03-02T03:00:00.000Z', datacontenttype: 'application/json', data: {} };

describe('a module over the seam', () => {
  it('answers as it does next door, with defaults filled in', async () => {
    const { address } = await listenTo(lampServer());
    const { service } = lampAt(address);
    expect(await service.look({ id: 'lit' })).toEqual({ lit: true });
    expect(await service.light({ id: 'a' })).toEqual({ size: 1 });
  });

  it('refuses with its own reason, message and details', async () => {
    const { address } = await listenTo(lampServer());
    await expect(lampAt(address).service.light({ id: 'dry' })).rejects.toMatchObject({ code: 'conflict', reason: 'no_oil', message: 'The lamp is empty.', details: { left: 0 } });
  });

  it('says nothing of what broke inside', async () => {
    const { service } = createLamp({ look: () => Promise.reject(new Error('select secret from lamps')) });
    const { address } = await listenTo(lampServer({ service }));
    await expect(lampAt(address).service.look({ id: 'x' })).rejects.toMatchObject({ reason: 'internal', message: expect.not.stringMatching(/secret/) });
  });

  it('goes on with the trace of its caller', async () => {
    let seen: string | undefined;
    const { service } = createLamp({ look: async () => ((seen = currentContext()?.traceparent), { lit: true }) });
    const { address } = await listenTo(lampServer({ service }));
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await withTrace(traceparent, () => lampAt(address).service.look({ id: 'x' }));
    expect(seen).toBe(traceparent);
  });

  it('takes as much as the method says that it may be sent', async () => {
    const methods = { ...lampContract.methods, look: { ...lampContract.methods.look, largestRequest: 2 * LARGEST_REQUEST } };
    const { address } = await listenTo(lampServer({ contract: { ...lampContract, methods } }));
    const { service } = lampAt(address);
    expect(await service.look({ id: 'x'.repeat(LARGEST_REQUEST) })).toEqual({ lit: false });
    await expect(service.light({ id: 'x'.repeat(LARGEST_REQUEST) })).rejects.toMatchObject({ reason: 'unavailable' });
    await expect(service.look({ id: 'x'.repeat(2 * LARGEST_REQUEST) })).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('takes in events of the modules it listens to, and of no others', async () => {
    const taken: Event[] = [];
    const { address } = await listenTo(lampServer({ deliver: async (event) => void taken.push(event) }));
    await lampAt(address, {}, 'catalog').deliver(event);
    expect(taken).toEqual([event]);
    await expect(lampAt(address).deliver(event)).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('takes no event from another than who publishes it', async () => {
    const taken: Event[] = [];
    const { address } = await listenTo(lampServer({ deliver: async (one) => void taken.push(one), publishers: ['catalog', 'order'] }));
    const answer = await call(address, EVENTS, { ...event, type: 'order.placed' }, { authorization: `Bearer ${await tokens.tokenFor('catalog', 'lamp')}` });
    expect([answer.status, await answer.json()]).toMatchObject([403, { code: 'protocol', reason: 'caller_refused' }]);
    expect(taken).toEqual([]);
  });

  it.each([['null', null], ['an empty object', {}], ['one whose id is no UUID', { ...event, id: '1' }], ['one of no type', { ...event, type: 7 }]])('takes no event that is none: %s', async (_what, body) => {
    const { address } = await listenTo(lampServer({ publishers: ['order'], deliver: () => Promise.reject(new Error('was delivered')) }));
    const answer = await call(address, EVENTS, body);
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'protocol', reason: 'contract_violation' }]);
  });
});

describe('deadlines', () => {
  it('are passed on, shorter by what has gone', async () => {
    let left = Infinity;
    const { service } = createLamp({ look: async () => ((left = timeLeft()), { lit: true }) });
    const { address } = await listenTo(lampServer({ service }));
    await withDeadline(900, () => lampAt(address).service.look({ id: 'x' }));
    expect(left).toBeLessThanOrEqual(900);
    expect(left).toBeGreaterThan(0);
  });

  it('end the wait on both sides', async () => {
    const { service } = createLamp({ look: () => new Promise(() => undefined) });
    const { address } = await listenTo(lampServer({ service }));
    await expect(withDeadline(60, () => lampAt(address).service.look({ id: 'x' }))).rejects.toMatchObject({ reason: 'unavailable' });
    const answer = await call(address, 'look', { id: 'x' }, { 'kerf-timeout': '30' });
    expect([answer.status, await answer.json()]).toMatchObject([504, { code: 'protocol', reason: 'deadline_exceeded' }]);
  });

  it('that have passed are not begun', async () => {
    const { service, asked } = createLamp();
    const { address } = await listenTo(lampServer({ service }));
    await expect(withDeadline(-1, () => lampAt(address).service.look({ id: 'x' }))).rejects.toMatchObject({ reason: 'unavailable' });
    expect((await call(address, 'look', { id: 'x' }, { 'kerf-timeout': '0' })).status).toBe(504);
    expect(asked).toEqual([]);
  });

  it.each(['9999999999', 'Infinity'])('of %s milliseconds are no longer than a minute', async (patience) => {
    let left = 0;
    const { service } = createLamp({ look: async () => ((left = timeLeft()), { lit: true }) });
    const { address } = await listenTo(lampServer({ service }));
    expect((await call(address, 'look', { id: 'x' }, { 'kerf-timeout': patience })).status).toBe(200);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});

/** A call by hand, as an implementation in another language would send it. */
const call = async (address: string, method: string, body: unknown, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(`${address}${pathOf('lamp', method)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await tokens.tokenFor('order', 'lamp')}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });

describe('what is refused before it reaches the module', () => {
  const far = createServiceTokens(keys, () => new Date(Date.now() - 200_000));
  const stranger = createServiceTokens(derivedKeys('another secret that nobody here knows of', ['order']), () => new Date());
  const bearer = async (token: Promise<string>) => ({ authorization: `Bearer ${await token}` });

  it.each([
    ['no token', async () => ({ authorization: '' }), 401, 'caller_unknown'],
    ['a token that is none', async () => ({ authorization: 'Bearer x.y.z' }), 401, 'caller_unknown'],
    ['a token for another module', () => bearer(tokens.tokenFor('order', 'coupon')), 401, 'caller_unknown'],
    ['a token that has ended', () => bearer(far.tokenFor('order', 'lamp')), 401, 'caller_unknown'],
    ['a token signed with another secret', () => bearer(stranger.tokenFor('order', 'lamp')), 401, 'caller_unknown'],
    ['a module that may not call it', () => bearer(tokens.tokenFor('coupon', 'lamp')), 403, 'caller_refused'],
    ['another content type', async () => ({ 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
  ])('%s', async (_what, headers, status, reason) => {
    const { service, asked } = createLamp();
    const { address } = await listenTo(lampServer({ service }));
    const answer = await call(address, 'look', { id: 'x' }, await headers());
    expect([answer.status, await answer.json()]).toMatchObject([status, { code: 'protocol', reason }]);
    expect(asked).toEqual([]);
  });

  it.each([
    ['an input that does not fit', 'look', { id: 7 }, 422, 'contract_violation'],
    ['what is not JSON', 'look', '{', 422, 'contract_violation'],
    ['more than a mebibyte', 'look', { id: 'x'.repeat(1_100_000) }, 413, 'too_large'],
    ['a method that is not in the contract', 'explode', {}, 404, 'unknown_method'],
    ['a property of every object', 'constructor', {}, 404, 'unknown_method'],
  ])('%s', async (_what, method, body, status, reason) => {
    const { address } = await listenTo(lampServer());
    const answer = await call(address, method, body);
    expect([answer.status, await answer.json()]).toMatchObject([status, { code: 'protocol', reason }]);
  });

  it('a module that is not here, which reads as unavailable and not as not_found', async () => {
    const { address } = await listenTo(lampServer({ contract: { module: 'torch', methods: {}, events: {}, token: Symbol('torch') } }));
    await expect(lampAt(address).service.look({ id: 'x' })).rejects.toMatchObject({ reason: 'unavailable' });
  });
});

describe('who is not let in', () => {
  it('is counted, and named in the log once a minute', async () => {
    const [lines, counted] = [[] as string[], [] as string[]];
    const log = createLogger('warn', new Writable({ write: (line, _, done) => (lines.push(String(line)), done()) }));
    const { address } = await listenTo(lampServer({}, { log, refused: (module, reason) => counted.push(`${module} ${reason}`) }));
    await call(address, 'look', { id: 'x' }, { authorization: 'Bearer x.y.z' });
    await call(address, 'look', { id: 'x' }, { authorization: `Bearer ${await tokens.tokenFor('coupon', 'lamp')}` });
    await call(address, 'explode', {});
    expect(counted).toEqual(['lamp caller_unknown', 'lamp caller_refused', 'lamp unknown_method']);
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ module: 'lamp', reason: 'caller_unknown' }]);
  });
});

describe('a service token', () => {
  it('of a name that is nobody here is not even looked at', () => {
    expect(keys.publicKey('order')).toBeDefined();
    expect(keys.publicKey('nobody')).toBeUndefined();
  });

  it('is made anew before it ends, and not for each call', async () => {
    const clock = { now: new Date('2026-03-02T03:00:00Z') };
    const moving = createServiceTokens(keys, () => clock.now);
    const first = await moving.tokenFor('order', 'lamp');
    expect(await moving.tokenFor('order', 'lamp')).toBe(first);
    clock.now = new Date(clock.now.getTime() + 31_000);
    const second = await moving.tokenFor('order', 'lamp');
    expect(second).not.toBe(first);
    expect(await moving.callerOf(second, 'lamp')).toBe('order');
    clock.now = new Date(clock.now.getTime() + 100_000);
    expect(await moving.callerOf(second, 'lamp')).toBeUndefined();
  });

  it('of one module cannot speak for another', async () => {
    const forging = createServiceTokens({ ...keys, privateKey: () => keys.privateKey('coupon') }, () => new Date());
    expect(await tokens.callerOf(await forging.tokenFor('order', 'lamp'), 'lamp')).toBeUndefined();
  });
});

