import { expect, vi } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { newId } from '../../src/shared/ids.ts';
import type { EdgePolicy } from '../../src/shared/seam/resilience.ts';
import { inconsistencies } from '../support/consistency.ts';
import { type FaultProxy, faults, startFaultProxy } from '../support/fault-proxy.ts';
import { startTestKerf } from '../support/kerf.ts';

export type Street = Awaited<ReturnType<typeof openStreet>>;

interface Question {
  method?: string;
  headers?: Record<string, string>;
  body?: object;
  key?: string;
  /** statuses that are right here when nothing is broken */
  right: number[];
}

interface Told {
  status: number;
  body: { id: string; state: string; secret: string; totals: { total: number }; nextAction: { url: string } | null };
}

/** An order as it was asked for, to ask again with the same key. */
interface Attempt {
  key: string;
  headers: Record<string, string>;
  body: { payment: { provider: string; token: string }; [field: string]: unknown };
}

/** No public answer takes longer than a request may, in milliseconds. */
const LONGEST_REQUEST = 30_000;
/** A claim, or an operation that nobody heard of, is taken over by others after this time, in milliseconds. */
const LEASE = 16_000;
/** The first request with the key, or for the cart, goes on: true, and the shopper is told to come back. */
const STILL_RUNNING = ['idempotency_key_in_use', 'order_being_placed'];
const address = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const CODE = 'STREET10';
const STOCK = 10_000;

