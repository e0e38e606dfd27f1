import { decodeJwt } from 'jose';
import type { Session, userContract, Users } from '../modules/user/contract.ts';
import { type AccessClaims, verifyAccessToken } from '../shared/access-token.ts';
import { newId } from '../shared/ids.ts';
import { expectRefusal, Finding } from './expectation.ts';
import type { Case } from './suite.ts';

export type UserCases = Record<string, Case<typeof userContract>['run']>;

export const PASSWORD = 'a-quiet-blue-kettle';
/** An address that nobody has. */
export const newEmail = () => `kit-${newId()}@example.com`;

/** An account that is verified: what else proves an address is in a mail. */
export async function enrol(users: Users): Promise<{ userId: string; email: string }> {
  const email = newEmail();
  const { userId } = await users.ensureUser({ email, password: PASSWORD, name: 'Kit', role: 'customer' });
  return { userId, email };
}

export const logIn = (users: Users, email: string, password = PASSWORD): Promise<Session> => users.login({ email, password, device: 'kit' });

/** What the edge reads in an access token, once a published key says that it is genuine. */
export async function claimsOf(users: Users, { accessToken }: Session): Promise<AccessClaims> {
  const { keys } = await users.listSigningKeys({});
  const issuer = decodeJwt(accessToken).iss ?? '';
  const claims = await verifyAccessToken(accessToken, { keys, issuer, now: new Date() }).catch(() => undefined);
  if (!claims) throw new Finding('The edge has to know an access token for genuine by the published keys (src/shared/access-token.ts).', keys, decodeJwt(accessToken));
  return claims;
}

/** Nothing of the session is good any more. */
export async function expectEnded(users: Users, session: Session): Promise<void> {
  const { sub: userId, sid: sessionId, epoch } = await claimsOf(users, session);
  await expectRefusal(users.checkSession({ userId, sessionId, epoch }), 'session_ended');
  await expectRefusal(users.refresh({ refreshToken: session.refreshToken, device: 'kit' }), 'refresh_token_invalid');
}
