import { z } from 'zod';
import { defineContract, event, read, type Service, write } from '../../shared/contract.ts';
import { page } from '../../shared/http.ts';
import { Id } from '../../shared/ids.ts';
import { Amount, Currency, Price } from '../../shared/money.ts';

/** Korean and English; English may be empty. */
export const Text = z.strictObject({ ko: z.string().trim().min(1).max(300), en: z.string().trim().max(300).default('') }).meta({ id: 'Text' });
export type Text = z.infer<typeof Text>;
export const LongText = z
  .strictObject({ ko: z.string().trim().max(5_000).default(''), en: z.string().trim().max(5_000).default('') })
  .meta({ id: 'LongText' });
export type LongText = z.infer<typeof LongText>;

export const Slug = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  .max(120)
  .meta({ id: 'Slug', example: 'pebble-tumbler' });
export const Sku = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)
  .max(64)
  .meta({ id: 'Sku', example: 'PEB-TUM-500-IV' });

/** Minor units per currency; a variant cannot be bought in a currency that is missing. */
export const Prices = z
  .partialRecord(Currency, Price)
  .meta({ id: 'Prices', example: { KRW: 24900, USD: 1990 } });
export type Prices = z.infer<typeof Prices>;
/** Option name → value, the same names on every variant of a product: `{ "color": "Ivory", "size": "M" }`. */
export const Options = z.record(z.string().min(1).max(50), z.string().min(1).max(100)).meta({ id: 'Options' });
export type Options = z.infer<typeof Options>;

export const PublicationState = z.enum(['draft', 'published', 'archived']).meta({ id: 'PublicationState' });
export type PublicationState = z.infer<typeof PublicationState>;

export const Variant = z
  .object({
    id: Id,
    sku: Sku,
    options: Options,
    prices: Prices,
    active: z.boolean(),
    /** the catalogue's own copy, fed by inventory's events; placing an order asks inventory itself */
    available: z.int(),
    backorder: z.boolean(),
  })
  .meta({ id: 'Variant' });
export type Variant = z.infer<typeof Variant>;

export const Category = z
  .object({ id: Id, slug: Slug, name: Text, parentId: Id.nullable(), position: z.int(), version: z.int() })
  .meta({ id: 'Category' });
export type Category = z.infer<typeof Category>;

