import { catalogContract } from '../modules/catalog/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import { orderContract } from '../modules/order/contract.ts';
import type { Kerf } from '../composition.ts';
import { isAppError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { DEMO_CUSTOMER } from './seed.ts';

const SAMPLE_CODE = 'KERF5000';
/** In won: enough for the coupon, and an order that ships for a fee. */
const SAMPLE_PRICE = { minPrice: 30_000, maxPrice: 49_000 };
const PAYMENT = { provider: 'sandbox', token: 'sandbox_ok' };
const ADDRESS = { name: 'You', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: 'Seoul', line1: '110 Sejong-daero' };

/** A purchase that works as it stands: goods that are there, the sample coupon where it applies, the price of now. */
export interface Sample {
  variantId: string;
  codes: string[];
  expectedTotal: number;
}

/** The few lines printed when everything runs. `demo`: this shop is the demo shop. */
export function banner({ publicUrl, internal, demo, sample }: { publicUrl: string; internal: string; demo: boolean; sample: Sample | undefined }): string {
  const lines = [
    '',
    `Kerf is running.  API ${publicUrl}/v1   Reference ${publicUrl}/docs   Health ${publicUrl}/readyz   Metrics ${metricsAt(internal)}`,
  ];
  if (demo) lines.push(`Demo customer     ${DEMO_CUSTOMER.email} / ${DEMO_CUSTOMER.password}`);
  if (sample) lines.push('', 'Buy something:', curl(publicUrl, sample));
  return `${lines.join('\n')}\n`;
}

/** What a person can open, or paste. */
const metricsAt = (internal: string) => (internal.startsWith('unix:') ? `curl --unix-socket ${internal.slice('unix:'.length)} http://localhost/metrics` : `${internal}/metrics`);

/** Priced in a cart of its own, which is forgotten like any guest's. */
export async function samplePurchase(kerf: Kerf): Promise<Sample | undefined> {
  const variantId = await sampleVariant(kerf);
  if (!variantId) return undefined;
  const orders = kerf.service(orderContract);
  const cart = { cartId: newId(), viewer: { kind: 'guest' as const } };
  try {
    await orders.createCart({ ...cart, currency: 'KRW' });
    await orders.addItem({ ...cart, operationId: newId(), variantId, quantity: 1 });
    const { totals, codes } = await orders.addCode({ ...cart, code: SAMPLE_CODE });
    return { variantId, codes: codes.filter(({ applied }) => applied).map(({ code }) => code), expectedTotal: totals.total };
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

/** The same purchase, and its goods, as example bodies of the reference page. */
export const examplesOf = ({ variantId, codes, expectedTotal }: Sample) => ({
  placeOrder: {
    currency: 'KRW', lines: [{ variantId, quantity: 1 }], codes, email: 'you@example.com', shippingAddress: ADDRESS, payment: PAYMENT, expectedTotal,
  },
  addCartItem: { variantId, quantity: 1 },
  adjustStock: { adjustments: [{ variantId, kind: 'received', delta: 10, note: 'a delivery' }] },
});

const curl = (publicUrl: string, { variantId, codes, expectedTotal }: Sample) => `curl -s ${publicUrl}/v1/orders -H 'content-type: application/json' -H "idempotency-key: try-$(date +%s)-$$-$RANDOM" -d '{
  "currency": "KRW", "lines": [{ "variantId": "${variantId}", "quantity": 1 }], "codes": ${JSON.stringify(codes)},
  "email": "you@example.com", "expectedTotal": ${expectedTotal}, "payment": ${JSON.stringify(PAYMENT)},
  "shippingAddress": ${JSON.stringify(ADDRESS)}
}'`;
