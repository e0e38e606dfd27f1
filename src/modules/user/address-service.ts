import { Address } from '../../shared/address.ts';
import { transaction, type Transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { decideChangedDefault, decideNewDefault } from './address-book.ts';
import { clearDefault, countAddresses, deleteAddress, findAddress, insertAddress, listAddresses, passDefaultOn, updateAddress } from './address-repository.ts';
import type { Users } from './contract.ts';
import { lockAccount } from './user-repository.ts';

type Addresses = Pick<Users, 'listAddresses' | 'addAddress' | 'updateAddress' | 'deleteAddress'>;

export function createAddressService({ db, now }: ModuleContext): Addresses {
  /** One change at a time to an account's addresses: which is the default depends on the others. */
  const change = <T>(userId: string, work: (trx: Transaction) => Promise<T>): Promise<T> =>
    transaction(db, async (trx) => {
      if (!(await lockAccount(trx, userId))) throw notFound('account');
      return work(trx);
    });

  return {
    listAddresses: async ({ userId }) => ({ addresses: await listAddresses(db, userId) }),

    addAddress: ({ userId, id, address, isDefault: wanted }) =>
      change(userId, async (trx) => {
        const known = await findAddress(trx, { userId, id });
        if (known) return known;
        const isDefault = decideNewDefault(await countAddresses(trx, userId), wanted);
        if (isDefault) await clearDefault(trx, { userId, except: id });
        return insertAddress(trx, { userId, id, address: Address.parse(address), isDefault, now: now() });
      }),

    updateAddress: ({ userId, id, version, address, isDefault: wanted }) =>
      change(userId, async (trx) => {
        const isDefault = decideChangedDefault(await findAddress(trx, { userId, id }), version, wanted);
        if (isDefault) await clearDefault(trx, { userId, except: id });
        return updateAddress(trx, { userId, id, address: Address.parse(address), isDefault });
      }),

    deleteAddress: ({ userId, id }) =>
      change(userId, async (trx) => {
        const deleted = await deleteAddress(trx, { userId, id });
        if (!deleted) throw notFound('address');
        if (deleted.isDefault) await passDefaultOn(trx, userId);
        return {};
      }),
  };
}