/** A shop with every module apart behind a fault proxy, and shoppers who note every answer that is neither right nor `unavailable`. */
export async function openStreet(policy: Partial<EdgePolicy> = {}) {
  const proxies = new Map<string, FaultProxy>();
  const shop = await startTestKerf({
    apart: MODULES.map((name) => [name]),
    policy,
    async through(module, target) {
      const proxy = await startFaultProxy(target);
      proxies.set(module, proxy);
      return proxy.address;
    },
  });
  const variantId = await shop.sell({ price: 60_000, stock: STOCK });
  await shop.promote({ name: 'street', codes: [CODE] });
  let customer = await shop.as('customer');
  const wrong: string[] = [];
  const acknowledged: { id: string; state: string }[] = [];
  const undecided: Attempt[] = [];
  let leaps = 2;

  /** The answer when it is right, undefined when it is `unavailable` as it should be. */
  async function ask(path: string, { method = 'GET', headers = {}, body, key, right }: Question): Promise<Told | undefined> {
    const answer = await fetch(`${shop.url}${path}`, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }) },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(LONGEST_REQUEST),
    }).catch((error: unknown) => String(error));
    if (typeof answer === 'string') return void wrong.push(`${method} ${path}: ${answer}`);
    const text = await answer.text();
    const told = text.startsWith('{') ? JSON.parse(text) : {};
    if (right.includes(answer.status)) return { status: answer.status, body: told };
    const comeBack = answer.status === 503 ? told.reason === 'unavailable' : STILL_RUNNING.includes(told.reason);
    if (!comeBack || answer.headers.get('retry-after') === null) wrong.push(`${method} ${path}: ${answer.status} ${told.reason} ${told.detail}`);
    return undefined;
  }

  /** Places an order; one that got no answer is asked for again by `settle`. */
  async function place(body: object, { token = 'sandbox_ok', headers = {} }: { token?: string; headers?: Record<string, string> } = {}): Promise<Told | undefined> {
    const attempt: Attempt = { key: newId(), headers, body: { shippingAddress: address, payment: { provider: 'sandbox', token }, ...body } };
    return order(attempt);
  }

  /** A decline may also be heard of later: the order is pending until then. Who hears nothing asks again when all `settle`. */
  async function order(attempt: Attempt): Promise<Told | undefined> {
    const isDeclined = attempt.body.payment.token === 'sandbox_declined';
    const told = await ask('/v1/orders', { method: 'POST', ...attempt, right: isDeclined ? [402, 201] : [201] });
    if (told?.status === 201) acknowledged.push(told.body);
    if (told?.body.state === 'placed' && isDeclined) wrong.push(`order ${told.body.id} is placed without money`);
    if (!told) undecided.push(attempt);
    return told;
  }

  const lines = (codes: string[] = []) => ({ currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes, email: 'guest@example.com', expectedTotal: codes.length > 0 ? 54_000 : 60_000 });
  const opens = ({ body }: Told) => ({ 'x-order-secret': body.secret });
  const cancel = (placed: Told) => ask(`/v1/orders/${placed.body.id}/cancel`, { method: 'POST', headers: opens(placed), body: {}, right: [200] });
  const read = (placed: Told) => ask(`/v1/orders/${placed.body.id}`, { headers: opens(placed), right: [200] });

  /** Fills a cart as far as that goes, and orders it. */
  async function buyByCart(headers: Record<string, string>) {
    const cart = await ask('/v1/carts', { method: 'POST', headers, body: { currency: 'KRW' }, key: newId(), right: [201] });
    if (!cart) return undefined;
    const path = `/v1/carts/${cart.body.id}`;
    const item = await ask(`${path}/items`, { method: 'POST', headers, body: { variantId, quantity: 1 }, key: newId(), right: [200] });
    await ask(`${path}/coupons`, { method: 'POST', headers, body: { code: CODE }, right: [200] });
    const shown = await ask(path, { headers, right: [200] });
    if (!item || !shown) return undefined;
    return place({ cartId: cart.body.id, email: 'guest@example.com', expectedTotal: shown.body.totals.total }, { headers });
  }

  const shoppers = {
    async looks() {
      await ask('/v1/products?limit=5', { right: [200] });
      await ask('/v1/categories', { right: [200] });
      await ask('/.well-known/jwks.json', { right: [200] });
    },
    async buys() {
      const placed = await place(lines([CODE]));
      if (placed) await read(placed);
    },
    async buysAndCancels() {
      const placed = await place(lines());
      if (placed) await cancel(placed);
    },
    async buysByCart() {
      await buyByCart({});
    },
    async buysWithAccount() {
      const { headers } = customer;
      await ask('/v1/me', { headers, right: [200] });
      await buyByCart(headers);
      await ask('/v1/orders', { headers, right: [200] });
    },
    async hasToApprove() {
      const placed = await place(lines(), { token: 'sandbox_action' });
      if (!placed?.body.nextAction) return;
      await ask(new URL(placed.body.nextAction.url).pathname, { method: 'POST', body: { approve: true }, right: [200] });
      await ask(`/v1/orders/${placed.body.id}/confirm-payment`, { method: 'POST', headers: opens(placed), right: [200] });
    },
    async isDeclined() {
      await place(lines([CODE]), { token: 'sandbox_declined' });
    },
  };

  return {
    shop,
    variantId,
    ask,
    place,
    lines,
    cancel,
    read,
    opens,
    wrong,
    proxy: (module: string) => proxies.get(module)!,
    /** calls to a module so far, from all others together */
    calls: (module: string) => shop.observed().calls.filter(({ to }) => to === module).reduce((total, { count }) => total + count, 0),
    /** Every kind of shopper at once. */
    async crowd() {
      await Promise.all(Object.values(shoppers).map((shops) => shops()));
    },
    /** Nothing is broken any more, and everybody has found out. */
    async heal() {
      for (const proxy of proxies.values()) await proxy.meet(faults.none);
      const works = async () => {
        const answers = [await place(lines([CODE])), await ask('/v1/me', { headers: customer.headers, right: [200] }), await ask('/v1/products', { right: [200] })];
        return answers.every(Boolean);
      };
      await expect.poll(works, { timeout: 30_000 }).toBe(true);
    },
    async signIn() {
      customer = await vi.waitFor(() => shop.as('customer'), { timeout: 30_000, interval: 100 });
    },
    /**
     * What does not add up once leases have run out and everybody who heard nothing has asked again with the same key. The clock
     * leaps twice at most: recovery has to mend all, and not the expiry of orders that are stuck.
     */
    async settle(): Promise<string[]> {
      if (leaps > 0) shop.clock.ahead += LEASE;
      leaps -= 1;
      for (const attempt of undecided.splice(0)) await order(attempt);
      const open = undecided.map(({ key }) => `no answer to ${key} yet`);
      return [...open, ...(await inconsistencies(shop.kerf, { received: new Map([[variantId, STOCK]]), acknowledged }))];
    },
    async close() {
      await shop.stop();
      await vi.waitFor(() => expect([...proxies.values()].map((proxy) => proxy.connections())).toEqual(MODULES.map(() => 0)));
      for (const proxy of proxies.values()) await proxy.close();
    },
  };
}
