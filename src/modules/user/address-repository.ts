import type { Address } from '../../shared/address.ts';
import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { SavedAddress } from './contract.ts';

const SAVED = 'id, address, is_default as "isDefault", version';
type Key = { userId: string; id: string };
type Changed = Key & { address: Address; isDefault: boolean };

/** The default first, then in the order they came. */
export const listAddresses = (db: Database, userId: string): Promise<SavedAddress[]> =>
  rows<SavedAddress>(db, `select ${SAVED} from addresses where user_id = :userId order by is_default desc, created_at, id`, { userId });

export async function countAddresses(trx: Transaction, userId: string): Promise<number> {
  const [counted] = await rows<{ present: number }>(trx, 'select count(*)::int as present from addresses where user_id = :userId', { userId });
  return counted!.present;
}

export async function findAddress(trx: Transaction, key: Key): Promise<SavedAddress | undefined> {
  const [found] = await rows<SavedAddress>(trx, `select ${SAVED} from addresses where user_id = :userId and id = :id`, { ...key });
  return found;
}

export async function insertAddress(trx: Transaction, added: Changed & { now: Date }): Promise<SavedAddress> {
  const [saved] = await rows<SavedAddress>(
    trx,
    `insert into addresses (user_id, id, address, is_default, created_at)
     values (:userId, :id, :address, :isDefault, :now) returning ${SAVED}`,
    { ...added, address: JSON.stringify(added.address) },
  );
  return saved!;
}

export async function updateAddress(trx: Transaction, changed: Changed): Promise<SavedAddress> {
  const [saved] = await rows<SavedAddress>(
    trx,
    `update addresses set address = :address, is_default = :isDefault, version = version + 1
     where user_id = :userId and id = :id returning ${SAVED}`,
    { ...changed, address: JSON.stringify(changed.address) },
  );
  return saved!;
}

export async function deleteAddress(trx: Transaction, key: Key): Promise<SavedAddress | undefined> {
  const [deleted] = await rows<SavedAddress>(trx, `delete from addresses where user_id = :userId and id = :id returning ${SAVED}`, { ...key });
  return deleted;
}

/** Makes room for another default; `except` stays as it is. */
export async function clearDefault(trx: Transaction, { userId, except }: { userId: string; except: string }): Promise<void> {
  await rows(
    trx,
    'update addresses set is_default = false, version = version + 1 where user_id = :userId and is_default and id <> :except',
    { userId, except },
  );
}

/** The address that came last becomes the default. */
export async function passDefaultOn(trx: Transaction, userId: string): Promise<void> {
  await rows(
    trx,
    `update addresses set is_default = true, version = version + 1
     where user_id = :userId and id = (select id from addresses where user_id = :userId order by created_at desc, id desc limit 1)`,
    { userId },
  );
}
