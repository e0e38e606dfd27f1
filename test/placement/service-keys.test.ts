import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { modules } from '../../src/composition.ts';
import { assertKeys, readServiceKeys, serviceKeySet } from '../../src/placement/service-keys.ts';
import { topologyOf } from '../../src/placement/topology.ts';
import { createServiceTokens, derivedKeys } from '../../src/shared/seam/service-token.ts';

const SECRET = 'four brown jars, 19 blue lids and no label';
const everybody = [...MODULES, 'edge'];
const topology = topologyOf(modules);

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'kerf-keys-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const setFor = (...hosts: string[]) => serviceKeySet(SECRET, { hosts, everybody });
const fileOf = async (content: unknown): Promise<string> => {
  const path = join(folder, 'keys.json');
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
  return path;
};
const changed = (kid: string, change: (key: JsonWebKey) => JsonWebKey | undefined) => ({ keys: setFor('coupon').keys.flatMap((key) => (key.kid === kid ? (change(key) ?? []) : key)) });

describe('the keys of a host', () => {
  it('let its modules speak for themselves, and hear the others', async () => {
    const { keys } = readServiceKeys(await fileOf(setFor('coupon')));
    const [apart, together] = [createServiceTokens(keys, () => new Date()), createServiceTokens(derivedKeys(SECRET, [...MODULES, 'edge']), () => new Date())];
    expect(await together.callerOf(await apart.tokenFor('coupon', 'order'), 'order')).toBe('coupon');
    expect(await apart.callerOf(await together.tokenFor('order', 'coupon'), 'coupon')).toBe('order');
  });

  it('do not let them speak for others', async () => {
    const { keys } = readServiceKeys(await fileOf(setFor('coupon')));
    await expect(createServiceTokens(keys, () => new Date()).tokenFor('order', 'payment')).rejects.toThrow('KERF_SERVICE_KEYS lacks the private key of order');
    expect(setFor('coupon').keys.filter(({ d }) => d).map(({ kid }) => kid)).toEqual(['coupon']);
  });

  it('are for their owner’s eyes', async () => {
    const path = await fileOf(setFor('coupon'));
    expect(readServiceKeys(path).isOpenToOthers).toBe(false);
    await chmod(path, 0o644);
    expect(readServiceKeys(path).isOpenToOthers).toBe(true);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no JSON', () => 'keys', /is not a JSON Web Key Set/],
    ['a single key', () => setFor('coupon').keys[0], /is not a JSON Web Key Set/],
    ['a key without name', () => changed('order', (key) => ({ ...key, kid: undefined })), /is not a JSON Web Key Set/],
    ['a key of another kind', () => changed('order', ({ kid }) => ({ kid, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) })), /key of order .* is not an Ed25519 key/],
    ['a key that is cut short', () => changed('order', (key) => ({ ...key, x: key.x!.slice(4) })), /key of order .* cannot be read/],
    ['a private key beside another’s public one', () => changed('coupon', (key) => ({ ...key, x: setFor().keys.find(({ kid }) => kid === 'order')!.x! })), /private key of coupon .* belongs to another public key/],
    ['two keys of one module', () => ({ keys: [...setFor('coupon').keys, { ...setFor().keys[0], kid: 'coupon' }] }), /more than one key of coupon/],
    ['one key for two modules', () => changed('order', (key) => ({ ...setFor().keys[0], kid: key.kid })), /one key for user and order/],
  ])('cannot be %s', async (_what, content, sentence) => {
    const path = await fileOf(content());
    expect(() => readServiceKeys(path)).toThrow(sentence);
  });

  it('are in a file that can be read', () => {
    expect(() => readServiceKeys(join(folder, 'nowhere'))).toThrow(/^KERF_SERVICE_KEYS names a file that cannot be read: .* \(ENOENT\)\.$/);
  });
});

describe('a host', () => {
  const needs = async (content: unknown, hosts: string[], edge = false) => {
    const { keys } = readServiceKeys(await fileOf(content));
    return () => assertKeys(keys, { hosts, addresses: {}, edge }, topology);
  };

  it('starts with its own private keys and the public ones of who calls it', async () => expect(await needs(setFor('coupon'), ['coupon'])).not.toThrow());

  it.each([
    ['a private key of its own', setFor('order'), false, /lacks the private key of coupon, which runs here/],
    ['the private key of the public API that it serves', setFor('coupon'), true, /lacks the private key of edge, which runs here/],
    ['the key of a module that calls it', changed('order', () => undefined), false, /lacks the key of order, which calls coupon/],
    ['the key of the public API', changed('edge', () => undefined), false, /lacks the key of edge, which calls coupon/],
  ])('does not start without %s', async (_what, content, edge, sentence) => expect(await needs(content, ['coupon'], edge)).toThrow(sentence));

  it('does not start without the key of a module that tells it events', async () => {
    const content = { keys: setFor('order').keys.filter(({ kid }) => kid !== 'payment') };
    expect(await needs(content, ['order'])).toThrow(/lacks the key of payment, which sends events to order/);
  });
});
