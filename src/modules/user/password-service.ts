import { transaction } from '../../shared/database.ts';
import { invalid } from '../../shared/errors.ts';
import { hashSecret } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Users } from './contract.ts';
import { emailDigest, type PasswordCheck } from './password-check-flow.ts';
import type { PasswordHasher } from './password-hash-service.ts';
import { openSession, toSession } from './session-flow.ts';
import { endSessionsOf } from './session-repository.ts';
import type { SigningKeys } from './signing-key-service.ts';
import {
  deleteMailTokens,
  findAccount,
  findAccountByEmail,
  findMailTokenOwner,
  forgetFailures,
  takeMailToken,
  updatePassword,
  verifyEmail,
} from './user-repository.ts';
import { assertHardToGuess, normalizeEmail } from './user.ts';

type Passwords = Pick<Users, 'requestPasswordReset' | 'resetPassword' | 'changePassword'>;

export function createPasswordService(
  { db, queue, now }: ModuleContext,
  { keys, hasher, checkPassword }: { keys: SigningKeys; hasher: PasswordHasher; checkPassword: PasswordCheck },
): Passwords {
  return {
    async requestPasswordReset({ email }) {
      await transaction(db, async (trx) => {
        const account = await findAccountByEmail(trx, normalizeEmail(email));
        await queue.enqueue(trx, 'send-password-reset', { userId: account?.id ?? null });
      });
      return {};
    },

    async resetPassword({ token, newPassword }) {
      const presented = { tokenHash: hashSecret(token), purpose: 'reset_password', now: now() } as const;
      const owner = await findMailTokenOwner(db, presented);
      if (!owner) throw tokenInvalid();
      assertHardToGuess(newPassword, owner.email);
      const passwordHash = await hasher.hash(newPassword);
      await transaction(db, async (trx) => {
        await updatePassword(trx, owner.id, passwordHash);
        if (!(await takeMailToken(trx, presented))) throw tokenInvalid();
        await verifyEmail(trx, owner.id, now());
        await endSessionsOf(trx, owner.id, now());
        await deleteMailTokens(trx, owner.id, 'reset_password');
        await forgetFailures(trx, emailDigest(owner.email));
      });
      return {};
    },

    async changePassword({ userId, currentPassword, newPassword, device = '' }) {
      const email = (await findAccount(db, userId))?.email ?? '';
      assertHardToGuess(newPassword, email);
      const passwordHash = await hasher.hash(newPassword);
      const grant = await checkPassword(email, currentPassword, async (trx) => {
        const epoch = await updatePassword(trx, userId, passwordHash);
        await endSessionsOf(trx, userId, now());
        await deleteMailTokens(trx, userId, 'reset_password');
        return openSession(trx, { userId, epoch, device, now: now() });
      });
      if (!grant) throw invalid('password_wrong', 'The current password is not right.');
      return toSession(grant, keys);
    },
  };
}

const tokenInvalid = () => invalid('token_invalid', 'The token is not valid, was used or has ended; ask for a new one.');
