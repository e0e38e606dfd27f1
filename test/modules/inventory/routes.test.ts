import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFakeInventory, type FakeInventory } from '../../../src/modules/inventory/fake.ts';
import { inventoryContract } from '../../../src/modules/inventory/contract.ts';
import { inventoryRoutes } from '../../../src/modules/inventory/inventory-routes.ts';
import { describeContract } from '../../../src/shared/contract.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';

let app: Awaited<ReturnType<typeof createTestApp>>;
let inventory: FakeInventory;
let staff: { authorization: string };
beforeAll(async () => {
  inventory = createFakeInventory();
  app = await createTestApp(inventoryRoutes(inventory));
  staff = await app.as('staff');
});
afterAll(() => app.close());

const get = (path: string) => request(app.app).get(`/v1/admin/inventory${path}`).set(staff);
const adjust = (body: object, key = newId()) =>
  request(app.app).post('/v1/admin/inventory/adjustments').set(staff).set('idempotency-key', key).send(body);
const setBackorder = (variantId: string, body: object) => request(app.app).put(`/v1/admin/inventory/${variantId}/backorder`).set(staff).send(body);

function stocked(onHand: number): string {
  const variantId = newId();
  inventory.arrange(variantId, onHand);
  return variantId;
}

describe('GET /admin/inventory', () => {
  it('lists levels in pages, or those that run low', async () => {
    const [low, plenty] = [stocked(2), stocked(900)];
    const all = await get('?limit=1').expect(200);
    expect(all.body).toMatchObject({ items: [{ variantId: expect.any(String) }], nextCursor: expect.any(String) });
    await get(`?limit=1&cursor=${all.body.nextCursor}`).expect(200);
    const { body } = await get('?below=3&limit=100').expect(200);
    const ids = body.items.map(({ variantId }: { variantId: string }) => variantId);
    expect(ids).toContain(low);
    expect(ids).not.toContain(plenty);
  });

  it.each(['?below=some', '?limit=0', '?other=1', '?cursor=nonsense'])('refuses %s', async (query) => {
    expect((await get(query)).status).toBe(400);
  });
});

describe('GET /admin/inventory/{variantId}', () => {
  it('answers the level, and nothing on hand for what never had stock', async () => {
    const [known, unknown] = [stocked(4), newId()];
    expect((await get(`/${known}`).expect(200)).body).toMatchObject({ variantId: known, onHand: 4, reserved: 0, available: 4, backorder: false });
    expect((await get(`/${unknown}`).expect(200)).body).toMatchObject({ variantId: unknown, onHand: 0 });
    await get('/something').expect(400);
  });
});

