import { z } from 'zod';
import { Address } from '../../shared/address.ts';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
import { page, Role } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';

export const Email = z.email().max(254).meta({ id: 'Email', example: 'mina@example.com' });
/** NIST SP 800-63B-4: length is what counts; no composition rules. Commonly used ones are refused (`password_too_common`). */
export const Password = z.string().min(10).max(256).meta({ id: 'Password', example: 'a-quiet-blue-kettle' });

export const Profile = z
  .object({
    id: Id,
    email: Email,
    emailVerified: z.boolean(),
    name: z.string(),
    role: Role,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Profile' });
export type Profile = z.infer<typeof Profile>;

export const SavedAddress = z
  .object({ id: Id, address: Address, isDefault: z.boolean(), version: z.int() })
  .meta({ id: 'SavedAddress' });
export type SavedAddress = z.infer<typeof SavedAddress>;

/** `accessToken` goes into `Authorization: Bearer …`; `refreshToken` is good for one use. */
export const Session = z
  .object({
    accessToken: z.string(),
    /** seconds until the access token ends */
    expiresIn: z.int(),
    refreshToken: z.string(),
    tokenType: z.literal('Bearer'),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

const Nothing = z.object({});
const User = z.object({ userId: Id });
/** tells devices apart in the list of sessions and binds the grace of a refresh; the User-Agent will do */
const device = z.string().max(300).default('');

/**
 * Accounts: who somebody is, how they prove it, what they may do, where they live. Answers never tell whether an
 * account exists, in words or in time. Listens to nothing, calls nobody.
 */
export const userContract = defineContract({
  module: 'user',
  methods: {
    /**
     * Makes an account that waits for its address to be proven, and mails a token. Registering such an address again
     * starts over, with the new password; the owner of a proven one gets a mail that says so. Answers the same.
     */
    register: write({
      input: z.object({ email: Email, password: Password, name: z.string().trim().min(1).max(100) }),
      output: Nothing,
      reasons: ['password_too_common'],
      idempotentBy: 'email',
    }),
    /** Mails a new verification token, if there is something to verify. */
    resendVerification: write({ input: z.object({ email: Email }), output: Nothing, idempotentBy: 'email' }),
    /** Takes the token from the mail (one use, 24 hours). */
    verifyEmail: write({ input: z.object({ token: z.string().max(200) }), output: Nothing, reasons: ['token_invalid'] }),

    /**
     * Begins a session for an address and its password. `login_failed` for a wrong address as for a wrong password, for
     * an address that is not proven yet (or registering and logging in would tell who has an account), and while too many
     * wrong ones were tried. `cartId`: the guest cart to be merged, passed on in `user.logged_in`.
     */
    login: write({
      input: z.object({ email: Email, password: z.string().max(256), device, cartId: Id.optional() }),
      output: Session,
      reasons: ['login_failed'],
    }),
    /**
     * A new pair for a refresh token. Used once more within 30 seconds by the same device it answers a pair of the same
     * family; later, or from another device, the whole family ends: somebody has a copy.
     */
    refresh: write({
      input: z.object({ refreshToken: z.string().max(200), device }),
      output: Session,
      reasons: ['refresh_token_invalid'],
    }),
    /** Ends the family of this refresh token; an unknown one is fine. */
    logout: write({ input: z.object({ refreshToken: z.string().max(200) }), output: Nothing, idempotentBy: 'refreshToken' }),
    /** Ends every session and every access token of the account at once. */
    logoutEverywhere: write({ input: User, output: Nothing, idempotentBy: 'userId' }),

    /** Mails a reset token (one use, one hour) when there is such an account. Answers the same. */
    requestPasswordReset: write({ input: z.object({ email: Email }), output: Nothing, idempotentBy: 'email' }),
    /** Sets the password and ends every session. The token proves the address too. */
    resetPassword: write({
      input: z.object({ token: z.string().max(200), newPassword: Password }),
      output: Nothing,
      reasons: ['token_invalid', 'password_too_common'],
    }),
    /** Ends every other session and answers a new one. */
    changePassword: write({
      input: User.extend({ currentPassword: z.string().max(256), newPassword: Password, device }),
      output: Session,
      reasons: ['password_wrong', 'password_too_common'],
    }),

    /**
     * Called by the edge for each token it has verified: who this is now, by the database. `session_ended` when the
     * account's epoch moved on (password or role changed, logged out everywhere) or its session was ended.
     */
    checkSession: read({
      input: User.extend({ epoch: z.int(), sessionId: Id }),
      output: z.object({ role: Role }),
      reasons: ['session_ended'],
    }),
    /** The public keys that access tokens are signed with (RFC 7517): the current one, and the next or the last. */
    listSigningKeys: read({ input: z.object({}), output: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }) }),
    /** Operator: brings in a new signing key; the present one stays published until its last token has ended. */
    rotateSigningKeys: write({ input: z.object({}), output: z.object({ keyId: z.string() }) }),

    /** Called by order: the account's e-mail and name for an order. */
    getProfile: read({ input: User, output: Profile, reasons: ['not_found'] }),
    /** Changes the name. */
    updateProfile: write({
      input: User.extend({ name: z.string().trim().min(1).max(100) }),
      output: Profile,
      reasons: ['not_found'],
      idempotentBy: 'userId',
    }),

    /** The account's addresses: the default one first, then as they were added. */
    listAddresses: read({ input: User, output: z.object({ addresses: z.array(SavedAddress) }) }),
    /** Saves a new address; the first one becomes the default. At most 50 (`too_many_addresses`). A repeat with the same id answers what was saved. */
    addAddress: write({
      input: User.extend({ id: Id, address: Address, isDefault: z.boolean() }),
      output: SavedAddress,
      reasons: ['not_found', 'too_many_addresses'],
      idempotentBy: 'id',
    }),
    /** Replaces an address. While there are addresses one is the default: `isDefault: false` leaves it so, another address takes it over. */
    updateAddress: write({
      input: User.extend({ id: Id, version: z.int(), address: Address, isDefault: z.boolean() }),
      output: SavedAddress,
      reasons: ['not_found', 'version_mismatch'],
    }),
    /** Deletes an address; was it the default, the one that was added last becomes it. */
    deleteAddress: write({ input: User.extend({ id: Id }), output: Nothing, reasons: ['not_found'], idempotentBy: 'id' }),

    /** Admin: a page of accounts, newest first; `email` finds one. */
    listUsers: read({
      input: z.object({ email: z.string().max(254).optional(), cursor: z.string().optional(), limit: z.int().min(1).max(100) }),
      output: page(Profile),
      reasons: ['invalid_cursor'],
    }),
    /** Admin: changes what an account may do, from its next request on. `last_admin`: somebody has to be left. */
    setRole: write({ input: User.extend({ role: Role }), output: Profile, reasons: ['not_found', 'last_admin'], idempotentBy: 'userId' }),

    /** Setup and tests: a verified account with a role; a known address stays as it is (`created: false`). */
    ensureUser: write({
      input: z.object({ email: Email, password: Password, name: z.string().min(1).max(100), role: Role }),
      output: z.object({ userId: Id, created: z.boolean() }),
      idempotentBy: 'email',
    }),
  },
  events: {
    /** Somebody logged in, perhaps with a guest cart in hand. */
    loggedIn: event('user.logged_in', 'userId', z.object({ userId: Id, cartId: Id.nullable() })),
  },
});
export type Users = Service<typeof userContract>;
