import { z } from 'zod';
import type { ToldAnswer } from '../edge/idempotency.ts';
import { catalogContract } from '../modules/catalog/contract.ts';
import { couponContract } from '../modules/coupon/contract.ts';
import { inventoryContract } from '../modules/inventory/contract.ts';
import { orderContract } from '../modules/order/contract.ts';
import { paymentContract } from '../modules/payment/contract.ts';
import type { Contract, Service } from '../shared/contract.ts';
import { isAppError } from '../shared/errors.ts';

/** Where the public API keeps what it answered under an Idempotency-Key. */
export interface Answers {
  told(operations: readonly string[], limit: number): Promise<{ newest: ToldAnswer[]; all: number }>;
}

/** What became of the answers of the last day. */
export interface Kept {
  /** how many were read back */
  looked: number;
  answers: number;
  /** one for each thing that is not as it was told */
  sentences: string[];
}

/** A thing as an answer showed it. */
interface Told {
  kind: 'product' | 'promotion' | 'cart' | 'payment' | 'level';
  id: string;
  version: number;
}

type Ask = { service<C extends Contract>(contract: C): Service<C> };

const MOST_ANSWERS = 1_000;
const AT_ONCE = 8;
/** Opens every cart; it is of nobody in particular. */
const AUDITOR = { kind: 'staff', userId: '00000000-0000-7000-8000-000000000000' } as const;

const Versioned = z.object({ id: z.string(), version: z.int() });
const Levels = z.object({ levels: z.array(z.object({ variantId: z.string(), version: z.int() })) });

/**
 * What each operation told of. Left out is what its owner may delete within the day: addresses and categories. Orders are
 * kept to their keys by the database itself, a foreign key of the module `order`.
 */
const TOLD_BY: Readonly<Record<string, (answer: unknown) => Told[]>> = {
  createProduct: (answer) => [{ kind: 'product', ...Versioned.parse(answer) }],
  createVariant: (answer) => [{ kind: 'product', ...Versioned.parse(answer) }],
  createPromotion: (answer) => [{ kind: 'promotion', ...Versioned.parse(answer) }],
  createCart: (answer) => [{ kind: 'cart', ...Versioned.parse(answer) }],
  addCartItem: (answer) => [{ kind: 'cart', ...Versioned.parse(answer) }],
  capturePayment: (answer) => [{ kind: 'payment', ...Versioned.parse(answer) }],
  refundPayment: (answer) => [{ kind: 'payment', ...Versioned.parse(answer) }],
  adjustStock: (answer) => Levels.parse(answer).levels.map(({ variantId, version }) => ({ kind: 'level', id: variantId, version })),
};

export const KEPT_OPERATIONS: readonly string[] = Object.keys(TOLD_BY);

/** How a thing is read back; undefined, or `not_found`, when it is gone. */
function readers({ service }: Ask): Record<Told['kind'], (id: string) => Promise<{ version: number } | undefined>> {
  const [catalog, coupon, inventory, orders, payments] = [service(catalogContract), service(couponContract), service(inventoryContract), service(orderContract), service(paymentContract)];
  return {
    product: (id) => catalog.getProduct({ idOrSlug: id, states: ['draft', 'published', 'archived'] }),
    promotion: (id) => coupon.getPromotion({ id }),
    cart: (cartId) => orders.getCart({ cartId, viewer: AUDITOR }),
    payment: async (paymentId) => (await payments.getDetails({ paymentId })).payment,
    level: async (variantId) => (await inventory.getLevels({ variantIds: [variantId] })).levels[0],
  };
}

/**
 * Reads back what clients were told in the last day: it must be there, and not older than it was shown. One sentence for
 * each thing that is not. The newest answers, so that it costs the same in a large shop.
 */
export async function readKept(answers: Answers, kerf: Ask): Promise<Kept> {
  const { newest, all } = await answers.told(KEPT_OPERATIONS, MOST_ANSWERS);
  const newestOf = new Map<string, Told & { operation: string }>();
  for (const { operation, body } of newest.toReversed()) {
    for (const told of TOLD_BY[operation]!(JSON.parse(body))) {
      const known = newestOf.get(`${told.kind} ${told.id}`);
      if (!known || known.version <= told.version) newestOf.set(`${told.kind} ${told.id}`, { ...told, operation });
    }
  }
  const things = [...newestOf.values()];
  const read = readers(kerf);
  const sentences: string[] = [];
  for (let from = 0; from < things.length; from += AT_ONCE) {
    const looked = await Promise.all(things.slice(from, from + AT_ONCE).map((thing) => broken(thing, read[thing.kind])));
    sentences.push(...looked.filter((sentence) => sentence !== undefined));
  }
  return { looked: newest.length, answers: all, sentences };
}

async function broken({ kind, id, version, operation }: Told & { operation: string }, read: (id: string) => Promise<{ version: number } | undefined>): Promise<string | undefined> {
  const found = await read(id).catch((error: unknown) => {
    if (isAppError(error, 'not_found')) return undefined;
    throw error;
  });
  if (found && found.version >= version) return undefined;
  const told = `A client was told of the ${kind === 'level' ? 'stock of variant' : kind} ${id} in version ${version} (${operation})`;
  return found ? `${told}, and it is in version ${found.version}.` : `${told}, and it is not there.`;
}
