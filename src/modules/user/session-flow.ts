import { ACCESS_TOKEN_LIFETIME } from '../../shared/access-token.ts';
import type { Transaction } from '../../shared/database.ts';
import { hashSecret, newId, newSecret } from '../../shared/ids.ts';
import type { Session } from './contract.ts';
import { insertRefreshToken, insertSession } from './session-repository.ts';
import { type PresentedToken, refreshTokenEnd, sessionEnd } from './session.ts';
import type { SigningKeys } from './signing-key-service.ts';

/** What a session was given in a transaction; becomes a `Session` once that has committed. */
export interface Grant {
  userId: string;
  sessionId: string;
  epoch: number;
  refreshToken: string;
}

export async function openSession(trx: Transaction, opened: { userId: string; epoch: number; device: string; now: Date }): Promise<Grant> {
  const { userId, epoch, device, now } = opened;
  const session = { id: newId(), expiresAt: sessionEnd(now) };
  await insertSession(trx, { ...session, userId, device, now });
  const refreshToken = await addRefreshToken(trx, { session, parentId: null, now });
  return { userId, sessionId: session.id, epoch, refreshToken };
}

/** A further refresh token in the family of `parent`. */
export async function extendSession(trx: Transaction, parent: PresentedToken, now: Date): Promise<Grant> {
  const { userId, sessionId, epoch, sessionExpiresAt } = parent;
  const session = { id: sessionId, expiresAt: sessionExpiresAt };
  const refreshToken = await addRefreshToken(trx, { session, parentId: parent.id, now });
  return { userId, sessionId, epoch, refreshToken };
}

async function addRefreshToken(
  trx: Transaction,
  { session, parentId, now }: { session: { id: string; expiresAt: Date }; parentId: string | null; now: Date },
): Promise<string> {
  const secret = newSecret();
  const token = { id: newId(), sessionId: session.id, parentId, tokenHash: hashSecret(secret) };
  await insertRefreshToken(trx, { ...token, now, expiresAt: refreshTokenEnd(now, session.expiresAt) });
  return secret;
}

/** Signs the access token: outside of the transaction, for it is work. */
export async function toSession({ userId, sessionId, epoch, refreshToken }: Grant, keys: SigningKeys): Promise<Session> {
  const accessToken = await keys.sign({ sub: userId, sid: sessionId, epoch });
  return { accessToken, expiresIn: ACCESS_TOKEN_LIFETIME, refreshToken, tokenType: 'Bearer' };
}
