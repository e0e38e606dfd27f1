import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { calls, MODULES } from '../../src/calls.ts';
import { modules } from '../../src/composition.ts';
import { type DatabaseReading, judge, type ReadinessFacts } from '../../src/boundaries/readiness/readiness.ts';
import { readDatabases } from '../../src/boundaries/readiness/database.ts';
import { gatherFacts } from '../../src/boundaries/readiness/facts.ts';
import { readObserved } from '../../src/boundaries/readiness/observed.ts';
import { formatReadiness } from '../../src/boundaries/readiness/report.ts';
import { readinessCommand } from '../../src/cli/readiness-command.ts';
import type { Observed } from '../../src/shared/observation.ts';
import { SCHEMAS, TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ROOT = join(import.meta.dirname, '../..');

const SINCE = '2026-03-02T03:00:00.000Z';
const seen = (more: Partial<Observed> = {}): Observed => ({
  since: SINCE,
  calls: [
    { from: 'order', to: 'coupon', method: 'reserve', count: 3 },
    { from: 'edge', to: 'coupon', method: 'updatePromotion', count: 1 },
  ],
  events: [{ type: 'order.placed', from: 'order', to: 'coupon', count: 2 }],
  foreignStatements: [],
  ...more,
});
const reading = (more: Partial<DatabaseReading> = {}): DatabaseReading => ({
  place: 'db:5432/shop', serverVersion: 180_000, pending: [], unknown: [], findings: [], hasInbox: true, walLevel: 'logical', slots: 10, senders: 10,
  tables: [{ name: 'coupon.promotions', bytes: 3_145_728 }, { name: 'coupon.inbox', bytes: 8_192 }], sequences: [], extensions: [], ...more,
});
const violation = { rule: 'modules-by-contract', file: 'src/modules/order/order-service.ts', line: 7, column: 1, to: 'src/modules/coupon/coupon.ts', advice: 'Import its contract.' };

/** A coupon module of which everything is known and nothing is in the way. */
const READY: ReadinessFacts = {
  declared: {
    name: 'coupon',
    calls: [],
    calledBy: ['order'],
    methods: [
      { name: 'quote', kind: 'read', reasons: [] },
      { name: 'reserve', kind: 'write', reasons: [], idempotentBy: 'orderId' },
      { name: 'updatePromotion', kind: 'write', reasons: [] },
    ],
    emits: [{ name: 'used', type: 'coupon.used', orderedBy: 'id', subscribers: ['order'] }],
    listens: [{ type: 'order.placed', from: 'order' }],
  },
  sources: { facts: { violations: [], calls: [{ from: 'order', method: 'reserve', file: 'src/modules/order/placing-flow.ts' }] } },
  database: { facts: reading() },
  observed: { facts: seen() },
  contract: { facts: { module: 'coupon', state: 'accepted', hash: 'x', changes: [] } },
};

const finding = { kind: 'foreign key', module: 'coupon', object: 'key k on coupon.promotions', problem: 'key k leans on catalog.products.', advice: 'Drop the key.' };
const broken = { module: 'coupon', method: 'quote', part: 'output', field: 'codes', change: 'is gone', breaking: true, why: 'Callers rely on it.', instead: 'Keep it.' } as const;
const asked = (from: string, to: string, method: string) => ({ calls: [...seen().calls, { from, to, method, count: 1 }] });

const blocking: [what: string, change: Partial<ReadinessFacts>, blocker: RegExp, where: RegExp][] = [
  ['its inside is imported', { sources: { facts: { violations: [violation], calls: [] } } }, /order-service\.ts leans on .+coupon\.ts/, /order-service\.ts:7$/],
  ['something crosses schemas', { database: { facts: reading({ findings: [finding] }) } }, /leans on catalog\.products/, /^key k/],
  ['its database is not set up', { database: { facts: { place: 'db:5432/shop', why: 'The database has no schema coupon.' } } }, /no schema coupon/, /^db:5432/],
  ['its schema is older', { database: { facts: reading({ pending: ['0002_x.sql'] }) } }, /older than its code: 0002_x\.sql/, /^db/],
  ['its schema is newer', { database: { facts: reading({ unknown: ['0003_y.sql'] }) } }, /newer than its code: .+0003_y\.sql/, /^db/],
  ['it listens without an inbox', { database: { facts: reading({ hasInbox: false }) } }, /no table "inbox"/, /migrations\/coupon/],
  ['its server is too old', { database: { facts: reading({ serverVersion: 140_012 }) } }, /Postgres 14/, /^db/],
  ['it names a foreign schema', { observed: { facts: seen({ foreignStatements: [{ module: 'coupon', schema: 'order', statement: 'select 1 from "order".x', count: 4 }] }) } }, /coupon named the schema order 4 times/, /select 1/],
  ['others name its schema', { observed: { facts: seen({ foreignStatements: [{ module: 'order', schema: 'coupon_jobs', statement: 'select 1', count: 1 }] }) } }, /order named the schema coupon_jobs once/, /select 1/],
  ['it was called without agreement', { observed: { facts: seen(asked('catalog', 'coupon', 'quote')) } }, /catalog called coupon\.quote once.+table of calls/, /catalog → coupon/],
  ['it called without agreement', { observed: { facts: seen(asked('coupon', 'user', 'getProfile')) } }, /coupon called user\.getProfile/, /coupon → user/],
  ['it got an event that it does not declare', { observed: { facts: seen({ events: [{ type: 'user.registered', from: 'user', to: 'coupon', count: 1 }] }) } }, /coupon got user\.registered/, /user → coupon/],
  ['its event went where nobody declares it', { observed: { facts: seen({ events: [{ type: 'coupon.used', from: 'coupon', to: 'user', count: 1 }] }) } }, /user got coupon\.used/, /coupon → user/],
  ['its contract breaks the accepted one', { contract: { facts: { module: 'coupon', state: 'breaking', changes: [broken] } } }, /quote output codes is gone/, /contract\.ts$/],
  ['its contract was never accepted', { contract: { facts: { module: 'coupon', state: 'new', changes: [] } } }, /never accepted/, /contract\.ts$/],
  [
    'a module calls what cannot be repeated, by its sources',
    { sources: { facts: { violations: [], calls: [{ from: 'order', method: 'updatePromotion', file: 'src/modules/order/x-flow.ts' }] } } },
    /order calls coupon\.updatePromotion.+no key/,
    /x-flow\.ts$/,
  ],
  ['a module calls what cannot be repeated, as was seen', { observed: { facts: seen(asked('order', 'coupon', 'updatePromotion')) } }, /order calls coupon\.updatePromotion/, /order → coupon/],
];

const noted: [what: string, change: Partial<ReadinessFacts>, note: RegExp][] = [
  ['who calls it, and what then happens to them', {}, /order calls it \(reserve\): .+"unavailable"/],
  ['what only clients call and nobody can repeat', {}, /Only clients call updatePromotion/],
  ['where its events go', {}, /coupon\.used goes to order/],
  ['what it listens to', {}, /listens to order\.placed: order must be able to reach it/],
  ['how much there is to copy', {}, /2 tables with 3\.0 MB to copy, the largest coupon\.promotions/],
  ['a server that is not prepared', { database: { facts: reading({ walLevel: 'replica' }) } }, /set wal_level = logical/],
  ['a server without slots', { database: { facts: reading({ slots: 0 }) } }, /allow a replication slot/],
  ['sequences', { database: { facts: reading({ sequences: ['coupon.numbers'] }) } }, /coupon\.numbers must be set/],
  ['extensions', { database: { facts: reading({ extensions: ['pg_trgm'] }) } }, /needs the extension pg_trgm/],
  ['agreed calls that nobody saw', { observed: { facts: seen({ calls: [] }) } }, /nobody saw the agreed calls order → coupon/],
  ['a compatible change that was not accepted', { contract: { facts: { module: 'coupon', state: 'compatible', changes: [{ ...broken, change: 'is new', breaking: false }] } } }, /compatibly: quote output codes is new/],
];

const unseen: [verdict: string, what: string, change: Partial<ReadinessFacts>, why: RegExp][] = [
  ['not known', 'the sources', { sources: { notLooked: 'no packages.' } }, /sources: no packages/],
  ['not known', 'the database', { database: { notLooked: 'db does not answer.' } }, /database: db does not answer/],
  ['ready, as far as looked at', 'a running Kerf', { observed: { notLooked: 'nobody answers.' } }, /seen to do: nobody answers/],
  ['ready, as far as looked at', 'a Kerf at work', { observed: { facts: seen({ calls: [], events: [] }) } }, /nothing of coupon was seen since 2026/],
  ['ready, as far as looked at', 'the accepted contract', { contract: { notLooked: 'it cannot be read.' } }, /contract.+: it cannot be read/],
];

describe('a module', () => {
  it('is ready when nothing is in the way', () => {
    expect(judge(READY)).toMatchObject({ module: 'coupon', verdict: 'ready', blockers: [], notLooked: [] });
    expect(judge(READY).looked).toHaveLength(5);
  });

  it.each(blocking)('is not ready when %s', (_what, change, blocker, where) => {
    const { verdict, blockers } = judge({ ...READY, ...change });
    expect(verdict).toBe('not ready');
    expect(blockers).toEqual([{ what: expect.stringMatching(blocker), where: expect.stringMatching(where), todo: expect.stringMatching(/^[A-Z].+\.$/) }]);
  });

  it.each(noted)('is ready, with a note on %s', (_what, change, note) => {
    const { verdict, notes } = judge({ ...READY, ...change });
    expect(verdict).toBe('ready');
    expect(notes).toContainEqual(expect.stringMatching(note));
  });

  it.each(unseen)('is %s without %s', (expected, _what, change, why) => {
    const { verdict, notLooked, looked } = judge({ ...READY, ...change });
    expect(verdict).toBe(expected);
    expect(notLooked).toEqual([expect.stringMatching(why)]);
    expect(looked).toHaveLength(4);
  });

  it('is ready, unseen, when there is nobody with whom it could be seen', () => {
    const declared = { ...READY.declared, calledBy: [], emits: [], listens: [] };
    expect(judge({ ...READY, declared, observed: { facts: seen({ calls: [], events: [] }) } })).toMatchObject({ verdict: 'ready', notLooked: [] });
  });

  it('is not ready for what was found, whatever was not looked at', () => {
    const [, change] = blocking[0]!;
    expect(judge({ ...READY, ...change, observed: { notLooked: 'nobody answers.' } }).verdict).toBe('not ready');
  });
});

/** Every agreed call and declared event, as a Kerf in use tells them. */
const USED: Observed = {
  since: SINCE,
  calls: Object.entries(calls).flatMap(([from, callees]) => callees.map((to) => ({ from, to, method: Object.keys(modules.find(({ contract }) => contract.module === to)!.contract.methods)[0]!, count: 1 }))),
  events: modules.flatMap(({ contract, listens }) => listens.map(({ type }) => ({ type, from: type.split('.')[0]!, to: contract.module, count: 1 }))),
  foreignStatements: [],
};

let database: TestDatabase;
let internal: { url: string; answer: unknown; close(): Promise<void> };
beforeAll(async () => {
  database = await createTestDatabase();
  internal = await answering(USED);
});
afterAll(async () => {
  await internal.close();
  await database.drop();
});

/** An internal port that tells this. */
async function answering(answer: unknown) {
  const told = { url: '', answer, close: async () => undefined as void };
  const server = createServer((req, res) => res.writeHead(req.url === '/observed' ? 200 : 404).end(JSON.stringify(told.answer)));
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  told.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  told.close = () => new Promise((closed) => void server.close(() => closed()));
  return told;
}

const gather = (names: readonly string[], root = ROOT) => gatherFacts(names, { names: SCHEMAS, url: database.url, root, internal: internal.url });

describe('this system', () => {
  it('has only modules that are ready', async () => {
    const results = (await gather(MODULES)).map(judge);
    expect(results.flatMap(({ module, blockers, notLooked }) => [...blockers, ...notLooked].map((what) => ({ module, what })))).toEqual([]);
    expect(results.map(({ module, verdict }) => [module, verdict])).toEqual(MODULES.map((module) => [module, 'ready']));
    expect(formatReadiness(results)).toMatch(/^user +ready\ncatalog +ready\n/);
  });

  it('says what a running Kerf could not tell', async () => {
    const wrong = await answering({ since: 'yesterday' });
    expect(await readObserved(wrong.url)).toEqual({ notLooked: expect.stringContaining('not the internal port of this version of Kerf') });
    await wrong.close();
    expect(await readObserved(wrong.url)).toEqual({ notLooked: expect.stringContaining('start Kerf and use it, then ask again') });
  });

  it('says which server does not answer, and which database knows nothing of it', async () => {
    const elsewhere = async (url: string) => (await readDatabases(['coupon'], { names: ['coupon'], url: () => url, root: ROOT })).get('coupon');
    expect(await elsewhere('postgres://kerf_coupon:x@127.0.0.1:1/shop')).toEqual({ notLooked: '127.0.0.1:1/shop does not answer (ECONNREFUSED).' });
    const stranger = await elsewhere(database.url('coupon').replace(/:[^:@]*@/, ':wrong@'));
    expect(stranger).toEqual({ facts: { place: expect.any(String), why: expect.stringContaining('does not let the role kerf_coupon in') } });
    const empty = await elsewhere(database.adminUrl.replace(/\/test_\w+/, '/postgres'));
    expect(empty).toEqual({ facts: { place: expect.any(String), why: 'The database has no schema coupon, coupon_jobs.' } });
  });
});

describe('a system with things in the way', () => {
  let tree: string;
  let admin: Client;
  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'kerf-readiness-'));
    for (const part of ['src', 'migrations', 'bin', 'package.json', 'tsconfig.json', '.dependency-cruiser.js']) await cp(join(ROOT, part), join(tree, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
    await writeFile(join(tree, 'src/modules/order/planted-service.ts'), `export { createCouponService } from '../coupon/coupon-service.ts';\n`);
    await writeFile(join(tree, 'src/modules/payment/planted-service.ts'), 'export const load = (name: string) => import(`../${name}/order-service.ts`);\n');
    await writeFile(join(tree, 'src/modules/inventory/planted-service.ts'), `import '../../composition.ts';\n`);
    await writeFile(join(tree, 'migrations/coupon/9999_planted.sql'), 'select 1;\n');
    await rm(join(tree, 'src/modules/coupon/contract.json'), { force: true });
    admin = new Client({ connectionString: database.adminUrl });
    await admin.connect();
    await admin.query('alter table coupon.promotions add constraint planted foreign key (id) references catalog.products (id); grant select on coupon.promotions to kerf_user');
    internal.answer = { ...USED, foreignStatements: [{ module: 'order', schema: 'coupon', statement: 'select * from coupon.promotions', count: 2 }] };
  });
  afterAll(async () => {
    internal.answer = USED;
    await admin.query('alter table coupon.promotions drop constraint planted; revoke select on coupon.promotions from kerf_user');
    await admin.end();
    await rm(tree, { recursive: true, force: true });
  });

  it('is told each of them, where it is and what to do', async () => {
    const results = (await gather(['coupon', 'catalog', 'payment', 'inventory', 'user'], tree)).map(judge);
    const [user, catalog, inventory, coupon, payment] = results;
    expect(coupon!.verdict).toBe('not ready');
    expect(coupon!.blockers.map(({ what }) => what)).toEqual([
      expect.stringContaining('planted-service.ts leans on src/modules/coupon/coupon-service.ts'),
      expect.stringContaining('planted on coupon.promotions leans on'),
      'kerf_user may SELECT on table coupon.promotions.',
      expect.stringContaining('9999_planted.sql did not run'),
      'order named the schema coupon 2 times.',
      'Its contract was never accepted.',
    ]);
    expect(formatReadiness([coupon!])).toMatch(/^coupon is not ready\.\n\nIn the way:\n {2}1\. .+\n {5}where: src\/modules\/order\/planted-service\.ts:1\n {5}do: +This is another module/);
    expect(catalog!.blockers.map(({ what }) => what)).toEqual([expect.stringContaining('planted on coupon.promotions leans on')]);
    expect(payment!.blockers.map(({ what }) => what)).toContainEqual('src/modules/payment/planted-service.ts leans on import(`../${name}/order-service.ts`) (imports-in-sight).');
    expect(inventory!.blockers.map(({ what }) => what)).toContainEqual(expect.stringContaining('planted-service.ts leans on src/composition.ts'));
    expect(user!.verdict).toBe('ready');
    expect(formatReadiness(results)).toMatch(/^user {7}ready\ncatalog {4}not ready \(1 in the way\)\n/);
  });

  it('makes the command end with 1', async () => {
    const { exitCode, output } = await command({}, 'coupon', '--internal', internal.url, '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ modules: [{ module: 'coupon', verdict: 'not ready', blockers: expect.arrayContaining([expect.objectContaining({ where: 'table coupon.promotions' })]) }] });
  });
});

