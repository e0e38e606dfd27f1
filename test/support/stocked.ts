import type { Kerf } from '../../src/composition.ts';
import { catalogContract } from '../../src/modules/catalog/contract.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { inventoryContract } from '../../src/modules/inventory/contract.ts';
import { newId } from '../../src/shared/ids.ts';

/** Pieces of each variant: more than anybody buys. */
export const STOCK = 10_000;

/** Two variants on sale, and a code of 10 % that is granted `limit` times; answers the variants' ids. */
export async function stocked(kerf: Kerf, { code, limit }: { code: string; limit: number }): Promise<string[]> {
  const [catalog, inventory, coupon] = [kerf.service(catalogContract), kerf.service(inventoryContract), kerf.service(couponContract)];
  await coupon.createPromotion({ id: newId(), draft: { name: code, class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', codes: [code], totalLimit: limit } as never });
  return Promise.all([30_000, 20_000].map(async (price) => {
    const [id, variantId] = [newId(), newId()];
    await catalog.createProduct({ id, draft: { slug: `p-${id}`, name: { ko: '컵', en: 'Cup' } } });
    const { version } = await catalog.createVariant({ id: variantId, productId: id, draft: { sku: `SKU-${variantId}`, prices: { KRW: price } } });
    await catalog.setProductState({ id, version, state: 'published' });
    await inventory.adjust({ adjustmentId: `stock ${variantId}`, adjustments: [{ variantId, kind: 'received', delta: STOCK }] });
    return variantId;
  }));
}
