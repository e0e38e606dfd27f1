import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/shared/ids.ts';
import { countOf, openShop, type Told } from './shopping.ts';

let at: Awaited<ReturnType<typeof openShop>>;
let staff: { authorization: string };
beforeAll(async () => {
  at = await openShop();
  staff = (await at.shop.as('staff')).headers;
});
afterAll(() => at.close());

const AT_ONCE = 50;

/** Requests whose answers the edge keeps, and what one of them does: each time something new. */
const EFFECTS: [string, () => Promise<{ path: string; body: object; headers?: Record<string, string>; count: () => Promise<number>; other: object }>][] = [
  ['a cart that is opened', async () => ({ path: '/carts', body: { currency: 'KRW' }, other: { currency: 'USD' }, count: () => rows('"order".carts') })],
  ['an item that is put into a cart', async () => {
    const [variantId, cartId] = [await at.shop.sell(), await at.fill()];
    return { path: `/carts/${cartId}/items`, body: { variantId, quantity: 1 }, other: { variantId, quantity: 2 }, count: async () => (await at.ask('GET', `/carts/${cartId}`)).body.lines[0]?.quantity ?? 0 };
  }],
  ['an item that is put into a cart as it was read', async () => {
    const [variantId, cartId] = [await at.shop.sell(), await at.fill()];
    const { headers } = await at.ask('GET', `/carts/${cartId}`);
    return { path: `/carts/${cartId}/items`, headers: { 'if-match': headers.get('etag')! }, body: { variantId, quantity: 1 }, other: { variantId, quantity: 2 }, count: async () => (await at.ask('GET', `/carts/${cartId}`)).body.lines[0]?.quantity ?? 0 };
  }],
  ['a delivery that is received', async () => {
    const variantId = await at.shop.sell({ stock: 0 });
    const delivery = (delta: number) => ({ adjustments: [{ variantId, kind: 'received', delta, note: '' }] });
    return { path: '/admin/inventory/adjustments', headers: staff, body: delivery(1), other: delivery(2), count: async () => (await at.shop.level(variantId)).onHand };
  }],
];

const rows = async (table: string) => (await at.admin.query(`select count(*)::integer as rows from ${table}`)).rows[0].rows as number;

describe.each(EFFECTS)('%s', (_, arrange) => {
  it(`by ${AT_ONCE} identical requests at once is one, and the key stands for that request alone`, async () => {
    const { path, headers, body, other, count } = await arrange();
    const [key, before] = [newId(), await count()];
    const post = (sent: object = body) => at.send('POST', path, { key, body: sent, ...(headers && { headers }) });
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => post()));
    const { idempotency_key_in_use: _inUse = 0, ...answered } = countOf(answers);
    expect(Object.keys(answered)).toEqual([expect.stringMatching(/^20[01]$/)]);
    expect(new Set(answers.filter(done).map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    expect(await count()).toBe(before + 1);
    expect((await post(other)).status).toBe(422);
    expect((await post()).headers.get('idempotent-replayed')).toBe('true');
    expect(await count()).toBe(before + 1);
  });

  /** The effect is there and its answer could not be kept: neither may be lost, nor done twice. */
  it('is one, too, when the store is cut off between effect and record', async () => {
    const { path, headers, body, count } = await arrange();
    const [key, before] = [newId(), await count()];
    const post = () => at.send('POST', path, { key, body, ...(headers && { headers }) });
    await at.admin.query(CUT);
    const lost = await post().finally(() => at.admin.query(MEND));
    expect(lost.status).toBe(500);
    expect(await count()).toBe(before + 1);
    expect(await repeated(post)).toMatchObject({ status: expect.toBeOneOf([200, 201]) });
    expect(await count()).toBe(before + 1);
    expect((await post()).headers.get('idempotent-replayed')).toBe('true');
  });
});

it("another account's key is not there, and neither is a guest's", async () => {
  const variantId = await at.shop.sell();
  const key = newId();
  const carts = [];
  for (const headers of [{}, (await at.shop.as('customer')).headers, (await at.shop.as('customer')).headers]) {
    const opened = await at.send('POST', '/carts', { key, headers, body: { currency: 'KRW' } });
    const order = await at.order({ currency: 'KRW', lines: [{ variantId, quantity: 1 }], expectedTotal: 1 }, { key });
    expect([opened.status, opened.headers.get('idempotent-replayed'), order.body.reason]).toEqual([201, null, 'total_changed']);
    carts.push(opened.body.id);
  }
  expect(new Set(carts).size).toBe(3);
});

it('a key lasts a day, and is new after that', async () => {
  const key = newId();
  const open = () => at.send('POST', '/carts', { key, body: { currency: 'KRW' } });
  const { body } = await open();
  at.shop.clock.ahead += 23 * 3_600_000;
  expect(await open()).toMatchObject({ body: { id: body.id } });
  at.shop.clock.ahead += 2 * 3_600_000;
  expect((await open()).body.id).not.toBe(body.id);
});

const done = ({ status }: Told) => status < 300;

/** The first one's lease runs out before the next is let in. */
async function repeated(post: () => Promise<Told>): Promise<Told> {
  at.shop.clock.ahead += 16_000;
  return post();
}

const CUT = `
  create function edge.cut() returns trigger language plpgsql as $$ begin raise exception 'the store is away'; end $$;
  create trigger cut before update on edge.idempotency_records for each row execute function edge.cut();`;
const MEND = 'drop trigger cut on edge.idempotency_records; drop function edge.cut();';
