import { transaction, type Transaction } from '../../shared/database.ts';
import { hashSecret } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { PasswordHasher } from './password-hash-service.ts';
import { countFailure, findCredentials, forgetFailures, lockCredentials } from './user-repository.ts';
import { type Account, type Credentials, failureWindowStart, isThrottled } from './user.ts';

export type PasswordCheck = ReturnType<typeof createPasswordCheck>;

/**
 * Runs `proceed` in a transaction, with the account locked, when the password is right and may be tried; otherwise
 * counts a failure and answers undefined. The same work for an unknown or unproven address, a wrong password and a
 * throttled account. The account is looked at again after the long computation: the password may have been changed, or the
 * tenth failure counted, in the meantime.
 */
export function createPasswordCheck({ db, now }: ModuleContext, hasher: PasswordHasher) {
  return async <T>(email: string, password: string, proceed: (trx: Transaction, account: Account) => Promise<T>): Promise<T | undefined> => {
    const keys = { email, emailDigest: emailDigest(email) };
    const known = await findCredentials(db, keys);
    const mayTry = (credentials: Credentials | undefined) =>
      credentials !== undefined && credentials.emailVerifiedAt !== null && !isThrottled(credentials, now());
    const matches = await hasher.verify(password, mayTry(known) ? known?.passwordHash : undefined);
    return transaction(db, async (trx) => {
      const current = await lockCredentials(trx, keys);
      if (matches && current && mayTry(current) && current.passwordHash === known?.passwordHash) {
        await forgetFailures(trx, keys.emailDigest);
        return proceed(trx, current);
      }
      await countFailure(trx, { emailDigest: keys.emailDigest, now: now(), windowStart: failureWindowStart(now()) });
      return undefined;
    });
  };
}

/** Failures are kept for addresses without an account too: those are not ours to keep in clear. */
export const emailDigest = (email: string): string => hashSecret(email);
