import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { closeSite, openSite, rows } from '../../src/move/site.ts';
import { endStream } from '../../src/move/stream.ts';
import { inFull } from '../faults/shopping.ts';
import { asking, checkout } from '../support/ledger.ts';
import { temporaryDirectory } from '../support/postgres.ts';
import { type MovingShop, openMovingShop } from './moving-shop.ts';
import { CODE, startTraffic, type Traffic } from './shop-traffic.ts';
import { makeEmpty, type Server, startServer } from './two-servers.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } });

/** Of how many shoppers, after a process is gone, nobody meets an error. */
const PURCHASES = inFull ? 20 : 2;
/** order calls all others, payment tells order what became of a payment. */
const ORDERS = inFull ? [['order', 'payment'], ['payment', 'order'], ['coupon', 'order']] as const : [['order', 'payment']] as const;

let home: Server;
let apart: Server;
let folder: string;
beforeAll(async () => {
  [home, apart, folder] = await Promise.all([startServer(), startServer(), temporaryDirectory()]);
});
afterAll(async () => {
  await Promise.all([home.stop(), apart.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe.each(ORDERS)('%s and %s, each with a database and a process of its own,', (first, second) => {
  let shop: MovingShop;
  let other: Awaited<ReturnType<typeof makeEmpty>>;
  beforeEach(async () => {
    other = await makeEmpty(apart);
    shop = await openMovingShop(first, { home, apart, folder });
  });
  afterEach(async () => {
    const [from, to] = [await openSite(shop.pair.source.url, second), await openSite(other.url, second)];
    await endStream({ from, to });
    await endStream({ from: to, to: from });
    await Promise.all([closeSite(from), closeSite(to)]);
    await shop.close();
    await other.drop();
  });

  async function moved(direction: 'extract' | 'fold', module: string): Promise<void> {
    const option = direction === 'extract' ? '--to' : '--from';
    const { code, output } = await shop.kerf([direction, module, option, module === first ? shop.pair.target.url : other.url]);
    expect(code, output).toBe(0);
  }

  /** Whoever comes from now on to this place of the shop buys, with a code and a card, and meets no error. */
  async function buys({ ledger, variants }: Traffic, url: string): Promise<void> {
    const ask = asking([url], { signal: AbortSignal.timeout(60_000), ledger, patient: false });
    for (let count = 0; count < PURCHASES; count += 1) await checkout({ ask, ledger, variants }, { card: 'sandbox_ok', pieces: [1, 2], code: CODE, cancels: count % 2 === 1 });
  }

  it.runIf(inFull)('find each other and a process that has the rest, whichever is killed, and come back', async () => {
    const { fronts, beside, mail, pair } = shop;
    const urls = fronts.map(({ url }) => url);
    const traffic = await startTraffic({ urls, patient: true, beside, adminUrl: pair.source.url, mail, module: 'order', seed: 1, slower: inFull ? 2 : 10 });
    try {
      await moved('extract', first);
      await moved('extract', second);
      expect(await rows(pair.source, 'select module from placement.modules where address is not null order by module')).toEqual([first, second].toSorted().map((module) => ({ module })));
      for (const [index, front] of fronts.entries()) {
        await front.stop('SIGKILL');
        await buys(traffic, urls[1 - index]!);
        await front.again();
      }
      await moved('fold', second);
      await buys(traffic, urls[0]!);
      await moved('fold', first);
      await buys(traffic, urls[1]!);
    } finally {
      await traffic.end();
    }
    expect(traffic.ledger.wrongs()).toEqual([]);
    await expect.poll(traffic.amiss, { timeout: 90_000, interval: 500 }).toEqual([]);
    expect(await rows(pair.source, 'select module from placement.modules where address is not null or held')).toEqual([]);
  });
});
