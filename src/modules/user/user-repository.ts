import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Account, Credentials } from './user.ts';

type NewAccount = Omit<Account, 'epoch'>;
export type MailTokenPurpose = 'verify_email' | 'reset_password';

const ACCOUNT = `u.id, u.email, u.email_verified_at as "emailVerifiedAt", u.name, u.role, u.password_hash as "passwordHash", u.epoch, u.created_at as "createdAt"`;
const CREDENTIALS = `
  select ${ACCOUNT}, coalesce(f.failures, 0) as failures, f.since as "failingSince"
  from users u left join login_failures f on f.email_digest = :emailDigest
  where u.email = :email`;

/**
 * Makes the account, or starts over one of this address that was never verified; a verified one stays as it is. One
 * statement either way.
 */
export async function insertAccount(trx: Transaction, account: NewAccount): Promise<{ id: string; verified: boolean }> {
  const [saved] = await rows<{ id: string; verified: boolean }>(
    trx,
    `insert into users as u (id, email, email_verified_at, name, role, password_hash, created_at)
     values (:id, :email, :emailVerifiedAt, :name, :role, :passwordHash, :createdAt)
     on conflict (email) do update set
       name = case when u.email_verified_at is null then excluded.name else u.name end,
       password_hash = case when u.email_verified_at is null then excluded.password_hash else u.password_hash end,
       role = case when u.email_verified_at is null then excluded.role else u.role end,
       email_verified_at = coalesce(u.email_verified_at, excluded.email_verified_at)
     returning u.id, u.email_verified_at is not null as verified`,
    { ...account },
  );
  return saved!;
}

export async function findAccount(db: Database | Transaction, userId: string): Promise<Account | undefined> {
  const [account] = await rows<Account>(db, `select ${ACCOUNT} from users u where u.id = :userId`, { userId });
  return account;
}

export async function findAccountByEmail(db: Database | Transaction, email: string): Promise<Account | undefined> {
  const [account] = await rows<Account>(db, `select ${ACCOUNT} from users u where u.email = :email`, { email });
  return account;
}

export async function findCredentials(db: Database, keys: { email: string; emailDigest: string }): Promise<Credentials | undefined> {
  const [credentials] = await rows<Credentials>(db, CREDENTIALS, keys);
  return credentials;
}

/** Until the transaction ends nobody else changes the account or logs in to it. */
export async function lockCredentials(trx: Transaction, keys: { email: string; emailDigest: string }): Promise<Credentials | undefined> {
  const [credentials] = await rows<Credentials>(trx, `${CREDENTIALS} for no key update of u`, keys);
  return credentials;
}

export async function lockAccount(trx: Transaction, userId: string): Promise<Account | undefined> {
  const [account] = await rows<Account>(trx, `select ${ACCOUNT} from users u where u.id = :userId for no key update`, { userId });
  return account;
}

/** The account and all administrators, locked in one order. */
export function lockAccountAndAdministrators(trx: Transaction, userId: string): Promise<Account[]> {
  return rows<Account>(
    trx,
    `select ${ACCOUNT} from users u where u.id = :userId or u.role = 'admin' order by u.id for no key update`,
    { userId },
  );
}

export async function updateName(db: Database, userId: string, name: string): Promise<Account | undefined> {
  const [account] = await rows<Account>(db, `update users u set name = :name where u.id = :userId returning ${ACCOUNT}`, { userId, name });
  return account;
}

export async function verifyEmail(trx: Transaction, userId: string, now: Date): Promise<void> {
  await rows(trx, 'update users set email_verified_at = coalesce(email_verified_at, :now) where id = :userId', { userId, now });
}

/** Ends all access tokens, and answers the epoch of new ones. */
export async function updatePassword(trx: Transaction, userId: string, passwordHash: string): Promise<number> {
  const [updated] = await rows<{ epoch: number }>(
    trx,
    'update users set password_hash = :passwordHash, epoch = epoch + 1 where id = :userId returning epoch',
    { userId, passwordHash },
  );
  return updated!.epoch;
}

export async function advanceEpoch(trx: Transaction, userId: string): Promise<void> {
  await rows(trx, 'update users set epoch = epoch + 1 where id = :userId', { userId });
}

export async function updateRole(trx: Transaction, userId: string, role: Account['role']): Promise<void> {
  await rows(trx, 'update users set role = :role, epoch = epoch + 1 where id = :userId', { userId, role });
}

/** Newest first: ids sort by the time they were made. */
export function listAccounts(db: Database, filter: { email: string | null; before: string | null; limit: number }): Promise<Account[]> {
  return rows<Account>(
    db,
    `select ${ACCOUNT} from users u
     where (cast(:email as text) is null or u.email = :email) and (cast(:before as uuid) is null or u.id < :before)
     order by u.id desc limit :limit`,
    filter,
  );
}

/** One more wrong password; what is older than `windowStart` no longer counts. */
export async function countFailure(trx: Transaction, failure: { emailDigest: string; now: Date; windowStart: Date }): Promise<void> {
  await rows(
    trx,
    `insert into login_failures as f (email_digest, failures, since) values (:emailDigest, 1, :now)
     on conflict (email_digest) do update set
       failures = case when f.since <= :windowStart then 1 else f.failures + 1 end,
       since = case when f.since <= :windowStart then excluded.since else f.since end`,
    failure,
  );
}

export async function forgetFailures(trx: Transaction, emailDigest: string): Promise<void> {
  await rows(trx, 'delete from login_failures where email_digest = :emailDigest', { emailDigest });
}

export async function insertMailToken(
  db: Database,
  token: { tokenHash: string; purpose: MailTokenPurpose; userId: string; expiresAt: Date },
): Promise<void> {
  await rows(
    db,
    'insert into mail_tokens (token_hash, purpose, user_id, expires_at) values (:tokenHash, :purpose, :userId, :expiresAt)',
    token,
  );
}

type PresentedMailToken = { tokenHash: string; purpose: MailTokenPurpose; now: Date };

/** The account that a good token was made for. */
export async function findMailTokenOwner(db: Database, token: PresentedMailToken): Promise<Account | undefined> {
  const [account] = await rows<Account>(
    db,
    `select ${ACCOUNT} from users u join mail_tokens t on t.user_id = u.id
     where t.token_hash = :tokenHash and t.purpose = :purpose and t.expires_at > :now`,
    token,
  );
  return account;
}

/** Uses a good token up and answers whose it was. */
export async function takeMailToken(trx: Transaction, token: PresentedMailToken): Promise<string | undefined> {
  const [taken] = await rows<{ userId: string }>(
    trx,
    `delete from mail_tokens where token_hash = :tokenHash and purpose = :purpose and expires_at > :now returning user_id as "userId"`,
    token,
  );
  return taken?.userId;
}

export async function deleteMailTokens(trx: Transaction, userId: string, purpose: MailTokenPurpose): Promise<void> {
  await rows(trx, 'delete from mail_tokens where user_id = :userId and purpose = :purpose', { userId, purpose });
}

export async function deleteEndedCredentials(db: Database, ended: { now: Date; windowStart: Date }): Promise<void> {
  await rows(db, 'delete from mail_tokens where expires_at <= :now', { now: ended.now });
  await rows(db, 'delete from login_failures where since <= :windowStart', { windowStart: ended.windowStart });
}
