import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { readTls } from '../../src/placement/tls.ts';
import { listen, type Listening } from '../../src/setup/listen.ts';
import { client } from '../../src/shared/seam/client.ts';
import { lampContract, lampServer, log, tokens } from '../shared/seam/support.ts';
import { type Certificate, createAuthorities } from './certificates.ts';

const authorities = createAuthorities();
afterAll(authorities.remove);
const ours = authorities.authority('ours');
const [lamp, order, stranger] = [ours.signs('lamp'), ours.signs('order'), authorities.authority('theirs').signs('stranger')];

const opened: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

describe('with certificates, a module', () => {
  let inside: Listening;
  beforeAll(async () => {
    inside = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT', tls: readTls(lamp) });
    inside.serve(lampServer());
  });
  afterAll(() => inside.close(1_000));

  const look = (certificate: Certificate, address = inside.address) => {
    const remote = client(lampContract, { from: 'order', address, tls: readTls(certificate), tokens, log, policy: { retries: 0, failures: 100 }, misfits: () => [] });
    opened.push(() => remote.close());
    return remote.service.look({ id: 'lit' });
  };

  it('is called by who has one of the same authority', async () => {
    expect(inside.address).toMatch(/^https:/);
    expect(await look(order)).toEqual({ lit: true });
  });

  it('is not called by who has one of another authority', async () => {
    await expect(look({ ...stranger, ca: order.ca })).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('is not called by who has none', async () => {
    const asking = get(inside.address, { ca: readTls(order).ca });
    await expect(once(asking, 'response')).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|ERR_SSL/) });
  });

  it('does not answer plain http', async () => {
    await expect(look(order, inside.address.replace('https', 'http'))).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('is not believed when another authority signed its certificate, or one for another host', async () => {
    await expect(look({ ...order, ca: stranger.ca })).rejects.toMatchObject({ reason: 'unavailable' });
    await expect(look(order, inside.address.replace('127.0.0.1', 'localhost'))).rejects.toMatchObject({ reason: 'unavailable' });
  });
});

describe('the settings', () => {
  const read = ({ cert, key, ca }: Certificate, more: Record<string, string> = {}) =>
    readConfig({ KERF_SECRET: 'four brown jars, 19 blue lids and no label', KERF_TLS_CERT: cert, KERF_TLS_KEY: key, KERF_TLS_CA: ca, KERF_COUPON_URL: 'https://coupon:3001', KERF_INTERNAL_URL: 'https://front:3001', ...more });

  it('are three files that fit', () => expect(read(lamp).placement.tls).toEqual({ cert: expect.stringMatching(/BEGIN CERT/), key: expect.stringMatching(/PRIVATE/), ca: expect.stringMatching(/BEGIN CERT/) }));

  it.each<[string, () => unknown, string | RegExp]>([
    ['only some of the three', () => read({ ...lamp, ca: '' }), 'KERF_TLS_CERT, KERF_TLS_KEY and KERF_TLS_CA belong together: set all three or none.'],
    ['a file that is not there', () => read({ ...lamp, cert: '/nowhere.pem' }), 'KERF_TLS_CERT names a file that cannot be read: /nowhere.pem (ENOENT).'],
    ['a file that is something else', () => read({ ...lamp, ca: lamp.key }), /^KERF_TLS_CA names a file that does not hold a certificate in PEM: /],
    ['another’s private key', () => read({ ...lamp, key: order.key }), 'KERF_TLS_KEY is not the private key of the certificate in KERF_TLS_CERT.'],
    ['a plain address of its own', () => read(lamp, { KERF_INTERNAL_URL: 'http://coupon:3001' }), 'KERF_INTERNAL_URL must begin with https:// or unix: where KERF_TLS_CERT is set.'],
    ['a plain address', () => read(lamp, { KERF_COUPON_URL: 'http://coupon:3001' }), 'KERF_COUPON_URL must begin with https:// or unix: where KERF_TLS_CERT is set.'],
  ])('cannot be %s', (_what, reading, sentence) => expect(reading).toThrow(sentence));

  it('show no key that cannot be read', () => {
    const path = authorities.at('broken.key');
    writeFileSync(path, 'once upon a time');
    expect(() => read({ ...lamp, key: path })).toThrow(`KERF_TLS_KEY names a file that does not hold a private key without passphrase in PEM: ${path}.`);
  });

  it('leave unix sockets as they are', () => expect(read(lamp, { KERF_COUPON_URL: 'unix:/run/coupon.sock' }).placement.addresses).toEqual({ coupon: 'unix:/run/coupon.sock' }));
});
