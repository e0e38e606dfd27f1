import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalogService } from '../../../src/modules/catalog/catalog-service.ts';
import type { Catalog, ImportRow } from '../../../src/modules/catalog/contract.ts';
import { createFakeCatalog } from '../../../src/modules/catalog/fake.ts';
import { newId } from '../../../src/shared/ids.ts';
import { createTestContext, type TestContext } from '../../support/module-context.ts';

const row = (slug: string, ko: string, en: string, more: Partial<ImportRow> = {}): ImportRow => ({
  line: 2, slug, category: '', name: { ko, en }, description: { ko: '', en: '' }, options: {}, sku: `SKU-${slug}`, prices: { KRW: 1_000 }, state: 'published', ...more,
});
const SHELF = [
  row('earphones', '무선 이어폰', 'Wireless Earphones', { category: 'audio', options: { color: '아이보리' }, sku: 'EAR-500-IV', description: { ko: '하루 종일 이어지는 소리', en: 'Sound all day' } }),
  row('earphone-case', '가죽 이어폰 케이스', 'Leather Case', { category: 'audio' }),
  row('headset', '유선 헤드셋', 'Wired Headset', { category: 'audio', description: { ko: '이어폰보다 가볍습니다.', en: '' } }),
  row('glass-cup', '유리 컵', 'Glass Cup', { category: 'kitchen' }),
  row('mug', '머그컵', 'Mug', { category: 'kitchen' }),
  row('bag', '가방', 'Bag', {}),
  row('autumn-blanket', '가을 담요', '100% Wool_Blanket', { description: { ko: '', en: "It's \"warm\"" } }),
  row('handle', '손잡이', 'Handle', { description: { ko: '문 이 어디든', en: '' } }),
];

async function fill(catalog: Catalog): Promise<void> {
  for (const [slug, ko, en] of [['audio', '음향', 'Audio'], ['kitchen', '주방·조리', 'Kitchen']] as const) {
    await catalog.createCategory({ id: newId(), draft: { slug, name: { ko, en }, parentId: null, position: 0 } });
  }
  const { errors } = await catalog.importProducts({ rows: SHELF, dryRun: false });
  expect(errors).toEqual([]);
}

let context: TestContext;
let catalog: Catalog;
const found = async (search: string, from: Catalog = catalog) =>
  (await from.listProducts({ search, sort: 'relevance', limit: 100 })).items.map(({ slug }) => slug);

beforeAll(async () => {
  context = await createTestContext('catalog');
  catalog = createCatalogService(context);
  await fill(catalog);
});
afterAll(() => context.close());

