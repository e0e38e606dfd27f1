import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalog, catalogContract } from '../modules/catalog/contract.ts';
import { couponContract, type PromotionDraft } from '../modules/coupon/contract.ts';
import { userContract } from '../modules/user/contract.ts';
import type { Kerf } from '../composition.ts';
import { ConfigError } from './config-error.ts';
import { newSecret } from '../shared/ids.ts';
import { type FileReport, importCategories, importProducts } from './import-products.ts';
import { ROOT } from './paths.ts';
import { parseProductFile } from './product-file.ts';

export const DEMO_CUSTOMER = { email: 'mina@example.com', password: 'a-quiet-blue-kettle', name: '김미나' };
const ADMINISTRATOR = 'admin@example.com';


/** Fills an empty shop from the files under seed/, through the same import a person has. What is there stays as it is. */
export async function seedShop(kerf: Kerf, { onProgress, force = false }: { onProgress: (sentence: string) => void; force?: boolean }): Promise<void> {
  const catalog = kerf.service(catalogContract);
  if (!force && ((await isSeeded(kerf)) || (await hasOtherGoods(catalog)))) return;
  onProgress('Filling the demo shop.');
  complete('categories.csv', await importCategories(kerf, await seedFile('categories.csv'), { dryRun: false }));
  complete('products.csv', await importProducts(kerf, await seedFile('products.csv'), { dryRun: false }));
  await seedPromotions(kerf);
  await seedAccounts(kerf, onProgress);
}

/** The administrator is made last: where there is one, all of it is there. */
async function isSeeded(kerf: Kerf): Promise<boolean> {
  const { items } = await kerf.service(userContract).listUsers({ email: ADMINISTRATOR, limit: 1 });
  return items.length > 0;
}

/** Somebody's own shop is not filled up with demo goods; a demo that was interrupted is. */
async function hasOtherGoods(catalog: Catalog): Promise<boolean> {
  const { items } = await catalog.listProducts({ limit: 1, states: ['draft', 'published', 'archived'] });
  if (items.length === 0) return false;
  const demo = parseProductFile(await seedFile('products.csv')).rows[0]!;
  return catalog.getProduct({ idOrSlug: demo.slug, states: ['draft', 'published', 'archived'] }).then(() => false, () => true);
}

const seedFile = (name: string) => readFile(join(ROOT, 'seed', name));

function complete(file: string, { errors: [first] }: FileReport): void {
  if (first) throw new ConfigError(`seed/${file}, line ${first.line}: ${first.message}`);
}

type SeedPromotion = Omit<PromotionDraft, 'scope'> & {
  id: string;
  scope?: { categorySlugs?: string[]; excludedCategorySlugs?: string[]; productSlugs?: string[]; excludedProductSlugs?: string[] };
};

/** Promotions carry fixed ids, so that a second run finds them made. */
async function seedPromotions(kerf: Kerf): Promise<void> {
  const [catalog, coupon] = [kerf.service(catalogContract), kerf.service(couponContract)];
  const { categories } = await catalog.listCategories({});
  const categoryIds = new Map(categories.map(({ slug, id }) => [slug, id]));
  const byCategory = (slugs: string[] = []) => slugs.map((slug) => categoryIds.get(slug) ?? missing(slug));
  const byProduct = (slugs: string[] = []) => Promise.all(slugs.map(async (idOrSlug) => (await catalog.getProduct({ idOrSlug })).id));
  const promotions = JSON.parse((await seedFile('promotions.json')).toString()) as SeedPromotion[];
  for (const { id, scope = {}, ...draft } of promotions) {
    await coupon.createPromotion({
      id,
      draft: {
        ...draft,
        scope: {
          categoryIds: byCategory(scope.categorySlugs),
          excludedCategoryIds: byCategory(scope.excludedCategorySlugs),
          productIds: await byProduct(scope.productSlugs),
          excludedProductIds: await byProduct(scope.excludedProductSlugs),
        },
      },
    });
  }
}

function missing(slug: string): never {
  throw new ConfigError(`seed/promotions.json names the category "${slug}", which is not in seed/categories.csv.`);
}

/** The administrator's password is told at once and kept nowhere. */
async function seedAccounts(kerf: Kerf, say: (sentence: string) => void): Promise<void> {
  const users = kerf.service(userContract);
  const password = newSecret().slice(0, 20);
  await users.ensureUser({ ...DEMO_CUSTOMER, role: 'customer' });
  const { created } = await users.ensureUser({ email: ADMINISTRATOR, password, name: 'Administrator', role: 'admin' });
  if (created) say(`Administrator     ${ADMINISTRATOR} / ${password}   (shown this once)`);
}
