import { type Database, rows, type Transaction } from '../../shared/database.ts';

export interface SigningKey {
  id: string;
  publicJwk: Record<string, unknown>;
  sealedPrivateKey: string;
}
type ActiveState = 'current' | 'next';

export async function findActiveKeys(db: Database): Promise<ActiveState[]> {
  const found = await rows<{ state: ActiveState }>(db, `select state from signing_keys where state in ('current', 'next')`);
  return found.map(({ state }) => state);
}

export async function findCurrentKey(db: Database): Promise<SigningKey | undefined> {
  const [key] = await rows<SigningKey>(
    db,
    `select id, public_jwk as "publicJwk", sealed_private_key as "sealedPrivateKey" from signing_keys where state = 'current'`,
  );
  return key;
}

export async function findPublishedKeys(db: Database, now: Date): Promise<Record<string, unknown>[]> {
  const found = await rows<{ publicJwk: Record<string, unknown> }>(
    db,
    `select public_jwk as "publicJwk" from signing_keys where state <> 'retired' or published_until > :now order by created_at, id`,
    { now },
  );
  return found.map(({ publicJwk }) => publicJwk);
}

/** Adds the key unless another process has put one into that state. */
export async function insertMissingKey(db: Database | Transaction, state: ActiveState, key: SigningKey, now: Date): Promise<void> {
  await rows(
    db,
    `insert into signing_keys (id, state, public_jwk, sealed_private_key, created_at)
     values (:id, :state, :publicJwk, :sealedPrivateKey, :now)
     on conflict (state) where state in ('current', 'next') do nothing`,
    { ...key, publicJwk: JSON.stringify(key.publicJwk), state, now },
  );
}

/** One rotation at a time; reading goes on. */
export async function lockSigningKeys(trx: Transaction): Promise<void> {
  await trx.raw('lock table signing_keys in share row exclusive mode');
}

/** Retires the current key and answers the id of the one that took its place. */
export async function promoteNextKey(trx: Transaction, publishedUntil: Date): Promise<string> {
  await rows(trx, `update signing_keys set state = 'retired', published_until = :publishedUntil where state = 'current'`, { publishedUntil });
  const [promoted] = await rows<{ id: string }>(trx, `update signing_keys set state = 'current' where state = 'next' returning id`);
  if (!promoted) throw new Error('There is no next signing key: prepare() has not run.');
  return promoted.id;
}

export async function deleteEndedKeys(db: Database, now: Date): Promise<void> {
  await rows(db, 'delete from signing_keys where published_until <= :now', { now });
}
