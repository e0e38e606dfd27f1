import { z } from 'zod';
import { Address } from '../../shared/address.ts';
import { etag, page, PageQuery, Role, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { userIdOf } from './auth-routes.ts';
import { Profile, SavedAddress, type Users } from './contract.ts';

const AddressBody = z.strictObject({
  address: Address,
  isDefault: z.boolean().default(false).meta({ description: 'the first address is the default in any case, and the default one stays it until another takes over' }),
});
const AddressParams = z.strictObject({ addressId: Id });

export const accountRoutes = (users: Users): Route[] => [
  route({
    method: 'get',
    path: '/me',
    operationId: 'getMe',
    tag: 'account',
    summary: 'Your account',
    access: 'customer',
    responses: { 200: { description: 'The account', schema: Profile } },
    handle: async ({ principal }) => ({ body: await users.getProfile({ userId: userIdOf(principal) }) }),
  }),
  route({
    method: 'patch',
    path: '/me',
    operationId: 'updateMe',
    tag: 'account',
    summary: 'Change your name',
    access: 'customer',
    body: z.strictObject({ name: z.string().trim().min(1).max(100) }).meta({ example: { name: '김미나' } }),
    responses: { 200: { description: 'The account as it is now', schema: Profile } },
    handle: async ({ principal, body }) => ({ body: await users.updateProfile({ userId: userIdOf(principal), name: body.name }) }),
  }),
  route({
    method: 'get',
    path: '/me/addresses',
    operationId: 'listMyAddresses',
    tag: 'account',
    summary: 'Your addresses, the default one first',
    access: 'customer',
    responses: { 200: { description: 'All addresses', schema: z.object({ addresses: z.array(SavedAddress) }) } },
    handle: async ({ principal }) => ({ body: await users.listAddresses({ userId: userIdOf(principal) }) }),
  }),
  route({
    method: 'post',
    path: '/me/addresses',
    operationId: 'addMyAddress',
    tag: 'account',
    summary: 'Save an address',
    access: 'customer',
    idempotency: 'edge',
    body: AddressBody,
    responses: { 201: { description: 'The saved address', schema: SavedAddress } },
    problems: { 409: ['too_many_addresses'] },
    async handle({ principal, body, operationId }) {
      const saved = await users.addAddress({ userId: userIdOf(principal), id: operationId, ...body });
      return { body: saved, headers: etag(saved.version) };
    },
  }),
  route({
    method: 'put',
    path: '/me/addresses/{addressId}',
    operationId: 'updateMyAddress',
    tag: 'account',
    summary: 'Change an address',
    description: 'Send the version you read as `If-Match: "<version>"`.',
    access: 'customer',
    ifMatch: true,
    params: AddressParams,
    body: AddressBody,
    responses: { 200: { description: 'The changed address', schema: SavedAddress } },
    async handle({ principal, params, body, version }) {
      const saved = await users.updateAddress({ userId: userIdOf(principal), id: params.addressId, version, ...body });
      return { body: saved, headers: etag(saved.version) };
    },
  }),
  route({
    method: 'delete',
    path: '/me/addresses/{addressId}',
    operationId: 'deleteMyAddress',
    tag: 'account',
    summary: 'Delete an address',
    description: 'When it was the default, the address that was added last takes its place.',
    access: 'customer',
    params: AddressParams,
    responses: { 204: { description: 'It is gone' } },
    async handle({ principal, params }) {
      await users.deleteAddress({ userId: userIdOf(principal), id: params.addressId });
      return {};
    },
  }),
];

export const adminRoutes = (users: Users): Route[] => [
  route({
    method: 'get',
    path: '/admin/users',
    operationId: 'listUsers',
    tag: 'admin',
    summary: 'Accounts, newest first',
    access: 'admin',
    query: PageQuery.extend({ email: z.string().max(254).optional().meta({ description: 'finds the one account with this address' }) }),
    responses: { 200: { description: 'A page of accounts', schema: page(Profile) } },
    problems: { 400: ['invalid_cursor'] },
    handle: async ({ query }) => ({ body: await users.listUsers(query) }),
  }),
  route({
    method: 'put',
    path: '/admin/users/{userId}/role',
    operationId: 'setUserRole',
    tag: 'admin',
    summary: 'Give an account a role',
    description: 'Its access tokens end at once; its next refresh has the new role.',
    access: 'admin',
    params: z.strictObject({ userId: Id }),
    body: z.strictObject({ role: Role }).meta({ example: { role: 'staff' } }),
    responses: { 200: { description: 'The account as it is now', schema: Profile } },
    problems: { 409: ['last_admin'] },
    handle: async ({ params, body }) => ({ body: await users.setRole({ userId: params.userId, role: body.role }) }),
  }),
];
