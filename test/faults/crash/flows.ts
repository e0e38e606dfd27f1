import { newId } from '../../../src/shared/ids.ts';
import type { Aim } from './faults.ts';
import { type Answer, CODE, type CrashShop, type Sent } from './shop.ts';

/** An order as its shopper was told of it. */
export interface Told {
  status: number;
  id: string;
  headers: { 'x-order-secret': string };
  nextAction: { url: string } | null;
  /** the same request once more, with its key */
  repeat(): Promise<Answer>;
}

/** What a shopper does, request by request. `begin` is before the flow's own first step; what came before is no part of it. */
export interface Flow {
  /** in how the order ends, for who looks it up */
  ends: 'placed' | 'cancelled' | 'expired' | 'refused';
  /** milliseconds that it waits for others by itself: one that begins anew after a fault waits once more */
  takes?: number;
  walk(shop: CrashShop, walk: Walk): Promise<Told>;
}

interface Walk {
  begin(): Promise<void>;
  /** of this walk alone */
  email: string;
}

const shippingAddress = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const MINUTE = 60_000;
/** A late verdict comes after 2 s, and the looks at it after 1, 2 and 4 s. */
const LATE = 7_000;
/** A payment that is not decided is looked at every five minutes; a look that was interrupted is one of those. */
const NEXT_LOOK = 5 * MINUTE;

function orderOf(shop: CrashShop, email: string, token: string, source?: object): Sent {
  const goods = source ?? { currency: 'KRW', codes: [CODE], lines: shop.variants.map((variantId, index) => ({ variantId, quantity: 2 - index })) };
  return { key: newId(), body: { ...goods, email, shippingAddress, expectedTotal: 72_000, payment: { provider: 'sandbox', token } } };
}

const order = (shop: CrashShop, ...what: [email: string, token: string, source?: object]) => place(shop, orderOf(shop, ...what));

async function place(shop: CrashShop, sent: Sent): Promise<Told> {
  const ask = () => shop.send('POST', '/orders', sent);
  const { status, body } = await ask();
  return { status, id: nameOf(body), headers: { 'x-order-secret': body.secret ?? '' }, nextAction: body.nextAction ?? null, repeat: ask };
}

/** The order, or the reason why there is none. */
export const nameOf = (body: Answer['body']) => body.id ?? body.reason ?? '';

async function orderFromCart(shop: CrashShop, email: string): Promise<Told> {
  const { body: { id } } = await shop.send('POST', '/carts', { key: newId(), body: { currency: 'KRW' } });
  for (const [index, variantId] of shop.variants.entries()) {
    await shop.send('POST', `/carts/${id}/items`, { key: newId(), body: { variantId, quantity: 2 - index } });
  }
  await shop.send('POST', `/carts/${id}/coupons`, { body: { code: CODE } });
  return order(shop, email, 'sandbox_ok', { cartId: id });
}

const stateOf = async (shop: CrashShop, { id, headers }: Told) => (await shop.send('GET', `/orders/${id}`, { headers })).body.state;
const becomes = (shop: CrashShop, told: Told, state: string) => shop.until(`the order is ${state}`, async () => (await stateOf(shop, told)) === state);
const paidBy = (token: string): Flow => ({
  ends: 'placed',
  async walk(shop, { begin, email }) {
    await begin();
    const told = await order(shop, email, token);
    await becomes(shop, told, 'placed');
    return told;
  },
});

const refusedBy = (token: string): Flow => ({
  ends: 'refused',
  async walk(shop, { begin, email }) {
    await begin();
    const told = await order(shop, email, token);
    // Whoever is answered before the provider's verdict is known is told of an order, and else of the refusal.
    if (told.status === 201) await becomes(shop, told, 'refused');
    return told;
  },
});

/** A process dies here, and another one finds its order: what begins is the recovery. */
const foundAfter = (aim: Aim, state: string): Flow => ({
  ends: 'placed',
  async walk(shop, { begin, email }) {
    const sent = orderOf(shop, email, 'sandbox_ok');
    await shop.watch(aim);
    await shop.dieOf('POST', '/orders', sent);
    await begin();
    await shop.until(`recovery has the order ${state}`, async () => (await shop.admin.query('select 1 from "order".orders where email = $1 and state = $2', [email, state])).rows.length > 0);
    const told = await place(shop, sent);
    await becomes(shop, told, 'placed');
    return told;
  },
});

