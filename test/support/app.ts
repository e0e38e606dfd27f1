import { exportJWK, generateKeyPair } from 'jose';
import { createLogger, createMetrics } from '../../src/shared/telemetry.ts';
import { signAccessToken } from '../../src/shared/access-token.ts';
import { connect } from '../../src/shared/database.ts';
import { newId } from '../../src/shared/ids.ts';
import type { Role, Route } from '../../src/shared/http.ts';
import { createAdmission } from '../../src/edge/admission.ts';
import { createApp } from '../../src/edge/app.ts';
import { createTestDatabase } from './database.ts';
import { guardStatements } from './statement-guard.ts';

const ISSUER = 'http://shop.test';

/** The real edge around some routes, for a module's own route tests: `request(app)…` with supertest. */
export async function createTestApp(routes: readonly Route[], now: () => Date = () => new Date(), { rateLimit = 0, admission = createAdmission(0) } = {}) {
  const database = await createTestDatabase();
  const edgeDb = connect({ url: database.url('edge'), applicationName: 'test edge', poolSize: 5 });
  const checkRefusals = guardStatements(edgeDb, 'edge');
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(publicKey)), kid: 'test', alg: 'ES256', use: 'sig' };
  const roles = new Map<string, Role>();
  const metrics = createMetrics();
  const app = createApp({
    routes,
    users: {
      listSigningKeys: async () => ({ keys: [key] }),
      checkSession: async ({ userId }) => ({ role: roles.get(userId) ?? 'customer' }),
    },
    db: edgeDb,
    log: createLogger('silent'),
    metrics,
    issuer: ISSUER,
    now,
    rateLimit,
    admission,
    trustProxy: 0,
    corsOrigins: ['https://front.test'],
    ready: async () => undefined,
  });
  return {
    app,
    metrics,
    /** an Authorization header for an account with this role */
    async as(role: Role, userId = newId()): Promise<{ authorization: string }> {
      roles.set(userId, role);
      const token = await signAccessToken({ sub: userId, sid: newId(), epoch: 0 }, { keyId: 'test', privateKey, issuer: ISSUER, now: now() });
      return { authorization: `Bearer ${token}` };
    },
    async close() {
      await edgeDb.destroy();
      await database.drop();
      checkRefusals();
    },
  };
}
