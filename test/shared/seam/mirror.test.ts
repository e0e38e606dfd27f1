import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { notFound, unavailable } from '../../../src/shared/errors.ts';
import type { Contract, Service } from '../../../src/shared/contract.ts';
import { client } from '../../../src/shared/seam/client.ts';
import { createMirror, fieldsThatDiffer } from '../../../src/shared/seam/mirror.ts';
import { SHADOW } from '../../../src/shared/seam/protocol.ts';
import { createServiceTokens, derivedKeys } from '../../../src/shared/seam/service-token.ts';
import { createLogger } from '../../../src/shared/telemetry.ts';
import { closeAll, createLamp, type Lamp, lampAt, lampContract, lampServer, listenTo, log } from './support.ts';

vi.setConfig({ expect: { poll: { timeout: 20_000 } } });
afterEach(closeAll);

const wide = (service: object) => service as Service<Contract>;
const mirror = (owner: Lamp, target: object, how: { percent?: number; logger?: typeof log } = {}) => {
  const made = createMirror(lampContract, wide(owner), how.logger ?? log, [1, 1, 50]);
  made.to({ id: 'one', percent: how.percent ?? 100, service: wide(target) });
  return { ...made, lamp: made.service as unknown as Lamp };
};
const lit = (value: boolean | (() => boolean)) => createLamp({ look: async () => ({ lit: typeof value === 'boolean' ? value : value() }) });

describe('a read that is answered twice', () => {
  it('is asked for elsewhere by reads alone, once it is answered, and counted', async () => {
    const [owner, target] = [lit(true), lit(true)];
    const { lamp, seen } = mirror(owner.service, target.service);
    expect(await lamp.look({ id: 'x' })).toEqual({ lit: true });
    await lamp.light({ id: 'x' });
    await expect.poll(seen).toMatchObject({ mirrored: 1, alike: 1, different: 0, failed: 0, underWay: 0, methods: ['look'] });
    expect([owner.asked, target.asked]).toEqual([['look', 'light'], ['look']]);
    expect(Object.values(seen()!.target)).toEqual([1]);
  });

  it('costs its caller nothing where the other one hangs, breaks or refuses', async () => {
    const hanging = mirror(lit(true).service, { look: () => new Promise(() => undefined) });
    for (let call = 0; call < 50; call += 1) expect(await hanging.lamp.look({ id: 'x' })).toEqual({ lit: true });
    expect(hanging.seen()).toMatchObject({ underWay: 8, mirrored: 8, skipped: 42 });
    const broken = mirror(lit(true).service, { look: () => Promise.reject(unavailable()) });
    expect(await broken.lamp.look({ id: 'x' })).toEqual({ lit: true });
    await expect.poll(broken.seen).toMatchObject({ mirrored: 1, failed: 1, alike: 0, underWay: 0 });
  });

  it('is what it is without it, also where it cannot be compared', async () => {
    const large = createLamp({ look: async () => ({ lit: 1n }) as never });
    const wrong = createLamp({ look: async () => ({ lit: 'yes' }) as never });
    for (const { service } of [large, wrong]) {
      const { lamp, seen } = mirror(service, lit(true).service);
      expect(await lamp.look({ id: 'x' })).toEqual(await service.look({ id: 'x' }));
      await expect.poll(seen).toMatchObject({ mirrored: 1, failed: 1, alike: 0, underWay: 0 });
    }
  });

  it('may come later at the target: it agrees when it does in the end', async () => {
    const answers = [false, false, true];
    const { lamp, seen } = mirror(lit(true).service, lit(() => answers.shift()!).service);
    await lamp.look({ id: 'x' });
    await expect.poll(seen).toMatchObject({ alike: 1, different: 0 });
  });

  it('differs if it stays otherwise; the log and the figures say in what, and not what it is', async () => {
    let written = '';
    const heard = createLogger('warn', new Writable({ write: (chunk, _, done) => done(void (written += String(chunk))) }));
    const { lamp, seen } = mirror(lit(true).service, lit(false).service, { logger: heard });
    await lamp.look({ id: 'somebody@example.com' });
    await expect.poll(seen).toMatchObject({ mirrored: 1, alike: 0, different: 1, unsettled: 0, fields: { look: ['answer.lit'] } });
    expect(written).toContain('answer.lit');
    expect(written).not.toContain('somebody');
  });

  it('is not judged where the owner keeps changing its answer', async () => {
    let turn = 0;
    const { lamp, seen } = mirror(lit(() => (turn += 1) % 2 === 0).service, createLamp({ look: () => Promise.reject(notFound('lamp')) }).service);
    await lamp.look({ id: 'x' });
    await expect.poll(seen).toMatchObject({ unsettled: 1, different: 0 });
  });

  it('is one of so many in a hundred, of none in the end, and the figures begin anew with another shadow', async () => {
    const { lamp, seen, to } = mirror(lit(true).service, lit(true).service, { percent: 0 });
    await lamp.look({ id: 'x' });
    expect(seen()).toMatchObject({ mirrored: 0 });
    to({ id: 'one', percent: 100, service: wide(lit(true).service) });
    await lamp.look({ id: 'x' });
    await expect.poll(seen).toMatchObject({ mirrored: 1, underWay: 0 });
    to({ id: 'one', percent: 0, service: wide(lit(true).service) });
    expect(seen()).toMatchObject({ percent: 0, mirrored: 1 });
    to({ id: 'two', percent: 100, service: wide(lit(true).service) });
    expect(seen()).toMatchObject({ id: 'two', mirrored: 0 });
    to(undefined);
    expect(seen()).toBeUndefined();
  });
});

