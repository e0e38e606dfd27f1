import { setTimeout as pass } from 'node:timers/promises';
import { newId } from '../../src/shared/ids.ts';

/** What these tests read of carts, orders and problems. */
export interface Body {
  id: string;
  number: string;
  state: string;
  secret: string;
  email: string;
  reason?: string | null;
  hasEmail: boolean;
  approved: boolean;
  total: number;
  lines: { variantId: string; quantity: number }[];
  codes: { code: string }[];
  totals: { total: number };
  nextAction: { url: string } | null;
  name: string;
  accessToken: string;
  refreshToken: string;
  version: number;
  onHand: number;
  slug: string;
  variants: { id: string; sku: string; prices: { KRW: number } }[];
}

export interface Answer {
  status: number;
  body: Body;
}

export interface Sent {
  key?: string;
  headers?: Record<string, string>;
  body?: object;
}

export type Ask = (method: string, path: string, sent?: Sent) => Promise<Answer>;

/** The request was not decided, or not by now: it is sent again, with its key. */
const COME_BACK = ['idempotency_key_in_use', 'order_being_placed', 'rate_limited'];
/** milliseconds between two tries, and for one */
const PAUSE = 200;
const PATIENCE = 15_000;

/** How an order ends that a shopper was told of, once nothing is under way any more. */
export type Ending = 'placed' | 'refused' | 'cancelled';

/** An answer that a client saw, and how the shop is asked for it afterwards. */
interface Entry {
  what: string;
  read: Parameters<Ask>;
  kept(found: Answer): boolean;
}

export type Ledger = ReturnType<typeof createLedger>;

/** What clients were told: each acknowledged change can be read back, and says what it said or what lawfully follows. */
export function createLedger() {
  const entries: Entry[] = [];
  const ends = new Map<string, Ending>();
  const wrong: string[] = [];
  const note = (what: string, read: Parameters<Ask>, kept: Entry['kept']) => void entries.push({ what, read, kept });
  return {
    /** something was answered, of which this can be read */
    told: note,
    /** a change of a cart was answered, by which this holds of it */
    cart: (id: string, what: string, holds: (cart: Body) => boolean) => note(`cart ${id}: ${what}`, ['GET', `/carts/${id}`], ({ status, body }) => status === 200 && holds(body)),
    /** an order was answered to this request, and is to end so */
    ordered(sent: Sent, { body: told }: Answer, ending: Ending): void {
      ends.set(told.id, ending);
      const what = `order ${told.id}, told as ${told.state}`;
      const read = ['GET', `/orders/${told.id}`, { headers: { 'x-order-secret': told.secret } }] as const;
      const content = ({ number, email, lines, totals }: Body) => JSON.stringify([number, email, lines.map(({ variantId, quantity }) => [variantId, quantity]), totals.total]);
      note(what, [...read], ({ status, body }) => status === 200 && content(body) === content(told));
      note(`${what}, ends`, [...read], ({ body }) => body.state === ends.get(told.id));
      note(`${what}, repeated`, ['POST', '/orders', sent], ({ status, body }) => status === 201 && body.id === told.id && body.secret === told.secret);
    },
    /** an order was refused */
    refused: (sent: Sent, told: Answer) => note(`an order, refused with ${told.body.reason}`, ['POST', '/orders', sent], ({ status, body }) => status === told.status && body.reason === told.body.reason),
    /** an order that was told of ends otherwise by what its shopper did since */
    ends: (orderId: string, ending: Ending) => void ends.set(orderId, ending),
    /** something that may never be answered was */
    wrong: (sentence: string) => void wrong.push(sentence),
    wrongs: () => [...wrong],
    /** how many answers are to be kept */
    size: () => entries.length,
    /** Reads everything back. Answers a sentence for each answer that is not kept, by any of the orders that there are. */
    async judge(ask: Ask, orders: readonly { id: string; state: string }[]): Promise<string[]> {
      const lost: string[] = [];
      const left = [...entries];
      const reader = async () => {
        for (let entry = left.shift(); entry; entry = left.shift()) {
          const found = await ask(...entry.read).catch((error: Error) => error);
          if (found instanceof Error) lost.push(`${entry.what}: ${found.message}`);
          else if (!entry.kept(found)) lost.push(`${entry.what}: ${found.status} ${JSON.stringify(found.body)}`);
        }
      };
      await Promise.all(Array.from({ length: 4 }, reader));
      const untold = orders.filter(({ id, state }) => state !== 'refused' && !ends.has(id));
      return [...lost, ...untold.map(({ id, state }) => `Nobody was told of order ${id}, which is ${state}.`)];
    },
  };
}

