import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { couponRoutes } from '../../../src/modules/coupon/coupon-routes.ts';
import { createFakeCoupon } from '../../../src/modules/coupon/fake.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';
import { draft } from './service-support.ts';

let app: Awaited<ReturnType<typeof createTestApp>>;
let staff: { authorization: string };
beforeAll(async () => {
  app = await createTestApp(couponRoutes(createFakeCoupon()));
  staff = await app.as('staff');
});
afterAll(() => app.close());

const path = '/v1/admin/promotions';
const create = (body: object, key = newId()) => request(app.app).post(path).set(staff).set('idempotency-key', key).send(body);

describe('staff', () => {
  it('create a promotion, read it, and replace it', async () => {
    const created = await create(draft({ codes: ['Hello'], endsAt: '2027-12-31' })).expect(201);
    expect(created.headers).toMatchObject({ etag: '"1"', location: `${path}/${created.body.id}` });
    expect(created.body).toMatchObject({ codes: ['Hello'], endsAt: '2027-12-31', used: 0, version: 1, combinesWith: [] });
    const read = await request(app.app).get(created.headers['location']!).set(staff).expect(200);
    expect(read.body).toEqual(created.body);
    const replaced = await request(app.app).put(created.headers['location']!).set(staff).set('if-match', read.headers['etag']!).send(draft({ codes: ['Hello'], active: false })).expect(200);
    expect(replaced.headers['etag']).toBe('"2"');
    expect(replaced.body).toMatchObject({ active: false, endsAt: null, version: 2 });
  });

  it('make one promotion, however often the request is repeated', async () => {
    const key = newId();
    const [first, second] = [await create(draft({ codes: ['REPEATED'] }), key).expect(201), await create(draft({ codes: ['REPEATED'] }), key).expect(201)];
    expect(second.body).toEqual(first.body);
  });

  it('find a promotion by its code', async () => {
    const { body } = await create(draft({ codes: ['FIND-ME'] })).expect(201);
    const found = await request(app.app).get(path).query({ code: 'find-me' }).set(staff).expect(200);
    expect(found.body).toMatchObject({ items: [{ id: body.id }], nextCursor: null });
    await request(app.app).get(path).query({ limit: 1 }).set(staff).expect(200).expect(({ body: { items } }) => expect(items).toHaveLength(1));
  });

  it.each([
    ['contradictions', draft({ class: 'shipping' }), 400, 'promotion_inconsistent'],
    ['an unknown property', { ...draft(), discount: 5 }, 400, 'invalid_input'],
    ['no name', { ...draft(), name: ' ' }, 400, 'invalid_input'],
    ['more than 100 %', draft({ benefit: { kind: 'percent', basisPoints: 10_001 } }), 400, 'invalid_input'],
    ['a day that does not exist', draft({ endsAt: '2027-02-29' }), 400, 'invalid_input'],
    ['more uses than can be counted', draft({ totalLimit: 2_147_483_648 }), 400, 'invalid_input'],
    ['half a won', draft({ benefit: { kind: 'fixed', amount: 0.5 } }), 400, 'invalid_input'],
    ['a code of another promotion', draft({ codes: ['taken'] }), 409, 'code_taken'],
  ])('are told about %s', async (_, body, status, reason) => {
    if (reason === 'code_taken') await create(draft({ codes: ['TAKEN'] })).expect(201);
    expect((await create(body).expect(status)).body).toMatchObject({ reason });
  });

  it('overwrite nobody’s change, and only with a version', async () => {
    const { body } = await create(draft({ codes: ['VERSIONED'] })).expect(201);
    const put = () => request(app.app).put(`${path}/${body.id}`).set(staff).send(draft({ codes: ['VERSIONED'] }));
    expect((await put().expect(428)).body.reason).toBe('version_required');
    expect((await put().set('if-match', '"7"').expect(412)).body.reason).toBe('version_mismatch');
  });

  it('get 404 for what is not there, and 400 for a cursor of somebody else', async () => {
    expect((await request(app.app).get(`${path}/${newId()}`).set(staff).expect(404)).body.reason).toBe('not_found');
    expect((await request(app.app).get(path).query({ cursor: 'x' }).set(staff).expect(400)).body.reason).toBe('invalid_cursor');
  });
});

it('is for staff only', async () => {
  const customer = await app.as('customer');
  expect((await request(app.app).get(path)).status).toBe(401);
  expect((await request(app.app).get(path).set(customer)).status).toBe(403);
  expect((await request(app.app).post(path).set(customer).send(draft())).status).toBe(403);
});

it('has an example in the document that works', async () => {
  const { body: document } = await request(app.app).get('/openapi.json').expect(200);
  const { example } = document.components.schemas.PromotionDraft ?? document.components.schemas.PromotionDraftInput;
  const { body } = await create(example).expect(201);
  expect(body).toMatchObject(example as object);
});
