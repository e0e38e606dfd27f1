import type { Cart, orderContract, Orders, Placement, Viewer } from '../modules/order/contract.ts';
import { userContract } from '../modules/user/contract.ts';
import { AppError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { atOnce, countsOf, expectMatch, expectRefusal, expectSameAgain, Finding } from './expectation.ts';
import { type Case, reading, writing } from './suite.ts';

type Cases = Record<string, Case<typeof orderContract>['run']>;

const GUEST: Viewer = { kind: 'guest' };
const STAFF: Viewer = { kind: 'staff', userId: newId() };
const customer = (customerId = newId()) => ({ kind: 'customer' as const, customerId });
/** Everybody who may ask, none of whom has anything to do with what they ask for. */
const ANYBODY: Viewer[] = [GUEST, { ...GUEST, secret: 'nonsense' }, customer(), { ...customer(), secret: 'nonsense' }, STAFF];
const STRANGERS = ANYBODY.filter(({ kind }) => kind !== 'staff');

const unknownThings: Cases = {
  'a cart or an order that is not there is not_found, whoever asks': async ({ service: orders }) => {
    for (const viewer of ANYBODY) {
      await expectRefusal(orders.getCart({ cartId: newId(), viewer }), 'not_found');
      await expectRefusal(orders.getOrder({ orderId: newId(), viewer }), 'not_found');
    }
  },
  'who is new has no orders, and a guest has no list': async ({ service: orders }) => {
    for (const viewer of [GUEST, customer()]) expectMatch(await orders.listOrders({ viewer, limit: 10 }), { items: [], nextCursor: null });
    expectMatch(await orders.listOrders({ viewer: STAFF, number: 'K-KIT', limit: 10 }), { items: [], nextCursor: null });
  },
  'a cursor that it has not given is invalid_cursor': async ({ service: orders }) => {
    for (const cursor of ['nonsense', '']) await expectRefusal(orders.listOrders({ viewer: STAFF, cursor, limit: 1 }), 'invalid_cursor');
  },
};

/** A new cart, still empty: what is in one is for the catalogue to say. */
const begin = (orders: Orders, viewer: Viewer = GUEST): Promise<Cart> => orders.createCart({ cartId: newId(), viewer, currency: 'KRW' });
const reread = (orders: Orders, { id: cartId }: Cart) => orders.getCart({ cartId, viewer: STAFF });
const emailOf = (cart: Cart, viewer: Viewer, version?: number) => ({ cartId: cart.id, viewer, email: `kit-${newId()}@example.com`, ...(version !== undefined && { version }) });

const EMPTY = { hasEmail: false, state: 'active', currency: 'KRW', lines: [], codes: [], discounts: [], problems: [], totals: { subtotal: 0, discount: 0 } };

const beginning: Cases = {
  'answers an empty cart, the same however often it comes': async ({ service: orders }) => {
    const cartId = newId();
    const [first, ...others] = await atOnce(10, () => orders.createCart({ cartId, viewer: GUEST, currency: 'KRW' }));
    for (const other of others) expectMatch(other, first, 'One of ten answers');
    expectMatch(await expectSameAgain(() => orders.createCart({ cartId, viewer: GUEST, currency: 'KRW' })), { ...EMPTY, id: cartId, customerId: null });
    expectMatch(await orders.getCart({ cartId, viewer: GUEST }), first, 'The cart, read again,');
  },
  'answers a customer the active cart there is, also to ten at once': async ({ service: orders }) => {
    const viewer = customer();
    const carts = (await atOnce(10, () => begin(orders, viewer))) as Cart[];
    expectMatch(new Set(carts.map(({ id }) => id)).size, 1, 'How many carts ten got');
    expectMatch(await begin(orders, viewer), { ...EMPTY, id: carts[0]!.id, customerId: viewer.customerId });
  },
  'changes the currency of a customer\'s cart that is empty': async ({ service: orders }) => {
    const viewer = customer();
    const { id } = await begin(orders, viewer);
    expectMatch(await orders.createCart({ cartId: newId(), viewer, currency: 'USD' }), { id, currency: 'USD' });
  },
  'of somebody else is not_found, by its id or to be begun': async ({ service: orders }) => {
    const owner = customer();
    const cart = await begin(orders, owner);
    for (const viewer of STRANGERS) {
      await expectRefusal(orders.getCart({ cartId: cart.id, viewer }), 'not_found');
      await expectRefusal(orders.setEmail(emailOf(cart, viewer)), 'not_found');
      await expectRefusal(orders.removeCode({ cartId: cart.id, viewer, code: 'KIT' }), 'not_found');
      await expectRefusal(orders.setItemQuantity({ cartId: cart.id, viewer, itemId: newId(), quantity: 1 }), 'not_found');
      await expectRefusal(orders.addItem({ cartId: cart.id, viewer, operationId: newId(), variantId: newId(), quantity: 1 }), 'not_found');
      await expectRefusal(orders.addCode({ cartId: cart.id, viewer, code: 'KIT' }), 'not_found');
      await expectRefusal(orders.createCart({ cartId: cart.id, viewer, currency: 'KRW' }), 'not_found');
    }
    for (const viewer of [owner, STAFF]) expectMatch(await orders.getCart({ cartId: cart.id, viewer }), cart);
  },
  'of a guest is opened by its id': async ({ service: orders }) => {
    const cart = await begin(orders);
    for (const viewer of ANYBODY) expectMatch(await orders.getCart({ cartId: cart.id, viewer }), cart);
  },
};

const changing: Cases = {
  'setEmail: is kept once, and never told again': async (wire) => {
    const cart = await begin(wire.service);
    const email = emailOf(cart, GUEST);
    const after = await expectSameAgain(() => wire.service.setEmail(email));
    expectMatch(after, { id: cart.id, hasEmail: true });
    if (after.version <= cart.version) throw new Finding('The version grows with each change.', `more than ${cart.version}`, after.version);
    await wire.service.getCart({ cartId: cart.id, viewer: GUEST });
    if (wire.last.answered?.text.includes(email.email)) throw new Finding('A cart does not tell the address of its guest.', { hasEmail: true }, wire.last.answered.text);
  },
  'lets one of ten changes of the same version through': async ({ service: orders }) => {
    const cart = await begin(orders);
    const outcomes = await atOnce(10, () => orders.setEmail(emailOf(cart, GUEST, cart.version)));
    expectMatch(countsOf(outcomes), { done: 1, version_mismatch: 9 }, 'What came of ten');
    await expectRefusal(orders.setEmail(emailOf(cart, GUEST, cart.version)), 'version_mismatch');
  },
  'removeCode: of a code that is not there is fine, and changes nothing': async ({ service: orders }) => {
    const cart = await begin(orders);
    expectMatch(await expectSameAgain(() => orders.removeCode({ cartId: cart.id, viewer: GUEST, code: 'KIT' })), cart);
  },
  'setItemQuantity: of a line that is not there is item_not_found': async ({ service: orders }) => {
    const cart = await begin(orders);
    await expectRefusal(orders.setItemQuantity({ cartId: cart.id, viewer: GUEST, itemId: newId(), quantity: 1 }), 'item_not_found');
    expectMatch(await reread(orders, cart), cart, 'The cart, read again,');
  },
};

/** A guest's cart, and a customer with or without one. */
async function meeting(orders: Orders, { hasCart }: { hasCart: boolean }) {
  const viewer = customer();
  const [guests, own] = [await begin(orders), hasCart ? await begin(orders, viewer) : undefined];
  return { viewer, guests, own };
}

const merging: Cases = {
  'gives the cart to a customer who has none, once': async ({ service: orders }) => {
    const { viewer: { customerId }, guests: { id: cartId } } = await meeting(orders, { hasCart: false });
    expectMatch(countsOf(await atOnce(10, () => orders.mergeCart({ cartId, customerId }))), { done: 10 }, 'What came of ten');
    expectMatch(await expectSameAgain(() => orders.mergeCart({ cartId, customerId })), { id: cartId, customerId, state: 'active' });
    for (const viewer of STRANGERS) await expectRefusal(orders.getCart({ cartId, viewer }), 'not_found');
  },
  'puts it into the cart a customer has; it takes no more changes': async ({ service: orders }) => {
    const { viewer: { customerId }, guests, own } = await meeting(orders, { hasCart: true });
    expectMatch(await expectSameAgain(() => orders.mergeCart({ cartId: guests.id, customerId })), { id: own!.id, customerId, state: 'active' });
    expectMatch(await reread(orders, guests), { state: 'merged' });
    await expectRefusal(orders.setEmail(emailOf(guests, GUEST)), 'cart_not_active');
  },
  'refuses a cart that is not there, or somebody else\'s': async ({ service: orders }) => {
    const { id: cartId } = await begin(orders, customer());
    for (const other of [cartId, newId()]) await expectRefusal(orders.mergeCart({ cartId: other, customerId: newId() }), 'not_found');
  },
};

const { loggedIn } = userContract.events;

const listening: Cases = {
  'user.logged_in merges the cart in hand, once however often it comes': async (wire) => {
    const { viewer: { customerId }, guests, own } = await meeting(wire.service, { hasCart: true });
    const id = newId();
    await Promise.all(Array.from({ length: 10 }, () => wire.tell(loggedIn, { userId: customerId, cartId: guests.id }, id)));
    expectMatch(await reread(wire.service, guests), { state: 'merged' });
    expectMatch(await reread(wire.service, own!), { state: 'active', customerId });
  },
  'user.logged_in with no cart, or one that cannot be merged, changes nothing': async (wire) => {
    const foreign = await begin(wire.service, customer());
    for (const cartId of [null, newId(), foreign.id]) await wire.tell(loggedIn, { userId: newId(), cartId });
    expectMatch(await reread(wire.service, foreign), foreign, 'The cart of somebody else');
  },
};

const ADDRESS = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110', region: '', line2: '' };
const placement = (cartId: string, more: Partial<Placement> = {}): Placement => ({
  idempotency: { scope: 'guest', key: newId(), fingerprint: newId() },
  orderId: newId(),
  viewer: GUEST,
  source: { kind: 'cart', cartId },
  email: 'kit@example.com',
  shippingAddress: ADDRESS,
  payment: { provider: 'sandbox', token: 'sandbox_ok' },
  expectedTotal: 0,
  ...more,
});

const placing: Cases = {
  'of an empty cart is cart_empty, also again and ten times at once, and leaves the cart as it is': async ({ service: orders }) => {
    const cart = await begin(orders);
    const order = placement(cart.id);
    for (const _ of [1, 2]) await expectRefusal(orders.placeOrder(order), 'cart_empty');
    const outcomes = await atOnce(10, () => orders.placeOrder(order));
    const others = outcomes.filter((one) => !(one instanceof AppError) || !['cart_empty', 'idempotency_key_in_use'].includes(one.reason));
    expectMatch(others, [], 'What else came of ten');
    await expectRefusal(orders.getOrder({ orderId: order.orderId, viewer: STAFF }), 'not_found');
    expectMatch(await reread(orders, cart), cart, 'The cart, read again,');
  },
  'of a cart that is not there, or somebody else\'s, is not_found': async ({ service: orders }) => {
    const foreign = await begin(orders, customer());
    for (const cartId of [newId(), foreign.id]) for (const viewer of STRANGERS) await expectRefusal(orders.placeOrder(placement(cartId, { viewer })), 'not_found');
  },
  'of a cart that was merged is refused: it has no order': async ({ service: orders }) => {
    const { viewer: { customerId }, guests } = await meeting(orders, { hasCart: true });
    await orders.mergeCart({ cartId: guests.id, customerId });
    await expectRefusal(orders.placeOrder(placement(guests.id)), 'cart_not_active');
  },
  'what is done to an order that is not there is not_found, whoever does it': async ({ service: orders }) => {
    for (const viewer of ANYBODY) {
      await expectRefusal(orders.confirmPayment({ orderId: newId(), viewer }), 'not_found');
      await expectRefusal(orders.cancelOrder({ orderId: newId(), viewer, reason: '' }), 'not_found');
      await expectRefusal(orders.completeOrder({ orderId: newId(), viewer }), 'not_found');
    }
  },
};

/** What needs no other module to answer: prices, stock, coupons and payments are shown by tests of the whole shop. */
export const orderSuite: Case<typeof orderContract>[] = [
  ...reading('unknown things', unknownThings),
  ...writing('createCart', beginning),
  ...writing('changes of a cart', changing),
  ...writing('mergeCart', merging),
  ...writing('events', listening),
  ...writing('placeOrder', placing),
];