describe('POST /admin/inventory/adjustments', () => {
  it('adjusts once per Idempotency-Key', async () => {
    const [variantId, key] = [stocked(1), newId()];
    const body = { adjustments: [{ variantId, kind: 'received', delta: 24, note: ' Delivery 2026-118 ' }] };
    for (let call = 0; call < 2; call += 1) {
      expect((await adjust(body, key).expect(200)).body.levels).toMatchObject([{ variantId, onHand: 25 }]);
    }
    const { body: ledger } = await get(`/${variantId}/movements`).expect(200);
    expect(ledger).toMatchObject({ items: [{ kind: 'received', delta: 24, note: 'Delivery 2026-118' }], nextCursor: null });
  });

  it('asks for an Idempotency-Key', async () => {
    const adjustments = [{ variantId: newId(), kind: 'received', delta: 1 }];
    const { body } = await request(app.app).post('/v1/admin/inventory/adjustments').set(staff).send({ adjustments }).expect(400);
    expect(body.reason).toBe('idempotency_key_required');
  });

  it('answers below_reserved with the variants', async () => {
    const variantId = stocked(2);
    await inventory.reserve({ orderId: newId(), lines: [{ variantId, quantity: 2 }], expiresAt: '2999-01-01T00:00:00.000Z' });
    const { body } = await adjust({ adjustments: [{ variantId, kind: 'damaged', delta: -1 }] }).expect(409);
    expect(body).toMatchObject({ reason: 'below_reserved', variants: [{ variantId, onHand: 1, reserved: 2 }] });
  });

  it.each([
    ['a delta of 0', { delta: 0 }],
    ['a delivery that takes away', { delta: -1 }],
    ['a return that takes away', { kind: 'returned', delta: -1 }],
    ['damage that adds', { kind: 'damaged', delta: 1 }],
    ['a fraction', { delta: 1.5 }],
    ['a number past all bounds', { delta: 1_000_000 }],
    ["a kind that is the orders' own", { kind: 'sold' }],
    ['a variant that is no id', { variantId: 'x' }],
    ['an unknown property', { onHand: 5 }],
  ])('refuses %s', async (_, wrong) => {
    const { status } = await adjust({ adjustments: [{ variantId: newId(), kind: 'received', delta: 1, ...wrong }] });
    expect(status).toBe(400);
  });

  it('says which sign is wrong', async () => {
    const { body } = await adjust({ adjustments: [{ variantId: newId(), kind: 'damaged', delta: 1 }] }).expect(400);
    expect(JSON.stringify(body)).toContain('must be below 0 for what is damaged');
  });

  it('corrects either way', async () => {
    const variantId = stocked(5);
    const adjustments = [{ variantId, kind: 'correction', delta: -2 }];
    expect((await adjust({ adjustments }).expect(200)).body.levels).toMatchObject([{ onHand: 3 }]);
    expect((await adjust({ adjustments: [{ ...adjustments[0], delta: 1 }] }).expect(200)).body.levels).toMatchObject([{ onHand: 4 }]);
  });

  it('is in the document', async () => {
    const { body: document } = await request(app.app).get('/openapi.json').expect(200);
    expect(JSON.stringify(document)).toContain('below 0 for `damaged`');
    expect(describeContract(inventoryContract)).toHaveProperty('methods.adjust.input.properties.adjustments');
  });

  it('refuses no entries', async () => {
    expect((await adjust({ adjustments: [] })).status).toBe(400);
  });
});

describe('PUT /admin/inventory/{variantId}/backorder', () => {
  it('sets it, and takes it back only while everything held is there', async () => {
    const variantId = stocked(0);
    expect((await setBackorder(variantId, { backorder: true }).expect(200)).body).toMatchObject({ variantId, backorder: true });
    await inventory.reserve({ orderId: newId(), lines: [{ variantId, quantity: 2 }], expiresAt: '2999-01-01T00:00:00.000Z' });
    expect((await setBackorder(variantId, { backorder: false }).expect(409)).body.reason).toBe('below_reserved');
    await setBackorder(variantId, { backorder: 'yes' }).expect(400);
    await setBackorder(variantId, { backorder: true, onHand: 9 }).expect(400);
  });
});

describe('whoever is no staff', () => {
  const paths = ['', `/${newId()}`, `/${newId()}/movements`];

  it.each(paths)('gets nothing from /admin/inventory%s', async (path) => {
    expect((await request(app.app).get(`/v1/admin/inventory${path}`)).status).toBe(401);
    expect((await request(app.app).get(`/v1/admin/inventory${path}`).set(await app.as('customer'))).status).toBe(403);
  });

  it('changes nothing', async () => {
    const variantId = stocked(1);
    const customer = await app.as('customer');
    await request(app.app).put(`/v1/admin/inventory/${variantId}/backorder`).set(customer).send({ backorder: true }).expect(403);
    const adjustments = [{ variantId, kind: 'received', delta: 1 }];
    await request(app.app).post('/v1/admin/inventory/adjustments').set(customer).set('idempotency-key', newId()).send({ adjustments }).expect(403);
    expect((await inventory.getLevels({ variantIds: [variantId] })).levels).toMatchObject([{ onHand: 1, backorder: false }]);
  });
});
