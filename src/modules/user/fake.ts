import { exportJWK, generateKeyPair } from 'jose';
import { ACCESS_TOKEN_LIFETIME, signAccessToken } from '../../shared/access-token.ts';
import { Address } from '../../shared/address.ts';
import { invalid, notFound, unauthenticated } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor, type Role } from '../../shared/http.ts';
import { newId, newSecret } from '../../shared/ids.ts';
import { decideChangedDefault, decideNewDefault } from './address-book.ts';
import type { SavedAddress, Session, Users } from './contract.ts';
import { judge, refreshTokenEnd, sessionEnd } from './session.ts';
import { type Account, assertAdministratorLeft, assertHardToGuess, failureWindowStart, isThrottled, normalizeEmail, profileOf } from './user.ts';

type FakeSession = { id: string; userId: string; endedAt: Date | null; expiresAt: Date };
type FakeToken = { sessionId: string; expiresAt: Date; usedAt: Date | null; usedBy: string | null };
type FakeMailToken = { userId: string; purpose: 'verify_email' | 'reset_password'; expiresAt: Date };

export interface FakeUsers extends Users {
  /** an account with this role; its password is `password` or 'a-quiet-blue-kettle' */
  addUser(user?: { email?: string; name?: string; role?: Role; password?: string; verified?: boolean }): Account;
  /** what would have been mailed, oldest first */
  mails: { to: string; about: 'verification' | 'password_reset' | 'known_address'; token?: string }[];
  /** what would have been published as `user.logged_in`, oldest first */
  logins: { userId: string; cartId: string | null }[];
}

