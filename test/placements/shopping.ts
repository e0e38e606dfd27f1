import type { Processes } from './processes.ts';
import type { Answer, Recorder, Sent } from './recorder.ts';

/* The scripted run: a fixed list of requests that covers what a shop answers and what it refuses. */

const ADDRESS = { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };
const MINA = { email: 'mina@example.com', password: 'a-long-quiet-walk', name: '김미나' };
const STAFF = { email: 'staff@example.com', password: 'a-quiet-blue-kettle', name: '한바다', role: 'staff' as const };
const paidBy = (token: string) => ({ payment: { provider: 'sandbox', token } });
const key = (name: string) => ({ 'idempotency-key': `key-${name.replaceAll(' ', '-')}` });

interface Shop extends Recorder {
  processes: Processes;
}

interface People {
  mina: { token: string; refreshToken: string };
  staff: string;
}

interface Goods {
  productId: string;
  cup: string;
  single: string;
  /** the product's version */
  etag: string;
}

/** Goes shopping, and what was answered is in the recorder afterwards. */
export async function goShopping(recorder: Recorder, processes: Processes): Promise<void> {
  const shop = { ...recorder, processes };
  const people = await enter(shop);
  const goods = await fillTheShelves(shop, people);
  await lookAround(shop, goods);
  const paid = await buyFromACart(shop, people, goods);
  await buyAsAGuest(shop, people, goods, paid);
  await actAsStaff(shop, people, goods);
  await leave(shop, people);
  await letAnOrderExpire(shop, goods);
}

async function enter(shop: Shop): Promise<People> {
  await shop.processes.of('edge').ask('ensureAccount', STAFF);
  await shop.send('POST', '/auth/register', { as: 'as a new customer', body: { ...MINA, password: 'password1' } });
  await shop.send('POST', '/auth/register', { as: 'with a better password', body: MINA });
  await shop.until(async () => (await mails(shop)).length > 0);
  const token = /Token: (\S+)/.exec((await mails(shop))[0]!.text)![1]!;
  await shop.send('POST', '/auth/verify', { as: 'with the token from the mail', body: { token } });
  await shop.send('POST', '/auth/verify', { as: 'with the token a second time', body: { token } });
  const { email, password } = MINA;
  await shop.send('POST', '/auth/login', { as: 'with a wrong password', body: { email, password: 'another-walk' } });
  const { body: session } = await shop.send('POST', '/auth/login', { as: 'as a customer', body: { email, password } });
  const { body: mina } = await shop.send('POST', '/auth/refresh', { as: 'as a customer', body: { refreshToken: session.refreshToken } });
  const { body: staff } = await shop.send('POST', '/auth/login', { as: 'as staff', body: { email: STAFF.email, password: STAFF.password } });
  await shop.send('GET', '/me', { as: 'as a customer', token: mina.accessToken });
  await shop.send('GET', '/me', { as: 'as a guest' });
  return { mina: { token: mina.accessToken, refreshToken: mina.refreshToken }, staff: staff.accessToken };
}

const mails = async (shop: Shop) => (await shop.processes.askAll('mails')).flat();

async function fillTheShelves(shop: Shop, { mina, staff }: People): Promise<Goods> {
  const draft = { slug: 'pebble-cup', name: { ko: '조약돌 컵', en: 'Pebble cup' }, optionNames: ['size'] };
  await shop.send('POST', '/admin/products', { as: 'as a customer', token: mina.token, body: draft });
  const { body: product } = await shop.send('POST', '/admin/products', { as: 'as staff', token: staff, body: draft });
  await shop.send('POST', '/admin/products', { as: 'with a slug that is taken', token: staff, body: draft });
  const variant = (sku: string, size: string, price: number) =>
    shop.send('POST', `/admin/products/${product.id}/variants`, { as: `as staff: ${sku}`, token: staff, body: { sku, options: { size }, prices: { KRW: price } } });
  await variant('CUP-S', 'S', 20_000);
  const { body: two, headers } = await variant('CUP-L', 'L', 60_000);
  const idOf = (name: string) => two.variants.find(({ sku }) => sku === name)!.id;
  const [cup, single] = [idOf('CUP-S'), idOf('CUP-L')];
  const published = await shop.send('POST', `/admin/products/${product.id}/publish`, { as: 'as staff', token: staff, headers: { 'if-match': headers.get('etag')! } });
  const adjustments = [{ variantId: cup, kind: 'received', delta: 10, note: '' }, { variantId: single, kind: 'received', delta: 1, note: '' }];
  await shop.send('POST', '/admin/inventory/adjustments', { as: 'as staff', token: staff, headers: key('goods'), body: { adjustments } });
  const promotion = { name: 'Welcome', class: 'order', benefit: { kind: 'percent', basisPoints: 1_000 }, currency: 'KRW', codes: ['WELCOME10'], totalLimit: 1 };
  await shop.send('POST', '/admin/promotions', { as: 'as staff', token: staff, body: promotion });
  await shop.send('POST', '/admin/promotions', { as: 'with a code that is taken', token: staff, body: promotion });
  return { productId: product.id, cup, single, etag: published.headers.get('etag')! };
}

