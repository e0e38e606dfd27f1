import { z } from 'zod';
import { transaction } from '../../shared/database.ts';
import { notFound } from '../../shared/errors.ts';
import { encodeCursor, readCursor } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import type { ModuleContext } from '../../shared/module.ts';
import type { Users } from './contract.ts';
import { findAccount, listAccounts, lockAccountAndAdministrators, updateName, updateRole } from './user-repository.ts';
import { assertAdministratorLeft, normalizeEmail, profileOf } from './user.ts';

type Profiles = Pick<Users, 'getProfile' | 'updateProfile' | 'listUsers' | 'setRole'>;

export function createProfileService({ db }: ModuleContext): Profiles {
  return {
    async getProfile({ userId }) {
      const account = await findAccount(db, userId);
      if (!account) throw notFound('account');
      return profileOf(account);
    },

    async updateProfile({ userId, name }) {
      const account = await updateName(db, userId, name);
      if (!account) throw notFound('account');
      return profileOf(account);
    },

    async listUsers({ email, cursor, limit }) {
      const before = cursor === undefined ? null : idOf(cursor);
      const found = await listAccounts(db, { email: email === undefined ? null : normalizeEmail(email), before, limit: limit + 1 });
      const items = found.slice(0, limit).map(profileOf);
      const last = items.at(-1);
      return { items, nextCursor: last && found.length > limit ? encodeCursor([last.id]) : null };
    },

    async setRole({ userId, role }) {
      return transaction(db, async (trx) => {
        const locked = await lockAccountAndAdministrators(trx, userId);
        const target = locked.find(({ id }) => id === userId.toLowerCase());
        if (!target) throw notFound('account');
        assertAdministratorLeft(locked.filter((account) => account.role === 'admin'), target, role);
        if (target.role !== role) await updateRole(trx, userId, role);
        return profileOf({ ...target, role });
      });
    },
  };
}

const idOf = (cursor: string) => readCursor(z.tuple([Id]), cursor)[0];
