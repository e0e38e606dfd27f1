import { transaction, type Transaction } from '../../shared/database.ts';
import { unauthenticated } from '../../shared/errors.ts';
import { hashSecret } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { userContract, type Users } from './contract.ts';
import type { PasswordCheck } from './password-check-flow.ts';
import { extendSession, type Grant, openSession, toSession } from './session-flow.ts';
import { endSession, endSessionOfToken, endSessionsOf, findRefreshToken, findSessionRole, takeRefreshToken } from './session-repository.ts';
import { judge } from './session.ts';
import type { SigningKeys } from './signing-key-service.ts';
import { advanceEpoch } from './user-repository.ts';
import { normalizeEmail } from './user.ts';

type Sessions = Pick<Users, 'login' | 'refresh' | 'logout' | 'logoutEverywhere' | 'checkSession'>;

export function createSessionService(
  { db, publish, log, now }: ModuleContext,
  { keys, checkPassword }: { keys: SigningKeys; checkPassword: PasswordCheck },
): Sessions {
  const refreshWithin = async (trx: Transaction, refreshToken: string, device: string): Promise<Grant | undefined> => {
    const tokenHash = hashSecret(refreshToken);
    const taken = await takeRefreshToken(trx, { tokenHash, device, now: now() });
    if (taken) return extendSession(trx, taken, now());
    const known = await findRefreshToken(trx, tokenHash);
    const verdict = known ? judge(known, device, now()) : 'over';
    if (known && verdict === 'repeat') return extendSession(trx, known, now());
    if (known && verdict === 'reuse') {
      await endSession(trx, known.sessionId, now());
      log.warn({ userId: known.userId, sessionId: known.sessionId }, 'a used refresh token came back; its session was ended');
    }
    return undefined;
  };

  return {
    async login({ email, password, device = '', cartId = null }) {
      const grant = await checkPassword(normalizeEmail(email), password, async (trx, { id, epoch }) => {
        await publish(trx, userContract.events.loggedIn, { userId: id, cartId });
        return openSession(trx, { userId: id, epoch, device, now: now() });
      });
      if (!grant) throw unauthenticated('The e-mail or the password is not right.', 'login_failed');
      return toSession(grant, keys);
    },

    async refresh({ refreshToken, device = '' }) {
      const grant = await transaction(db, (trx) => refreshWithin(trx, refreshToken, device));
      if (!grant) throw unauthenticated('The refresh token is not valid any more; log in again.', 'refresh_token_invalid');
      return toSession(grant, keys);
    },

    async logout({ refreshToken }) {
      await endSessionOfToken(db, hashSecret(refreshToken), now());
      return {};
    },

    async logoutEverywhere({ userId }) {
      await transaction(db, async (trx) => {
        await advanceEpoch(trx, userId);
        await endSessionsOf(trx, userId, now());
      });
      return {};
    },

    async checkSession({ userId, epoch, sessionId }) {
      const role = await findSessionRole(db, { userId, epoch, sessionId, now: now() });
      if (!role) throw unauthenticated('This session has ended; log in again.', 'session_ended');
      return { role };
    },
  };
}
