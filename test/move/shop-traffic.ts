import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import fc from 'fast-check';
import type { Kerf } from '../../src/composition.ts';
import { orderContract } from '../../src/modules/order/contract.ts';
import { userContract } from '../../src/modules/user/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { wrongInTheBooks } from '../faults/chaos.ts';
import { inconsistencies } from '../support/consistency.ts';
import { type Answer, type Ask, asking, type Body, checkout, createLedger, type Plan, type Sent, type Try } from '../support/ledger.ts';
import { STOCK, stocked } from '../support/stocked.ts';

export const CODE = 'MOVES10';
const PASSWORD = 'a-quiet-blue-kettle';
/** Milliseconds from one that comes to the next, where the machine has nothing else to do. */
const PACE = { shopper: 500, browser: 150, customer: 3_000, staff: 500, probe: 25 };
/** For the token of a mail, which a job sends. */
const MAIL_WITHIN = 60_000;

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  card: fc.constantFrom('sandbox_ok', 'sandbox_declined', 'sandbox_insufficient_funds', 'sandbox_action', 'sandbox_timeout', 'sandbox_late', 'sandbox_late_decline'),
  pieces: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  code: fc.constantFrom(CODE, CODE, null),
  cancels: fc.integer({ min: 0, max: 3 }).map((one) => one === 0),
});

export interface TrafficOptions {
  /** places of the shop, and those of them that may fail for a while */
  urls: readonly string[];
  patient: boolean | readonly string[];
  /** the shop's modules, asked where nothing has moved */
  beside: Kerf;
  adminUrl: string;
  /** where mails are written to */
  mail: string;
  /** the module that is asked for all the time, by a small question */
  module: string;
  seed: number;
  /** how many times slower they come than on a machine that is quiet */
  slower: number;
}

/** Something that was changed, and how whoever reads it sees that. */
interface Change {
  read: Parameters<Ask>;
  shows(found: Answer): boolean;
}

export type Traffic = Awaited<ReturnType<typeof startTraffic>>;

