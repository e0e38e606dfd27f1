import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readinessOf, refusalAt } from '../../src/cli/before-a-move.ts';
import { compose } from '../../src/composition.ts';
import { readConfig } from '../../src/config.ts';
import { couponContract } from '../../src/modules/coupon/contract.ts';
import { describeContract } from '../../src/shared/contract.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { openTestDatabase } from '../support/database.ts';

describe('a module that is to go', () => {
  it('is refused for what leans on its tables', { timeout: 60_000 }, async () => {
    const { database, admin, close } = await openTestDatabase();
    await admin.query('create view "order".leaning as select id from coupon.promotions');
    const { blockers, notes } = await readinessOf('coupon', { url: database.url, moved: async () => new Map<never, never>() }, 'http://127.0.0.1:1');
    await close();
    expect(blockers).toEqual([expect.stringMatching(/^coupon is not ready, at .*leaning/)]);
    expect(notes).toEqual([expect.stringMatching(/^Not looked at: what a running Kerf was seen to do: nobody answers/)]);
  });
});

describe('the process apart', () => {
  const open: { close(): Promise<unknown> }[] = [];
  afterEach(() => Promise.all(open.splice(0).map((one) => one.close())));

  async function answering(listener: RequestListener): Promise<string> {
    const server: Server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push({ close: async () => server.close() && server.closeAllConnections() });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  function hosting(module: string): Promise<string> {
    const settings = { secret: 'of the shop', publicUrl: 'http://localhost', timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined };
    const addresses = Object.fromEntries(['user', 'catalog', 'inventory', 'payment', 'order', 'coupon'].filter((other) => other !== module).map((other) => [other, 'http://127.0.0.1:1']));
    const kerf = compose({ settings, log: createLogger('silent'), databaseUrl: () => 'postgres://127.0.0.1:1/nowhere', poolSize: 1, placement: { hosts: [module], addresses, edge: false } });
    open.push({ close: kerf.stop });
    return answering(kerf.seam);
  }

  const refusal = (address: string, secret = 'of the shop') => refusalAt(address, 'coupon', secret, readConfig({}));

  it('is taken where it answers', async () => expect(await refusal(await hosting('coupon'))).toBeUndefined());

  it('is refused where nobody answers, another module does, or one that does not know the shop', async () => {
    expect(await refusal('http://127.0.0.1:1')).toMatch(/^No process of Kerf answers at http:\/\/127\.0\.0\.1:1: start/);
    expect(await refusal(await hosting('inventory'))).toMatch(/does not run coupon: start it with KERF_MODULES=coupon\.$/);
    expect(await refusal(await hosting('coupon'), 'of another shop')).toMatch(/does not believe the shop: start it with the shop's KERF_SECRET/);
  });

  it('is refused where it is of a version that callers cannot talk to', async () => {
    const { methods: { quote: _gone, ...methods }, ...rest } = describeContract(couponContract);
    const address = await answering((_request, response) => void response.writeHead(200, { 'content-type': 'application/json', 'kerf-contract': 'another' }).end(JSON.stringify({ ...rest, methods, hash: 'another' })));
    expect(await refusal(address)).toMatch(/^The coupon at .* is of another version: .*quote.* Start it from the version of the shop\.$/);
  });
});
