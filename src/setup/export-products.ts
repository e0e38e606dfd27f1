import type { Kerf } from '../composition.ts';
import { catalogContract, type Product } from '../modules/catalog/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import { formatProductFile, type ProductFileRow } from './product-file.ts';

/** All draft and published products with what is on hand, in the form that `importProducts` reads. */
export async function exportProducts(kerf: Kerf): Promise<{ file: string; products: number }> {
  const rows: Omit<ProductFileRow, 'line'>[] = [];
  let products = 0;
  for await (const page of pages(kerf)) {
    products += page.length;
    const variantIds = page.flatMap(({ variants }) => variants.map(({ id }) => id));
    const onHand = await levels(kerf, variantIds);
    rows.push(...page.flatMap((product) => rowsOf(product, onHand)));
  }
  return { file: formatProductFile(rows), products };
}

async function* pages(kerf: Kerf): AsyncGenerator<Product[]> {
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await kerf
      .service(catalogContract)
      .listProducts({ states: ['draft', 'published'], sort: 'name', limit: 100, ...(cursor && { cursor }) });
    yield page.items;
    cursor = page.nextCursor;
  }
}

async function levels(kerf: Kerf, variantIds: string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (let start = 0; start < variantIds.length; start += 500) {
    const { levels: some } = await kerf.service(inventoryContract).getLevels({ variantIds: variantIds.slice(start, start + 500) });
    for (const { variantId, onHand } of some) found.set(variantId, onHand);
  }
  return found;
}

const rowsOf = ({ slug, category, name, description, state, variants }: Product, onHand: ReadonlyMap<string, number>) =>
  variants
    .filter(({ active }) => active)
    .map(({ id, options, sku, prices }) => ({
      slug, category: category?.slug ?? '', name, description, options, sku, prices, stock: Math.max(0, onHand.get(id) ?? 0), state: state === 'draft' ? ('draft' as const) : ('published' as const),
    }));