describe('a search', () => {
  it.each([
    ['무선이어폰'], ['무선 이어폰'], ['무선  이어폰을'], ['ㅁㅅㅇㅇㅍ'], ['ㅁㅅ ㅇㅇㅍ'], ['무선 이어폰'.normalize('NFD')], ['무선'], ['이어폰 무선'],
    ['wireless'], ['WIRELESS earphones'], ['ｗｉｒｅｌｅｓｓ'], ['lesse'], ['ear-500'], ['ear500iv'], ['EAR-500-IV'], ['무선 아이보리'], ['ㅇㅇㅂㄹ'], ['음향 무선'], ['day sound'],
  ])('%j finds the wireless earphones alone', async (search) => expect(await found(search)).toEqual(['earphones']));

  it.each<[string, string[]]>([
    ['이어폰', ['earphone-case', 'earphones', 'headset']],
    ['이어폰을', ['earphone-case', 'earphones', 'headset']],
    ['ㅇㅇㅍ', ['earphone-case', 'earphones']],
    ['이어', ['earphone-case', 'earphones', 'headset']],
    ['ㅇㅎ', ['headset', 'earphone-case', 'earphones']],
    ['음향', ['earphone-case', 'earphones', 'headset']],
    ['컵', ['mug', 'glass-cup']],
    ['컵을', ['glass-cup']],
    ['주방', ['mug', 'glass-cup']],
    ['주방조리', ['mug', 'glass-cup']],
    ['가방은', ['bag']],
    ['가을', ['autumn-blanket']],
    ['가', ['bag', 'earphone-case', 'autumn-blanket']],
    ['담요로', ['autumn-blanket']],
    ["it's", ['autumn-blanket']],
    ['100%', ['autumn-blanket']],
    ['wool_blanket', ['autumn-blanket']],
    ['이어디', []],
    ['없는 것', []],
    ['%', []], ['_', []], ["'", []], ['"', []], ['\\', []], ['%%_%', []], ["' or 1=1 --", []], ['{}', []], ['\0', []], ['\ud800', []],
  ])('%j finds %j', async (search, slugs) => expect((await found(search)).toSorted()).toEqual(slugs.toSorted()));

  it('puts what begins with it first, then what is named so, then what has it elsewhere', async () => {
    expect(await found('이어폰')).toEqual(['earphone-case', 'earphones', 'headset']);
    expect(await found('가죽')).toEqual(['earphone-case']);
    expect(await found('무선이어폰을')).toEqual(['earphones']);
    expect(await found('머그')).toEqual(['mug']);
    expect(await found('유')).toEqual(['glass-cup', 'headset']);
    expect(await found('ㄱㅈ')).toEqual(['earphone-case']);
    expect(await found('case')).toEqual(['earphone-case']);
    expect(await found('ear')).toEqual(['earphones', 'earphone-case']);
  });

  it('is combined with the other filters', async () => {
    const { items } = await catalog.listProducts({ search: '이어폰', category: 'audio', currency: 'KRW', maxPrice: 1_000, sort: 'name', limit: 1 });
    expect(items.map(({ slug }) => slug)).toEqual(['earphone-case']);
  });

  it('finds the same as the fake, in the same order, whatever is typed', async () => {
    const fake = createFakeCatalog(context.now);
    await fill(fake);
    const pieces = ['이', '어', '폰', '무선', '컵', '가', '을', '의', '주방', 'ㅇ', 'ㅇㅍ', 'ㄱㅂ', ' ', ' ', '%', "'", '\\', '1', 'ear', 'CASE', 'a', '음향', '조리', '담요'];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: 'binary', maxLength: 3 })), { minLength: 1, maxLength: 6 }), async (parts) => {
        const search = parts.join('').trim();
        fc.pre(search !== '');
        expect(await found(search)).toEqual(await found(search, fake));
      }),
      { numRuns: 400 },
    );
  });
});

describe('what is found', () => {
  it('follows the texts of a product, its variants and the categories above it', async () => {
    const top = await catalog.createCategory({ id: newId(), draft: { slug: 'garden', name: { ko: '정원', en: '' }, parentId: null, position: 0 } });
    const below = await catalog.createCategory({ id: newId(), draft: { slug: 'pots', name: { ko: '화분', en: '' }, parentId: top.id, position: 0 } });
    await catalog.importProducts({ rows: [row('pot', '토분', 'Clay Pot', { category: 'pots', options: { color: '청자' } })], dryRun: false });
    expect(await found('정원 화분 토분 청자')).toEqual(['pot']);

    await catalog.updateCategory({ id: top.id, version: 1, draft: { slug: 'garden', name: { ko: '베란다', en: '' }, parentId: null, position: 0 } });
    expect(await found('정원')).toEqual([]);
    expect(await found('베란다')).toEqual(['pot']);
    await catalog.updateCategory({ id: below.id, version: 1, draft: { slug: 'pots', name: { ko: '화분', en: '' }, parentId: null, position: 0 } });
    expect(await found('베란다')).toEqual([]);

    const product = await catalog.getProduct({ idOrSlug: 'pot' });
    const draft = { slug: 'pot', name: { ko: '옹기', en: '' }, description: product.description, categoryId: null, optionNames: ['color'] };
    const renamed = await catalog.updateProduct({ id: product.id, version: product.version, draft });
    expect(await found('옹기')).toEqual(['pot']);
    expect([await found('토분'), await found('화분')]).toEqual([[], []]);
    await catalog.updateVariant({ id: renamed.variants[0]!.id, version: renamed.version, draft: { sku: 'ONGGI-1', options: { color: '백자' }, prices: { KRW: 1 }, active: true } });
    expect([await found('onggi'), await found('백자'), await found('청자')]).toEqual([['pot'], ['pot'], []]);
  });
});
