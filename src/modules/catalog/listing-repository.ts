import type { Knex } from 'knex';
import type { z } from 'zod';
import { type Database, rows, type Transaction } from '../../shared/database.ts';
import { Id } from '../../shared/ids.ts';
import { type Currency, MAX_PRICE } from '../../shared/money.ts';
import { type LongText, type Options, type Product, type ProductSort, type PublicationState, Slug, type Text, type Variant } from './contract.ts';
import type { SearchQuery, SearchWord } from './search-text.ts';

export interface ProductFilter {
  query?: SearchQuery | undefined;
  /** slug or id */
  category?: string | undefined;
  /** of the price range and of the sorts by price */
  currency: Currency;
  minPrice?: number | undefined;
  maxPrice?: number | undefined;
  inStock?: boolean | undefined;
  states: readonly PublicationState[];
  sort: z.output<typeof ProductSort>;
  /** sort key of the last row of the page before */
  after?: SortKey | undefined;
  limit: number;
}
export type SortKey = readonly (string | number)[];

interface Sql {
  sql: string;
  bindings: Knex.RawBinding[];
}
const sql = (text: string, ...bindings: Knex.RawBinding[]): Sql => ({ sql: text, bindings });
const joined = (parts: readonly Sql[], separator: string): Sql => ({
  sql: parts.map((part) => part.sql).join(separator),
  bindings: parts.flatMap((part) => part.bindings),
});

const bracketed = ({ sql: text, bindings }: Sql): Sql => sql(`(${text})`, ...bindings);

