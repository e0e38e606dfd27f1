import { toAuditPage } from '../../shared/audit.ts';
import type { EventType } from '../../shared/contract.ts';
import { asReplay, conflict, invalid, notFound } from '../../shared/errors.ts';
import { decodeCursor, encodeCursor } from '../../shared/http.ts';
import { newId } from '../../shared/ids.ts';
import type { Currency } from '../../shared/money.ts';
import * as carts from './cart.ts';
import { presentCart } from './cart-view.ts';
import { orderContract, type OrderFacts, type Orders, Placement, type Viewer } from './contract.ts';
import { begin, beingPlaced, cancel, complete, isLive, type Order, type OrderLine, refuse } from './order.ts';
import { actorOf, assertVisibleTo, presentOrder } from './order-view.ts';
import { NO_PAYMENT } from './payment-facts.ts';
import { bill, type CheckoutLine, type OfferedVariant, offerLines, shippingFee, type WantedLine } from './pricing.ts';
import { paymentDeclined, settle } from './settlement.ts';

export interface FakeOrders extends Orders {
  /** a variant that can be bought for `unitPrice` in any currency */
  offer(variantId: string, unitPrice: number): void;
  /** a code that is known and takes nothing off */
  know(code: string): void;
  /** the provider decides on an order that waits for its payment */
  decide(orderId: string, approve?: boolean): void;
  /** what would have been published, oldest first */
  readonly published: { type: string; data: Record<string, unknown> }[];
}

const terms = (currency: Currency) => ({ currency, shippingFee: 3_000, freeShippingFrom: 50_000, includedTaxBasisPoints: 1_000 });

/**
 * Carts and orders in memory, by the real rules, with endless stock and without discounts or accounts. Payments follow the
 * tokens of the sandbox: `sandbox_declined`, `sandbox_action`, and anything else is paid.
 */