/** Everybody who has to do with a shop, coming at a pace of their own, however slowly they are served. */
export async function startTraffic({ urls, patient, beside, adminUrl, mail, module, seed, slower }: TrafficOptions) {
  const variants = await stocked(beside, { code: CODE, limit: 100_000 });
  const received = new Map(variants.map((variantId) => [variantId, STOCK]));
  const ledger = createLedger();
  const patience = new AbortController();
  const tries: Try[] = [];
  const probes: Try[] = [];
  const wrong = (sentence: string) => ledger.wrong(`${new Date().toISOString()} ${sentence}`);
  const ask = asking(urls, { signal: patience.signal, ledger: { wrong }, patient, seen: (one) => tries.push(one) });
  const staff = await signIn(beside, ask, 'staff');
  const customer = await signIn(beside, ask, 'customer');
  const { body: { items: [goods] } } = (await ask('GET', '/admin/products?limit=1', { headers: staff })) as Answer & { body: { items: [Body] } };
  const { body: cart } = await ask('POST', '/carts', { key: newId(), body: { currency: 'KRW' } });
  const plans = fc.sample(anyPlan, { seed, numRuns: 500 });

  const expecting = async (statuses: readonly number[], ...asked: Parameters<Ask>) => {
    const answer = await ask(...asked);
    if (!statuses.includes(answer.status)) throw new Error(`${asked[0]} ${asked[1]} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  };
  const browse = async (turn: number) => void (await expecting([200], 'GET', ['/products?limit=20', `/products/${goods!.slug}`, '/categories', '/payment-providers'][turn % 4]!));

  async function join(turn: number) {
    const email = `${newId()}@example.com`;
    await expecting([202], 'POST', '/auth/register', { body: { email, password: PASSWORD, name: '김미나' } });
    const device = { 'user-agent': 'a phone' };
    // Of a request that was answered by nobody it is not known whether it counted: then an earlier mail is out of date, or the account is confirmed.
    const orNot = (status: number) => (patient === false ? [] : [status]);
    const signedIn = async (): Promise<Answer> => {
      await expecting([204, ...orNot(400)], 'POST', '/auth/verify', { body: { token: await tokenMailedTo(email, mail) } });
      const answer = await expecting([200, ...orNot(401)], 'POST', '/auth/login', { body: { email, password: PASSWORD }, headers: device });
      return answer.status === 200 ? answer : signedIn();
    };
    const { body: session } = await signedIn();
    const { body: { accessToken, refreshToken } } = await expecting([200], 'POST', '/auth/refresh', { body: { refreshToken: session.refreshToken }, headers: device });
    const headers = { authorization: `Bearer ${accessToken}` };
    await expecting([200], 'PATCH', '/me', { headers, body: { name: `민수 ${email}` } });
    const { body: { id } } = await expecting([201], 'POST', '/carts', { headers, key: newId(), body: { currency: 'KRW' } });
    await expecting([200], 'GET', '/orders', { headers });
    const leaves = turn % 2 === 1;
    if (leaves) await expecting([204], 'POST', '/auth/logout', { body: { refreshToken } });
    ledger.told(`the name of ${email}`, ['GET', '/me', { headers }], ({ status, body }) => (leaves ? status === 401 : status === 200 && body.name === `민수 ${email}`));
    ledger.told(`the cart of ${email}`, ['GET', `/carts/${id}`, { headers }], ({ status }) => status === (leaves ? 401 : 200));
  }

  /** One after the other: a price is changed in the version that was read. */
  let atDesk: Promise<unknown> = Promise.resolve();
  let price = 0;
  const work = (turn: number) => (atDesk = atDesk.catch(() => undefined).then(() => (turn % 2 === 0 ? receive() : reprice(turn))));
  async function receive() {
    const variantId = variants[0]!;
    await expecting([200], 'POST', '/admin/inventory/adjustments', { headers: staff, key: newId(), body: { adjustments: [{ variantId, kind: 'received', delta: 3 }] } });
    received.set(variantId, received.get(variantId)! + 3);
  }
  /** In a currency in which nobody buys. */
  async function reprice(turn: number) {
    const path = `/admin/products/${goods!.id}`;
    const { body: { version, variants: [variant] } } = await expecting([200], 'GET', path, { headers: staff });
    const { sku, id, prices } = variant!;
    // Of a change that was answered by nobody, the version tells that it was made.
    await expecting(patient === false ? [200] : [200, 412], 'PUT', `${path}/variants/${id}`, { headers: { ...staff, 'if-match': `"${version}"` }, body: { sku, prices: { ...prices, USD: 100 + turn } } });
    price = 100 + turn;
  }

  const small: Record<string, Parameters<Ask>> = {
    user: ['GET', '/me', { headers: customer }],
    catalog: ['GET', `/products/${goods!.slug}`],
    inventory: ['GET', `/admin/inventory/${variants[0]}`, { headers: staff }],
    coupon: ['GET', '/admin/promotions?limit=1', { headers: staff }],
    payment: ['GET', '/admin/payments?limit=1', { headers: staff }],
    order: ['GET', `/carts/${cart.id}`],
  };
  const changes: Record<string, (by: Ask) => Promise<Change>> = {
    async user(by) {
      const name = newId();
      await by('PATCH', '/me', { headers: customer, body: { name } });
      return { read: ['GET', '/me', { headers: customer }], shows: ({ body }) => body.name === name };
    },
    async catalog(by) {
      const slug = `category-${newId()}`;
      const { body: { id } } = await by('POST', '/admin/categories', { headers: staff, key: newId(), body: { slug, name: { ko: '새것', en: 'New' } } });
      return { read: ['GET', '/categories'], shows: ({ body }) => JSON.stringify(body).includes(id) };
    },
    async inventory(by) {
      const variantId = variants[1]!;
      const note = newId();
      await by('POST', '/admin/inventory/adjustments', { headers: staff, key: newId(), body: { adjustments: [{ variantId, kind: 'received', delta: 1, note }] } });
      received.set(variantId, received.get(variantId)! + 1);
      return { read: ['GET', `/admin/inventory/${variantId}/movements?limit=100`, { headers: staff }], shows: ({ body }) => JSON.stringify(body).includes(note) };
    },
    async coupon(by) {
      const { body: { id } } = await by('POST', '/admin/promotions', { headers: staff, key: newId(), body: { name: 'New', class: 'order', benefit: { kind: 'percent', basisPoints: 100 }, currency: 'KRW', codes: [`NEW${Date.now()}`] } });
      return { read: ['GET', `/admin/promotions/${id}`, { headers: staff }], shows: ({ status }) => status === 200 };
    },
    async payment(by) {
      const told: Answer[] = [];
      const listening: Ask = async (...asked) => {
        const answer = await by(...asked);
        if (asked[1] === '/orders') told.push(answer);
        return answer;
      };
      await checkout({ ask: listening, ledger, variants }, { card: 'sandbox_ok', pieces: [1, 1], code: null, cancels: false });
      const { id } = told.at(-1)!.body;
      return { read: ['GET', `/admin/payments?orderId=${id}`, { headers: staff }], shows: ({ body }) => JSON.stringify(body).includes(id) };
    },
    async order(by) {
      const { body: { id } } = await by('POST', '/carts', { key: newId(), body: { currency: 'KRW' } });
      return { read: ['GET', `/carts/${id}`], shows: ({ status }) => status === 200 };
    },
  };
  const asksSmall = asking(urls, { signal: patience.signal, ledger: { wrong }, patient, seen: (one) => probes.push(one) });
  const failing = (come: (turn: number) => Promise<unknown>) => (turn: number) => come(turn).catch(({ message }: Error) => wrong(message));
  const crowds = [
    keepComing(PACE.shopper * slower, failing((turn) => checkout({ ask, ledger, variants }, plans[turn % plans.length]!))),
    keepComing(PACE.browser * slower, failing(browse)),
    keepComing(PACE.customer * slower, failing(join)),
    keepComing(PACE.staff * slower, failing(work)),
    keepComing(PACE.probe * slower, failing(() => asksSmall(...small[module]!))),
  ];

  return {
    /** all that was asked, and the small questions alone */
    tries,
    probes,
    ask,
    ledger,
    variants,
    /** Changes something of the module by one place of the shop; answers how whoever reads it later sees it. */
    change: (url: string) => changes[module]!(asking([url], { signal: patience.signal, ledger: { wrong } })),
    /** Whether a place shows it. */
    shows: async (url: string, { read, shows }: Change) => shows(await asking([url], { signal: patience.signal, ledger: { wrong } })(...read)),
    /** Nobody comes any more, and everybody is served. */
    async end(): Promise<void> {
      const stuck = setTimeout(() => patience.abort(), 120_000);
      await Promise.all(crowds.map((end) => end()));
      clearTimeout(stuck);
    },
    /** What is not as somebody was told, in sentences; none once all that was begun is done. */
    async amiss(): Promise<string[]> {
      const reading = asking(urls, { signal: AbortSignal.timeout(60_000), ledger });
      const shown = (await reading('GET', `/admin/products/${goods!.id}`, { headers: staff })).body.variants[0]!.prices as { USD?: number };
      return [
        ...(price === 0 || shown.USD === price ? [] : [`The price is ${shown.USD} and was told as ${price}.`]),
        ...(await inconsistencies(beside, { received, acknowledged: [] })),
        ...(await wrongInTheBooks(adminUrl)),
        ...(await ledger.judge(reading, await allOrders(beside))),
      ];
    },
  };
}

/** Answers what ends it: nobody comes any more, and it resolves once everybody has been served. */
function keepComing(every: number, come: (turn: number) => Promise<unknown>): () => Promise<unknown> {
  const served: Promise<unknown>[] = [];
  const pace = setInterval(() => served.push(come(served.length)), every);
  return () => {
    clearInterval(pace);
    return Promise.all(served);
  };
}

async function signIn(beside: Kerf, ask: Ask, role: 'staff' | 'customer'): Promise<NonNullable<Sent['headers']>> {
  const email = `${newId()}@example.com`;
  await beside.service(userContract).ensureUser({ email, password: PASSWORD, name: '김미나', role });
  const { body } = await ask('POST', '/auth/login', { body: { email, password: PASSWORD } });
  return { authorization: `Bearer ${body.accessToken}` };
}

async function tokenMailedTo(email: string, folder: string): Promise<string> {
  for (const until = Date.now() + MAIL_WITHIN; Date.now() < until; await pass(200)) {
    const name = (await readdir(folder).catch(() => [])).findLast((one) => one.endsWith(`-${email}.txt`));
    const token = name && /"token":"([^"]+)"/.exec(await readFile(join(folder, name), 'utf8'))?.[1];
    if (token) return token;
  }
  throw new Error(`No mail came to ${email}.`);
}

export async function allOrders(beside: Kerf) {
  const orders = beside.service(orderContract);
  const all = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { items, nextCursor } = await orders.listOrders({ viewer: { kind: 'staff', userId: newId() }, limit: 100, ...(cursor && { cursor }) });
    all.push(...items);
    cursor = nextCursor;
  }
  return all;
}
