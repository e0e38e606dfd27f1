import { type CryptoKey, exportJWK, generateKeyPair, importJWK } from 'jose';
import { ACCESS_TOKEN_LIFETIME, type AccessClaims, signAccessToken } from '../../shared/access-token.ts';
import { transaction } from '../../shared/database.ts';
import { newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { createSeal } from '../../shared/seal.ts';
import { findActiveKeys, findCurrentKey, findPublishedKeys, insertMissingKey, lockSigningKeys, promoteNextKey, type SigningKey } from './signing-key-repository.ts';

export interface SigningKeys {
  /** makes sure of a current and a next key; safe in many processes at once */
  prepare(): Promise<void>;
  sign(claims: AccessClaims): Promise<string>;
  /** public keys in the form of RFC 7517 */
  published(): Promise<Record<string, unknown>[]>;
  /** the next key becomes the current one; answers its id */
  rotate(): Promise<string>;
}

const ALGORITHM = 'ES256';
/** seconds for which a process goes on signing with a key that another process has retired */
const CACHED = 60;
/** seconds from a key's retirement until its last token has ended, clocks being a minute apart */
const PUBLISHED_AFTER = CACHED + ACCESS_TOKEN_LIFETIME + 60;

/**
 * The keys of access tokens: there are always two, so that whoever verifies knows the next key before it signs. The
 * private half is in the database sealed with a key derived from the installation's secret.
 */
export function createSigningKeys({ db, settings, log, now }: ModuleContext): SigningKeys {
  let cached: { until: Date; key: Promise<{ id: string; privateKey: CryptoKey }> } | undefined;

  const current = () => {
    if (cached && cached.until > now()) return cached.key;
    const key = openCurrent();
    cached = { until: inSeconds(now(), CACHED), key };
    key.catch(() => {
      cached = undefined;
    });
    return key;
  };
  const openCurrent = async () => {
    const key = await findCurrentKey(db);
    if (!key) throw new Error('There is no signing key: prepare() has not run.');
    return { id: key.id, privateKey: await open(key, settings.secret) };
  };

  const rotate = async () => {
    const fresh = await generate(settings.secret);
    const keyId = await transaction(db, async (trx) => {
      await lockSigningKeys(trx);
      const promoted = await promoteNextKey(trx, inSeconds(now(), PUBLISHED_AFTER));
      await insertMissingKey(trx, 'next', fresh, now());
      return promoted;
    });
    cached = undefined;
    return keyId;
  };
  /** The installation went over to another secret: both keys are of no use, their public halves still are. */
  const replaceKeys = async (error: unknown) => {
    log.warn({ err: error }, 'the signing keys are replaced');
    await rotate();
    await rotate();
  };

  return {
    async prepare() {
      const present = await findActiveKeys(db);
      const missing = (['current', 'next'] as const).filter((state) => !present.includes(state));
      await Promise.all(missing.map(async (state) => insertMissingKey(db, state, await generate(settings.secret), now())));
      await openCurrent().catch(replaceKeys);
    },
    async sign(claims) {
      const { id, privateKey } = await current();
      return signAccessToken(claims, { keyId: id, privateKey, issuer: settings.publicUrl, now: now() });
    },
    published: () => findPublishedKeys(db, now()),
    rotate,
  };
}

const inSeconds = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1_000);

async function generate(secret: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const id = newId();
  return {
    id,
    publicJwk: { ...(await exportJWK(publicKey)), kid: id, alg: ALGORITHM, use: 'sig' },
    sealedPrivateKey: sealOf(secret).seal(JSON.stringify(await exportJWK(privateKey)), id),
  };
}

async function open({ id, sealedPrivateKey }: SigningKey, secret: string): Promise<CryptoKey> {
  return (await importJWK(JSON.parse(opened(sealedPrivateKey, id, secret)), ALGORITHM)) as CryptoKey;
}

/** Bound to the key's id, so that a sealed key cannot be put in another's place. */
function opened(sealed: string, id: string, secret: string): string {
  try {
    return sealOf(secret).open(sealed, id);
  } catch {
    throw new Error('The signing key cannot be opened: KERF_SECRET is not the one it was made with.');
  }
}

const sealOf = (secret: string) => createSeal(secret, 'signing keys');