export function createFakeOrders(now: () => Date = () => new Date()): FakeOrders {
  const variants = new Map<string, OfferedVariant>();
  const codes = new Set<string>();
  const cartsById = new Map<string, carts.Cart>();
  const orders = new Map<string, Order>();
  const keys = new Map<string, { fingerprint: string; orderId: string }>();
  const operations = new Set<string>();
  const published: FakeOrders['published'] = [];

  const secretOf = (orderId: string) => `secret of ${orderId}`;
  const priced = (lines: readonly WantedLine[], currency: Currency) => {
    const offered = offerLines(lines, [...variants.values()]);
    return bill(terms(currency), offered, [], shippingFee(terms(currency), offered));
  };
  const present = (cart: carts.Cart) => {
    const unused = cart.codes.map((code) => ({ code, applied: false, reason: 'nothing_to_discount', message: 'There is nothing left that this code could take off.' }));
    return presentCart(cart, { ...priced(cart.lines, cart.currency), discounts: [], codes: unused }, []);
  };
  const openCart = (cartId: string, viewer: Viewer) => {
    const cart = cartsById.get(cartId);
    carts.assertOpenTo(cart, viewer);
    return cart;
  };
  const saveCart = (cart: carts.Cart) => {
    const saved = { ...cart, version: cart.version + 1, updatedAt: now() };
    cartsById.set(cart.id, saved);
    return saved;
  };
  const change = async ({ cartId, viewer, version }: { cartId: string; viewer: Viewer; version?: number | undefined }, decide: (cart: carts.Cart) => carts.Cart) => {
    const cart = openCart(cartId, viewer);
    carts.assertChangeable(cart, version);
    const changed = decide(cart);
    return present(changed === cart ? cart : saveCart(changed));
  };
  const activeCartOf = (customerId: string) => [...cartsById.values()].find((cart) => cart.customerId === customerId && cart.state === 'active');

  const publish = ({ type }: EventType, data: Record<string, unknown>) => void published.push({ type, data });
  const save = (order: Order, before?: Order): Order => {
    const saved = before ? { ...order, version: before.version + 1 } : order;
    orders.set(saved.id, saved);
    if (saved.state === before?.state) return saved;
    const at = now().toISOString();
    const { placed, cancelled } = orderContract.events;
    if (saved.state === 'placed') publish(placed, { ...placedData(saved), placedAt: at });
    if (saved.state === 'cancelled') publish(cancelled, { orderId: saved.id, wasPlaced: before?.state === 'placed', cancelledAt: at, reason: saved.reason ?? '' });
    const cart = saved.state === 'refused' && cartsById.get(saved.cartId ?? '');
    if (cart) saveCart({ ...cart, state: 'active' });
    return saved;
  };
  const visible = (orderId: string, viewer: Viewer): Order => {
    const order = orders.get(orderId);
    assertVisibleTo(order, viewer, (given) => given === secretOf(orderId), now());
    return order;
  };
  const answer = (order: Order, viewer: Viewer, replayed: boolean) => {
    if (order.refusal) {
      const refusal = conflict(order.refusal.reason, order.refusal.message, order.refusal.details);
      throw replayed ? asReplay(refusal) : refusal;
    }
    if (order.state === 'placing') throw beingPlaced();
    return { order: presentOrder(order, viewer), secret: secretOf(order.id), replayed };
  };

  const place = (input: Placement): Order => {
    const { source, viewer, shippingAddress, payment, orderId } = input;
    const cart = source.kind === 'cart' ? openCart(source.cartId, viewer) : undefined;
    if (cart && cart.state !== 'active') throw carts.cartNotActive();
    const currency = cart?.currency ?? (source.kind === 'lines' ? source.currency : 'KRW');
    const wanted = cart?.lines ?? (source.kind === 'lines' ? source.lines : []);
    const customerId = viewer.kind === 'customer' ? viewer.customerId : null;
    if (wanted.length === 0) throw conflict('cart_empty', 'There is nothing in the cart.');
    const email = customerId ? 'account@example.com' : (input.email ?? cart?.email);
    if (!email) throw invalid('email_required', 'A guest needs an e-mail address for the order.');
    if (!shippingAddress) throw invalid('address_required', 'Say where the order goes.');
    const { lines, totals } = priced(wanted.map((line) => ({ ...line, id: newId() })), currency);
    assertBuyable(lines);
    if (totals.total !== input.expectedTotal) throw conflict('total_changed', 'The total is no longer what was expected.', { expected: input.expectedTotal, total: totals.total });
    if (cart) saveCart({ ...cart, state: 'ordered', orderId });
    const claim = { token: orderId, until: now() };
    const begun = begin({
      id: orderId, cartId: cart?.id ?? null, customerId, email, currency, totals, lines: lines as OrderLine[],
      discounts: [], codes: [], shippingAddress, claim, holdsUntil: new Date(now().getTime() + 40 * 60_000), by: actorOf(viewer), at: now(),
    });
    const order = { ...begun, number: `K-26${String(orders.size + 1).padStart(7, '0')}` };
    return save(paid(order, payment.token), order);
  };
  const paid = (order: Order, token: string): Order => {
    const declined = { ...order, payment: { ...NO_PAYMENT, progress: 'declined' as const, declineReason: 'card_declined' } };
    if (token === 'sandbox_declined') return refuse(declined, paymentDeclined(declined), now());
    const waits = { ...NO_PAYMENT, progress: 'requires_action' as const, nextActionUrl: 'http://shop.test/pay' };
    const facts = token === 'sandbox_action' ? waits : { ...NO_PAYMENT, captured: order.totals.total };
    return settle(order, facts, { now: now(), token: order.id, windowMinutes: 30 });
  };

  return {
    published,
    offer: (variantId, unitPrice) =>
      void variants.set(variantId, { variantId, unitPrice, problem: null, productId: newId(), sku: `SKU-${variantId}`, name: { ko: '조약돌 텀블러', en: '' }, options: {}, categoryIds: [] }),
    know: (code) => void codes.add(carts.normalizeCode(code)),
    decide(orderId, approve = true) {
      const order = orders.get(orderId)!;
      const facts = approve ? { ...NO_PAYMENT, captured: order.totals.total } : { ...NO_PAYMENT, progress: 'declined' as const };
      save(settle(order, facts, { now: now(), token: null, windowMinutes: 30 }), order);
    },

    async createCart({ cartId, viewer, currency }) {
      const customerId = viewer.kind === 'customer' ? viewer.customerId : null;
      const known = cartsById.get(cartId);
      const active = customerId && !known ? activeCartOf(customerId) : undefined;
      if (active) {
        const continued = carts.inCurrency(active, terms(currency));
        return present(continued === active ? active : saveCart(continued));
      }
      if (!known) cartsById.set(cartId, { id: cartId, state: 'active', customerId, email: null, currency, terms: terms(currency), version: 1, lines: [], codes: [], updatedAt: now() });
      return present(openCart(cartId, viewer));
    },
    getCart: async ({ cartId, viewer }) => present(openCart(cartId, viewer)),
    addItem: async ({ operationId, variantId, quantity, ...cart }) => {
      if (operations.has(operationId)) return present(openCart(cart.cartId, cart.viewer));
      return change(cart, (found) => {
        if (!variants.has(variantId)) throw conflict('item_unavailable', 'This item cannot be bought in the currency of the cart.');
        const added = carts.addItem(found, { id: newId(), variantId, quantity });
        operations.add(operationId);
        return added;
      });
    },
    setItemQuantity: async ({ itemId, quantity, ...cart }) => change(cart, (found) => carts.setQuantity(found, itemId, quantity)),
    setEmail: async ({ email, ...cart }) => change(cart, (found) => ({ ...found, email })),
    addCode: async ({ code, ...cart }) =>
      change(cart, (found) => {
        if (!codes.has(carts.normalizeCode(code))) throw invalid('unknown_code', 'There is no such code.');
        return carts.addCode(found, code);
      }),
    removeCode: async ({ code, ...cart }) => change(cart, (found) => carts.removeCode(found, code)),
    async mergeCart({ cartId, customerId }) {
      const source = openCart(cartId, { kind: 'customer', customerId });
      const target = activeCartOf(customerId);
      if (source.state === 'merged') return present(target ?? openCart(source.mergedInto, { kind: 'customer', customerId }));
      if (source.state === 'ordered') throw carts.cartNotActive();
      if (source.customerId) return present(source);
      if (!target) return present(saveCart({ ...source, customerId }));
      const merged = saveCart(carts.mergeInto(target, source, newId));
      saveCart({ ...source, state: 'merged', mergedInto: target.id });
      return present(merged);
    },

    async placeOrder(given) {
      const input = Placement.parse(given);
      const { scope, key, fingerprint } = input.idempotency;
      const known = keys.get(`${scope} ${key}`);
      if (known && known.fingerprint !== fingerprint) throw conflict('idempotency_key_reused', 'This Idempotency-Key was used for a different request.');
      const live = [...orders.values()].find((order) => input.source.kind === 'cart' && order.cartId === input.source.cartId && isLive(order));
      const before = known ? orders.get(known.orderId) : live;
      const order = before ?? place(input);
      keys.set(`${scope} ${key}`, { fingerprint, orderId: order.id });
      return answer(order, input.viewer, before !== undefined);
    },
    confirmPayment: async ({ orderId, viewer }) => presentOrder(visible(orderId, viewer), viewer),
    getOrder: async ({ orderId, viewer }) => presentOrder(visible(orderId, viewer), viewer),
    async listOrders({ viewer, state, email, number, cursor, limit }) {
      const from = cursor === undefined ? 0 : Number(decodeCursor(cursor)?.[0]);
      if (!Number.isSafeInteger(from)) throw invalid('invalid_cursor', 'The cursor is not one of ours.');
      const mine = [...orders.values()].toReversed().filter(({ customerId }) => viewer.kind === 'staff' || (viewer.kind === 'customer' && customerId === viewer.customerId));
      const found = mine.filter((order) => (state ? order.state === state : order.state !== 'refused') && (email ?? order.email) === order.email && (number ?? order.number) === order.number);
      const items = found.slice(from, from + limit).map((order) => presentOrder(order, viewer));
      return { items, nextCursor: from + limit < found.length ? encodeCursor([from + limit]) : null };
    },
    async cancelOrder({ orderId, viewer, reason }) {
      const order = visible(orderId, viewer);
      const cancelled = cancel(order, { at: now(), by: actorOf(viewer), reason });
      return presentOrder(cancelled === order ? order : save(cancelled, order), viewer);
    },
    async completeOrder({ orderId, viewer }) {
      if (viewer.kind !== 'staff') throw notFound('order');
      const order = visible(orderId, viewer);
      const completed = complete(order, { at: now(), by: actorOf(viewer), reason: '' });
      return presentOrder(completed === order ? order : save(completed, order), viewer);
    },
    audit: async ({ from, limit }) =>
      toAuditPage([...orders.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).filter(({ id }) => from === null || id >= from).map(factsOf), limit),
    auditOwn: async () => ({ violations: [] }),
  };
}

const factsOf = ({ id, state, currency, lines, discounts, totals, payment, history, holdsUntil, expiresAt, placedAt }: Order): OrderFacts => ({
  orderId: id, state, currency, lines, discounts, total: totals.total, captured: payment.captured, refunded: payment.refunded,
  holdsUntil: holdsUntil.toISOString(), expiresAt: expiresAt?.toISOString() ?? null, placedAt: placedAt?.toISOString() ?? null,
  since: history.at(-1)!.at.toISOString(),
});

function assertBuyable(lines: readonly CheckoutLine[]): void {
  const unavailable = lines.filter(({ problem }) => problem !== null).map(({ variantId, problem }) => ({ variantId, problem }));
  if (unavailable.length > 0) throw conflict('item_unavailable', 'Something in the cart cannot be bought any more.', { lines: unavailable });
}

const placedData = ({ id, number, customerId, email, currency, totals, lines }: Order) => ({
  orderId: id, number, customerId, email, currency, total: totals.total,
  lines: lines.map((line) => ({ lineId: line.id, variantId: line.variantId, productId: line.productId, quantity: line.quantity, total: line.total })),
});
