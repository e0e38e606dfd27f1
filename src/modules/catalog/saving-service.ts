import type { Transaction } from '../../shared/database.ts';
import type { Publish } from '../../shared/events.ts';
import { insertProducts, insertVariants, saveListings, updateProducts, updateVariants } from './catalog-repository.ts';
import { pathTo } from './categories.ts';
import { catalogContract, type Category } from './contract.ts';
import { isListedAlike, listingOf } from './listing.ts';
import type { CatalogProduct } from './product.ts';
import type { ProductChange } from './product-import.ts';

const { productPublished, productArchived } = catalogContract.events;

/** Writes what changed, with what lists and search know of it, and says so. What did not change is not touched. */
export async function saveProducts(trx: Transaction, publish: Publish, categories: readonly Category[], all: readonly ProductChange[]): Promise<void> {
  const changes = all.filter(({ before, after }) => before !== after);
  const variants = changes.map(changedVariants);
  await insertProducts(trx, changes.filter(({ before }) => !before).map(({ after }) => after));
  await updateProducts(trx, changes.filter(({ before }) => before).map(({ after }) => after));
  await updateVariants(trx, variants.flatMap(({ updated }) => updated));
  await insertVariants(trx, variants.flatMap(({ added }) => added));
  await relist(trx, categories, changes.filter(({ before, after }) => !before || !isListedAlike(before, after)).map(({ after }) => after));
  await publish(trx, productPublished, changes.filter(({ after }) => after.state === 'published').map(factsOf));
  await publish(trx, productArchived, changes.filter(({ before, after }) => before?.state === 'published' && after.state !== 'published').map(factsOf));
}

const factsOf = ({ after }: ProductChange) => ({ productId: after.id, slug: after.slug, version: after.version });

/** Writes what products are found by, with the names of the categories above them. */
export const relist = (trx: Transaction, categories: readonly Category[], products: readonly CatalogProduct[]) =>
  saveListings(trx, products, (product) => listingOf(product, pathTo(categories, product.categoryId).map(({ name }) => name)));

function changedVariants({ before, after }: ProductChange) {
  const known = new Set(before?.variants.map(({ id }) => id));
  const same = new Set(before?.variants);
  const changed = after.variants.filter((variant) => !same.has(variant)).map((variant) => ({ ...variant, productId: after.id }));
  return { added: changed.filter(({ id }) => !known.has(id)), updated: changed.filter(({ id }) => known.has(id)) };
}
