import { createLocalJWKSet, type CryptoKey, errors, type JWK, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { unauthenticated } from './errors.ts';
import { Id } from './ids.ts';

/** What an access token says (RFC 9068): whose it is, of which session, and the account's epoch when it was made. */
export const AccessClaims = z.object({ sub: Id, sid: Id, epoch: z.int() });
export type AccessClaims = z.infer<typeof AccessClaims>;

const ALGORITHM = 'ES256';
const AUDIENCE = 'kerf';
const TYPE = 'at+jwt';
/** seconds */
export const ACCESS_TOKEN_LIFETIME = 600;

/** A signed JWT that ends `ACCESS_TOKEN_LIFETIME` seconds after `now`. `issuer`: the shop's public address. */
export const signAccessToken = (
  { sub, ...claims }: AccessClaims,
  { keyId, privateKey, issuer, now }: { keyId: string; privateKey: CryptoKey; issuer: string; now: Date },
): Promise<string> => {
  const issuedAt = Math.floor(now.getTime() / 1_000);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, kid: keyId, typ: TYPE })
    .setSubject(sub)
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ACCESS_TOKEN_LIFETIME)
    .sign(privateKey);
};

/**
 * The claims of a token that one of `keys` signed for this shop and that has not ended; throws `token_invalid` or
 * `token_expired`. Answers undefined when none of the keys is the token's: fetch them again.
 */
export async function verifyAccessToken(
  token: string,
  { keys, issuer, now }: { keys: JWK[]; issuer: string; now: Date },
): Promise<AccessClaims | undefined> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys }), {
      algorithms: [ALGORITHM],
      issuer,
      audience: AUDIENCE,
      typ: TYPE,
      requiredClaims: ['exp', 'iat', 'sub'],
      currentDate: now,
    });
    return AccessClaims.parse(payload);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined;
    if (error instanceof errors.JWTExpired) throw unauthenticated('The access token has ended; refresh it.', 'token_expired');
    throw unauthenticated('The access token is not valid.', 'token_invalid');
  }
}
