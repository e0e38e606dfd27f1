import { conflict, invalid, notFound } from '../../shared/errors.ts';
import type { LongText, Options, Prices, ProductDraft, PublicationState, Text, VariantDraft } from './contract.ts';
import { assertVersion } from './version.ts';

export interface CatalogVariant {
  id: string;
  sku: string;
  options: Options;
  prices: Prices;
  active: boolean;
  /** order within the product */
  position: number;
}

export interface CatalogProduct {
  id: string;
  slug: string;
  name: Text;
  description: LongText;
  categoryId: string | null;
  optionNames: string[];
  state: PublicationState;
  /** of the product and its variants together */
  version: number;
  createdAt: Date;
  updatedAt: Date;
  variants: CatalogVariant[];
}

/** From a state to those it may be changed to. What was sold once and archived does not become a draft again. */
const NEXT_STATES: Record<PublicationState, readonly PublicationState[]> = {
  draft: ['published', 'archived'],
  published: ['draft', 'archived'],
  archived: ['published'],
};

export const newProduct = (id: string, draft: ProductDraft, now: Date): CatalogProduct => ({
  ...draft,
  id,
  state: 'draft',
  version: 1,
  createdAt: now,
  updatedAt: now,
  variants: [],
});

/** The product with new texts, category or options; its variants keep the option names they have. */
export function editProduct(product: CatalogProduct, version: number, draft: ProductDraft, now: Date): CatalogProduct {
  assertVersion(product, version);
  if (product.variants.length > 0 && !sameNames(product.optionNames, draft.optionNames)) {
    throw conflict('options_in_use', 'The option names stay as they are once there are variants.');
  }
  return stepped({ ...product, ...draft }, now);
}

/** The product in another state; asked for the state it has, the very same product whatever the version. */
export function changeState(product: CatalogProduct, version: number, state: PublicationState, now: Date): CatalogProduct {
  if (product.state === state) return product;
  assertVersion(product, version);
  if (!mayBecome(product.state, state)) {
    throw conflict('not_allowed_from_state', `A product that is ${product.state} cannot become ${state}.`);
  }
  return stepped({ ...product, state }, now);
}

/** The product with one variant more; with an id that it has already, the very same product. */
export function addVariant(product: CatalogProduct, id: string, draft: VariantDraft, now: Date): CatalogProduct {
  if (product.variants.some((variant) => variant.id === id)) return product;
  const variant = { ...draft, id, position: nextPosition(product.variants) };
  return withVariants(product, [...product.variants, variant], now);
}

export function changeVariant(product: CatalogProduct, version: number, id: string, draft: VariantDraft, now: Date): CatalogProduct {
  if (!product.variants.some((variant) => variant.id === id)) throw notFound('variant');
  assertVersion(product, version);
  const variants = product.variants.map((variant) => (variant.id === id ? { ...variant, ...draft } : variant));
  return withVariants(product, variants, now);
}

function withVariants(product: CatalogProduct, variants: CatalogVariant[], now: Date): CatalogProduct {
  if (variants.some(({ options }) => !sameNames(product.optionNames, Object.keys(options)))) {
    throw invalid('options_mismatch', `A variant has these options and no others: ${product.optionNames.join(', ') || 'none'}.`);
  }
  if (repeatedOptions(variants).length > 0) throw invalid('options_mismatch', 'There is a variant with these options already.');
  return stepped({ ...product, variants }, now);
}

function stepped(product: CatalogProduct, now: Date): CatalogProduct {
  if (product.state === 'published' && !isPublishable(product.variants)) {
    throw conflict('not_publishable', 'A published product has at least one active variant with a price.');
  }
  return { ...product, version: product.version + 1, updatedAt: now };
}

export const mayBecome = (from: PublicationState, to: PublicationState): boolean => from === to || NEXT_STATES[from].includes(to);

export const isPublishable = (variants: readonly CatalogVariant[]): boolean =>
  variants.some(({ active, prices }) => active && Object.keys(prices).length > 0);

/** The variants whose options an earlier one has already. */
export function repeatedOptions(variants: readonly CatalogVariant[]): CatalogVariant[] {
  const seen = new Set<string>();
  return variants.filter(({ options }) => {
    const combination = JSON.stringify(Object.entries(options).toSorted());
    return seen.has(combination) || !seen.add(combination);
  });
}

export const sameNames = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((name) => b.includes(name));

export const nextPosition = (variants: readonly CatalogVariant[]): number => Math.max(-1, ...variants.map(({ position }) => position)) + 1;

/** The lowest price of an active variant, per currency. */
export function lowestPrices(variants: readonly CatalogVariant[]): Prices {
  const lowest: Prices = {};
  for (const { prices } of variants.filter(({ active }) => active)) {
    for (const [currency, amount] of Object.entries(prices) as [keyof Prices, number][]) {
      lowest[currency] = Math.min(lowest[currency] ?? amount, amount);
    }
  }
  return lowest;
}
