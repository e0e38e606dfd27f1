import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { PresentedToken } from './session.ts';
import type { Account } from './user.ts';

const PRESENTED = `
  t.id, t.used_at as "usedAt", t.used_by as "usedBy", s.id as "sessionId", s.ended_at as "sessionEndedAt",
  s.expires_at as "sessionExpiresAt", u.id as "userId", u.epoch`;

export async function insertSession(
  trx: Transaction,
  session: { id: string; userId: string; device: string; now: Date; expiresAt: Date },
): Promise<void> {
  await rows(
    trx,
    'insert into sessions (id, user_id, device, created_at, expires_at) values (:id, :userId, :device, :now, :expiresAt)',
    session,
  );
}

export async function insertRefreshToken(
  trx: Transaction,
  token: { id: string; sessionId: string; parentId: string | null; tokenHash: string; now: Date; expiresAt: Date },
): Promise<void> {
  await rows(
    trx,
    `insert into refresh_tokens (id, session_id, parent_id, token_hash, created_at, expires_at)
     values (:id, :sessionId, :parentId, :tokenHash, :now, :expiresAt)`,
    token,
  );
}

/** Marks a fresh token of a live session as used; of many at once exactly one gets it. */
export async function takeRefreshToken(
  trx: Transaction,
  use: { tokenHash: string; device: string; now: Date },
): Promise<PresentedToken | undefined> {
  const [token] = await rows<PresentedToken>(
    trx,
    `update refresh_tokens t set used_at = :now, used_by = :device
     from sessions s join users u on u.id = s.user_id
     where t.token_hash = :tokenHash and t.used_at is null and t.expires_at > :now
       and s.id = t.session_id and s.ended_at is null and s.expires_at > :now
     returning ${PRESENTED}`,
    use,
  );
  return token;
}

export async function findRefreshToken(trx: Transaction, tokenHash: string): Promise<PresentedToken | undefined> {
  const [token] = await rows<PresentedToken>(
    trx,
    `select ${PRESENTED} from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id
     where t.token_hash = :tokenHash`,
    { tokenHash },
  );
  return token;
}

export async function endSession(trx: Transaction, sessionId: string, now: Date): Promise<void> {
  await rows(trx, 'update sessions set ended_at = :now where id = :sessionId and ended_at is null', { sessionId, now });
}

export async function endSessionOfToken(db: Database, tokenHash: string, now: Date): Promise<void> {
  await rows(
    db,
    `update sessions s set ended_at = :now from refresh_tokens t
     where t.token_hash = :tokenHash and s.id = t.session_id and s.ended_at is null`,
    { tokenHash, now },
  );
}

export async function endSessionsOf(trx: Transaction, userId: string, now: Date): Promise<void> {
  await rows(trx, 'update sessions set ended_at = :now where user_id = :userId and ended_at is null', { userId, now });
}

/** The role of the account, if the session lives and the account is still in this epoch. */
export async function findSessionRole(
  db: Database,
  session: { sessionId: string; userId: string; epoch: number; now: Date },
): Promise<Account['role'] | undefined> {
  const [found] = await rows<{ role: Account['role'] }>(
    db,
    `select u.role from sessions s join users u on u.id = s.user_id
     where s.id = :sessionId and u.id = :userId and u.epoch = :epoch and s.ended_at is null and s.expires_at > :now`,
    session,
  );
  return found?.role;
}

/** A bounded number at a time; ended sessions take their tokens along. */
export async function deleteEndedSessions(db: Database, now: Date): Promise<void> {
  await rows(db, 'delete from sessions where id in (select id from sessions where ended_at is not null or expires_at <= :now limit 2000)', { now });
  await rows(db, 'delete from refresh_tokens where id in (select id from refresh_tokens where expires_at <= :now limit 5000)', { now });
}