/** Accounts in memory, with the rules of the real ones; passwords are kept as they are, keys are made when first needed. */
export function createFakeUsers({ now = () => new Date(), issuer = 'http://shop.test' } = {}): FakeUsers {
  const accounts = new Map<string, Account>();
  const sessions = new Map<string, FakeSession>();
  const refreshTokens = new Map<string, FakeToken>();
  const mailTokens = new Map<string, FakeMailToken>();
  const failures = new Map<string, { failures: number; failingSince: Date }>();
  const books = new Map<string, SavedAddress[]>();
  const mails: FakeUsers['mails'] = [];
  const logins: FakeUsers['logins'] = [];
  let keys: Promise<Awaited<ReturnType<typeof newKey>>[]> | undefined;

  const activeKeys = () => (keys ??= Promise.all([newKey(), newKey()]));
  const byEmail = (email: string) => [...accounts.values()].find((account) => account.email === normalizeEmail(email));
  const get = (userId: string) => accounts.get(userId.toLowerCase()) ?? refuse(notFound('account'));
  const bookOf = (userId: string) => books.get(get(userId).id) ?? [];

  const addUser: FakeUsers['addUser'] = ({ email, name = 'Mina', role = 'customer', password = 'a-quiet-blue-kettle', verified = true } = {}) => {
    const [id, createdAt] = [newId(), now()];
    const own = { id, email: normalizeEmail(email ?? `${id}@example.com`), emailVerifiedAt: verified ? createdAt : null };
    const account: Account = { ...own, name, role, passwordHash: password, epoch: 0, createdAt };
    accounts.set(id, account);
    return account;
  };
  const mailToken = (account: Account, purpose: FakeMailToken['purpose'], hours: number) => {
    const token = newSecret();
    mailTokens.set(token, { userId: account.id, purpose, expiresAt: new Date(now().getTime() + hours * 3_600_000) });
    mails.push({ to: account.email, about: purpose === 'verify_email' ? 'verification' : 'password_reset', token });
  };
  const ownerOf = (token: string, purpose: FakeMailToken['purpose']) => {
    const known = mailTokens.get(token);
    if (known?.purpose !== purpose || known.expiresAt <= now()) throw invalid('token_invalid', 'The token is not valid.');
    return get(known.userId);
  };
  const useUpMailTokens = (userId: string, purpose: FakeMailToken['purpose']) => {
    for (const [token, known] of mailTokens) if (known.userId === userId && known.purpose === purpose) mailTokens.delete(token);
  };

  const rightPassword = (account: Account | undefined, email: string, password: string): account is Account => {
    const recent = failures.get(email);
    const credentials = account && { ...account, failures: recent?.failures ?? 0, failingSince: recent?.failingSince ?? null };
    if (credentials?.emailVerifiedAt && !isThrottled(credentials, now()) && credentials.passwordHash === password) return failures.delete(email) || true;
    const counts = recent && recent.failingSince > failureWindowStart(now());
    failures.set(email, counts ? { ...recent, failures: recent.failures + 1 } : { failures: 1, failingSince: now() });
    return false;
  };
  const endSessions = (userId: string) => {
    for (const session of sessions.values()) if (session.userId === userId) session.endedAt ??= now();
  };
  const setPassword = (account: Account, password: string) => {
    Object.assign(account, { passwordHash: password, epoch: account.epoch + 1 });
    endSessions(account.id);
    useUpMailTokens(account.id, 'reset_password');
  };
  const openSession = (userId: string) => {
    const session = { id: newId(), userId, endedAt: null, expiresAt: sessionEnd(now()) };
    sessions.set(session.id, session);
    return toSession(session);
  };
  const toSession = async ({ id, userId, expiresAt }: FakeSession): Promise<Session> => {
    const refreshToken = newSecret();
    refreshTokens.set(refreshToken, { sessionId: id, expiresAt: refreshTokenEnd(now(), expiresAt), usedAt: null, usedBy: null });
    const { epoch } = get(userId);
    const [key] = await activeKeys();
    const signing = { keyId: key!.id, privateKey: key!.privateKey, issuer, now: now() };
    const accessToken = await signAccessToken({ sub: userId, sid: id, epoch }, signing);
    return { accessToken, expiresIn: ACCESS_TOKEN_LIFETIME, refreshToken, tokenType: 'Bearer' };
  };
  const saveBook = (userId: string, book: SavedAddress[], defaultId: string | undefined) => {
    const settled = book.map((entry) =>
      entry.isDefault === (entry.id === defaultId) ? entry : { ...entry, isDefault: !entry.isDefault, version: entry.version + 1 },
    );
    books.set(get(userId).id, settled);
    return settled;
  };
  const defaultOf = (book: SavedAddress[]) => book.find(({ isDefault }) => isDefault)?.id;

  return {
    addUser,
    mails,
    logins,

    async register({ email, password, name }) {
      assertHardToGuess(password, normalizeEmail(email));
      const known = byEmail(email);
      if (known?.emailVerifiedAt) {
        mails.push({ to: known.email, about: 'known_address' });
        return {};
      }
      const account = known ? Object.assign(known, { passwordHash: password, name }) : addUser({ email, password, name, verified: false });
      useUpMailTokens(account.id, 'verify_email');
      mailToken(account, 'verify_email', 24);
      return {};
    },
    async resendVerification({ email }) {
      const account = byEmail(email);
      if (account && !account.emailVerifiedAt) mailToken(account, 'verify_email', 24);
      return {};
    },
    async verifyEmail({ token }) {
      const account = ownerOf(token, 'verify_email');
      account.emailVerifiedAt ??= now();
      useUpMailTokens(account.id, 'verify_email');
      return {};
    },

    async login({ email, password, cartId = null }) {
      const account = byEmail(email);
      if (!rightPassword(account, normalizeEmail(email), password)) throw unauthenticated('The e-mail or the password is not right.', 'login_failed');
      logins.push({ userId: account.id, cartId });
      return openSession(account.id);
    },
    async refresh({ refreshToken, device = '' }) {
      const token = refreshTokens.get(refreshToken);
      const session = token && sessions.get(token.sessionId);
      if (!token || !session) throw refreshTokenInvalid();
      const fresh = token.usedAt === null && token.expiresAt > now() && session.endedAt === null && session.expiresAt > now();
      const presented = { ...token, id: refreshToken, userId: session.userId, epoch: 0, sessionEndedAt: session.endedAt, sessionExpiresAt: session.expiresAt };
      const verdict = fresh ? 'repeat' : judge(presented, device, now());
      if (fresh) Object.assign(token, { usedAt: now(), usedBy: device });
      if (verdict === 'reuse') session.endedAt ??= now();
      if (verdict !== 'repeat') throw refreshTokenInvalid();
      return toSession(session);
    },
    async logout({ refreshToken }) {
      const session = sessions.get(refreshTokens.get(refreshToken)?.sessionId ?? '');
      if (session) session.endedAt ??= now();
      return {};
    },
    async logoutEverywhere({ userId }) {
      const account = accounts.get(userId.toLowerCase());
      if (account) account.epoch += 1;
      endSessions(userId.toLowerCase());
      return {};
    },

    async requestPasswordReset({ email }) {
      const account = byEmail(email);
      if (account) mailToken(account, 'reset_password', 1);
      return {};
    },
    async resetPassword({ token, newPassword }) {
      const account = ownerOf(token, 'reset_password');
      assertHardToGuess(newPassword, account.email);
      setPassword(account, newPassword);
      account.emailVerifiedAt ??= now();
      failures.delete(account.email);
      return {};
    },
    async changePassword({ userId, currentPassword, newPassword }) {
      const account = accounts.get(userId.toLowerCase());
      assertHardToGuess(newPassword, account?.email ?? '');
      if (!rightPassword(account, account?.email ?? '', currentPassword)) throw invalid('password_wrong', 'The current password is not right.');
      setPassword(account, newPassword);
      return openSession(account.id);
    },

    async checkSession({ userId, epoch, sessionId }) {
      const [account, session] = [accounts.get(userId.toLowerCase()), sessions.get(sessionId.toLowerCase())];
      const live = session && session.userId === account?.id && session.endedAt === null && session.expiresAt > now();
      if (!account || !live || account.epoch !== epoch) throw unauthenticated('This session has ended; log in again.', 'session_ended');
      return { role: account.role };
    },
    listSigningKeys: async () => ({ keys: (await activeKeys()).map(({ publicJwk }) => publicJwk) }),
    /** The fake goes on publishing every key it has had. */
    async rotateSigningKeys() {
      const [retired, promoted, ...older] = await activeKeys();
      keys = Promise.resolve([promoted!, await newKey(), retired!, ...older]);
      return { keyId: promoted!.id };
    },

    getProfile: async ({ userId }) => profileOf(get(userId)),
    updateProfile: async ({ userId, name }) => profileOf(Object.assign(get(userId), { name })),

    async listAddresses({ userId }) {
      const book = books.get(userId.toLowerCase()) ?? [];
      return { addresses: book.toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault)) };
    },
    async addAddress({ userId, id, address, isDefault: wanted }) {
      const book = bookOf(userId);
      const known = book.find((entry) => entry.id === id.toLowerCase());
      if (known) return known;
      const added = { id: id.toLowerCase(), address: Address.parse(address), isDefault: decideNewDefault(book.length, wanted), version: 1 };
      saveBook(userId, [...book, added], added.isDefault ? added.id : defaultOf(book));
      return added;
    },
    async updateAddress({ userId, id, version, address, isDefault: wanted }) {
      const book = bookOf(userId);
      const known = book.find((entry) => entry.id === id.toLowerCase());
      const isDefault = decideChangedDefault(known, version, wanted);
      const changed = { ...known!, address: Address.parse(address), isDefault, version: version + 1 };
      saveBook(userId, book.map((entry) => (entry === known ? changed : entry)), isDefault ? changed.id : defaultOf(book));
      return changed;
    },
    async deleteAddress({ userId, id }) {
      const book = bookOf(userId);
      const rest = book.filter((entry) => entry.id !== id.toLowerCase());
      if (rest.length === book.length) throw notFound('address');
      saveBook(userId, rest, defaultOf(rest) ?? rest.at(-1)?.id);
      return {};
    },

    async listUsers({ email, cursor, limit }) {
      const newestFirst = [...accounts.values()].toReversed().filter((account) => email === undefined || account.email === normalizeEmail(email));
      const seen = cursor === undefined ? -1 : newestFirst.findIndex(({ id }) => id === decodeCursor(cursor)?.[0]);
      if (cursor !== undefined && seen < 0) throw invalid('invalid_cursor', 'The cursor is not one of ours.');
      const found = newestFirst.slice(seen + 1);
      const items = found.slice(0, limit).map(profileOf);
      return { items, nextCursor: found.length > limit ? encodeCursor([items.at(-1)!.id]) : null };
    },
    async setRole({ userId, role }) {
      const target = get(userId);
      assertAdministratorLeft([...accounts.values()].filter((account) => account.role === 'admin'), target, role);
      if (target.role !== role) Object.assign(target, { role, epoch: target.epoch + 1 });
      return profileOf(target);
    },
    async ensureUser({ email, password, name, role }) {
      const known = byEmail(email);
      return { userId: (known ?? addUser({ email, password, name, role })).id, created: !known };
    },
  };
}

async function newKey() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const id = newId();
  return { id, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid: id, alg: 'ES256', use: 'sig' } };
}

const refreshTokenInvalid = () => unauthenticated('The refresh token is not valid any more; log in again.', 'refresh_token_invalid');

function refuse(error: Error): never {
  throw error;
}
