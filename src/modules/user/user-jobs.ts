import { hashSecret, newSecret } from '../../shared/ids.ts';
import type { Background, ModuleContext } from '../../shared/module.ts';
import { knownAddressMail, type MailText, passwordResetMail, verificationMail } from './mails.ts';
import { deleteEndedSessions } from './session-repository.ts';
import { deleteEndedKeys } from './signing-key-repository.ts';
import { createSigningKeys } from './signing-key-service.ts';
import { deleteEndedCredentials, findAccount, insertMailToken, type MailTokenPurpose } from './user-repository.ts';
import { type Account, failureWindowStart } from './user.ts';

/** seconds */
const LIFETIME: Record<MailTokenPurpose, number> = { verify_email: 24 * 3_600, reset_password: 3_600 };
/** `null`: there is no such account, and whoever asked must not notice */
type ToAccount = { userId: string | null };

export function createUserBackground(context: ModuleContext): Background {
  const { db, settings, now } = context;
  const mail = (write: (account: Account) => Promise<MailText | undefined>) => async ({ userId }: ToAccount) => {
    const account = userId === null ? undefined : await findAccount(db, userId);
    const written = account && (await write(account));
    if (account && written) await settings.sendMail({ to: account.email, ...written });
  };
  /** Made here and not when asked for, so that no token waits in the queue. */
  const newToken = async (userId: string, purpose: MailTokenPurpose): Promise<string> => {
    const token = newSecret();
    const expiresAt = new Date(now().getTime() + LIFETIME[purpose] * 1_000);
    await insertMailToken(db, { tokenHash: hashSecret(token), purpose, userId, expiresAt });
    return token;
  };

  return {
    prepare: () => createSigningKeys(context).prepare(),
    jobs: {
      'send-verification': mail(async ({ id, emailVerifiedAt }) =>
        emailVerifiedAt ? undefined : verificationMail(settings.publicUrl, await newToken(id, 'verify_email')),
      ),
      'send-password-reset': mail(async ({ id }) => passwordResetMail(settings.publicUrl, await newToken(id, 'reset_password'))),
      'send-known-address': mail(async ({ email }) => knownAddressMail(settings.publicUrl, email)),
    },
    sweeps: [
      {
        name: 'ended sessions, tokens and keys',
        every: 60,
        async run() {
          await deleteEndedSessions(db, now());
          await deleteEndedCredentials(db, { now: now(), windowStart: failureWindowStart(now()) });
          await deleteEndedKeys(db, now());
        },
      },
    ],
  };
}
