import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogRoutes } from '../../../src/modules/catalog/catalog-routes.ts';
import { createCatalogService } from '../../../src/modules/catalog/catalog-service.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestApp } from '../../support/app.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';

let context: TestContext;
let server: Awaited<ReturnType<typeof createTestApp>>;
let staff: { authorization: string };
beforeAll(async () => {
  context = await createTestContext('catalog');
  server = await createTestApp(catalogRoutes(createCatalogService(context)));
  staff = await server.as('staff');
});
afterAll(async () => {
  await server.close();
  await context.close();
});

const get = (path: string) => request(server.app).get(`/v1${path}`);
const send = (method: 'post' | 'put' | 'delete', path: string, body?: object, headers: object = {}) =>
  request(server.app)[method](`/v1${path}`).set({ ...staff, ...headers }).send(body);
const ifMatch = (version: number) => ({ 'if-match': `"${version}"` });

let named = 0;
const productBody = (more: object = {}) => ({ slug: `product-${(named += 1)}`, name: { ko: '조약돌 텀블러' }, ...more });
const variantBody = (more: object = {}) => ({ sku: `SKU-${(named += 1)}`, prices: { KRW: 24_900 }, ...more });

/** A published product with an active and an inactive variant. */
async function publishedProduct() {
  const { body: product } = await send('post', '/admin/products', productBody({ optionNames: ['color'] })).expect(201);
  await send('post', `/admin/products/${product.id}/variants`, variantBody({ options: { color: 'Ivory' } })).expect(201);
  await send('post', `/admin/products/${product.id}/variants`, variantBody({ options: { color: 'Navy' }, active: false })).expect(201);
  const { body } = await send('post', `/admin/products/${product.id}/publish`, undefined, ifMatch(3)).expect(200);
  return body;
}

describe('shoppers', () => {
  it('see published products with the variants on sale', async () => {
    const product = await publishedProduct();
    const { body: draft } = await send('post', '/admin/products', productBody()).expect(201);
    for (const idOrSlug of [product.id, product.slug]) {
      const { body } = await get(`/products/${idOrSlug}`).expect(200);
      expect(body).toMatchObject({ id: product.id, state: 'published', variants: [{ options: { color: 'Ivory' }, active: true }] });
      expect(body.variants).toHaveLength(1);
    }
    for (const hidden of [draft.id, draft.slug, newId(), 'nothing', '%EC%BB%B5']) await get(`/products/${hidden}`).expect(404);
    const { body: list } = await get('/products?limit=100').expect(200);
    const ids = list.items.map(({ id }: { id: string }) => id);
    expect(ids).toContain(product.id);
    expect(ids).not.toContain(draft.id);
    expect(list.items.flatMap(({ variants }: { variants: { active: boolean }[] }) => variants).every(({ active }: { active: boolean }) => active)).toBe(true);
  });

  it('do not see a variant that has no price, which staff do', async () => {
    const { body: product } = await send('post', '/admin/products', productBody({ name: { ko: '값을 모르는 것' }, optionNames: ['color'] })).expect(201);
    await send('post', `/admin/products/${product.id}/variants`, variantBody({ options: { color: 'Ivory' }, prices: {} })).expect(201);
    expect((await send('post', `/admin/products/${product.id}/publish`, undefined, ifMatch(2)).expect(409)).body.reason).toBe('not_publishable');
    await send('post', `/admin/products/${product.id}/variants`, variantBody({ options: { color: 'Navy' } })).expect(201);
    const { body: published } = await send('post', `/admin/products/${product.id}/publish`, undefined, ifMatch(3)).expect(200);
    expect(published.variants).toHaveLength(2);
    const { body: shown } = await get(`/products/${product.id}`).expect(200);
    const { body: list } = await get('/products').query({ search: '값을 모르는 것' }).expect(200);
    for (const { variants } of [shown, ...list.items]) expect(variants).toMatchObject([{ options: { color: 'Navy' } }]);
    expect(list.items).toHaveLength(1);
  });

  it('search in Korean, by relevance unless they say otherwise', async () => {
    const { body: product } = await send('post', '/admin/products', productBody({ name: { ko: '무선 이어폰' } })).expect(201);
    await send('post', `/admin/products/${product.id}/variants`, variantBody()).expect(201);
    await send('post', `/admin/products/${product.id}/publish`, undefined, ifMatch(2)).expect(200);
    for (const search of ['무선이어폰', '이어폰을', 'ㅁㅅㅇㅇㅍ']) {
      const { body } = await get('/products').query({ search }).expect(200);
      expect(body.items.map(({ id }: { id: string }) => id)).toEqual([product.id]);
    }
    for (const sort of ['relevance', 'newest', 'name', 'price_asc', 'price_desc']) await get('/products').query({ search: '이어폰', sort }).expect(200);
  });

  it.each([
    ['sort=cheapest', 'invalid_input'],
    ['limit=0', 'invalid_input'],
    ['limit=101', 'invalid_input'],
    ['minPrice=-1&currency=KRW', 'invalid_input'],
    ['minPrice=1.5&currency=KRW', 'invalid_input'],
    ['currency=BTC', 'invalid_input'],
    ['inStock=maybe', 'invalid_input'],
    ['states=draft', 'invalid_input'],
    ['sort=name&sort=newest', 'invalid_input'],
    ['minPrice=1', 'currency_required'],
    ['sort=relevance', 'search_required'],
    ['cursor=nonsense', 'invalid_cursor'],
    ['search=%00', 'path_malformed'],
  ])('are told what is wrong with ?%s', async (query, reason) => {
    const { body } = await get(`/products?${query}`).expect(400);
    expect(body.reason).toBe(reason);
  });

  it('get the filters and pages they ask for', async () => {
    await publishedProduct();
    await publishedProduct();
    const first = await get('/products?currency=KRW&minPrice=24900&maxPrice=24900&inStock=false&sort=price_asc&limit=1').expect(200);
    const second = await get(`/products?currency=KRW&minPrice=24900&maxPrice=24900&inStock=false&sort=price_asc&limit=1&cursor=${first.body.nextCursor}`).expect(200);
    expect(first.body.items[0].id).not.toBe(second.body.items[0].id);
    expect((await get('/products?inStock=true').expect(200)).body.items).toEqual([]);
  });

  it('get on to the next page whatever the names', async () => {
    const name = { ko: `${'가나다'.repeat(99)}길다`, en: '' };
    for (let n = 0; n < 2; n += 1) {
      const { body: product } = await send('post', '/admin/products', productBody({ name })).expect(201);
      await send('post', `/admin/products/${product.id}/variants`, variantBody()).expect(201);
      await send('post', `/admin/products/${product.id}/publish`, undefined, ifMatch(2)).expect(200);
    }
    for (const sort of ['name', 'relevance', 'newest']) {
      const first = await get('/products').query({ search: '길다', sort, limit: 1 }).expect(200);
      const second = await get('/products').query({ search: '길다', sort, limit: 1, cursor: first.body.nextCursor }).expect(200);
      expect([second.body.items.length, second.body.nextCursor]).toEqual([1, null]);
    }
  });

  it('see the categories', async () => {
    const { body: category } = await send('post', '/admin/categories', { slug: 'kitchen', name: { ko: '주방', en: 'Kitchen' } }).expect(201);
    const { body } = await get('/categories').expect(200);
    expect(body.categories).toContainEqual(category);
  });
});

