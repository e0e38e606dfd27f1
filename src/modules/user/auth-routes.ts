import { z } from 'zod';
import { unauthenticated } from '../../shared/errors.ts';
import { type Principal, type Route, route } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Email, Password, Session, type Users } from './contract.ts';

/** The same whether or not there is such an account: what happened stands in the mail. */
const LOOK_FOR_MAIL = { message: 'If there is something to do, a mail is on its way.' };
const Accepted = z.object({ message: z.string() }).meta({ example: LOOK_FOR_MAIL });
const EXAMPLE = { email: 'mina@example.com', password: 'a-quiet-blue-kettle' };

const Token = z.string().min(1).max(200);
const TypedPassword = z.string().min(1).max(256);
const USER_AGENT = { 'user-agent': 'the device: it binds the repeat of a refresh' };

export const authRoutes = (users: Users): Route[] => [
  route({
    method: 'post',
    path: '/auth/register',
    operationId: 'register',
    tag: 'auth',
    summary: 'Make an account',
    description: 'Answers the same for an address that has an account already; its owner gets a mail that says so.',
    access: 'anyone',
    guarded: true,
    body: z
      .strictObject({ email: Email, password: Password, name: z.string().trim().min(1).max(100) })
      .meta({ example: { ...EXAMPLE, name: '김미나' } }),
    responses: { 202: { description: 'A mail with a token is on its way', schema: Accepted } },
    problems: { 400: ['password_too_common'] },
    async handle({ body }) {
      await users.register(body);
      return { body: LOOK_FOR_MAIL };
    },
  }),
  route({
    method: 'post',
    path: '/auth/verify',
    operationId: 'verifyEmail',
    tag: 'auth',
    summary: 'Confirm an e-mail address with the token from the mail',
    access: 'anyone',
    guarded: true,
    body: z.strictObject({ token: Token }).meta({ example: { token: 'the token from the mail' } }),
    responses: { 204: { description: 'The address is confirmed' } },
    problems: { 400: ['token_invalid'] },
    async handle({ body }) {
      await users.verifyEmail(body);
      return {};
    },
  }),
  route({
    method: 'post',
    path: '/auth/verify/resend',
    operationId: 'resendVerification',
    tag: 'auth',
    summary: 'Ask for another verification mail',
    access: 'anyone',
    guarded: true,
    body: z.strictObject({ email: Email }).meta({ example: { email: EXAMPLE.email } }),
    responses: { 202: { description: 'The same for every address', schema: Accepted } },
    async handle({ body }) {
      await users.resendVerification(body);
      return { body: LOOK_FOR_MAIL };
    },
  }),
  route({
    method: 'post',
    path: '/auth/login',
    operationId: 'login',
    tag: 'auth',
    summary: 'Log in',
    description: '`cartId` names the guest cart to be merged into your own.',
    access: 'anyone',
    guarded: true,
    headers: USER_AGENT,
    body: z.strictObject({ email: Email, password: TypedPassword, cartId: Id.optional() }).meta({ example: EXAMPLE }),
    responses: { 200: { description: 'A session', schema: Session } },
    problems: { 401: ['login_failed'] },
    handle: async ({ body, headers }) => ({ body: await users.login({ ...body, device: deviceOf(headers) }) }),
  }),
  route({
    method: 'post',
    path: '/auth/refresh',
    operationId: 'refresh',
    tag: 'auth',
    summary: 'Exchange the refresh token for a new pair',
    description:
      'A refresh token is good for one use. The same device may repeat it within 30 seconds; any other second use ends the session.',
    access: 'anyone',
    guarded: true,
    headers: USER_AGENT,
    body: z.strictObject({ refreshToken: Token }).meta({ example: { refreshToken: 'the one you were given last' } }),
    responses: { 200: { description: 'A new pair', schema: Session } },
    problems: { 401: ['refresh_token_invalid'] },
    handle: async ({ body, headers }) => ({ body: await users.refresh({ ...body, device: deviceOf(headers) }) }),
  }),
  route({
    method: 'post',
    path: '/auth/logout',
    operationId: 'logout',
    tag: 'auth',
    summary: 'End the session of a refresh token',
    access: 'anyone',
    guarded: true,
    body: z.strictObject({ refreshToken: Token }).meta({ example: { refreshToken: 'the one you were given last' } }),
    responses: { 204: { description: 'The session has ended, or there was none' } },
    async handle({ body }) {
      await users.logout(body);
      return {};
    },
  }),
  route({
    method: 'post',
    path: '/auth/logout-everywhere',
    operationId: 'logoutEverywhere',
    tag: 'auth',
    summary: 'End all your sessions on all devices',
    access: 'customer',
    responses: { 204: { description: 'All sessions have ended, this one too' } },
    async handle({ principal }) {
      await users.logoutEverywhere({ userId: userIdOf(principal) });
      return {};
    },
  }),
  route({
    method: 'post',
    path: '/auth/password/forgot',
    operationId: 'requestPasswordReset',
    tag: 'auth',
    summary: 'Ask for a mail to reset the password',
    access: 'anyone',
    guarded: true,
    body: z.strictObject({ email: Email }).meta({ example: { email: EXAMPLE.email } }),
    responses: { 202: { description: 'The same for every address', schema: Accepted } },
    async handle({ body }) {
      await users.requestPasswordReset(body);
      return { body: LOOK_FOR_MAIL };
    },
  }),
  route({
    method: 'post',
    path: '/auth/password/reset',
    operationId: 'resetPassword',
    tag: 'auth',
    summary: 'Set a new password with the token from the mail',
    description: 'Ends every session of the account.',
    access: 'anyone',
    guarded: true,
    body: z
      .strictObject({ token: Token, newPassword: Password })
      .meta({ example: { token: 'the token from the mail', newPassword: 'a-loud-green-teapot' } }),
    responses: { 204: { description: 'The password is set; log in with it' } },
    problems: { 400: ['token_invalid', 'password_too_common'] },
    async handle({ body }) {
      await users.resetPassword(body);
      return {};
    },
  }),
  route({
    method: 'post',
    path: '/auth/password/change',
    operationId: 'changePassword',
    tag: 'auth',
    summary: 'Change your password',
    description: 'Ends every other session and answers a new one.',
    access: 'customer',
    guarded: true,
    headers: USER_AGENT,
    body: z
      .strictObject({ currentPassword: TypedPassword, newPassword: Password })
      .meta({ example: { currentPassword: EXAMPLE.password, newPassword: 'a-loud-green-teapot' } }),
    responses: { 200: { description: 'A new session', schema: Session } },
    problems: { 400: ['password_wrong', 'password_too_common'] },
    handle: async ({ body, headers, principal }) => ({
      body: await users.changePassword({ ...body, userId: userIdOf(principal), device: deviceOf(headers) }),
    }),
  }),
];

const deviceOf = (headers: Record<string, string | undefined>): string => (headers['user-agent'] ?? '').slice(0, 300);

/** Whose account it is; guests do not get to routes for customers. */
export function userIdOf(principal: Principal): string {
  if (principal.kind !== 'user') throw unauthenticated();
  return principal.userId;
}
