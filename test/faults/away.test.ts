import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { userContract } from '../../src/modules/user/contract.ts';
import { newId } from '../../src/shared/ids.ts';
import { faults, LOSING } from '../support/fault-proxy.ts';
import { openStreet, type Street } from './street.ts';

let street: Street;
beforeAll(async () => {
  street = await openStreet({ pause: 50, longestPause: 200 });
});
afterAll(() => street.close());

type Told = NonNullable<Awaited<ReturnType<Street['ask']>>>;

/** What the shop offers, by what it needs: docs/architecture.md, When a module is away. */
async function offers() {
  const users = street.shop.kerf.service(userContract);
  const account = { email: `${newId()}@example.com`, password: 'a-quiet-blue-kettle' };
  await users.ensureUser({ ...account, name: '김미나', role: 'customer' });
  const me = { authorization: `Bearer ${(await users.login(account)).accessToken}` };
  const carts = await Promise.all([0, 1, 2].map(() => street.ask('/v1/carts', { method: 'POST', body: { currency: 'KRW' }, key: newId(), right: [201] })));
  const [empty, filled, second] = carts.map((cart) => `/v1/carts/${cart!.body.id}`);
  const put = (cart: string | undefined) => street.ask(`${cart}/items`, { method: 'POST', body: { variantId: street.variantId, quantity: 1 }, key: newId(), right: [200] });
  await put(filled);
  const [toRead, toCancel] = [(await street.place(street.lines()))!, (await street.place(street.lines()))!];
  const pending: Told = (await street.place(street.lines(), { token: 'sandbox_action' }))!;
  const get = (path: string | undefined, headers = {}) => () => street.ask(path!, { headers, right: [200] });
  return {
    'look at goods': get('/v1/products'),
    'sign in': () => street.ask('/v1/auth/login', { method: 'POST', body: account, right: [200] }),
    'be signed in': get('/v1/me/addresses', me),
    'open a cart': () => street.ask('/v1/carts', { method: 'POST', body: { currency: 'KRW' }, key: newId(), right: [201] }),
    'see an empty cart': get(empty),
    'fill a cart': () => put(second),
    'see a cart': get(filled),
    'place an order': () => street.place(street.lines()),
    'read an order': () => street.read(toRead),
    'come back from paying': () => street.ask(`/v1/orders/${pending.body.id}/confirm-payment`, { method: 'POST', headers: street.opens(pending), right: [200] }),
    'cancel an order': () => street.cancel(toCancel),
  };
}

const GUESTS = ['look at goods', 'open a cart', 'see an empty cart', 'fill a cart', 'see a cart', 'place an order', 'read an order', 'come back from paying', 'cancel an order'];
const ACCOUNTS = ['sign in', 'be signed in'];
const without = (...names: string[]) => [...GUESTS, ...ACCOUNTS].filter((name) => !names.includes(name));

/** What still works while this one is dead; everything else is `unavailable`. */
const WORKS: Record<string, string[]> = {
  user: GUESTS,
  catalog: without('look at goods', 'fill a cart', 'see a cart', 'place an order'),
  inventory: without('fill a cart', 'see a cart', 'place an order'),
  coupon: without('fill a cart', 'see a cart', 'place an order'),
  payment: without('place an order', 'come back from paying'),
  order: ['look at goods', ...ACCOUNTS],
};

describe.each(MODULES)('while %s is away', (module) => {
  it('what does not need it works, what needs it is unavailable, and all of it comes back', { timeout: 60_000 }, async () => {
    const operations = Object.entries(await offers());
    await street.proxy(module).meet(LOSING.dead);
    const works: string[] = [];
    for (const [name, does] of operations) if (await does()) works.push(name);
    await street.heal();
    expect(works.toSorted()).toEqual(WORKS[module]!.toSorted());
    expect(street.wrong.splice(0)).toEqual([]);
  });
});

describe('a peer that is gone', () => {
  it.each(['reset in the request', 'web page of an error'] as const)('is left alone after some calls (%s), and asked again when it is back', { timeout: 60_000 }, async (fault) => {
    const proxy = street.proxy('catalog');
    const before = street.calls('catalog');
    await proxy.meet(LOSING[fault]);
    for (let call = 0; call < 300; call += 1) await street.ask('/v1/categories', { right: [] });
    const calls = street.calls('catalog') - before;
    expect(calls).toBe(300);
    const reached = proxy.requests().length;
    expect(reached).toBeGreaterThan(0);
    expect(reached).toBeLessThan(calls / 2);
    await proxy.meet(faults.none);
    await expect.poll(() => street.ask('/v1/categories', { right: [200] }), { timeout: 30_000 }).toBeDefined();
    expect(street.wrong.splice(0)).toEqual([]);
  });

  it('is asked no more than a tenth more often than it was called, also when it fails only now and then', { timeout: 60_000 }, async () => {
    const proxy = street.proxy('catalog');
    const before = street.calls('catalog');
    let turn = 0;
    await proxy.meet({ exchange: async ({ req, forward, reply }) => ((turn += 1) % 3 === 0 ? void req.socket.resetAndDestroy() : reply(await forward())) });
    for (let call = 0; call < 300; call += 1) await street.ask('/v1/categories', { right: [200] });
    expect(proxy.requests().length).toBeLessThanOrEqual((street.calls('catalog') - before) * 1.1 + 10);
    await street.heal();
    expect(street.wrong.splice(0)).toEqual([]);
  });
});

it('in the end nothing is half done', { timeout: 90_000 }, async () => {
  await expect.poll(() => street.settle(), { timeout: 80_000, interval: 500 }).toEqual([]);
});
