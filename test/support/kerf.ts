import { catalogContract } from '../../src/modules/catalog/contract.ts';
import { couponContract, type PromotionDraft } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { userContract } from '../../src/modules/user/contract.ts';
import { MODULES } from '../../src/calls.ts';
import { compose, type Composition } from '../../src/composition.ts';
import { createApp } from '../../src/edge/app.ts';
import { listen } from '../../src/setup/listen.ts';
import { connect } from '../../src/shared/database.ts';
import type { Role } from '../../src/shared/http.ts';
import { newId } from '../../src/shared/ids.ts';
import type { EdgePolicy } from '../../src/shared/seam/resilience.ts';
import { createLogger, createMetrics } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from './constants.ts';
import { createTestDatabase } from './database.ts';
import { guardStatements } from './statement-guard.ts';

export type TestKerf = Awaited<ReturnType<typeof startTestKerf>>;

const PASSWORD = 'a-quiet-blue-kettle';

export interface TestPlacement {
  /** send every call through the encoding of the wire */
  forceWire?: boolean;
  /** groups of modules that are hosted apart, each behind an internal address of its own; the others stay with the public API */
  apart?: readonly (readonly string[])[];
  /** puts something between a module and the hosts that call it: told where it listens, answers the address that they are told */
  through?: (module: string, address: string) => Promise<string>;
  /** modules that somebody else runs, and where: `{ coupon: 'unix:/path/to/socket' }` */
  elsewhere?: Readonly<Record<string, string>>;
  /** how patient callers are with modules that are apart */
  policy?: Partial<EdgePolicy>;
}

/** The whole shop on a database of its own, listening on a port of its own, with its background work running. */
export async function startTestKerf({ forceWire = false, apart = [], through, elsewhere = {}, policy = {} }: TestPlacement = {}) {
  const database = await createTestDatabase();
  const front = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'PORT' });
  const url = `http://127.0.0.1:${front.port}`;
  const log = createLogger(process.env['KERF_LOG_LEVEL'] ?? 'silent');
  const clock = { ahead: 0 };
  const now = () => new Date(Date.now() + clock.ahead);
  const mails: { to: string; subject: string; text: string }[] = [];
  const hosts = await startHosts({ apart, through, elsewhere }, {
    settings: {
      publicUrl: url,
      secret: TEST_SECRET,
      timeZone: 'Asia/Seoul',
      paymentWindowMinutes: 30,
      sandboxPayments: true,
      sendMail: async (mail) => void mails.push(mail),
    },
    log,
    databaseUrl: (module) => database.url(module),
    poolSize: 10,
    now,
    forceWire,
    policy,
  });
  const { kerf } = hosts;
  const edgeDb = connect({ url: database.url('edge'), applicationName: 'test edge', poolSize: 10 });
  const guards = [...hosts.databases(), ['edge', edgeDb] as const].map(([module, db]) => guardStatements(db, module));
  await hosts.start();
  const users = kerf.service(userContract);
  const app = createApp({
    routes: kerf.routes, users, db: edgeDb, log, metrics: createMetrics(), issuer: url, now, rateLimit: 0, trustProxy: 0, ready: async () => undefined,
  });
  front.serve(app);

  const catalog = kerf.service(catalogContract);
  const inventory = kerf.service(inventoryContract);
  const coupon = kerf.service(couponContract);
  return {
    app,
    url,
    kerf,
    /** what crossed the boundaries in all hosts together */
    observed: hosts.observed,
    databases: new Map(hosts.databases()),
    mails,
    /** milliseconds that the shop's clock is ahead of ours */
    clock,
    database,
    /** a published product with one variant; answers the variant's id */
    async sell({ price = 10_000, stock = 10, name = '돌멩이 컵' } = {}): Promise<string> {
      const [id, variantId] = [newId(), newId()];
      await catalog.createProduct({ id, draft: { slug: `p-${id}`, name: { ko: name, en: 'Pebble cup' } } });
      const { version } = await catalog.createVariant({ id: variantId, productId: id, draft: { sku: `SKU-${variantId}`, prices: { KRW: price } } });
      await catalog.setProductState({ id, version, state: 'published' });
      if (stock > 0) await inventory.adjust({ adjustmentId: `stock ${variantId}`, adjustments: [{ variantId, kind: 'received', delta: stock }] });
      return variantId;
    },
    promote: (draft: Partial<PromotionDraft>) =>
      coupon.createPromotion({
        id: newId(),
        draft: { name: 'Test', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', ...draft } as PromotionDraft,
      }),
    /** a new account; answers its id and an Authorization header */
    async as(role: Role): Promise<{ userId: string; headers: { authorization: string } }> {
      const email = `${newId()}@example.com`;
      const { userId } = await users.ensureUser({ email, password: PASSWORD, name: '김미나', role });
      const { accessToken } = await users.login({ email, password: PASSWORD });
      return { userId, headers: { authorization: `Bearer ${accessToken}` } };
    },
    level: async (variantId: string) => (await inventory.getLevels({ variantIds: [variantId] })).levels[0]!,
    async stop() {
      await front.close(1_000);
      await hosts.stop();
      await edgeDb.destroy();
      await database.drop();
      for (const checkRefusals of guards) checkRefusals();
    },
  };
}

/** A host for each group and one for the rest and the public API, found at addresses of this machine. */
async function startHosts({ apart = [], through = async (_, address) => address, elsewhere = {} }: TestPlacement, composition: Composition) {
  const rest = MODULES.filter((name) => !apart.flat().includes(name) && !elsewhere[name]);
  const groups = await Promise.all([rest, ...apart].map(async (hosts) => ({ hosts, inside: await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' }) })));
  const located = await Promise.all(groups.flatMap(({ hosts, inside }) => hosts.map(async (name) => [name, await through(name, inside.address)] as const)));
  const running = groups.map(({ hosts, inside }) => {
    const addresses = { ...elsewhere, ...Object.fromEntries(located.filter(([name]) => !hosts.includes(name))) };
    const kerf = compose({ ...composition, placement: { hosts, addresses, edge: hosts === rest } });
    inside.serve(kerf.seam);
    return { kerf, inside };
  });
  const [front] = running;
  const observed = () => running.map(({ kerf }) => kerf.observed());
  return {
    kerf: front!.kerf,
    databases: () => running.flatMap(({ kerf }) => [...kerf.databases]),
    observed: () => ({
      calls: observed().flatMap(({ calls }) => calls),
      events: observed().flatMap(({ events }) => events),
      foreignStatements: observed().flatMap(({ foreignStatements }) => foreignStatements),
    }),
    async start() {
      await Promise.all(running.map(({ kerf }) => kerf.prepare()));
      await Promise.all(running.map(({ kerf }) => kerf.startWork()));
    },
    async stop() {
      for (const { kerf } of running) await kerf.stop();
      for (const { inside } of running) await inside.close(1_000);
    },
  };
}
