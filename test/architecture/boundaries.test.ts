import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADVICE } from '../../src/boundaries/lint/advice.ts';
import { createJudge } from '../../src/boundaries/lint/rules.ts';
import { formatReport } from '../../src/boundaries/lint/report.ts';
import { type BoundaryReport, lintBoundaries } from '../../src/boundaries/lint/lint.ts';
import { type Plant, planted } from './boundaries-plants.ts';
import { createShop, type Shop } from './boundaries-tree.ts';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

const shops: Shop[] = [];
const shopWith = (changed?: Parameters<typeof createShop>[0]) => {
  const shop = createShop(changed);
  shops.push(shop);
  return shop;
};
afterAll(() => shops.forEach((shop) => shop.remove()));

const places = ({ violations }: BoundaryReport) => violations.map(({ rule, file, line, column }) => `${rule} ${file}:${line}:${column}`);

describe('the boundary check of this tree', () => {
  it('reads every module and finds nobody who leans on what is not theirs', async () => {
    const report = await lintBoundaries(ROOT);
    const { MODULES } = await import('../../src/calls.ts');
    expect(report.violations).toEqual([]);
    expect(report.modules).toBe(MODULES.length);
    expect(report.files).toBeGreaterThan(200);
    expect(report.edges).toBeGreaterThan(report.files);
  });
});

describe('the boundary check of a small shop', () => {
  it('is green', async () => expect(await lintBoundaries(shopWith().root)).toMatchObject({ modules: 3, violations: [] }));

  it('points to the import that is wrong, not to the one beside it that is right', async () => {
    const { root } = shopWith({ 'src/modules/coupon/both.ts': "import type { Service } from './contract.ts';\nimport { contract } from './contract.ts';\nexport type { Service };\n" });
    expect(places(await lintBoundaries(root))).toEqual(['domain-takes-types src/modules/coupon/both.ts:2:26']);
  });

  it.each([
    ['a path that is looked through', "export const isIn = (path) => !path.split('/').includes('..') && path !== '..';"],
    ['a parameter with a name of the world', 'export const run = (process, require) => [process.env, require(process.env)];'],
    ['a variable with a name of the world', 'export function run(queue) {\n  const process = queue.process;\n  return process.env;\n}'],
    ['the address of a page', "export const page = 'https://kerf.example/src/modules/order/order-service.ts';"],
    ['the names of modules', "export const all = ['order', 'order/', 'order/nothing.ts'];"],
    ['events by their name', "import { contract } from '../order/contract.ts';\nexport const { events } = contract;\nexport const happened = contract['events'].happened;"],
  ])('lets through %s', async (_what, code) => {
    const { root } = shopWith({ [`src/modules/coupon/${code.includes('contract') ? 'right-subscriptions' : 'right'}.ts`]: `${code}\n` });
    expect(places(await lintBoundaries(root))).toEqual([]);
  });

  it('tells of a computed import once, also when its path is known', async () => {
    const { root } = shopWith({ 'src/modules/coupon/once-service.ts': "export const load = () => import('../or' + 'der/order-service.ts');\n" });
    expect(places(await lintBoundaries(root))).toEqual(['imports-in-sight src/modules/coupon/once-service.ts:1:27']);
  });

  it('knows what it may not: each rule has a sentence that ends, and is broken somewhere below', async () => {
    const { default: config } = await import(pathToFileURL(join(shopWith().root, '.dependency-cruiser.js')).href);
    const rules: [string, string][] = [...config.forbidden.map(({ name, comment }: { name: string; comment: string }) => [name, comment]), ...Object.entries(ADVICE)];
    for (const [name, advice] of rules) expect(advice, name).toMatch(/^[^ ].{30,}\.$/);
    const broken = new Set([...planted, ...TREES].map(({ rule }) => rule));
    expect(rules.map(([name]) => name).filter((name) => !broken.has(name))).toEqual([]);
  });
});

