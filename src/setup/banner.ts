import { catalogContract } from '../modules/catalog/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import { orderContract } from '../modules/order/contract.ts';
import type { Kerf } from '../composition.ts';
import { isAppError } from '../shared/errors.ts';
import { DEMO_CUSTOMER, type Seeded } from './seed.ts';

/** A cart that belongs to nobody, in which the banner's purchase is priced again at each start. */
const SAMPLE_CART = '01900000-0000-7000-8000-000000000001';
const SAMPLE_CODE = 'KERF5000';
/** In won: enough for the coupon, and an order that ships for a fee. */
const SAMPLE_PRICE = { minPrice: 30_000, maxPrice: 49_000 };

interface Addresses {
  publicUrl: string;
  internalPort: number;
  kerf: Kerf;
  /** undefined: nothing is seeded here */
  seeded: Seeded | undefined;
}

/** The few lines printed when everything runs. */
export async function banner({ publicUrl, internalPort, kerf, seeded }: Addresses): Promise<string> {
  const lines = [
    '',
    `Kerf is running.  API ${publicUrl}/v1   Reference ${publicUrl}/docs   Health ${publicUrl}/readyz   Metrics http://localhost:${internalPort}/metrics`,
  ];
  if (seeded) lines.push(`Demo customer     ${DEMO_CUSTOMER.email} / ${DEMO_CUSTOMER.password}`);
  if (seeded?.administrator) lines.push(`Administrator     ${seeded.administrator.email} / ${seeded.administrator.password}   (shown this once)`);
  const purchase = seeded && (await samplePurchase(kerf));
  if (purchase) lines.push('', 'Buy something:', curl(publicUrl, purchase));
  return `${lines.join('\n')}\n`;
}

interface Purchase {
  variantId: string;
  code: string | undefined;
  expectedTotal: number;
}

/** A product that is there, with the sample coupon where it applies, at the price it has now. */
async function samplePurchase(kerf: Kerf): Promise<Purchase | undefined> {
  const variantId = await sampleVariant(kerf);
  if (!variantId) return undefined;
  const orders = kerf.service(orderContract);
  const cart = { cartId: SAMPLE_CART, viewer: { kind: 'guest' as const } };
  try {
    const { lines } = await orders.createCart({ ...cart, currency: 'KRW' });
    for (const line of lines) await orders.setItemQuantity({ ...cart, itemId: line.id, quantity: 0 });
    await orders.addItem({ ...cart, operationId: crypto.randomUUID(), variantId, quantity: 1 });
    const { totals, codes } = await orders.addCode({ ...cart, code: SAMPLE_CODE });
    const applied = codes.find(({ code }) => code === SAMPLE_CODE)?.applied;
    return { variantId, code: applied ? SAMPLE_CODE : undefined, expectedTotal: totals.total };
  } catch (error) {
    if (isAppError(error)) return undefined;
    throw error;
  }
}

/** Asks inventory itself: the catalogue's copy may be still on its way after the first start. */
async function sampleVariant(kerf: Kerf): Promise<string | undefined> {
  const { items } = await kerf.service(catalogContract).listProducts({ currency: 'KRW', ...SAMPLE_PRICE, sort: 'price_asc', limit: 20 });
  const affordable = ({ KRW = 0 }) => KRW >= SAMPLE_PRICE.minPrice && KRW <= SAMPLE_PRICE.maxPrice;
  const variantIds = items.flatMap(({ variants }) => variants.filter(({ prices }) => affordable(prices)).map(({ id }) => id));
  const { levels } = await kerf.service(inventoryContract).getLevels({ variantIds });
  return levels.find(({ available }) => available > 0)?.variantId;
}

const curl = (publicUrl: string, { variantId, code, expectedTotal }: Purchase) => `curl -s ${publicUrl}/v1/orders -H 'content-type: application/json' -H "idempotency-key: try-$(date +%s)-$RANDOM" -d '{
  "currency": "KRW", "lines": [{ "variantId": "${variantId}", "quantity": 1 }], "codes": ${JSON.stringify(code ? [code] : [])},
  "email": "you@example.com", "expectedTotal": ${expectedTotal}, "payment": { "provider": "sandbox", "token": "sandbox_ok" },
  "shippingAddress": { "name": "You", "phone": "010-1234-5678", "country": "KR", "postalCode": "04524", "city": "Seoul", "line1": "110 Sejong-daero" }
}'`;
