import { describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { readConfig } from '../../src/config.ts';

const SECRET = 'four brown jars, 19 blue lids and no label';

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({})).toMatchObject({ port: undefined, databaseUrl: undefined, seed: true, sandboxPayments: true, timeZone: 'Asia/Seoul' });
  });

  it('takes an empty variable for an absent one', () => expect(readConfig({ PORT: '' }).port).toBeUndefined());

  it('is careful in production', () => {
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow(/^KERF_SECRET must be set in production/);
    expect(readConfig({ NODE_ENV: 'production', KERF_SECRET: SECRET })).toMatchObject({ seed: false, sandboxPayments: false });
  });

  describe('where modules run', () => {
    const placement = (environment: Record<string, string>) => readConfig({ KERF_SECRET: SECRET, ...environment }).placement;

    it('is here for all of them, with the public API', () => expect(placement({})).toEqual({ hosts: MODULES, addresses: {}, edge: true }));

    it('is elsewhere for one that is located, and here for the rest', () => {
      const { hosts, addresses, edge } = placement({ KERF_COUPON_URL: 'http://coupon:3001' });
      expect({ hosts, addresses, edge }).toEqual({ hosts: MODULES.filter((name) => name !== 'coupon'), addresses: { coupon: 'http://coupon:3001' }, edge: true });
    });

    it('is here for those that are named, without the public API unless asked for', () => {
      expect(placement({ KERF_MODULES: 'coupon, user' })).toMatchObject({ hosts: ['coupon', 'user'], edge: false });
      expect(placement({ KERF_MODULES: 'coupon', KERF_EDGE: 'true' }).edge).toBe(true);
    });

    it('cannot be here and elsewhere', () => {
      expect(() => placement({ KERF_MODULES: 'coupon', KERF_COUPON_URL: 'unix:/run/coupon.sock' })).toThrow(/^KERF_MODULES says that coupon runs here/);
    });

    it('needs a secret that all processes share', () => {
      for (const environment of [{ KERF_MODULES: 'coupon' }, { KERF_MODULES: Array(6).fill('coupon').join() }, { KERF_MODULES: MODULES.join() }, { KERF_EDGE: 'false' }]) {
        expect(() => readConfig(environment)).toThrow(/^KERF_SECRET must be set where modules run in several processes/);
      }
    });

    it('is one for each module, however often it is named', () => expect(placement({ KERF_MODULES: 'coupon,user,coupon' }).hosts).toEqual(['coupon', 'user']));

    it('cannot be elsewhere for everything', () => {
      const addresses = Object.fromEntries(MODULES.map((name) => [`KERF_${name.toUpperCase()}_URL`, 'http://shop:3001']));
      expect(placement(addresses)).toMatchObject({ hosts: [], edge: true });
      expect(() => placement({ ...addresses, KERF_EDGE: 'false' })).toThrow(/^KERF_EDGE is false and every module is elsewhere/);
    });

    it('is a socket or a port, not both', () => {
      expect(() => placement({ KERF_INTERNAL_SOCKET: '/run/kerf.sock', KERF_INTERNAL_PORT: '3001' })).toThrow(/^KERF_INTERNAL_SOCKET is used instead of KERF_INTERNAL_PORT/);
    });
  });

  it('knows a database per module', () => {
    const url = 'postgres://a:b@c/d';
    expect(readConfig({ COUPON_DATABASE_URL: url }).moduleDatabaseUrls).toEqual({ coupon: url });
  });

  it.each([
    ['PORT', 'eighty'],
    ['PORT', '70000'],
    ['DATABASE_URL', 'mysql://me:hunter2@there/shop'],
    ['COUPON_DATABASE_URL', 'somewhere hunter2'],
    ['KERF_APART_DATABASE_URL', 'postgres://there/shop?user=me'],
    ['DATABASE_URL', 'postgres://me@there/shop?sslmode=require&pass%77ord=hunter2'],
    ['KERF_SECRET', 'hunter2'],
    ['KERF_SECRET', 'x'.repeat(40)],
    ['KERF_MODULES', 'coupon,hunter2'],
    ['KERF_COUPON_URL', 'coupon.internal:3001'],
    ['KERF_INTERNAL_URL', 'http://front:3001/internal'],
    ['KERF_COUPON_URL', 'http://hunter2@coupon:3001/seam'],
    ['KERF_COUPON_URL', 'http://:hunter2@coupon:3001'],
    ['KERF_POOL_SIZE', '0'],
    ['KERF_TIME_ZONE', 'Mars/Olympus'],
    ['KERF_LOG_LEVEL', 'loud'],
    ['KERF_SEED', 'perhaps'],
    ['KERF_PUBLIC_URL', 'shop'],
    ['KERF_PUBLIC_URL', 'ftp://hunter2'],
    ['KERF_CORS_ORIGINS', 'https://front.test/path'],
    ['DATABASE_URL', 'postgres://a:hunter2@[bad'],
    ['KERF_SMTP_URL', 'http://mail'],
    ['NODE_ENV', 'staging'],
  ])('says in one sentence what is wrong with %s=%s, and repeats no value', (name, value) => {
    const message = (() => {
      try {
        readConfig({ [name]: value });
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    })();
    expect(message).toMatch(new RegExp(`^${name} .+\\.$`));
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('\n');
  });
});