/** Puts plants into a shop and answers where the check must see them. */
function plant(plants: readonly Plant[]): { shop: Shop; expected: Map<Plant, string> } {
  const aliases = '{ "name": "shop", "type": "module", "imports": { "#order/*": "./src/modules/order/*" } }';
  const beside = Object.assign({}, ...plants.map((one) => one.beside ?? {}));
  const shop = shopWith({ 'package.json': aliases, ...beside });
  const expected = new Map<Plant, string>();
  for (const [file, ofFile] of Map.groupBy(plants, (one) => one.file)) {
    let content = ofFile[0]!.code === '«' ? '' : shop.read(file);
    for (const one of ofFile) {
      const before = (content + one.code.split('«')[0]).split('\n');
      expected.set(one, `${one.rule} ${file}:${before.length}:${before.at(-1)!.length + 1}`);
      content += `${one.code.replace('«', '')}\n`;
    }
    if (content !== '\n') shop.write(file, content);
  }
  return { shop, expected };
}

describe('a planted violation is found, with its line and column:', () => {
  const isLinked = ({ beside = {} }: Plant) => Object.values(beside).some((content) => typeof content !== 'string');
  const groups = [planted.filter((one) => !isLinked(one)), planted.filter(isLinked)].map((plants) => ({ plants, ...plant(plants) }));
  const [{ shop: shopWithoutLinks }] = groups as [(typeof groups)[0], ...typeof groups];
  let found: Set<string>;
  beforeAll(async () => {
    found = new Set();
    for (const { shop } of groups) for (const place of places(await lintBoundaries(shop.root))) found.add(place);
  });

  for (const { plants, expected } of groups) {
    for (const [rule, ofRule] of Map.groupBy(plants, (one) => one.rule)) {
      it.each(ofRule.map((one) => [one.what, expected.get(one)!] as const))(`${rule}: %s`, (_what, place) => expect(found).toContain(place));
    }
  }

  it('by dependency-cruiser itself, too, when an import shows it', async () => {
    const words = ['src', 'test', 'bin', 'bench', '--output-type', 'json'];
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/depcruise'), words, { cwd: shopWithoutLinks.root, maxBuffer: 1e9 }).catch((error: { stdout: string }) => error);
    const { violations } = (JSON.parse(stdout) as { summary: { violations: { rule: { name: string }; from: string }[] } }).summary;
    const theirs = new Set(violations.filter(({ rule }) => rule.name !== 'no-cycles').map(({ rule, from }) => `${rule.name} ${from}`));
    const ours = new Set([...found].map((place) => place.replace(/(:\d+){2}$/, '')));
    expect(theirs.size).toBeGreaterThan(500);
    expect([...theirs].filter((place) => !ours.has(place))).toEqual([]);
  });
});

const configWith = (options: string) => `import config from './rules.config.js';\nexport default { ...config, options: { ...config.options, ${options} } };\n`;
const callsOf = (table: string) => `export const calls = {\n${table}\n};\nexport const MODULES = Object.keys(calls);\n`;

