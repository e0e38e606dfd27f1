import type { ImportReport, ImportRow } from './contract.ts';
import { type CatalogProduct, type CatalogVariant, isPublishable, mayBecome, newProduct, nextPosition, repeatedOptions, sameNames } from './product.ts';
import { isSame } from './same.ts';

export type ImportError = ImportReport['errors'][number];

/** What the catalogue holds of what the rows name. */
export interface Known {
  /** slug → category id */
  categories: ReadonlyMap<string, string>;
  /** by slug */
  products: ReadonlyMap<string, CatalogProduct>;
  /** sku → slug of its product */
  skus: ReadonlyMap<string, string>;
}

/** A row with the ids that its product and its variant get if they are new. */
export type NumberedRow = ImportRow & { newProductId: string; newVariantId: string };

export interface ProductChange {
  /** undefined: the product is new */
  before: CatalogProduct | undefined;
  /** the very same object as `before` when nothing changes */
  after: CatalogProduct;
}

export interface ImportPlan {
  changes: ProductChange[];
  report: ImportReport;
}

const MOST_OPTIONS = 3;

/** What importing the rows changes, or every reason why they cannot be imported. */
export function planImport(rows: readonly NumberedRow[], known: Known, now: Date): ImportPlan {
  const groups = [...Map.groupBy(rows, ({ slug }) => slug).values()];
  const changes = groups.map((group) => planProduct(group, known, now));
  const errors = [
    ...repeatedSkus(rows),
    ...groups.flatMap((group, index) => productErrors(group, changes[index]!, known)),
  ].toSorted((a, b) => a.line - b.line);
  return { changes, report: reportOn(rows, changes, errors) };
}

function planProduct(rows: readonly NumberedRow[], known: Known, now: Date): ProductChange {
  const [first] = rows as [NumberedRow];
  const before = known.products.get(first.slug);
  const { slug, name, description, state } = first;
  const categoryId = known.categories.get(first.category) ?? null;
  const optionNames = before?.variants.length ? before.optionNames : Object.keys(first.options);
  const draft = { slug, name, description, categoryId, optionNames };
  const start = before ?? newProduct(first.newProductId, draft, now);
  const after = { ...start, ...draft, state, variants: mergedVariants(start.variants, rows) };
  if (!before) return { before, after };
  const unchanged = isSame(textsOf(after), textsOf(before)) && after.variants.every((variant, index) => variant === before.variants[index]);
  return { before, after: unchanged ? before : { ...after, version: before.version + 1, updatedAt: now } };
}

/** What rows say of a product beside its variants. */
const textsOf = ({ name, description, categoryId, optionNames, state }: CatalogProduct) => ({ name, description, categoryId, optionNames, state });

/** The variants there are, with what the rows say of them; new ones behind. A row without changes keeps its very object. */
function mergedVariants(variants: readonly CatalogVariant[], rows: readonly NumberedRow[]): CatalogVariant[] {
  const bySku = new Map(rows.map((row) => [row.sku, row]));
  const held = new Set(variants.map(({ sku }) => sku));
  const kept = variants.map((variant) => {
    const row = bySku.get(variant.sku);
    const merged = row && { ...variant, options: row.options, prices: row.prices };
    return merged && !isSame(merged, variant) ? merged : variant;
  });
  const position = nextPosition(variants);
  const added = [...bySku.values()]
    .filter(({ sku }) => !held.has(sku))
    .map(({ newVariantId, sku, options, prices }, index) => ({ id: newVariantId, sku, options, prices, active: true, position: position + index }));
  return [...kept, ...added];
}

function repeatedSkus(rows: readonly NumberedRow[]): ImportError[] {
  const seen = new Map<string, number>();
  return rows.flatMap(({ line, sku }) => {
    const earlier = seen.get(sku);
    if (earlier !== undefined) return [{ line, reason: 'duplicate_sku', message: `The SKU ${sku} stands in line ${earlier} already.` }];
    seen.set(sku, line);
    return [];
  });
}

function productErrors(rows: readonly NumberedRow[], { before, after }: ProductChange, known: Known): ImportError[] {
  const [first] = rows as [NumberedRow];
  const at = (line: number, reason: string, message: string) => ({ line, reason, message });
  const errors = rows.flatMap((row) => rowErrors(row, first, after, known));
  if (first.category !== '' && !known.categories.has(first.category)) {
    errors.push(at(first.line, 'unknown_category', `There is no category ${first.category}.`));
  }
  for (const { sku } of repeatedOptions(after.variants)) {
    const { line } = rows.find((row) => row.sku === sku) ?? first;
    errors.push(at(line, 'options_mismatch', `The product ${after.slug} has another variant with the options of ${sku}.`));
  }
  if (before && !mayBecome(before.state, after.state)) {
    errors.push(at(first.line, 'not_allowed_from_state', `The product ${after.slug} is ${before.state} and cannot become ${after.state}.`));
  }
  if (after.state === 'published' && !isPublishable(after.variants)) {
    errors.push(at(first.line, 'not_publishable', `The product ${after.slug} has no active variant with a price.`));
  }
  return errors;
}

function rowErrors(row: NumberedRow, first: NumberedRow, product: CatalogProduct, known: Known): ImportError[] {
  const errors: ImportError[] = [];
  const differing = (['category', 'name', 'description', 'state'] as const).filter((field) => !isSame(row[field], first[field]));
  if (differing.length > 0) {
    const message = `Line ${first.line} says something else about the ${differing.join(', ')} of ${row.slug}.`;
    errors.push({ line: row.line, reason: 'inconsistent_product', message });
  }
  const owner = known.skus.get(row.sku);
  if (owner !== undefined && owner !== row.slug) {
    errors.push({ line: row.line, reason: 'sku_taken', message: `The SKU ${row.sku} belongs to the product ${owner}.` });
  }
  const names = Object.keys(row.options);
  if (!sameNames(product.optionNames, names) || names.length > MOST_OPTIONS) {
    const expected = product.optionNames.slice(0, MOST_OPTIONS).join(', ') || 'none';
    errors.push({ line: row.line, reason: 'options_mismatch', message: `The options of ${row.slug} are: ${expected}.` });
  }
  return errors;
}

function reportOn(rows: readonly NumberedRow[], changes: readonly ProductChange[], errors: ImportError[]): ImportReport {
  if (errors.length > 0) return { created: 0, updated: 0, unchanged: 0, errors, variants: {} };
  const ids = new Map(changes.flatMap(({ after }) => after.variants.map(({ sku, id }) => [sku, id])));
  const held = new Set(changes.flatMap(({ before }) => before?.variants.map(({ sku }) => sku) ?? []));
  const untouched = new Set(changes.flatMap(untouchedSkus));
  const created = rows.filter(({ sku }) => !held.has(sku)).length;
  const unchanged = rows.filter(({ sku }) => untouched.has(sku)).length;
  return {
    created,
    updated: rows.length - created - unchanged,
    unchanged,
    errors,
    variants: Object.fromEntries(rows.map(({ sku }) => [sku, ids.get(sku)!])),
  };
}

/** Variants that stay as they are, of a product that stays as it is. */
function untouchedSkus({ before, after }: ProductChange): string[] {
  if (!before || !isSame(textsOf(before), textsOf(after))) return [];
  const held = new Set(before.variants);
  return after.variants.filter((variant) => held.has(variant)).map(({ sku }) => sku);
}
