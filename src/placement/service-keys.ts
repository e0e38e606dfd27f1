import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../setup/config-error.ts';
import { derivedKeys, type ServiceKeys } from '../shared/seam/service-token.ts';
import { contentOf } from './named-file.ts';
import type { Placement } from './placement.ts';
import type { Topology } from './topology.ts';

const KeySet = z.object({ keys: z.array(z.looseObject({ kid: z.string().min(1) })) });

/** Reads the JSON Web Key Set (RFC 7517) that `kerf keys service` writes; throws a ConfigError for what is no good in it. */
export function readServiceKeys(path: string): { keys: ServiceKeys; isOpenToOthers: boolean } {
  const pairs = new Map<string, Pair>();
  for (const { kid, ...key } of parsed(path).keys) {
    if (pairs.has(kid)) throw new ConfigError(`KERF_SERVICE_KEYS has more than one key of ${kid}: leave the one that counts.`);
    pairs.set(kid, pairOf(kid, key));
  }
  for (const [kid, { publicKey }] of pairs) {
    const [twin] = [...pairs].find(([other, pair]) => other !== kid && pair.publicKey.equals(publicKey)) ?? [];
    if (twin) throw new ConfigError(`KERF_SERVICE_KEYS has one key for ${kid} and ${twin}, who could not be told apart: give each its own.`);
  }
  return {
    keys: {
      privateKey: (name) => pairs.get(name)?.privateKey ?? missing(`the private key of ${name}, which runs here`),
      publicKey: (name) => pairs.get(name)?.publicKey,
    },
    isOpenToOthers: (statSync(path).mode & 0o077) !== 0,
  };
}

/** Throws a ConfigError unless all that runs here can say who it is, and be told who calls it or sends it events. */
export function assertKeys(keys: ServiceKeys, { hosts, edge }: Placement, topology: Topology): void {
  for (const name of [...hosts, ...(edge ? ['edge'] : [])]) keys.privateKey(name);
  for (const name of hosts) {
    for (const caller of [...topology.callers(name), 'edge']) if (!keys.publicKey(caller)) missing(`the key of ${caller}, which calls ${name}`);
    for (const publisher of topology.publishers(name)) if (!keys.publicKey(publisher)) missing(`the key of ${publisher}, which sends events to ${name}`);
  }
}

/** What a host with these modules is given: their private keys, and everybody's public ones. */
export function serviceKeySet(secret: string, { hosts, everybody }: { hosts: readonly string[]; everybody: readonly string[] }): { keys: JsonWebKey[] } {
  const { privateKey } = derivedKeys(secret, everybody);
  const jwk = (name: string) => (hosts.includes(name) ? privateKey(name) : createPublicKey(privateKey(name))).export({ format: 'jwk' });
  return { keys: everybody.map((name) => ({ kid: name, ...jwk(name) })) };
}

interface Pair {
  privateKey: KeyObject | undefined;
  publicKey: KeyObject;
}

function pairOf(kid: string, key: JsonWebKey): Pair {
  if (key.kty !== 'OKP' || key.crv !== 'Ed25519') throw new ConfigError(`The key of ${kid} in KERF_SERVICE_KEYS is not an Ed25519 key (RFC 8037: "kty": "OKP", "crv": "Ed25519").`);
  try {
    const publicKey = createPublicKey({ key: { kty: key.kty, crv: key.crv, x: key.x! }, format: 'jwk' });
    const privateKey = key.d === undefined ? undefined : createPrivateKey({ key, format: 'jwk' });
    if (!privateKey || createPublicKey(privateKey).equals(publicKey)) return { privateKey, publicKey };
  } catch {
    throw new ConfigError(`The key of ${kid} in KERF_SERVICE_KEYS cannot be read: "x" and "d" must be 32 bytes each, in base64url.`);
  }
  throw new ConfigError(`The private key of ${kid} in KERF_SERVICE_KEYS belongs to another public key than the one beside it.`);
}

function parsed(path: string): z.infer<typeof KeySet> {
  const text = contentOf('KERF_SERVICE_KEYS', path);
  try {
    return KeySet.parse(JSON.parse(text));
  } catch {
    throw new ConfigError(`KERF_SERVICE_KEYS names a file that is not a JSON Web Key Set whose keys have a "kid": ${path}.`);
  }
}

function missing(what: string): never {
  throw new ConfigError(`KERF_SERVICE_KEYS lacks ${what}: write the file anew with "kerf keys service".`);
}
