import { type Database, rows, type Transaction } from '../../shared/database.ts';
import type { Currency } from '../../shared/money.ts';
import type { Options, Prices, PublicationState, Text } from './contract.ts';
import type { Listing } from './listing.ts';
import { type CatalogProduct, type CatalogVariant, lowestPrices } from './product.ts';

/** Rows per statement, so that none comes near its time limit. */
const BATCH = 1_000;

interface ProductRow {
  id: string;
  slug: string;
  name_ko: string;
  name_en: string;
  description_ko: string;
  description_en: string;
  category_id: string | null;
  option_names: string[];
  state: PublicationState;
  version: number;
  created_at: Date;
  updated_at: Date;
}
type VariantRow = CatalogVariant & { product_id: string };
export type VariantOfProduct = CatalogVariant & { productId: string };

/** Products with all their variants, locked in order of their ids. */
export async function lockProducts(trx: Transaction, by: 'id' | 'slug' | 'category_id', keys: readonly string[]): Promise<CatalogProduct[]> {
  const type = by === 'slug' ? 'text[]' : 'uuid[]';
  const products = await rows<ProductRow>(trx, `select * from products where ${by} = any(?::${type}) order by id for update`, [[...keys]]);
  const variants = await rows<VariantRow>(
    trx,
    'select id, product_id, sku, options, prices, active, position from variants where product_id = any(?::uuid[]) order by position, id',
    [products.map(({ id }) => id)],
  );
  const byProduct = Map.groupBy(variants, ({ product_id }) => product_id);
  return products.map((row) => productOf(row, byProduct.get(row.id) ?? []));
}

export async function findProductIdOfVariant(db: Database | Transaction, variantId: string): Promise<string | undefined> {
  const [found] = await rows<{ product_id: string }>(db, 'select product_id from variants where id = ?', [variantId]);
  return found?.product_id;
}

/** SKU → slug of its product, for those that exist. */
export async function findSkuOwners(trx: Transaction, skus: readonly string[]): Promise<Map<string, string>> {
  const found = await rows<{ sku: string; slug: string }>(
    trx,
    'select v.sku, p.slug from variants v join products p on p.id = v.product_id where v.sku = any(?::text[])',
    [[...skus]],
  );
  return new Map(found.map(({ sku, slug }) => [sku, slug]));
}

export const insertProducts = (trx: Transaction, products: readonly CatalogProduct[]) =>
  inBatches(trx, products, rowOf, `insert into products select * from jsonb_populate_recordset(null::products, ?::jsonb)`);

/** Each from the version before its own. */
export const updateProducts = (trx: Transaction, products: readonly CatalogProduct[]) =>
  inBatches(
    trx,
    products,
    rowOf,
    `update products p set (slug, name_ko, name_en, description_ko, description_en, category_id, option_names, state, lowest_prices, version, updated_at)
       = (n.slug, n.name_ko, n.name_en, n.description_ko, n.description_en, n.category_id, n.option_names, n.state, n.lowest_prices, n.version, n.updated_at)
     from jsonb_populate_recordset(null::products, ?::jsonb) n
     where p.id = n.id and p.version = n.version - 1`,
  );

export const insertVariants = (trx: Transaction, variants: readonly VariantOfProduct[]) =>
  inBatches(
    trx,
    variants,
    variantRowOf,
    `insert into variants (id, product_id, sku, options, prices, active, position)
     select id, product_id, sku, options, prices, active, position from jsonb_populate_recordset(null::variants, ?::jsonb)`,
  );

export async function updateVariants(trx: Transaction, variants: readonly VariantOfProduct[]): Promise<void> {
  if (variants.length > 1) await trx.raw('set constraints variants_options deferred');
  await inBatches(
    trx,
    variants,
    variantRowOf,
    `update variants v set (sku, options, prices, active) = (n.sku, n.options, n.prices, n.active)
     from jsonb_populate_recordset(null::variants, ?::jsonb) n where v.id = n.id`,
  );
}

