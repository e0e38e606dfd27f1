import type { JWK } from 'jose';
import { verifyAccessToken } from '../shared/access-token.ts';
import type { Service } from '../shared/contract.ts';
import { forbidden, unauthenticated } from '../shared/errors.ts';
import type { Access, Principal, Role } from '../shared/http.ts';
import type { userContract } from '../modules/user/contract.ts';

/** The part of the user module that the edge leans on. */
export type Identity = Pick<Service<typeof userContract>, 'listSigningKeys' | 'checkSession'>;

/** Milliseconds in which unknown keys are not asked for again. */
const KEYS_KEPT_FOR = 1_000;

/** Who a request comes from. Signatures are checked here; that the session still stands is asked for every time. */
export function createAuthentication(users: Identity, issuer: string, now: () => Date) {
  let keys: JWK[] = [];
  let fetchedAt = 0;
  let fetching: Promise<void> | undefined;
  /** A token with a made-up key must not cost a look-up each, and those that come at once share one. */
  const fetchKeys = async () => {
    if (fetching === undefined && now().getTime() - fetchedAt < KEYS_KEPT_FOR) return;
    fetching ??= users.listSigningKeys({}).then(
      (answer) => {
        keys = answer.keys as JWK[];
        fetchedAt = now().getTime();
      },
    ).finally(() => (fetching = undefined));
    await fetching;
  };
  return async (authorization: string | undefined): Promise<Principal> => {
    if (authorization === undefined) return { kind: 'guest' };
    const token = /^Bearer ([\w.-]+)$/i.exec(authorization)?.[1];
    if (!token) throw unauthenticated('Send "Authorization: Bearer <access token>".', 'token_invalid');
    const verify = () => verifyAccessToken(token, { keys, issuer, now: now() });
    let claims = await verify();
    if (!claims) {
      await fetchKeys();
      claims = await verify();
    }
    if (!claims) throw unauthenticated('The access token is not valid.', 'token_invalid');
    const { role } = await users.checkSession({ userId: claims.sub, epoch: claims.epoch, sessionId: claims.sid });
    return { kind: 'user', userId: claims.sub, role, sessionId: claims.sid };
  };
}

const ALLOWED: Record<Exclude<Access, 'anyone'>, readonly Role[]> = {
  customer: ['customer', 'staff', 'admin'],
  staff: ['staff', 'admin'],
  admin: ['admin'],
};

export function authorize(principal: Principal, access: Access): void {
  if (access === 'anyone') return;
  if (principal.kind === 'guest') throw unauthenticated();
  if (!ALLOWED[access].includes(principal.role)) throw forbidden('Your account may not do this.');
}
