import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { readConfig } from '../config.ts';
import { dataDirectory, ROOT } from '../setup/paths.ts';
import { DEMO_CUSTOMER } from '../setup/seed.ts';
import { readSplitShop } from '../setup/split-shop.ts';

/*
 * A scripted shopper: everything over the public API, each step printed. Uses the Kerf at the address
 * given as argument, else the one where this installation's is to be found, else starts one for as long as it takes.
 */

interface Reply {
  status: number;
  body: Record<string, never> & { [key: string]: unknown };
}
type Cart = { id: string; totals: Totals; codes: { code: string; applied: boolean; message: string }[]; lines: { sku: string }[] };
type Totals = { subtotal: number; discount: number; shipping: number; shippingDiscount: number; total: number };
type Order = { id: string; number: string; state: string; paymentStatus: string; totals: Totals };
type Product = { name: { ko: string; en: string }; variants: { id: string; sku: string; available: number; prices: { KRW?: number } }[] };

const won = (amount: number) => `₩${amount.toLocaleString('en')}`;
const say = (line: string) => console.log(line);
const step = (title: string) => say(`\n● ${title}`);
const run = Date.now().toString(36);
const ADDRESS = { name: '한바다', phone: '010-2345-6789', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' };

function shopper(base: string) {
  let token: string | undefined;
  let keys = 0;
  const call = async (method: string, path: string, body?: object): Promise<Reply> => {
    const answer = await fetch(`${base}/v1${path}`, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...(method === 'POST' && { 'idempotency-key': `demo-${run}-${(keys += 1)}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text ? JSON.parse(text) : {}) as Reply['body'] };
  };
  return {
    call,
    /** the answer, which must be a success */
    async ask<T>(method: string, path: string, body?: object): Promise<T> {
      const reply = await call(method, path, body);
      if (reply.status >= 400) throw new Error(`${method} ${path} answered ${reply.status}: ${String(reply.body['detail'])}`);
      return reply.body as T;
    },
    signIn: (accessToken: string) => void (token = accessToken),
  };
}

type Shopper = ReturnType<typeof shopper>;

async function shop(base: string): Promise<void> {
  const me = shopper(base);
  say(`A shopper at ${base}`);

  step('Registers and logs in');
  const account = { email: `bada-${run}@example.com`, password: `a-long-walk-${run}` };
  const known = { email: DEMO_CUSTOMER.email, password: DEMO_CUSTOMER.password };
  await me.ask('POST', '/auth/register', { ...account, name: '한바다' });
  const token = await mailedToken(account.email);
  if (token) await me.ask('POST', '/auth/verify', { token });
  else say(`  no mail for ${account.email} here: going on as the demo customer`);
  me.signIn((await me.ask<{ accessToken: string }>('POST', '/auth/login', token ? account : known)).accessToken);
  say(`  ${(await me.ask<{ email: string }>('GET', '/me')).email}`);

  step('Looks around');
  const found = await me.ask<{ items: Product[] }>('GET', `/products?search=${encodeURIComponent('텀블러')}&inStock=true&limit=5`);
  for (const { name, variants } of found.items) say(`  ${name.ko} (${name.en}) ${won(variants[0]?.prices.KRW ?? 0)}`);
  const { items } = await me.ask<{ items: Product[] }>('GET', '/products?currency=KRW&minPrice=20000&maxPrice=60000&inStock=true&limit=20');
  const [first, second] = items.map(({ variants }) => variants.find(({ available }) => available > 5)).filter((variant) => variant !== undefined);
  if (!first || !second) throw new Error('The shop is sold out.');

  step('Fills a cart and enters a coupon');
  const cart = await fill(me, [first.id, second.id]);
  const priced = await me.ask<Cart>('POST', `/carts/${cart.id}/coupons`, { code: 'welcome10' });
  say(`  ${priced.lines.map(({ sku }) => sku).join(', ')}`);
  for (const { code, applied, message } of priced.codes) say(`  ${code}: ${applied ? 'applied' : message}`);
  sum(priced.totals);

  step('Pays with a card that is declined');
  const order = (token: string, from: Cart) => ({
    cartId: from.id, expectedTotal: from.totals.total, shippingAddress: ADDRESS, payment: { provider: 'sandbox', token },
  });
  const declined = await me.call('POST', '/orders', order('sandbox_declined', priced));
  say(`  ${declined.status} ${String(declined.body['reason'])}: ${String(declined.body['detail'])}`);

  step('Pays with another one');
  const placed = await me.ask<Order>('POST', '/orders', order('sandbox_ok', priced));
  say(`  ${placed.number} is ${placed.state}, ${placed.paymentStatus}`);
  sum(placed.totals);

  step('Orders once more and thinks better of it');
  const again = await fill(me, [second.id]);
  const regretted = await me.ask<Order>('POST', '/orders', order('sandbox_ok', again));
  say(`  ${regretted.number} is ${regretted.state}, ${won(regretted.totals.total)} ${regretted.paymentStatus}`);
  const cancelled = await me.ask<Order>('POST', `/orders/${regretted.id}/cancel`, { reason: 'changed my mind' });
  say(`  ${cancelled.number} is ${cancelled.state}`);
  const refunded = await until(() => me.ask<Order>('GET', `/orders/${regretted.id}`), ({ paymentStatus }) => paymentStatus === 'refunded');
  say(`  the money is back: ${refunded.paymentStatus}`);

  step('Looks at the orders');
  const orders = await me.ask<{ items: Order[] }>('GET', '/orders');
  for (const { number, state, paymentStatus, totals } of orders.items) say(`  ${number}  ${state.padEnd(9)} ${paymentStatus.padEnd(9)} ${won(totals.total)}`);
}

/** The token from the mail, when mails are files on this machine. */
async function mailedToken(email: string): Promise<string | undefined> {
  const directory = join(dataDirectory(readConfig().dataDir), 'mail');
  for (let tries = 0; tries < 50; tries += 1) {
    const name = (await readdir(directory).catch(() => [])).find((file) => file.includes(email));
    if (name) return /Token: (\S+)/.exec(await readFile(join(directory, name), 'utf8'))?.[1];
    await pause();
  }
  return undefined;
}

async function fill(me: Shopper, variantIds: string[]): Promise<Cart> {
  let cart = await me.ask<Cart>('POST', '/carts', { currency: 'KRW' });
  for (const variantId of variantIds) cart = await me.ask<Cart>('POST', `/carts/${cart.id}/items`, { variantId, quantity: 1 });
  return cart;
}

const sum = ({ subtotal, discount, shipping, total }: Totals) =>
  say(`  goods ${won(subtotal)}  discount −${won(discount)}  shipping ${won(shipping)}  total ${won(total)}`);

const pause = () => new Promise((resolve) => { setTimeout(resolve, 100); });

/** What happens by events happens soon, not at once. */
async function until<T>(look: () => Promise<T>, good: (seen: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const seen = await look();
    if (good(seen)) return seen;
    if (tries === 100) throw new Error('This takes longer than it should.');
    await pause();
  }
}

/** A Kerf, and not some other program on that port. */
const runs = (base: string) =>
  fetch(`${base}/readyz`)
    .then(async (answer) => ((await answer.json()) as { status?: string }).status === 'ready')
    .catch(() => false);

/** A Kerf of our own, until the shopper has gone. */
async function startKerf(): Promise<{ base: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const base = await addressOf(child);
  return {
    base,
    async stop() {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    },
  };
}

/** Reads on after the address is known: what is shown once must be shown, and nobody may stumble over a closed pipe. */
const addressOf = (child: ChildProcessByStdio<null, Readable, null>) =>
  new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      const once = /^Administrator .*$/m.exec(output)?.[0];
      const base = /Kerf is running\..*API (\S+)\/v1/.exec(output)?.[1];
      if (!base) return;
      if (once) say(once);
      child.stdout.removeAllListeners('data').resume();
      resolve(base);
    });
    child.once('exit', () => reject(new Error('Kerf did not start.')));
  });

async function main(): Promise<void> {
  const [named] = process.argv.slice(2);
  if (named) return shop(named);
  const { publicUrl, port, dataDir } = readConfig();
  const local = `http://localhost:${port || 3_000}`;
  const places = new Set([publicUrl ?? readSplitShop(dataDirectory(dataDir))?.publicUrl ?? local, local]);
  for (const place of places) if (await runs(place)) return shop(place);
  say(`Nothing runs at ${[...places].join(' or ')}: starting a Kerf for the demo.`);
  const own = await startKerf();
  await shop(own.base).finally(own.stop);
}

await main().catch((error: unknown) => {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = 1;
});