/** `listing` is asked batch by batch: the process does other things in between. */
export const saveListings = (trx: Transaction, products: readonly CatalogProduct[], listing: (product: CatalogProduct) => Listing) =>
  inBatches(
    trx,
    products,
    (product) => listingRowOf(listing(product)),
    `insert into product_listings select * from jsonb_populate_recordset(null::product_listings, ?::jsonb)
     on conflict (product_id) do update set name_key = excluded.name_key, name_text = excluded.name_text,
       facts_text = excluded.facts_text, description_text = excluded.description_text, grams = excluded.grams`,
  );

async function inBatches<T>(trx: Transaction, entries: readonly T[], toRow: (entry: T) => object, sql: string): Promise<void> {
  for (let from = 0; from < entries.length; from += BATCH) {
    await trx.raw(sql, [JSON.stringify(entries.slice(from, from + BATCH).map(toRow))]);
  }
}

export interface PricedRow {
  variantId: string;
  productId: string;
  sku: string;
  name: Text;
  options: Options;
  sold: boolean;
  price: number | null;
  categoryIds: string[];
}

/** The variants that exist, each with its price in the currency and the categories above it; one statement. */
export async function findPricedVariants(db: Database, variantIds: readonly string[], currency: Currency): Promise<PricedRow[]> {
  const found = await rows<PricedRow & { price: string | null }>(
    db,
    `with recursive asked as (
       select v.id, v.product_id, v.sku, v.options, v.active and p.state = 'published' as sold, (v.prices ->> :currency)::bigint as price,
              p.name_ko, p.name_en, p.category_id
       from variants v join products p on p.id = v.product_id
       where v.id = any(cast(:variantIds as uuid[]))
     ), above (category_id, id, distance) as (
       select distinct category_id, category_id, 0 from asked where category_id is not null
       union all
       select a.category_id, c.parent_id, a.distance + 1 from above a join categories c on c.id = a.id where c.parent_id is not null
     )
     select id as "variantId", product_id as "productId", sku, jsonb_build_object('ko', name_ko, 'en', name_en) as name, options, sold, price,
            array(select a.id from above a where a.category_id = asked.category_id order by a.distance) as "categoryIds"
     from asked`,
    { currency, variantIds: [...variantIds] },
  );
  return found.map((row) => ({ ...row, price: row.price === null ? null : Number(row.price) }));
}

/** Keeps the newest word on what is available; older ones that come late change nothing. */
export const keepAvailability = (trx: Transaction, entry: { variantId: string; available: number; backorder: boolean; version: number }) =>
  trx.raw(
    `insert into availability as a (variant_id, available, backorder, version) values (:variantId, :available, :backorder, :version)
     on conflict (variant_id) do update set available = excluded.available, backorder = excluded.backorder, version = excluded.version
     where a.version < excluded.version`,
    entry,
  );

const productOf = (row: ProductRow, variants: readonly VariantRow[]): CatalogProduct => ({
  id: row.id,
  slug: row.slug,
  name: { ko: row.name_ko, en: row.name_en },
  description: { ko: row.description_ko, en: row.description_en },
  categoryId: row.category_id,
  optionNames: row.option_names,
  state: row.state,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  variants: variants.map(({ id, sku, options, prices, active, position }) => ({ id, sku, options, prices, active, position })),
});

const rowOf = (product: CatalogProduct): ProductRow & { lowest_prices: Prices } => ({
  id: product.id,
  slug: product.slug,
  name_ko: product.name.ko,
  name_en: product.name.en,
  description_ko: product.description.ko,
  description_en: product.description.en,
  category_id: product.categoryId,
  option_names: product.optionNames,
  state: product.state,
  lowest_prices: lowestPrices(product.variants),
  version: product.version,
  created_at: product.createdAt,
  updated_at: product.updatedAt,
});

const variantRowOf = ({ productId, ...variant }: VariantOfProduct): VariantRow => ({ ...variant, product_id: productId });

const listingRowOf = ({ productId, nameKey, nameText, factsText, descriptionText, grams }: Listing) => ({
  product_id: productId,
  name_key: nameKey,
  name_text: nameText,
  facts_text: factsText,
  description_text: descriptionText,
  grams,
});