export const FLOWS: Readonly<Record<string, Flow>> = {
  'cart': {
    ends: 'placed',
    async walk(shop, { begin, email }) {
      await begin();
      return orderFromCart(shop, email);
    },
  },
  'guest': paidBy('sandbox_ok'),
  'declined': refusedBy('sandbox_declined'),
  'declined later': { ...refusedBy('sandbox_late_decline'), takes: LATE },
  'finished': foundAfter({ point: 'POST /v1/orders › provider.authorize', fault: 'killed after' }, 'placed'),
  'undone': foundAfter({ point: 'POST /v1/orders › payment.pay', fault: 'killed before' }, 'refused'),
  'step-up': {
    ends: 'placed',
    async walk(shop, { begin, email }) {
      await begin();
      const told = await order(shop, email, 'sandbox_action');
      // Where the answer that named the step was lost, recovery has asked the provider by now, and the order says where to go.
      await shop.send('POST', (told.nextAction ?? (await nextAction(shop, told))).url, { body: { approve: true } });
      await becomes(shop, told, 'placed');
      await quiet(shop);
      await shop.send('POST', `/orders/${told.id}/confirm-payment`, { headers: told.headers });
      return told;
    },
  },
  'timeout': paidBy('sandbox_timeout'),
  'late': { ...paidBy('sandbox_late'), takes: LATE },
  'cancel': {
    ends: 'cancelled',
    async walk(shop, { begin, email }) {
      const told = await order(shop, email, 'sandbox_ok');
      await quiet(shop);
      await begin();
      await shop.send('POST', `/orders/${told.id}/cancel`, { headers: told.headers, body: { reason: 'regretted' } });
      await moneyIsBack(shop, told);
      return told;
    },
  },
  'expiry': {
    ends: 'expired',
    async walk(shop, { begin, email }) {
      const told = await order(shop, email, 'sandbox_action');
      await quiet(shop);
      await begin();
      await shop.passes(31 * MINUTE);
      await becomes(shop, told, 'expired');
      return told;
    },
  },
  'paid after expiry': {
    ends: 'expired',
    takes: NEXT_LOOK,
    async walk(shop, { begin, email }) {
      const told = await order(shop, email, 'sandbox_late');
      await shop.admin.query(`update payment.sandbox_charges set decided_at = decided_at + interval '35 minutes' where payment_id = (select id from payment.payments where order_id = $1)`, [told.id]);
      await quiet(shop);
      await begin();
      await shop.passes(31 * MINUTE);
      await becomes(shop, told, 'expired');
      // An undecided payment is looked at every five minutes.
      await shop.passes(10 * MINUTE);
      await moneyIsBack(shop, told);
      return told;
    },
  },
};

const moneyIsBack = (shop: CrashShop, { id, headers }: Told) =>
  shop.until('the money is back', async () => (await shop.send('GET', `/orders/${id}`, { headers })).body.paymentStatus === 'refunded');

const nextAction = async (shop: CrashShop, { id, headers }: Told) => {
  let found: Told['nextAction'] = null;
  await shop.until('the order says where to go', async () => (found = (await shop.send('GET', `/orders/${id}`, { headers })).body.nextAction ?? null) !== null);
  return found!;
};

const quiet = (shop: CrashShop) => shop.until('nothing is left to do', () => isQuiet(shop));

/** No event or job is due, or under way. */
export async function isQuiet({ admin }: CrashShop): Promise<boolean> {
  const due = (module: string) => `select 1 from ${module}_jobs.job where name in ('events', 'jobs') and (state in ('retry', 'active') or (state = 'created' and start_after <= ${module}_jobs.job_now()))`;
  const { rows } = await admin.query(`${['user', 'catalog', 'inventory', 'coupon', 'payment', 'order'].map(due).join(' union all ')} limit 1`);
  return rows.length === 0;
}
