import { fromKnex, PgBoss } from 'pg-boss';
import { compose } from '../../../src/composition.ts';
import { createApp } from '../../../src/edge/app.ts';
import { catalogContract } from '../../../src/modules/catalog/contract.ts';
import { couponContract } from '../../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../../src/modules/inventory/contract.ts';
import { userContract } from '../../../src/modules/user/contract.ts';
import { listen } from '../../../src/setup/listen.ts';
import { moduleUrl } from '../../../src/setup/provision.ts';
import { connect } from '../../../src/shared/database.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createLogger, createMetrics } from '../../../src/shared/telemetry.ts';
import { sourcesOf, verify } from '../../../src/verify/verify.ts';
import { TEST_SECRET } from '../../support/constants.ts';
import type { Aim } from './faults.ts';
import { type ShopTime, timeOf } from './time.ts';
import { watchFlows } from './watch.ts';

/* A whole shop in a process that can be told to die at a point of a flow. Whoever forked it asks it over IPC. */

export type Questions = typeof questions;

const POOL_SIZE = 5;
const PROVIDER_DEADLINE = 5_000;
/** Points are noted from the start, and no fault comes. */
const NO_AIM = 'none';
const STOCK = 1_000_000;
const [adminUrl, startTime, lastPort, firstAim] = process.argv.slice(2) as [string, string, string, string?];

hurry();
const watch = watchFlows();
if (firstAim) watch.start(firstAim === NO_AIM ? undefined : (JSON.parse(firstAim) as Aim));
let time = JSON.parse(startTime) as ShopTime;
const now = () => new Date(timeOf(time));
const databaseUrl = (module: string) => moduleUrl(adminUrl, module, TEST_SECRET);
const log = createLogger('silent');
// The same address after a restart: webhooks are under way to it.
const front = await listen({ host: '127.0.0.1', port: Number(lastPort) || 0, preferred: 0, variable: 'PORT' });
const publicUrl = `http://127.0.0.1:${front.port}`;
const kerf = compose({
  settings: { publicUrl, secret: TEST_SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
  log, databaseUrl, poolSize: POOL_SIZE, now,
});
const edgeDb = connect({ url: databaseUrl('edge'), applicationName: 'test edge', poolSize: POOL_SIZE });
await kerf.prepare();
await kerf.startWork();
front.serve(createApp({
  routes: kerf.routes, users: kerf.service(userContract), db: edgeDb, log, metrics: createMetrics(), issuer: publicUrl, now, rateLimit: 0, trustProxy: 0, ready: async () => undefined,
}));

const questions = {
  port: async () => front.port,
  async open({ code, prices }: { code: string; prices: readonly number[] }): Promise<string[]> {
    const [catalog, inventory, coupon] = [kerf.service(catalogContract), kerf.service(inventoryContract), kerf.service(couponContract)];
    await coupon.createPromotion({ id: newId(), draft: { name: 'Crash', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', codes: [code], totalLimit: STOCK } as never });
    const variants: string[] = [];
    for (const price of prices) {
      const [id, variantId] = [newId(), newId()];
      await catalog.createProduct({ id, draft: { slug: `p-${id}`, name: { ko: '컵', en: 'Cup' } } });
      const { version } = await catalog.createVariant({ id: variantId, productId: id, draft: { sku: `SKU-${variantId}`, prices: { KRW: price } } });
      await catalog.setProductState({ id, version, state: 'published' });
      await inventory.adjust({ adjustmentId: `stock ${variantId}`, adjustments: [{ variantId, kind: 'received', delta: STOCK }] });
      variants.push(variantId);
    }
    return variants;
  },
  watch: async (aim?: Aim) => watch.start(aim),
  points: async () => watch.points(),
  struck: async () => watch.struck(),
  setTime: async (next: ShopTime) => void (time = next),
  /** what a worker left behind that died: seen by the process that looks after the queues, now and not in a few seconds */
  async tendQueues(): Promise<void> {
    await Promise.all([...kerf.databases].map(async ([module, db]) => {
      const boss = new PgBoss({ db: fromKnex(db), schema: `${module}_jobs`, migrate: false, createSchema: false, schedule: false, supervise: false, reindex: false, monitorVacuum: false });
      await boss.start();
      await boss.supervise();
      await boss.stop({ graceful: false, close: false });
    }));
  },
  /** sentences about what does not hold, or not yet */
  async violations(): Promise<string[]> {
    const { findings } = await verify(sourcesOf(kerf), { databases: kerf.databases, now, grace: 0 });
    return findings.flatMap(({ invariant, told, settling }) => [...told.map(({ message }) => message), ...(settling > 0 ? [`${invariant}: ${settling} settling`] : [])]);
  },
};

process.on('message', ({ id, name, input }: { id: number; name: keyof Questions; input: never }) => {
  const answers = (questions[name] as (input: never) => Promise<unknown>)(input);
  answers.then((answer) => process.send!({ id, answer }), (error: Error) => process.send!({ id, error: error.stack }));
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
process.send!({ id: 0 });

/** Sweeps wait for seconds between their turns, and a provider has 5 s to answer: in neither happens what a test could miss. */
function hurry(): void {
  const { setTimeout: wait } = globalThis;
  const hurried = (...[turn, milliseconds, ...more]: Parameters<typeof wait>) => wait(turn, turn.name === 'turn' ? 250 : milliseconds, ...more);
  globalThis.setTimeout = Object.assign(hurried, wait);
  const patience = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (milliseconds) => patience(milliseconds === PROVIDER_DEADLINE ? 1_500 : milliseconds);
}
