import { generateKeyPair, SignJWT } from 'jose';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modules } from '../../src/composition.ts';
import type { Route } from '../../src/shared/http.ts';
import { newId } from '../../src/shared/ids.ts';
import { startTestKerf, type TestKerf } from '../support/kerf.ts';
import { EXTREMES } from './groupings.ts';

/* Generated from what is mounted: a new route is held to all of this without anybody thinking of it. */

const pathOf = (route: Route, fill = newId) => `/v1${route.path.replaceAll(/\{\w+\}/g, () => fill())}`;
const name = (route: Route) => `${route.method.toUpperCase()} ${route.path}`;
const outcome = (route: Route, status: number) => `${name(route)} → ${status}`;

describe.each(EXTREMES)('every operation, $placement', { timeout: 120_000 }, (placement) => {
  let shop: TestKerf;
  let staff: { authorization: string };
  let customer: { authorization: string };
  let customerId: string;
  beforeAll(async () => {
    shop = await startTestKerf(placement);
    staff = (await shop.as('staff')).headers;
    ({ headers: customer, userId: customerId } = await shop.as('customer'));
  });
  afterAll(() => shop.stop());

  const everyRoute = (which: (route: Route) => boolean, check: (route: Route) => Promise<void>) => async () => {
    const chosen = shop.kerf.routes.filter(which);
    expect(chosen.length).toBeGreaterThan(5);
    for (const route of chosen) await check(route);
  };

  const call = (route: Route, path = pathOf(route)) => {
    const sent = request(shop.app)[route.method](path).set('idempotency-key', newId());
    return route.ifMatch ? sent.set('if-match', '"1"') : sent;
  };

  it('is documented, and nothing else is', async () => {
    const { body } = await request(shop.app).get('/openapi.json').expect(200);
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(documented.toSorted()).toEqual(shop.kerf.routes.map((route) => `${route.method.toUpperCase()} /v1${route.path}`).toSorted());
    const ids = shop.kerf.routes.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(modules.length).toBeGreaterThan(0);
  });

  it('keeps guests out where an account is needed, whatever token they bring', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const forged = await new SignJWT({ sid: newId(), epoch: 0 })
      .setProtectedHeader({ alg: 'ES256', kid: 'mine', typ: 'at+jwt' }).setSubject(customerId).setIssuer(shop.url).setAudience('kerf').setIssuedAt().setExpirationTime('5m').sign(privateKey);
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${Buffer.from(JSON.stringify({ sub: customerId, aud: 'kerf', iss: shop.url, exp: 9_999_999_999 })).toString('base64url')}.`;
    await everyRoute(({ access }) => access !== 'anyone', async (route) => {
      expect(outcome(route, (await call(route)).status)).toBe(outcome(route, 401));
      for (const token of [forged, unsigned, 'x.y.z']) {
        expect(outcome(route, (await call(route).set('authorization', `Bearer ${token}`)).status)).toBe(outcome(route, 401));
      }
    })();
  });

  it('keeps customers out of what is for staff, and staff out of what is for administrators', async () => {
    await everyRoute(({ access }) => access === 'staff' || access === 'admin', async (route) => {
      expect(outcome(route, (await call(route).set(customer)).status)).toBe(outcome(route, 403));
    })();
    for (const route of shop.kerf.routes.filter(({ access }) => access === 'admin')) {
      expect(outcome(route, (await call(route).set(staff)).status)).toBe(outcome(route, 403));
    }
  });

  it('refuses a body with a property it does not know, and bodies of other shapes', async () => {
    await everyRoute(({ body, access }) => body !== undefined && access !== 'admin', async (route) => {
      for (const body of [{ unexpected: 1 }, [], 'text', 7, null]) {
        const answer = await call(route).set(staff).type('json').send(JSON.stringify(body));
        expect(outcome(route, answer.status)).toBe(outcome(route, 400));
      }
    })();
  });

  it('answers malformed and absent ids with 4xx, and never breaks on odd text', async () => {
    const odd = ['x', '%00', '%ff', "'", '%22%3B--', '..%2F..', '%F0%9F%98%80', 'a'.repeat(2_000)];
    await everyRoute(({ path, access }) => path.includes('{') && access !== 'admin', async (route) => {
      for (const text of odd) {
        const { status } = await call(route, pathOf(route, () => text)).set(staff).send(route.body ? {} : undefined);
        expect(status, `${name(route)} with ${text.slice(0, 20)}`).toBeGreaterThanOrEqual(400);
        expect(status, `${name(route)} with ${text.slice(0, 20)}`).toBeLessThan(500);
      }
    })();
  });

  it('refuses unknown and odd queries without breaking', async () => {
    await everyRoute(({ method, access, path }) => method === 'get' && access !== 'admin' && !path.startsWith('/sandbox'), async (route) => {
      expect(outcome(route, (await call(route, `${pathOf(route)}?unexpected=1`).set(staff)).status)).toBe(outcome(route, 400));
      for (const query of ['cursor=nonsense', 'cursor=WyJ4Il0', 'limit=0', 'limit=1e9', 'limit=abc', 'search=%25_%5C', 'q[]=1']) {
        expect((await call(route, `${pathOf(route)}?${query}`).set(staff)).status, `${name(route)}?${query}`).toBeLessThan(500);
      }
    })();
  });

  it('is the only method at its path', async () => {
    const paths = Map.groupBy(shop.kerf.routes, ({ path }) => path);
    for (const [path, routes] of paths) {
      const undeclared = (['get', 'post', 'put', 'patch', 'delete'] as const).find((method) => !routes.some((route) => route.method === method))!;
      const { status, headers } = await request(shop.app)[undeclared](pathOf({ path } as Route));
      expect(`${undeclared} ${path} → ${status}`).toBe(`${undeclared} ${path} → 405`);
      expect(headers['allow']).toBeTruthy();
    }
  });

  it('shows no stack, SQL or path in any refusal, and is safe to sniff', async () => {
    await everyRoute(() => true, async (route) => {
      const { text, headers } = await call(route).set(customer).send(route.body ? { unexpected: 1 } : undefined);
      expect(text, name(route)).not.toMatch(/\bat .+\.ts:\d+|select .+ from |node_modules|postgres:/i);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['content-security-policy']).toBeTruthy();
    })();
  });
});