describe('the command', () => {
  it('ends with 0 when nothing is in the way', async () => {
    const { exitCode, output } = await command({}, '--internal', internal.url);
    expect(exitCode).toBeUndefined();
    expect(output).toMatch(/^user +ready$/m);
  });

  it('ends with 2 when the database does not answer', async () => {
    const { exitCode, output } = await command({ DATABASE_URL: 'postgres://kerf@127.0.0.1:1/shop' }, 'coupon', '--internal', internal.url);
    expect(exitCode).toBe(2);
    expect(output).toMatch(/^Whether coupon is ready is not known\.\n[\s\S]+127\.0\.0\.1:1\/shop does not answer/);
  });

  it('creates nothing where there is nothing yet', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerf-bare-'));
    const bare = join(folder, 'data');
    await expect(command({ DATABASE_URL: '', KERF_DATA_DIR: bare }, 'coupon')).rejects.toThrow('There is no database yet: run "npm start" once');
    await expect(command({ KERF_SECRET: '', KERF_DATA_DIR: bare }, 'coupon')).rejects.toThrow(/^There is no secret in .+data/);
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  it('says which modules there are', async () => {
    await expect(command({}, 'coupn')).rejects.toThrow(`There is no module "coupn": it is one of ${MODULES.join(', ')}.`);
    await expect(command({}, '--internal', 'here')).rejects.toThrow(/--internal must look like/);
  });
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** Runs `kerf readiness` against the test database. */
async function command(variables: Record<string, string>, ...words: string[]): Promise<{ exitCode: typeof process.exitCode; output: string }> {
  for (const [name, value] of Object.entries({ DATABASE_URL: database.adminUrl, KERF_SECRET: TEST_SECRET, ...variables })) vi.stubEnv(name, value);
  const written: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  readinessCommand.setOptionValue('internal', undefined).setOptionValue('json', false);
  await readinessCommand.parseAsync(words, { from: 'user' });
  return { exitCode: process.exitCode, output: written.join('') };
}
