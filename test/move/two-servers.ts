import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect } from 'vitest';
import { moduleUrl } from '../../src/setup/provision.ts';
import { closeSite, openSite, type Site } from '../../src/move/site.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { copyTemplate, startTestPostgres, temporaryDirectory } from '../support/postgres.ts';

/**
 * What was acknowledged has to survive a kill, so commits wait here, and what does not wait is lost; a follower whose
 * server has gone tries again at once.
 */
const SETTINGS = { synchronous_commit: 'on', wal_writer_delay: '10s', wal_retrieve_retry_interval: '100ms' };

export interface Server {
  adminUrl: string;
  /** kill -9, and waits until it is there again, at the same port */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const directory = await temporaryDirectory();
  const { adminUrl, stop } = await startTestPostgres(directory, SETTINGS);
  const pid = () => Number(readFileSync(join(directory, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
  return {
    adminUrl,
    stop,
    async kill() {
      const killed = pid();
      process.kill(killed, 'SIGKILL');
      await expect.poll(() => answers(adminUrl), { timeout: 20_000 }).toBe(true);
      expect(pid()).not.toBe(killed);
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
}

/** A module's database on one server, and an empty one on another, under new names. */
export interface Pair {
  source: Site;
  target: Site;
  /** address of either with the module's own role */
  roleUrl(site: Site): string;
  /** both connections anew, after a kill */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** A database that sorts a before B. */
export const IN_ENGLISH = `locale_provider icu icu_locale 'en'`;

export async function makePair(from: Pick<Server, 'adminUrl'>, to: Pick<Server, 'adminUrl'>, module: string, locale = ''): Promise<Pair> {
  const database = await copyTemplate(from.adminUrl);
  const empty = await makeEmpty(to, locale);
  const pair: Pair = {
    source: await openSite(database.adminUrl, module),
    target: await openSite(empty.url, module),
    roleUrl: ({ url }) => moduleUrl(url, module, TEST_SECRET),
    async reopen() {
      await Promise.all([closeSite(pair.source), closeSite(pair.target)]);
      pair.source = await openSite(pair.source.url, module);
      pair.target = await openSite(pair.target.url, module);
    },
    async close() {
      await Promise.all([closeSite(pair.source), closeSite(pair.target)]);
      await database.drop();
      await empty.drop();
    },
  };
  return pair;
}

export async function makeEmpty(server: Pick<Server, 'adminUrl'>, locale = ''): Promise<{ url: string; drop(): Promise<void> }> {
  const url = new URL(server.adminUrl);
  const name = `test_${randomBytes(6).toString('hex')}`;
  url.pathname = `/${name}`;
  await administer(server, `create database ${name} template template0 ${locale}`);
  return { url: url.toString(), drop: () => administer(server, `drop database ${name} with (force)`) };
}

async function administer(server: Pick<Server, 'adminUrl'>, sql: string): Promise<void> {
  const client = new Client({ connectionString: server.adminUrl });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