/** Shops that are wrong as a whole: what is changed in them, and where the check points to. */
const TREES: { rule: string; what: string; changed: Parameters<typeof createShop>[0]; place: string }[] = [
  { rule: 'reads-something', what: 'nothing is read', changed: { '.dependency-cruiser.js': configWith("exclude: { path: '.' }") }, place: '.dependency-cruiser.js:1:1' },
  { rule: 'reads-something', what: 'no import is read', changed: { '.dependency-cruiser.js': configWith("moduleSystems: ['amd']") }, place: '.dependency-cruiser.js:1:1' },
  { rule: 'reads-every-module', what: 'a module is left out', changed: { '.dependency-cruiser.js': configWith("exclude: { path: '^src/modules/coupon/' }") }, place: 'src/modules/coupon:1:1' },
  { rule: 'reads-every-file', what: 'a file is left out', changed: { '.dependency-cruiser.js': configWith("exclude: { path: 'order-routes' }") }, place: 'src/modules/order/order-routes.ts:1:1' },
  { rule: 'reads-every-file', what: 'the tests are left out', changed: { '.dependency-cruiser.js': configWith("doNotFollow: { path: '(^|/)node_modules/|^test/' }") }, place: 'test/journey/purchase.test.ts:1:1' },
  { rule: 'reads-every-file', what: 'code hides in a folder of packages', changed: { 'src/modules/coupon/node_modules/own/index.js': "import '../../../../order/order-service.ts';\n" }, place: 'src/modules/coupon/node_modules/own/index.js:1:1' },
  { rule: 'modules-in-the-table', what: 'a module without a row', changed: { 'src/modules/gift/contract.ts': "import 'zod';\n" }, place: 'src/modules/gift:1:1' },
  { rule: 'modules-in-the-table', what: 'an inside under a name of another case', changed: { 'src/modules/Order/order-service.ts': 'export const a = 1;\n' }, place: 'src/modules/Order:1:1' },
  { rule: 'modules-in-the-table', what: 'a file between the modules', changed: { 'src/modules/between.ts': "export * from './order/order-service.ts';\n" }, place: 'src/modules/between.ts:1:1' },
  { rule: 'table-names-modules', what: 'a row without a module', changed: { 'src/calls.ts': callsOf('  order: [],\n  coupon: [],\n  catalog: [],\n  gift: [],') }, place: 'src/calls.ts:5:3' },
  { rule: 'table-names-modules', what: 'a callee that does not exist', changed: { 'src/calls.ts': callsOf("  order: ['coupon', 'gift'],\n  coupon: [],\n  catalog: [],") }, place: 'src/calls.ts:2:22' },
  { rule: 'calls-go-one-way', what: 'two modules call each other', changed: { 'src/calls.ts': callsOf("  order: ['coupon'],\n  coupon: ['order'],\n  catalog: [],") }, place: 'src/calls.ts:3:3' },
  { rule: 'calls-go-one-way', what: 'a circle of three', changed: { 'src/calls.ts': callsOf("  order: ['coupon'],\n  coupon: ['catalog'],\n  catalog: ['order'],") }, place: 'src/calls.ts:4:3' },
  { rule: 'modules-by-contract', what: 'an inside by an alias of the compiler', changed: { 'tsconfig.json': '{ "compilerOptions": { "module": "nodenext", "paths": { "@order/*": ["./src/modules/order/*"] } } }', 'src/modules/coupon/aliased.ts': "import type { Served } from '@order/order-service.ts';\n" }, place: 'src/modules/coupon/aliased.ts:1:29' },
  { rule: 'modules-by-contract', what: 'an inside by an alias that is inherited', changed: { 'tsconfig.json': '{ "extends": "./base.json" }', 'base.json': '{ "compilerOptions": { "module": "nodenext", "paths": { "@order/*": ["./src/modules/order/*"] } } }', 'src/modules/coupon/aliased.ts': "import '@order/order-service.ts';\n" }, place: 'src/modules/coupon/aliased.ts:1:8' },
  { rule: 'modules-by-contract', what: 'an inside by its absolute path', changed: { 'src/modules/coupon/absolute.ts': "export const load = () => import('ROOT/src/modules/order/order-service.ts');\n" }, place: 'src/modules/coupon/absolute.ts:1:34' },
  { rule: 'modules-by-contract', what: 'an inside by its address', changed: { 'src/modules/coupon/absolute.ts': "export const load = () => import('file://ROOT/src/modules/order/order-service.ts');\n" }, place: 'src/modules/coupon/absolute.ts:1:34' },
  { rule: 'resolvable', what: 'code in the address itself', changed: { 'src/modules/coupon/data.ts': "import 'data:text/javascript,import \"ROOT/src/modules/order/order-service.ts\"';\n" }, place: 'src/modules/coupon/data.ts:1:8' },
];