async function lookAround(shop: Shop, { productId }: Goods): Promise<void> {
  await shop.send('GET', '/products?search=cup&inStock=true', { as: 'as a guest' });
  await shop.send('GET', '/products/pebble-cup', { as: 'by its slug' });
  await shop.send('GET', `/products/${productId}`, { as: 'by its id' });
  await shop.send('GET', '/products/nothing', { as: 'as a guest' });
  await shop.send('GET', '/payment-providers', { as: 'as a guest' });
}

async function buyFromACart(shop: Shop, { mina: { token }, staff }: People, { cup }: Goods): Promise<string> {
  const { body: cart } = await shop.send('POST', '/carts', { as: 'as a customer', token, body: { currency: 'KRW' } });
  await shop.send('POST', `/carts/${cart.id}/items`, { as: 'as a customer', token, headers: key('item'), body: { variantId: cup, quantity: 2 } });
  await shop.send('POST', `/carts/${cart.id}/coupons`, { as: 'with an unknown code', token, body: { code: 'NO-SUCH-CODE' } });
  await shop.send('DELETE', `/carts/${cart.id}/coupons/NO-SUCH-CODE`, { as: 'as a customer', token });
  await shop.send('POST', `/carts/${cart.id}/coupons`, { as: 'with a good code', token, body: { code: 'welcome10' } });
  await shop.send('GET', `/carts/${cart.id}`, { as: 'as a guest, whose it is not' });
  const order = (as: string, name: string, more: object) => shop.send('POST', '/orders', { as, token, headers: key(name), body: { cartId: cart.id, shippingAddress: ADDRESS, expectedTotal: 39_000, ...more } });
  await order('with a wrong total', 'wrong total', { expectedTotal: 40_000, ...paidBy('sandbox_ok') });
  await order('with a declined card', 'declined', paidBy('sandbox_declined'));
  const { body: placed } = await order('that is paid', 'paid', paidBy('sandbox_ok'));
  await order('once more under the same key', 'paid', paidBy('sandbox_ok'));
  await order('with another body under the same key', 'paid', paidBy('sandbox_declined'));
  await order('from a cart that was ordered', 'again', paidBy('sandbox_ok'));
  await shop.send('GET', '/orders', { as: 'as a customer', token });
  await shop.send('GET', `/orders/${placed.id}`, { as: 'as another, whose it is not' });
  await shop.send('GET', '/admin/promotions?code=WELCOME10', { as: 'as staff', token: staff });
  return placed.id;
}