describe('where a module is about to move', () => {
  const tokens = createServiceTokens(derivedKeys('of the shadow', ['order', 'lamp']), () => new Date());
  const at = (address: string, from = 'lamp') =>
    client(lampContract, { from, address, below: SHADOW, tokens, log, misfits: () => [], policy: { retries: 0 } });

  it('answers reads to the module itself, and nobody else', async () => {
    const { address } = await listenTo(lampServer({ service: lit(false).service, shadow: () => lit(true).service }, { tokens }));
    const shadow = at(address);
    expect(await shadow.service.look({ id: 'x' })).toEqual({ lit: true });
    await expect(shadow.service.light({ id: 'x' })).rejects.toMatchObject({ refusal: 'unknown_method' });
    await expect(at(address, 'order').service.look({ id: 'x' })).rejects.toMatchObject({ refusal: 'caller_refused' });
    expect(await lampAt(address, {}, 'order', { tokens }).service.look({ id: 'x' })).toEqual({ lit: false });
  });

  it('answers none once it is over, and none that turns out to write', async () => {
    let shadow: object | undefined = createLamp({ look: () => Promise.reject(Object.assign(new Error('cannot execute UPDATE'), { code: '25006' })) }).service;
    const { address } = await listenTo(lampServer({ shadow: () => shadow }, { tokens }));
    const { lamp, seen } = mirror(lit(true).service, at(address).service);
    await lamp.look({ id: 'x' });
    await lamp.look({ id: 'x' });
    await expect.poll(seen).toMatchObject({ underWay: 0, writing: ['look'], failed: 0, different: 0, methods: [] });
    shadow = undefined;
    await expect(at(address).service.look({ id: 'x' })).rejects.toMatchObject({ refusal: 'unknown_module' });
  });
});

it('names fields, and no key that is data', () => {
  expect(fieldsThatDiffer({ total: 1, lines: [{ price: 2 }, { price: 3 }], by: { 'a@b.c': 1 } }, { total: 2, lines: [{ price: 2 }, { price: 4 }], by: { 'a@b.c': 2 } })).toEqual(['total', 'lines[].price', 'by.*']);
  expect(fieldsThatDiffer({ answer: { items: [] } }, { answer: { items: [1] } })).toEqual(['answer.items.length']);
  expect(fieldsThatDiffer({ answer: {} }, { refusal: { reason: 'not_found' } })).toEqual(['answer', 'refusal']);
});