it('has lower-case tags', async () => {
  const { body: document } = await request(server.app).get('/openapi.json').expect(200);
  const operations = Object.values<Record<string, { tags: string[] }>>(document.paths).flatMap((path) => Object.values(path));
  expect(new Set(operations.flatMap(({ tags }) => tags))).toEqual(new Set(['catalog', 'admin']));
});

describe('staff', () => {
  it('are the only ones who administer', async () => {
    const customer = await server.as('customer');
    const paths = [['get', '/admin/products'], ['post', '/admin/products'], ['post', '/admin/categories'], ['get', `/admin/products/${newId()}`]] as const;
    for (const [method, path] of paths) {
      const statuses = [
        (await request(server.app)[method](`/v1${path}`)).status,
        (await request(server.app)[method](`/v1${path}`).set(customer)).status,
      ];
      expect(statuses).toEqual([401, 403]);
    }
  });

  it('create a product once per idempotency key and find it under its location', async () => {
    const [body, key] = [productBody(), { 'idempotency-key': newId() }];
    const created = await send('post', '/admin/products', body, key).expect(201);
    const repeated = await send('post', '/admin/products', body, key).expect(201);
    expect(repeated.body).toEqual(created.body);
    expect(created.headers.etag).toBe('"1"');
    const { body: found } = await request(server.app).get(created.headers.location!).set(staff).expect(200);
    expect(found).toEqual(created.body);
    expect((await send('post', '/admin/products', body).expect(409)).body.reason).toBe('slug_taken');
  });

  it('edit what they have read', async () => {
    const { body: product } = await send('post', '/admin/products', productBody()).expect(201);
    const path = `/admin/products/${product.id}`;
    await send('put', path, productBody()).expect(428);
    const changed = await send('put', path, productBody({ name: { ko: '보온병', en: 'Thermos' } }), ifMatch(1)).expect(200);
    expect([changed.headers.etag, changed.body.name]).toEqual(['"2"', { ko: '보온병', en: 'Thermos' }]);
    expect((await send('put', path, productBody(), ifMatch(1)).expect(412)).body.reason).toBe('version_mismatch');
    expect((await send('put', path, productBody({ categoryId: newId() }), ifMatch(2)).expect(400)).body.reason).toBe('unknown_category');
    await send('put', `/admin/products/${newId()}`, productBody(), ifMatch(1)).expect(404);
  });

  it.each([
    [{ slug: 'Not A Slug' }], [{ name: { en: 'x' } }], [{ name: { ko: '' } }], [{ optionNames: ['a', 'a'] }], [{ optionNames: ['a', 'b', 'c', 'd'] }],
    [{ state: 'published' }], [{ id: newId() }], [{ version: 7 }], [{ lowestPrices: {} }], [{ categoryId: 'kitchen' }],
  ])('cannot create a product with %j', async (more) => {
    expect((await send('post', '/admin/products', productBody(more)).expect(400)).body.reason).toBe('invalid_input');
  });

  it.each([[{ sku: '-' }], [{ prices: { BTC: 1 } }], [{ prices: { KRW: -1 } }], [{ prices: { KRW: 1.5 } }], [{ prices: [] }], [{ options: { a: '' } }], [{ available: 5 }]])(
    'cannot create a variant with %j',
    async (more) => {
      const { body: product } = await send('post', '/admin/products', productBody()).expect(201);
      expect((await send('post', `/admin/products/${product.id}/variants`, variantBody(more)).expect(400)).body.reason).toBe('invalid_input');
    },
  );

  it('publish, archive and take back', async () => {
    const { body: bare } = await send('post', '/admin/products', productBody()).expect(201);
    expect((await send('post', `/admin/products/${bare.id}/publish`, undefined, ifMatch(1)).expect(409)).body.reason).toBe('not_publishable');
    const { id } = await publishedProduct();
    const archived = await send('post', `/admin/products/${id}/archive`, undefined, ifMatch(4)).expect(200);
    expect([archived.body.state, archived.headers.etag]).toEqual(['archived', '"5"']);
    await get(`/products/${id}`).expect(404);
    expect((await send('post', `/admin/products/${id}/unpublish`, undefined, ifMatch(5)).expect(409)).body.reason).toBe('not_allowed_from_state');
    await send('post', `/admin/products/${id}/publish`, undefined, ifMatch(5)).expect(200);
    expect((await send('post', `/admin/products/${id}/unpublish`, undefined, ifMatch(6)).expect(200)).body.state).toBe('draft');
    await send('post', `/admin/products/${id}/publish`, undefined).expect(428);
  });

  it('change a variant of the product they name', async () => {
    const [product, other] = [await publishedProduct(), await publishedProduct()];
    const [variant] = product.variants;
    const body = variantBody({ options: { color: 'Ivory' }, prices: { KRW: 1, USD: 2 } });
    const changed = await send('put', `/admin/products/${product.id}/variants/${variant.id}`, body, ifMatch(4)).expect(200);
    expect([changed.headers.etag, changed.body.variants[0].prices]).toEqual(['"5"', { KRW: 1, USD: 2 }]);
    await send('put', `/admin/products/${product.id}/variants/${variant.id}`, body, ifMatch(4)).expect(412);
    await send('put', `/admin/products/${other.id}/variants/${variant.id}`, body, ifMatch(5)).expect(404);
    await send('put', `/admin/products/${product.id}/variants/${newId()}`, body, ifMatch(5)).expect(404);
    expect((await send('put', `/admin/products/${product.id}/variants/${variant.id}`, { ...body, active: false }, ifMatch(5)).expect(409)).body.reason).toBe('not_publishable');
  });

  it('list products in any state or in one', async () => {
    const { body: product } = await send('post', '/admin/products', productBody({ name: { ko: '초안만' } })).expect(201);
    const listed = async (query: string) => {
      const { body } = await get(`/admin/products?search=초안만${query}`).set(staff).expect(200);
      return body.items.map(({ id }: { id: string }) => id);
    };
    expect(await listed('')).toEqual([product.id]);
    expect(await listed('&state=draft')).toEqual([product.id]);
    expect(await listed('&state=published')).toEqual([]);
    await get('/admin/products?state=gone').set(staff).expect(400);
  });

  it('see variants that are off sale', async () => {
    const { id } = await publishedProduct();
    const { body, headers } = await get(`/admin/products/${id}`).set(staff).expect(200);
    expect([body.variants.length, headers.etag]).toEqual([2, '"4"']);
  });

  it('keep the categories', async () => {
    const body = { slug: 'drinkware', name: { ko: '컵·물병' } };
    const { body: category, headers } = await send('post', '/admin/categories', body).expect(201);
    expect(headers.etag).toBe('"1"');
    const path = `/admin/categories/${category.id}`;
    expect((await send('put', path, { ...body, parentId: category.id }, ifMatch(1)).expect(409)).body.reason).toBe('category_cycle');
    expect((await send('put', path, { ...body, position: 5 }, ifMatch(1)).expect(200)).body).toMatchObject({ position: 5, version: 2 });
    await send('delete', path, undefined, ifMatch(1)).expect(412);
    const { body: product } = await send('post', '/admin/products', productBody({ categoryId: category.id })).expect(201);
    expect((await send('delete', path, undefined, ifMatch(2)).expect(409)).body.reason).toBe('category_in_use');
    await send('put', `/admin/products/${product.id}`, productBody(), ifMatch(1)).expect(200);
    await send('delete', path, undefined, ifMatch(2)).expect(204);
    await send('delete', path, undefined, ifMatch(2)).expect(404);
  });
});