/** One try of a request, in milliseconds since 1970, and how long it took; undefined: nobody answered. */
export interface Try {
  url: string;
  what: string;
  at: number;
  milliseconds: number;
  status: number | undefined;
}

interface Manner {
  signal: AbortSignal;
  ledger: Pick<Ledger, 'wrong'>;
  /** may be told to come back, by a shop that has lost a part of it, or by these places of it */
  patient?: boolean | readonly string[];
  seen?: (one: Try) => void;
}

/**
 * Asks one of these places after the other until there is an answer that decides; a 500 is none, and is noted. Throws when
 * `signal` ends it before.
 */
export function asking(urls: readonly string[], { signal, ledger, patient: whom = true, seen }: Manner): Ask {
  let asked = 0;
  return async (method, path, sent = {}) => {
    let last: Answer | undefined;
    while (!signal.aborted) {
      const url = urls[asked++ % urls.length]!;
      const patient = typeof whom === 'boolean' ? whom : whom.includes(url);
      const began = performance.now();
      const answer = await send(`${url}/v1${path}`, method, sent);
      const milliseconds = performance.now() - began;
      seen?.({ url, what: `${method} ${path}`, at: Date.now() - milliseconds, milliseconds, status: answer?.status });
      if (answer && (answer.status === 500 || answer.status >= 504)) ledger.wrong(`${method} ${path} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
      else if (!patient && (!answer || answer.status > 500)) ledger.wrong(`${method} ${path} was answered ${answer ? `${answer.status} ${JSON.stringify(answer.body)}` : 'by nobody'}`);
      if (answer && answer.status < 500 && !COME_BACK.includes(answer.body.reason ?? '')) return answer;
      last = answer ?? last;
      await pass(PAUSE);
    }
    throw new Error(`${method} ${path} is without an answer; the last one was ${last?.status} ${last?.body.reason}.`);
  };
}

async function send(url: string, method: string, { key, headers = {}, body }: Sent): Promise<Answer | undefined> {
  try {
    const answer = await fetch(url, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }), ...(key && { 'idempotency-key': key }) },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(PATIENCE),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Body };
  } catch {
    return undefined;
  }
}

/** What one shopper is up to. */
export interface Plan {
  card: 'sandbox_ok' | 'sandbox_declined' | 'sandbox_insufficient_funds' | 'sandbox_action' | 'sandbox_timeout' | 'sandbox_late' | 'sandbox_late_decline';
  /** pieces of each variant in the cart */
  pieces: readonly [number, number];
  code: string | null;
  cancels: boolean;
}

/** A company may have said so too late for the answer. */
const DECLINED: readonly Plan['card'][] = ['sandbox_declined', 'sandbox_insufficient_funds', 'sandbox_late_decline'];
const shippingAddress = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

/** One whole checkout of a guest, entered into the ledger answer by answer. Throws what no shopper should meet. */
export async function checkout({ ask, ledger, variants }: { ask: Ask; ledger: Ledger; variants: readonly string[] }, plan: Plan): Promise<void> {
  const change = async (status: number, ...asked: Parameters<Ask>) => {
    const answer = await ask(...asked);
    if (answer.status !== status) throw new Error(`${asked[0]} ${asked[1]} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  };

  const { body: { id } } = await change(201, 'POST', '/carts', { key: newId(), body: { currency: 'KRW' } });
  ledger.cart(id, 'opened', () => true);
  for (const [index, quantity] of plan.pieces.entries()) {
    const variantId = variants[index]!;
    await change(200, 'POST', `/carts/${id}/items`, { key: newId(), body: { variantId, quantity } });
    ledger.cart(id, `${quantity} of ${variantId} added`, ({ lines }) => lines.filter((line) => line.variantId === variantId).map((line) => line.quantity).join() === `${quantity}`);
  }
  const email = `${newId()}@example.com`;
  let { body: cart } = await change(200, 'PATCH', `/carts/${id}`, { body: { email } });
  ledger.cart(id, 'given an address', ({ hasEmail }) => hasEmail);
  if (plan.code !== null) {
    ({ body: cart } = await change(200, 'POST', `/carts/${id}/coupons`, { body: { code: plan.code } }));
    ledger.cart(id, 'given a code', ({ codes }) => codes.some(({ code }) => code === plan.code));
  }

  let { card } = plan;
  let expectedTotal = cart.totals.total;
  for (;;) {
    const sent = { key: newId(), body: { cartId: id, shippingAddress, expectedTotal, payment: { provider: 'sandbox', token: card } } };
    const answer = await ask('POST', '/orders', sent);
    if (answer.status === 201) {
      ledger.ordered(sent, answer, DECLINED.includes(card) ? 'refused' : 'placed');
      if (answer.body.email !== email) throw new Error(`Order ${answer.body.id} is of ${answer.body.email} instead of ${email}.`);
      return goOn(change, ledger, answer.body, { ...plan, card });
    }
    ledger.refused(sent, answer);
    const { reason } = answer.body;
    const isUsedUp = plan.code !== null && ['total_changed', 'coupon_not_applicable'].includes(reason ?? '');
    const isDeclined = reason === 'payment_declined' && DECLINED.includes(card);
    if (!isUsedUp && !isDeclined) throw new Error(`An order paid by ${card} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
    if (isDeclined) card = 'sandbox_ok';
    expectedTotal = (await change(200, 'GET', `/carts/${id}`)).body.totals.total;
  }
}

async function goOn(change: (status: number, ...asked: Parameters<Ask>) => Promise<Answer>, ledger: Ledger, { id, secret, nextAction }: Body, { card, cancels }: Plan): Promise<void> {
  const headers = { 'x-order-secret': secret };
  if (card === 'sandbox_action') {
    let next = nextAction;
    // Where the provider's answer was lost, its next step is known to whoever asks how the payment stands.
    for (; !next; await pass(PAUSE)) next = (await change(200, 'POST', `/orders/${id}/confirm-payment`, { headers })).body.nextAction;
    const { body } = await change(200, 'POST', new URL(next.url).pathname.replace('/v1', ''), { body: { approve: true } });
    if (!body.approved) throw new Error(`Order ${id} was approved, and it was answered that it is not.`);
    await change(200, 'POST', `/orders/${id}/confirm-payment`, { headers });
  }
  if (!cancels || DECLINED.includes(card)) return;
  await change(200, 'POST', `/orders/${id}/cancel`, { headers, body: { reason: 'regretted' } });
  ledger.ends(id, 'cancelled');
}

/** Shoppers come at this pace, in milliseconds, however slowly those before them are served. What none should meet is noted. */
export function comeShopping(plans: readonly Plan[], every: number, shop: { ask: Ask; ledger: Ledger; variants: readonly string[] }): { come: Promise<unknown>; served: Promise<unknown> } {
  const comes = plans.map((_, index) => pass(index * every));
  const served = comes.map((here, index) => here.then(() => checkout(shop, plans[index]!)).catch(({ message }: Error) => shop.ledger.wrong(message)));
  return { come: Promise.all(comes), served: Promise.all(served) };
}