async function buyAsAGuest(shop: Shop, { staff }: People, { cup, single }: Goods, paid: string): Promise<void> {
  const order = (as: string, more: object, later?: Sent['later']) => guestOrder(shop, as, { lines: [{ variantId: cup, quantity: 1 }], expectedTotal: 23_000, ...more }, later);
  await order('with a coupon whose limit is reached', { codes: ['WELCOME10'], expectedTotal: 21_000, ...paidBy('sandbox_ok') });
  await order('of more than there is', { lines: [{ variantId: single, quantity: 2 }], expectedTotal: 120_000, ...paidBy('sandbox_ok') });
  await order('of something unknown', { lines: [{ variantId: paid, quantity: 1 }], ...paidBy('sandbox_ok') });
  await order('with an unknown provider', { payment: { provider: 'nobody', token: 'x' } });
  await order('without anything', { lines: [], ...paidBy('sandbox_ok') });

  const stateIs = (state: string) => async (answer: Answer) => (await shop.read(`/orders/${answer.body.id}`, secretOf(answer))).state === state;
  const late = await order('whose payment is told by a webhook', paidBy('sandbox_late'), stateIs('placed'));
  await shop.send('GET', `/orders/${late.body.id}`, { as: 'after the webhook', headers: secretOf(late) });

  const action = await order('whose payment takes a step', paidBy('sandbox_action'));
  await shop.send('POST', action.body.nextAction.url, { as: 'which approves it', body: { approve: true } });
  await shop.until(async () => (await shop.read(`/orders/${action.body.id}`, secretOf(action))).state === 'placed');
  await shop.send('POST', `/orders/${action.body.id}/confirm-payment`, { as: 'after the step', headers: secretOf(action) });
  await shop.send('GET', `/orders/${action.body.id}`, { as: 'with a wrong secret', headers: { 'x-order-secret': 'wrong' } });

  const regretted = await order('that is regretted', paidBy('sandbox_ok'));
  await shop.send('POST', `/orders/${regretted.body.id}/cancel`, { as: 'as its guest', headers: secretOf(regretted), body: { reason: 'no' } });
  await shop.until(async () => (await shop.read(`/orders/${regretted.body.id}`, secretOf(regretted))).paymentStatus === 'refunded');
  await shop.send('GET', `/orders/${regretted.body.id}`, { as: 'after the money went back', headers: secretOf(regretted) });
  await shop.send('GET', `/admin/inventory/${cup}/movements`, { as: 'as staff', token: staff });
}

const guestOrder = (shop: Shop, as: string, body: object, later?: Sent['later']) =>
  shop.send('POST', '/orders', { as, later, headers: key(as), body: { currency: 'KRW', codes: [], email: 'guest@example.com', shippingAddress: ADDRESS, ...body } });
const secretOf = (answer: Answer) => ({ 'x-order-secret': answer.body.secret as string });

async function actAsStaff(shop: Shop, { staff: token }: People, { productId, cup, single, etag }: Goods): Promise<void> {
  const price = (as: string) =>
    shop.send('PUT', `/admin/products/${productId}/variants/${cup}`, { as, token, headers: { 'if-match': etag }, body: { sku: 'CUP-S', options: { size: 'S' }, prices: { KRW: 70_000 } } });
  await price('to a new price');
  await price('with an old version');
  const stock = (as: string, variantId: string, delta: number) =>
    shop.send('POST', '/admin/inventory/adjustments', { as, token, headers: key(as), body: { adjustments: [{ variantId, kind: 'correction', delta, note: '' }] } });
  await stock('to less than nothing', single, -2);
  await stock('to three', single, 2);
  const { body: orders } = await shop.send('GET', '/admin/orders?state=placed', { as: 'as staff', token });
  const { id } = orders.items[0]!;
  const { body: payments } = await shop.send('GET', `/admin/payments?orderId=${id}`, { as: 'as staff', token });
  const refund = (as: string, amount: number) => shop.send('POST', `/admin/payments/${payments.items[0]!.id}/refunds`, { as, token, headers: key(as), body: { amount, reason: 'scratched' } });
  await refund('of a part', 3_000);
  await refund('of more than there was', 90_000);
  await shop.send('POST', `/admin/orders/${id}/complete`, { as: 'as staff', token });
  await shop.send('POST', `/admin/orders/${id}/cancel`, { as: 'when it is too late', token, body: { reason: 'no' } });
  await shop.send('GET', `/admin/orders/${id}`, { as: 'as staff', token });
}

async function leave(shop: Shop, { mina: { refreshToken } }: People): Promise<void> {
  await shop.send('POST', '/auth/logout', { as: 'as a customer', body: { refreshToken } });
  await shop.send('POST', '/auth/refresh', { as: 'after the logout', body: { refreshToken } });
}

async function letAnOrderExpire(shop: Shop, { single }: Goods): Promise<void> {
  const waiting = await guestOrder(shop, 'that nobody pays', { lines: [{ variantId: single, quantity: 3 }], expectedTotal: 180_000, ...paidBy('sandbox_action') });
  await shop.setClock(45 * 60_000);
  await shop.until(async () => (await shop.read(`/orders/${waiting.body.id}`, secretOf(waiting))).state === 'expired');
  await shop.send('GET', `/orders/${waiting.body.id}`, { as: 'after its time', headers: secretOf(waiting) });
  await shop.send('GET', '/products/pebble-cup', { as: 'with what is left' });
}
