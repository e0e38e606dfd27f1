import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { takeRights } from '../../src/move/fence.ts';
import { judgeServers, preflight, type Server } from '../../src/move/preflight.ts';
import { closeSite, openSite, rows, type Site, withoutUser } from '../../src/move/site.ts';
import { prepareTarget } from '../../src/move/target.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase } from '../support/database.ts';
import { IN_ENGLISH, makePair, type Pair } from './two-servers.ts';

describe('preflight', () => {
  let pair: Pair;
  beforeEach(async () => {
    const server = { adminUrl: inject('adminUrl') };
    pair = await makePair(server, server, 'order');
  });
  afterEach(() => pair.close());

  const blockers = async (stream: { from?: Site; to?: Site } = {}) => (await preflight({ from: pair.source, to: pair.target, ...stream })).blockers;

  it('finds nothing in the way of an empty database, and leaves nothing there', async () => {
    expect(await preflight({ from: pair.source, to: pair.target })).toEqual({ blockers: [], notes: [] });
    expect(await rows(pair.source, 'select pubname from pg_publication')).toEqual([]);
    expect(await rows(pair.target, `select subname from pg_subscription where subname like '%preflight'`)).toEqual([]);
  });

  it('takes a target that was set up and never used, whose migrations wrote rows, once nobody may use it', async () => {
    const other = await createTestDatabase();
    const set = await openSite(other.adminUrl, 'order');
    expect(await rows(set, 'select from "order".sales_terms')).not.toEqual([]);
    expect(await blockers({ to: set })).toEqual([expect.stringMatching(/^kerf_order may use the target already/)]);
    await takeRights(set);
    expect(await blockers({ to: set })).toEqual([]);
    await rows(set, `insert into "order".inbox values ($1, 'x')`, [randomUUID()]);
    expect(await blockers({ to: set })).toEqual([expect.stringContaining('"order".inbox at the target has rows already')]);
    await expect(prepareTarget(set, TEST_SECRET)).rejects.toThrow('"order".inbox has rows');
    expect(await rows(set, 'select from "order".sales_terms')).not.toEqual([]);
    await closeSite(set);
    await other.drop();
  });

  it('notes that the other database sorts text differently', async () => {
    await pair.close();
    pair = await makePair({ adminUrl: inject('adminUrl') }, { adminUrl: inject('adminUrl') }, 'order', IN_ENGLISH);
    expect(await preflight({ from: pair.source, to: pair.target })).toEqual({ blockers: [], notes: [expect.stringMatching(/^The target sorts text by i:en and the source by b:C.UTF-8/)] });
  });

  it('refuses the same database', async () => expect(await blockers({ to: pair.source })).toEqual(['Source and target are the same database: name another one.']));

  it('refuses tables without a primary key, and a source without tables', async () => {
    await pair.source.client.query('create table "order".loose (it int)');
    expect(await blockers()).toEqual([expect.stringMatching(/^"order".loose has no primary key/)]);
    expect(await blockers({ from: { ...pair.target }, to: pair.source })).toContainEqual(expect.stringMatching(/^The source has no tables of order/));
  });

  it('says which server cannot reach which, and when it reaches another one', async () => {
    const nowhere = { ...pair.source, url: pair.source.url.replace(/:\d+\//, ':1/') };
    expect(await blockers({ from: nowhere })).toEqual([expect.stringMatching(/^The target's server cannot follow the source: .*Connection refused/s)]);
    const another = { ...pair.target, url: inject('adminUrl') };
    expect(await blockers({ to: another })).toEqual([expect.stringMatching(/^By the address of the target, the source's server comes to another database/)]);
  });

  it('leaves no password in the log of a server that refused to follow', async () => {
    const refused = new URL(pair.source.url);
    refused.port = '1';
    refused.password = 'hunter2';
    expect(await blockers({ from: { ...pair.source, url: refused.toString() } })).toHaveLength(1);
    const [server] = await rows<{ directory: string }>(pair.target, `select current_setting('data_directory') as directory`);
    const log = await readFile(join(server!.directory, '../postgres.log'), 'utf8');
    expect(log).toContain('port 1 failed: Connection refused');
    expect(log).not.toContain('hunter2');
  });

  it('says what an administrator who is no superuser has to be granted', async () => {
    const role = `kerf_test_${randomUUID().slice(0, 8)}`;
    await pair.source.client.query(`create role ${role} login password 'x'`);
    const address = new URL(pair.source.url);
    address.username = role;
    address.password = 'x';
    await pair.source.client.query(`grant connect on database "${address.pathname.slice(1)}" to ${role}`);
    const weak = await openSite(address.toString(), 'order');
    const found = await blockers({ from: weak });
    expect(found).toContain(`The administrator of the source may not do all that a move needs: have a superuser run "grant pg_create_subscription to ${role}".`);
    expect(found).toHaveLength(6);
    await closeSite(weak);
    await pair.source.client.query(`revoke all on database "${address.pathname.slice(1)}" from ${role}; drop role ${role}`);
  });
});

it('an address that others may read has neither user nor password, wherever they stood', () => {
  expect(withoutUser('postgres://me:hunter2@there:5432/shop?user=me&sslmode=require&password=hunter2')).toBe('postgres://there:5432/shop?sslmode=require');
});

describe('the judgement of two servers', () => {
  const good: Server = { system: '1', database: 'a', major: 17, encoding: 'UTF8', order: 'b:C.UTF-8', walLevel: 'logical', free: { slots: 10, senders: 10, workers: 4 }, missing: [] };
  const judged = (source: Partial<Server>, target: Partial<Server>) => judgeServers({ ...good, ...source }, { ...good, ...target });

  it.each<[string, Partial<Server>, Partial<Server>, string[]]>([
    ['alike', {}, {}, []],
    ['a newer target', {}, { major: 18 }, []],
    ['an older target', {}, { major: 16 }, ['The target is Postgres 16 and the source is 17: move to a server that is not older.']],
    ['one that is too old', { major: 15 }, {}, ['The source is Postgres 15: a move needs 16 or newer on both sides.']],
    ['wal_level', {}, { walLevel: 'replica' }, ['The target has wal_level = replica: set it to logical and start that server again.']],
    ['no slots', { free: { ...good.free, slots: 2 } }, {}, ['The source has 2 replication slots free and needs 3: raise max_replication_slots.']],
    ['no workers', {}, { free: { ...good.free, workers: 2 } }, ['The target has 2 replication workers free and needs 3: raise max_logical_replication_workers (and max_worker_processes).']],
    ['another encoding', {}, { encoding: 'LATIN1' }, ["The target's encoding is LATIN1 and the source's is UTF8: make the target with the same."]],
  ])('%s', (_, source, target, sentences) => expect(judged(source, target)).toEqual(sentences));
});
