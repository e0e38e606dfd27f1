import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { deriveKey } from '../ids.ts';

/**
 * Who calls whom over the wire: a JWT (EdDSA, Ed25519) of a minute's life, `iss` the calling module, `aud` the module
 * that is called. Each module signs with a key of its own, so a token opens what its issuer's calls allow and no more.
 */
export interface ServiceTokens {
  /** a token for calls from one module (or `edge`) to another; the same one for half its life */
  tokenFor(from: string, to: string): Promise<string>;
  /** the calling module's name, or undefined for a token that is no good for `to` */
  callerOf(token: string, to: string): Promise<string | undefined>;
}

const ALGORITHM = 'EdDSA';
const TYPE = 'kerf-service+jwt';
/** seconds */
const LIFETIME = 60;
const SKEW = 30;
const MOST_KNOWN = 1_000;

/** The private keys of the modules that this process speaks for, and the public ones of those it hears. */
export interface ServiceKeys {
  privateKey(module: string): KeyObject;
  publicKey(module: string): KeyObject | undefined;
}

/** Keys that follow from the installation's secret: whoever has it can speak for every module. A name that is none of `names` has no key, so no stranger can have one made. */
export function derivedKeys(secret: string, names: readonly string[]): ServiceKeys {
  const kept = new Map<string, { privateKey: KeyObject; publicKey: KeyObject }>();
  const pair = (module: string) => {
    const known = kept.get(module) ?? pairFrom(Buffer.from(deriveKey(secret, `service key ${module}`), 'hex'));
    kept.set(module, known);
    return known;
  };
  return { privateKey: (module) => pair(module).privateKey, publicKey: (module) => (names.includes(module) ? pair(module).publicKey : undefined) };
}

/** RFC 8410: the 32 bytes of an Ed25519 key in PKCS #8. */
function pairFrom(seed: Buffer) {
  const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

export function createServiceTokens(keys: ServiceKeys, now: () => Date): ServiceTokens {
  const seconds = () => Math.floor(now().getTime() / 1_000);
  const made = new Map<string, { token: Promise<string>; renewAt: number }>();
  const known = new Map<string, { from: string; until: number }>();

  const sign = (from: string, to: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: ALGORITHM, kid: from, typ: TYPE })
      .setIssuer(from)
      .setAudience(to)
      .setIssuedAt(seconds())
      .setExpirationTime(seconds() + LIFETIME)
      .sign(keys.privateKey(from));

  const verified = async (token: string, to: string) => {
    const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => required(keys.publicKey(kid ?? '')), {
      algorithms: [ALGORITHM],
      audience: to,
      typ: TYPE,
      requiredClaims: ['exp', 'iat', 'iss'],
      maxTokenAge: LIFETIME,
      clockTolerance: SKEW,
      currentDate: now(),
    });
    if (payload.iss !== protectedHeader.kid) throw new UnknownKey();
    return { from: payload.iss!, until: Math.min(payload.exp!, payload.iat! + LIFETIME) };
  };

  return {
    async tokenFor(from, to) {
      const edge = `${from} ${to}`;
      const kept = made.get(edge);
      if (kept && kept.renewAt > seconds()) return kept.token;
      const token = sign(from, to);
      made.set(edge, { token, renewAt: seconds() + LIFETIME / 2 });
      return token;
    },
    async callerOf(token, to) {
      const entry = `${to} ${token}`;
      const kept = known.get(entry);
      if (kept && kept.until + SKEW > seconds()) return kept.from;
      known.delete(entry);
      try {
        const caller = await verified(token, to);
        if (known.size >= MOST_KNOWN) known.clear();
        known.set(entry, caller);
        return caller.from;
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof UnknownKey) return undefined;
        throw error;
      }
    },
  };
}

class UnknownKey extends Error {}

function required(key: KeyObject | undefined): KeyObject {
  if (!key) throw new UnknownKey();
  return key;
}