export const Product = z
  .object({
    id: Id,
    slug: Slug,
    name: Text,
    description: LongText,
    state: PublicationState,
    category: z.object({ id: Id, slug: Slug, name: Text }).nullable(),
    /** names of the options its variants differ in, in order */
    optionNames: z.array(z.string()),
    variants: z.array(Variant),
    version: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Product' });
export type Product = z.infer<typeof Product>;

export const ProductSort = z.enum(['newest', 'name', 'price_asc', 'price_desc', 'relevance']);

export const ProductDraft = z
  .strictObject({
    slug: Slug,
    name: Text,
    description: LongText.default({ ko: '', en: '' }),
    categoryId: Id.nullable().default(null),
    optionNames: z
      .array(z.string().trim().min(1).max(50))
      .max(3)
      .refine((names) => new Set(names).size === names.length, 'must differ')
      .default([]),
  })
  .meta({ id: 'ProductDraft' });
export type ProductDraft = z.infer<typeof ProductDraft>;

export const VariantDraft = z
  .strictObject({ sku: Sku, options: Options.default({}), prices: Prices.default({}), active: z.boolean().default(true) })
  .meta({ id: 'VariantDraft' });
export type VariantDraft = z.infer<typeof VariantDraft>;

export const CategoryDraft = z
  .strictObject({ slug: Slug, name: Text, parentId: Id.nullable().default(null), position: z.int().min(0).max(10_000).default(0) })
  .meta({ id: 'CategoryDraft' });
export type CategoryDraft = z.infer<typeof CategoryDraft>;

/** A variant as an order line keeps it, and whether it can be bought in the currency now. */
export const PricedVariant = z.object({
  variantId: Id,
  /** null: it can be bought */
  problem: z.enum(['unknown_variant', 'not_published', 'no_price']).nullable(),
  productId: Id.nullable(),
  sku: z.string(),
  name: Text,
  options: Options,
  /** the product's category and all its ancestors */
  categoryIds: z.array(Id),
  unitPrice: Amount,
});
export type PricedVariant = z.infer<typeof PricedVariant>;

/** One row of an import file, parsed; rows of one product share its slug and everything but the variant. */
export const ImportRow = z.strictObject({
  /** line in the file, for messages */
  line: z.int().min(1),
  slug: Slug,
  category: z.string().max(120),
  name: Text,
  description: LongText,
  options: Options,
  sku: Sku,
  prices: Prices,
  state: z.enum(['draft', 'published']),
});
export type ImportRow = z.infer<typeof ImportRow>;

/** Rows count variants. `unchanged` rows are written nowhere. With errors nothing at all is written. */
export const ImportReport = z.object({
  created: z.int(),
  updated: z.int(),
  unchanged: z.int(),
  errors: z.array(z.object({ line: z.int(), reason: z.string(), message: z.string() })),
  /** sku → variant id of every row that is (or, in a dry run, would stay) in the catalogue */
  variants: z.record(z.string(), Id),
});
export type ImportReport = z.infer<typeof ImportReport>;

const NOT_WRITTEN = ['not_found', 'version_mismatch'] as const;

/**
 * What is sold: products with variants, their categories, texts and prices, and finding them.
 *
 * A product goes `draft → published → archived`, and back to published; a published one can be made a draft again and a
 * draft be archived. What is published has at least one active variant with a price. Listens to `inventory.availability_changed` for its copy of what is available. Calls nobody.
 */
export const catalogContract = defineContract({
  module: 'catalog',
  methods: {
    /**
     * A page of products. Search ignores spacing, case and Korean particles, and understands initial consonants
     * (무선 이어폰 is found by `무선이어폰`, `이어폰을` and `ㅁㅅㅇㅇㅍ`). Price filters need `currency`; `relevance` needs `search`.
     * One active variant with a price has to meet the price range and be in stock; `inStock: false` finds what has no such variant.
     * Sorted by price, a product counts with its lowest active one in `currency` (KRW when absent), and comes last
     * without one. Only published products unless `states` says otherwise (staff).
     */
    listProducts: read({
      input: z.object({
        search: z.string().trim().max(200).optional(),
        /** slug or id; descendants are included */
        category: z.string().max(120).optional(),
        currency: Currency.optional(),
        minPrice: Price.optional(),
        maxPrice: Price.optional(),
        inStock: z.boolean().optional(),
        sort: ProductSort.default('newest'),
        states: z.array(PublicationState).min(1).default(['published']),
        cursor: z.string().optional(),
        limit: z.int().min(1).max(100),
      }),
      output: page(Product),
      reasons: ['invalid_cursor', 'currency_required', 'search_required'],
    }),

    /** One product by its id or slug. Only a published one unless `states` says otherwise (staff). */
    getProduct: read({
      input: z.object({ idOrSlug: z.string().max(120), states: z.array(PublicationState).min(1).default(['published']) }),
      output: Product,
      reasons: ['not_found'],
    }),

    /** The whole tree, parents before children, by position. */
    listCategories: read({ input: z.object({}), output: z.object({ categories: z.array(Category) }) }),

    /** Called by order: what these variants are and cost now, in the order asked for. */
    priceVariants: read({
      input: z.object({ currency: Currency, variantIds: z.array(Id).max(100) }),
      output: z.object({ variants: z.array(PricedVariant) }),
    }),

    /** Staff: a new product, as a draft. A repeat with the same id answers the first one. */
    createProduct: write({
      input: z.object({ id: Id, draft: ProductDraft }),
      output: Product,
      reasons: ['slug_taken', 'unknown_category'],
      idempotentBy: 'id',
    }),
    /** Staff: replaces what a product says of itself. `options_in_use`: option names stay as they are once there are variants. */
    updateProduct: write({
      input: z.object({ id: Id, version: z.int(), draft: ProductDraft }),
      output: Product,
      reasons: [...NOT_WRITTEN, 'slug_taken', 'unknown_category', 'options_in_use'],
    }),
    /**
     * Staff: publishes, archives or makes a draft again. `not_publishable`: no active variant with a price.
     * `not_allowed_from_state`: only an archived product becoming a draft. Asked for the state it has, the product stays
     * as it is, whatever the version.
     */
    setProductState: write({
      input: z.object({ id: Id, version: z.int(), state: PublicationState }),
      output: Product,
      reasons: [...NOT_WRITTEN, 'not_publishable', 'not_allowed_from_state'],
    }),

    /**
     * Staff: a new variant of a product. `options_mismatch`: other option names than the product's, or a combination it
     * has already. A repeat with the same id answers the product as it is.
     */
    createVariant: write({
      input: z.object({ id: Id, productId: Id, draft: VariantDraft }),
      output: Product,
      reasons: ['not_found', 'sku_taken', 'options_mismatch'],
      idempotentBy: 'id',
    }),
    /** Staff: replaces a variant. `version` is the product's. `not_publishable`: a published product would have nothing left to sell. */
    updateVariant: write({
      input: z.object({ id: Id, version: z.int(), draft: VariantDraft }),
      output: Product,
      reasons: [...NOT_WRITTEN, 'sku_taken', 'options_mismatch', 'not_publishable'],
    }),

    /** Staff and import: a new category. A repeat with the same id answers the first one. */
    createCategory: write({
      input: z.object({ id: Id, draft: CategoryDraft }),
      output: Category,
      reasons: ['slug_taken', 'unknown_category'],
      idempotentBy: 'id',
    }),
    /** Staff: replaces a category, perhaps below another parent. `category_cycle`: it cannot stand below itself. */
    updateCategory: write({
      input: z.object({ id: Id, version: z.int(), draft: CategoryDraft }),
      output: Category,
      reasons: [...NOT_WRITTEN, 'slug_taken', 'unknown_category', 'category_cycle'],
    }),
    /** Staff: deletes an empty category. `category_in_use`: products or categories still stand below it. */
    deleteCategory: write({ input: z.object({ id: Id, version: z.int() }), output: z.object({}), reasons: [...NOT_WRITTEN, 'category_in_use'] }),

    /**
     * Adds and changes products by slug and variants by SKU, all rows or, with any error, none. A dry run does all of it
     * and then takes it back. The same rows a second time change nothing. A row states all prices and options of its
     * variant; variants that no row names stay as they are. `category` is a slug, or empty for none.
     *
     * Reasons of its errors: `unknown_category`, `duplicate_sku` (within the rows), `sku_taken` (by another product),
     * `inconsistent_product` (rows of one slug that differ in more than the variant), `options_mismatch`,
     * `not_allowed_from_state`, `not_publishable` (published, and no active variant has a price).
     */
    importProducts: write({
      timeout: 60_000,
      largestRequest: 33_554_432,
      input: z.object({ rows: z.array(ImportRow).max(20_000), dryRun: z.boolean() }),
      output: ImportReport,
    }),
  },
  events: {
    /** A product became visible to shoppers, or what they see of it changed. */
    productPublished: event('catalog.product_published', 'productId', z.object({ productId: Id, slug: Slug, version: z.int() })),
    /** A product that was published is no longer sold: it was archived, or made a draft again. */
    productArchived: event('catalog.product_archived', 'productId', z.object({ productId: Id, slug: Slug, version: z.int() })),
  },
});
export type Catalog = Service<typeof catalogContract>;