interface ProductRow {
  id: string;
  slug: string;
  name: Text;
  description: LongText;
  state: PublicationState;
  category: Product['category'];
  optionNames: string[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `p.id, p.slug, p.state, p.option_names as "optionNames", p.version, p.created_at as "createdAt", p.updated_at as "updatedAt",
  jsonb_build_object('ko', p.name_ko, 'en', p.name_en) as name,
  jsonb_build_object('ko', p.description_ko, 'en', p.description_en) as description,
  case when c.id is not null then
    jsonb_build_object('id', c.id, 'slug', c.slug, 'name', jsonb_build_object('ko', c.name_ko, 'en', c.name_en))
  end as category`;

/** A page of products in the order of `sort`, each with its sort key; two statements. */
export async function listProducts(db: Database, filter: ProductFilter): Promise<{ product: Product; sortKey: SortKey }[]> {
  const { keys, types, direction } = ORDERINGS[filter.sort](filter);
  const names = types.map((_, index) => `k${index}`);
  const order = names.map((name) => `${name} ${direction}`).join(', ');
  const conditions = [
    inState(filter.states),
    ...(filter.query?.words.map(matchesWord) ?? []),
    ...(filter.category === undefined ? [] : [inCategory(filter.category)]),
    ...onVariants(filter),
    ...(filter.after ? [after(names, types, direction, filter.after)] : []),
  ];
  const { sql: text, bindings } = joined(
    [
      sql(`select ${COLUMNS}, jsonb_build_array(${names.map((name, index) => inCursor(name, types[index]!)).join(', ')}) as "sortKey" from`),
      sql(`(select p.id as found, ${names.join(', ')} from products p join product_listings l on l.product_id = p.id`),
      sql(`cross join lateral (select ${keys.sql}) k(${names.join(', ')}) where`, ...keys.bindings),
      joined(conditions, ' and '),
      sql(`order by ${order} limit ?) as page`, filter.limit),
      sql(`join products p on p.id = page.found left join categories c on c.id = p.category_id order by ${order}`),
    ],
    ' ',
  );
  const found = await rows<ProductRow & { sortKey: SortKey }>(db, text, bindings);
  const products = await withVariants(db, found);
  return found.map(({ sortKey }, index) => ({ product: products[index]!, sortKey }));
}

/** Instants as `toISOString` writes them, whatever the time zone of the session. */
const inCursor = (name: string, type: string) =>
  type === 'timestamptz' ? `to_char(${name} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : name;

/** The product with this id or, if there is none, with this slug. */
export async function findProduct(db: Database | Transaction, idOrSlug: string, states: readonly PublicationState[]): Promise<Product | undefined> {
  const found = await rows<ProductRow>(
    db,
    `select ${COLUMNS} from products p left join categories c on c.id = p.category_id
     where (p.id = ? or p.slug = ?) and p.state = any(?::text[])
     order by p.slug = ? limit 1`,
    [asId(idOrSlug), asSlug(idOrSlug), [...states], asSlug(idOrSlug)],
  );
  const [product] = await withVariants(db, found);
  return product;
}

/** What is available is bigint, which arrives as text. */
type VariantRow = Omit<Variant, 'available'> & { productId: string; available: string };

async function withVariants(db: Database | Transaction, products: readonly ProductRow[]): Promise<Product[]> {
  const found = await rows<VariantRow>(
    db,
    `select v.id, v.product_id as "productId", v.sku, v.options, v.prices, v.active,
            coalesce(a.available, 0) as available, coalesce(a.backorder, false) as backorder
     from variants v left join availability a on a.variant_id = v.id
     where v.product_id = any(?::uuid[]) order by v.position, v.id`,
    [products.map(({ id }) => id)],
  );
  const byProduct = Map.groupBy(found, ({ productId }) => productId);
  return products.map((row) => productOf(row, byProduct.get(row.id) ?? []));
}

const productOf = (row: ProductRow, variants: readonly VariantRow[]): Product => ({
  id: row.id,
  slug: row.slug,
  name: row.name,
  description: row.description,
  state: row.state,
  category: row.category,
  optionNames: row.optionNames,
  variants: variants.map(({ id, sku, options, prices, active, available, backorder }) => ({
    id,
    sku,
    options: inOrder(options, row.optionNames),
    prices,
    active,
    available: Number(available),
    backorder,
  })),
  version: row.version,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

const inOrder = (options: Options, names: readonly string[]): Options => Object.fromEntries(names.map((name) => [name, options[name]!]));

/** One state as an equation: its products come out of their index in order. */
const inState = ([state, ...others]: readonly PublicationState[]): Sql =>
  others.length === 0 ? sql('p.state = ?', state!) : sql('p.state = any(?::text[])', [state!, ...others]);

/** Candidates by the index of character pairs, then the exact look at their texts. */
const matchesWord = (word: SearchWord): Sql => {
  const form = 'l.grams @> ?::text[] and strpos(l.name_text || l.facts_text || l.description_text, ?) > 0';
  return bracketed(joined(word.map(({ text, grams }) => sql(form, grams, text)), ' or '));
};

const inCategory = (category: string): Sql =>
  sql(
    `p.category_id in (
       with recursive chosen as (
         select id from categories where slug = ? or id = ?
         union
         select below.id from categories below join chosen on below.parent_id = chosen.id
       ) select id from chosen)`,
    asSlug(category),
    asId(category),
  );

const asId = (text: string): string | null => Id.safeParse(text).data ?? null;
const asSlug = (text: string): string | null => Slug.safeParse(text).data ?? null;

/** One active variant with a price has to meet the price range and, where asked, be in stock; `inStock` false: none that meets it is. */
function onVariants({ currency, minPrice, maxPrice, inStock }: ProductFilter): Sql[] {
  const active = `select from variants v left join availability a on a.variant_id = v.id where v.product_id = p.id and v.active and v.prices <> '{}'`;
  const stocked = ' and (a.available > 0 or a.backorder)';
  const range = [
    ...(minPrice === undefined ? [] : [sql(' and (v.prices ->> ?)::bigint >= ?', currency, minPrice)]),
    ...(maxPrice === undefined ? [] : [sql(' and (v.prices ->> ?)::bigint <= ?', currency, maxPrice)]),
  ];
  const { sql: prices, bindings } = joined(range, '');
  return [
    ...(range.length > 0 || inStock ? [sql(`exists (${active}${prices}${inStock ? stocked : ''})`, ...bindings)] : []),
    ...(inStock === false ? [sql(`not exists (${active}${prices}${stocked})`, ...bindings)] : []),
  ];
}

interface Ordering {
  keys: Sql;
  types: string[];
  direction: 'asc' | 'desc';
}

const ORDERINGS: Record<ProductFilter['sort'], (filter: ProductFilter) => Ordering> = {
  newest: () => ({ keys: sql('p.created_at, p.id'), types: ['timestamptz', 'uuid'], direction: 'desc' }),
  name: () => ({ keys: sql('l.name_key, p.id'), types: ['text', 'uuid'], direction: 'asc' }),
  price_asc: ({ currency }) => ({ keys: lowestPrice(currency, MAX_PRICE + 1), types: ['bigint', 'uuid'], direction: 'asc' }),
  price_desc: ({ currency }) => ({ keys: lowestPrice(currency, -1), types: ['bigint', 'uuid'], direction: 'desc' }),
  relevance: ({ query }) => ({ keys: joined([relevance(query!), sql('l.name_key, p.id')], ', '), types: ['int', 'text', 'uuid'], direction: 'asc' }),
};

/** `without`: what has no price in the currency comes last in both directions. */
const lowestPrice = (currency: Currency, without: number) => sql(`coalesce((p.lowest_prices ->> ?)::bigint, ${without}), p.id`, currency);

/** 0: a name begins with the query; 1: the names have every word; 2: names, category, options and SKUs do; 3: only with the description. */
function relevance({ words, prefixes }: SearchQuery): Sql {
  const anyOf = (texts: readonly string[], column: string) =>
    joined(texts.map((text) => sql(`strpos(${column}, ?) > 0`, text)), ' or ');
  const everyWord = (column: string) =>
    joined(words.map((word) => bracketed(anyOf(word.map(({ text }) => text), column))), ' and ');
  return joined(
    [
      sql('case when'), anyOf(prefixes.map((prefix) => `\n${prefix}`), 'l.name_text'),
      sql('then 0 when'), everyWord('l.name_text'),
      sql('then 1 when'), everyWord('(l.name_text || l.facts_text)'),
      sql('then 2 else 3 end'),
    ],
    ' ',
  );
}

const after = (names: readonly string[], types: readonly string[], direction: 'asc' | 'desc', key: SortKey): Sql =>
  sql(`(${names.join(', ')}) ${direction === 'asc' ? '>' : '<'} (${types.map((type) => `?::${type}`).join(', ')})`, ...key);
