import { transaction } from '../../shared/database.ts';
import { invalid } from '../../shared/errors.ts';
import { hashSecret, newId } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Users } from './contract.ts';
import type { PasswordHasher } from './password-hash-service.ts';
import { deleteMailTokens, findAccountByEmail, insertAccount, takeMailToken, verifyEmail } from './user-repository.ts';
import { assertHardToGuess, normalizeEmail } from './user.ts';

type Registration = Pick<Users, 'register' | 'resendVerification' | 'verifyEmail' | 'ensureUser'>;

/** Known and unknown addresses take the same statements: the mail, which differs, is a job's. */
export function createRegistrationService({ db, queue, now }: ModuleContext, { hasher }: { hasher: PasswordHasher }): Registration {
  return {
    async register({ email: typed, password, name }) {
      const email = normalizeEmail(typed);
      assertHardToGuess(password, email);
      const passwordHash = await hasher.hash(password);
      await transaction(db, async (trx) => {
        const account = { id: newId(), email, name, passwordHash, role: 'customer' as const, emailVerifiedAt: null, createdAt: now() };
        const { id: userId, verified } = await insertAccount(trx, account);
        await deleteMailTokens(trx, userId, 'verify_email');
        await queue.enqueue(trx, verified ? 'send-known-address' : 'send-verification', { userId });
      });
      return {};
    },

    async resendVerification({ email }) {
      await transaction(db, async (trx) => {
        const account = await findAccountByEmail(trx, normalizeEmail(email));
        await queue.enqueue(trx, 'send-verification', { userId: account?.id ?? null });
      });
      return {};
    },

    async verifyEmail({ token }) {
      await transaction(db, async (trx) => {
        const userId = await takeMailToken(trx, { tokenHash: hashSecret(token), purpose: 'verify_email', now: now() });
        if (!userId) throw invalid('token_invalid', 'The token is not valid, was used or has ended; ask for a new one.');
        await verifyEmail(trx, userId, now());
        await deleteMailTokens(trx, userId, 'verify_email');
      });
      return {};
    },

    async ensureUser({ email, password, name, role }) {
      const passwordHash = await hasher.hash(password);
      const id = newId();
      const at = now();
      const { id: userId } = await transaction(db, (trx) =>
        insertAccount(trx, { id, email: normalizeEmail(email), name, passwordHash, role, emailVerifiedAt: at, createdAt: at }),
      );
      return { userId, created: userId === id };
    },
  };
}
