import { createPasswordHasher, type PasswordHasher } from '../../../src/modules/user/password-hash-service.ts';
import { createUserBackground } from '../../../src/modules/user/user-jobs.ts';
import { createUserService } from '../../../src/modules/user/user-service.ts';
import { verifyAccessToken } from '../../../src/shared/access-token.ts';
import type { Users } from '../../../src/modules/user/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext } from '../../support/module-context.ts';

export const PASSWORD = 'a-quiet-blue-kettle';
export const OTHER_PASSWORD = 'a-loud-green-teapot';
export const ADDRESS = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

/** The module on a database of its own, its argon2 computations counted, its jobs run when a test says so. */
export async function createUserSetup() {
  const context = await createTestContext('user');
  const hasher = counting(createPasswordHasher());
  const users = createUserService(context, hasher);
  const background = createUserBackground(context);
  await background.prepare!();
  let worked = 0;

  return {
    context,
    users,
    hasher,
    background,
    /** works the queued jobs and answers the mails that came of them */
    async deliver() {
      const before = context.mails.length;
      for (const { name, data } of context.enqueued.slice(worked)) await background.jobs![name]!(data as never);
      worked = context.enqueued.length;
      return context.mails.slice(before);
    },
    /** an account with a role, and its address */
    async account(role: 'customer' | 'staff' | 'admin' = 'customer') {
      const email = `${newId()}@example.com`;
      const { userId } = await users.ensureUser({ email, password: PASSWORD, name: '김미나', role });
      return { email, userId };
    },
    /** the SQL that a call sends, without its values */
    async statementsOf(call: () => Promise<unknown>): Promise<string[]> {
      const statements: string[] = [];
      const note = ({ sql }: { sql: string }) => void statements.push(sql);
      context.db.on('query', note);
      await call();
      context.db.removeListener('query', note);
      return statements;
    },
    claims: async (accessToken: string) => claimsOf(users, accessToken, context.now()),
  };
}

/** What a token says, checked as the edge does it. */
export async function claimsOf(users: Users, accessToken: string, now: Date) {
  const { keys } = await users.listSigningKeys({});
  const claims = await verifyAccessToken(accessToken, { keys: keys as never, issuer: 'http://shop.test', now });
  if (!claims) throw new Error('None of the published keys is the token’s.');
  return { userId: claims.sub, sessionId: claims.sid, epoch: claims.epoch };
}

export const tokenIn = (text: string): string => /Token: (\S+)/.exec(text)![1]!;

export const move = (context: { clock: { now: Date } }, seconds: number): void => {
  context.clock.now = new Date(context.clock.now.getTime() + seconds * 1_000);
};

function counting(hasher: PasswordHasher) {
  const counter = { computations: 0 };
  return {
    counter,
    hash: (password: string) => {
      counter.computations += 1;
      return hasher.hash(password);
    },
    verify: (password: string, hash: string | undefined) => {
      counter.computations += 1;
      return hasher.verify(password, hash);
    },
  };
}