describe('a shop is red when', () => {
  it.each(TREES.map((tree) => [`${tree.what} (${tree.rule})`, tree] as const))('%s', async (_what, { rule, changed, place }) => {
    const shop = shopWith(changed);
    expect(places(await lintBoundaries(shop.root))).toContain(`${rule} ${place}`);
  });

  it.each([
    ['reachable', {}, { reachable: true }],
    ['path', { path: '^src/' }, { circular: true }],
  ])('its rules say what the check does not understand: %s', (key, from, to: object) => {
    const complaint = `The rule new in .dependency-cruiser.js uses ${key}, which the boundary check does not judge`;
    expect(() => createJudge([{ name: 'new', comment: 'New.', from, to }])).toThrow(complaint);
  });
});

describe('the command', () => {
  const kerf = (...words: string[]) =>
    run(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), 'boundaries', ...words]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    );

  it('says in one line that all is well', async () => {
    const { code, stdout } = await kerf('--root', shopWith().root);
    expect(stdout).toMatch(/^Read 3 modules, \d+ files and \d+ imports in \d+\.\d s: nobody leans on what is not theirs\.\n$/);
    expect(code).toBe(0);
  });

  it('answers a machine in the documented shape', async () => {
    const { root } = shopWith({ 'src/edge/planted.ts': "\nimport '../modules/order/order-service.ts';\n" });
    const { code, stdout } = await kerf('--root', root, '--json');
    expect(JSON.parse(stdout)).toEqual({
      modules: 3,
      files: expect.any(Number),
      edges: expect.any(Number),
      milliseconds: expect.any(Number),
      violations: [
        {
          rule: 'modules-from-outside',
          file: 'src/edge/planted.ts',
          line: 2,
          column: 8,
          to: 'src/modules/order/order-service.ts',
          advice: 'Outside of modules only contract.ts may be imported: go through the contract.',
        },
      ],
    });
    expect(code).toBe(1);
  });

  it('refuses in one sentence a folder that is no checkout', async () => {
    const { code, stderr } = await kerf('--root', '/');
    expect(stderr).toBe('There is no .dependency-cruiser.js in /: --root wants the folder of a checkout.\n');
    expect(code).toBe(2);
  });

  it.each([
    ['src/calls.ts', 'export const calls = {', /^src\/calls\.ts in .* cannot be loaded: .+\n$/],
    ['src/calls.ts', 'export const MODULES = [];\n', /^src\/calls\.ts in .* must export calls: .+\n$/],
    ['.dependency-cruiser.js', 'export default {};\n', /^\.dependency-cruiser\.js in .* must export forbidden, .+\n$/],
    ['.dependency-cruiser.js', "export default { forbidden: [{ name: 'new', from: { path: '(' }, to: {} }], options: {} };\n", /^The rule new in \.dependency-cruiser\.js has a pattern that is none: .+\n$/],
  ])('refuses in one sentence a broken %s: %s', async (path, content, sentence) => {
    const { code, stderr } = await kerf('--root', shopWith({ [path]: content }).root);
    expect(stderr).toMatch(sentence);
    expect(code).toBe(2);
  });

  it('says what to do in a checkout without packages', async () => {
    const { root } = shopWith();
    rmSync(join(root, 'node_modules'));
    const { code, stderr } = await kerf('--root', root);
    expect(stderr).toBe(`There is no node_modules in ${root}, without which no import leads anywhere: run npm ci there.\n`);
    expect(code).toBe(2);
  });

  it('tells people what was read, where, by which rule, and what to do instead', () => {
    const violation = { rule: 'no-links', file: 'src/a.ts', line: 3, column: 5, to: '', advice: 'Import it.' };
    const violations = [violation, { ...violation, rule: 'other', to: 'src/b.ts', advice: 'Do not.' }, { ...violation, line: 7 }];
    expect(formatReport({ modules: 1, files: 1_200, edges: 3, milliseconds: 1_234, violations })).toBe(
      ['no-links: Import it.', '  src/a.ts:3:5', '  src/a.ts:7:5', '', 'other: Do not.', '  src/a.ts:3:5 leans on src/b.ts', '', '3 violations of 2 rules; read 1 module, 1,200 files and 3 imports in 1.2 s.'].join('\n'),
    );
  });
});
