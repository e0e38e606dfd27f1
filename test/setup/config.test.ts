import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';

describe('readConfig', () => {
  it('needs nothing', () => {
    expect(readConfig({})).toMatchObject({ port: undefined, databaseUrl: undefined, seed: true, sandboxPayments: true, timeZone: 'Asia/Seoul' });
  });

  it('takes an empty variable for an absent one', () => expect(readConfig({ PORT: '' }).port).toBeUndefined());

  it('is careful in production', () => {
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow(/^KERF_SECRET must be set in production/);
    expect(readConfig({ NODE_ENV: 'production', KERF_SECRET: 'x'.repeat(32) })).toMatchObject({ seed: false, sandboxPayments: false });
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
    ['KERF_SECRET', 'hunter2'],
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
