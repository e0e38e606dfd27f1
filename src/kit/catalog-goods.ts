import type { z } from 'zod';
import type { Catalog, catalogContract, Category, CategoryDraft, Product, ProductDraft, VariantDraft } from '../modules/catalog/contract.ts';
import { newId } from '../shared/ids.ts';
import type { Case } from './suite.ts';

export type CatalogCases = Record<string, Case<typeof catalogContract>['run']>;
type Draft = z.input<typeof ProductDraft>;
type Variant = z.input<typeof VariantDraft>;

/** A slug, a SKU, a name that nobody has. */
export const newSlug = () => `kit-${newId()}`;
export const newSku = () => `KIT-${newId()}`;

export const draftOf = (more: Partial<Draft> = {}): Draft => ({ slug: newSlug(), name: { ko: '키트 컵', en: 'Kit cup' }, ...more });
export const variantOf = (more: Partial<Variant> = {}): Variant => ({ sku: newSku(), prices: { KRW: 10_000 }, ...more });
export const create = (catalog: Catalog, more: Partial<Draft> = {}): Promise<Product> => catalog.createProduct({ id: newId(), draft: draftOf(more) });

/** A product with a variant for 10,000 won, as a draft. */
export async function furnish(catalog: Catalog, more: Partial<Draft> = {}, variant: Partial<Variant> = {}): Promise<Product> {
  const { id: productId } = await create(catalog, more);
  return catalog.createVariant({ id: newId(), productId, draft: variantOf(variant) });
}

/** The same, published. */
export async function sell(catalog: Catalog, more: Partial<Draft> = {}, variant: Partial<Variant> = {}): Promise<Product> {
  return setState(catalog, await furnish(catalog, more, variant), 'published');
}

export const setState = (catalog: Catalog, { id, version }: Pick<Product, 'id' | 'version'>, state: Product['state']): Promise<Product> =>
  catalog.setProductState({ id, version, state });

/** As staff sees it, whatever its state. */
export const readProduct = (catalog: Catalog, { id }: Pick<Product, 'id'>): Promise<Product> =>
  catalog.getProduct({ idOrSlug: id, states: ['draft', 'published', 'archived'] });

export const categoryOf = (more: Partial<z.input<typeof CategoryDraft>> = {}) => ({ slug: newSlug(), name: { ko: '키트' }, ...more });
export const createCategory = (catalog: Catalog, more: Partial<z.input<typeof CategoryDraft>> = {}): Promise<Category> =>
  catalog.createCategory({ id: newId(), draft: categoryOf(more) });
