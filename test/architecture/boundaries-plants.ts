/** Something forbidden, put into the shop of boundaries-tree.ts. */
export interface Plant {
  rule: string;
  what: string;
  file: string;
  /** one line of code, with « where the check must point to */
  code: string;
  /** what else it takes */
  beside?: Record<string, string | { linkTo: string }>;
}

/** A file of its own for each plant. */
let count = 0;
function named(file: string): string {
  count += 1;
  return file.replace('*', `planted-${count}`);
}

/** The ways in which a file can lean on another one. */
const WAYS: Record<string, (path: string) => string> = {
  'a side effect': (path) => `import «'${path}';`,
  'named imports': (path) => `import { a, b as c } from «'${path}';`,
  'a default import': (path) => `import it from «'${path}';`,
  'a namespace': (path) => `import * as all from «"${path}";`,
  'import attributes': (path) => `import it from «'${path}' with { type: 'json' };`,
  'a dynamic import': (path) => `export const load = () => import(«'${path}');`,
  'a dynamic import by template': (path) => `export const load = () => import(«\`${path}\`);`,
  're-export of all': (path) => `export * from «'${path}';`,
  're-export as a namespace': (path) => `export * as all from «'${path}';`,
  're-export by name': (path) => `export { a } from «'${path}';`,
  require: (path) => `export const it = require(«'${path}');`,
  'import = require': (path) => `import it = require(«'${path}');`,
  'an escaped path': (path) => `import «'${path.replace('r', '\\u0072')}';`,
  'a roundabout path': (path) => `import «'${path.replace(/^(\.\.?)\//, '$1/./nowhere/..//')}';`,
  'a query': (path) => `import «'${path}?again';`,
};

const ONLY_AT_THE_TOP = 'a reference comment';

const TYPE_WAYS: Record<string, (path: string) => string> = {
  'import type': (path) => `import type { A } from «'${path}';`,
  'type modifiers': (path) => `import { type A, type B } from «'${path}';`,
  'an import of a type only': (path) => `export type A = import(«'${path}').A;`,
  'typeof import': (path) => `export type All = typeof import(«'${path}');`,
  're-export of types': (path) => `export type { A } from «'${path}';`,
  'import inside a namespace': (path) => `declare module 'zod' { import type { A } from «'${path}'; }`,
  [ONLY_AT_THE_TOP]: (path) => `/// <reference path="«${path}" />`,
};

/** Ways that are no import to a reader of imports. */
const HIDDEN_WAYS: Record<string, (path: string) => string> = {
  'require of its own making': (path) => `import { createRequire as make } from 'node:module'; make(import.meta.url)(«'${path}');`,
  'import.meta.resolve': (path) => `export const at = import.meta.resolve(«'${path}');`,
  'a mock': (path) => `vi.mock(«'${path}');`,
  'the actual module behind a mock': (path) => `export const it = await vi.importActual(«'${path}');`,
  'a worker': (path) => `export const worker = new Worker(new URL(«'${path}', import.meta.url));`,
  'module augmentation': (path) => `declare module «'${path}' { interface A { b: 1 } }`,
  'a path for the file system': (path) => `export const text = readFileSync(new URL(«"${path}", import.meta.url));`,
  'a path that is put together': (path) => `export const text = readFileSync(«join(import.meta.dirname, ${path.split('/').map((part) => `'${part}'`).join(', ')}));`,
  'a path after the folder of the file': (path) => `export const worker = new Worker(\`\${import.meta.dirname«}/${path.startsWith('.') ? path : `./${path}`}\`);`,
  'a path added to the folder of the file': (path) => `export const at = import.meta.dirname + «'/${path}';`,
  'texts that are put together': (path) => `export const at = here + (${path.split('/').map((part, index) => `${index === 0 ? '«' : ''}'${part}${index === path.split('/').length - 1 ? '' : '/'}'`).join(' + ')});`,
};

/** From where to where each rule forbids it; `*` is a name for each way. */
const FORBIDDEN_PATHS: [rule: string, from: string, to: string, ways?: Record<string, (path: string) => string>][] = [
  ['modules-by-contract', 'src/modules/coupon/*-service.ts', '../order/order-service.ts'],
  ['modules-by-contract', 'src/modules/coupon/deep/*-service.ts', '../../order/fake.ts'],
  ['modules-by-contract', 'src/modules/coupon/*-repository.ts', '../order/module.ts'],
  ['modules-on-the-kernel', 'src/modules/coupon/*-service.ts', '../../edge/app.ts'],
  ['modules-on-the-kernel', 'src/modules/coupon/*-flow.ts', '../../composition.ts'],
  ['modules-from-outside', 'src/edge/*.ts', '../modules/order/order-service.ts'],
  ['modules-from-outside', 'src/cli/*.ts', '../modules/order/order.ts'],
  ['composition-wires-modules', 'src/composition.ts', './modules/order/order-service.ts'],
  ['module-is-wired-once', 'src/setup/*.ts', '../modules/order/module.ts'],
  ['module-is-wired-once', 'src/modules/order/*-service.ts', './module.ts'],
  ['composed-at-start-up', 'src/edge/*.ts', '../composition.ts'],
  ['calls-of-order', 'src/modules/order/*-service.ts', '../catalog/contract.ts'],
  ['calls-of-none', 'src/modules/coupon/*-flow.ts', '../catalog/contract.ts'],
  ['contract-is-plain', 'src/modules/coupon/contract.ts', './coupon-service.ts'],
  ['contract-is-plain', 'src/modules/catalog/contract.ts', '../coupon/contract.ts'],
  ['kernel-knows-no-module', 'src/shared/*.ts', '../modules/order/contract.ts'],
  ['kernel-knows-no-module', 'src/shared/*.ts', '../edge/app.ts'],
  ['domain-is-pure', 'src/modules/coupon/*.ts', '../../shared/database.ts'],
  ['domain-is-pure', 'src/modules/coupon/deep/*.ts', '../../../shared/contract.ts'],
  ['domain-is-a-leaf', 'src/modules/coupon/*.ts', './coupon-repository.ts'],
  ['domain-takes-types', 'src/modules/coupon/*.ts', './contract.ts', { ...WAYS, ...HIDDEN_WAYS }],
  ['routes-see-the-contract', 'src/modules/coupon/*-routes.ts', './coupon-service.ts'],
  ['tests-of-a-module', 'test/modules/coupon/*.test.ts', '../../../src/modules/order/order-service.ts'],
  ['tests-of-a-module', 'test/modules/coupon/*.ts', '../order/order.test.ts'],
  ['tests-of-a-module', 'test/modules/coupon/*.ts', '../../journey/purchase.test.ts'],
  ['tests-of-a-module', 'test/modules/coupon/*.ts', '../../../src/composition.ts'],
  ['src-stands-alone', 'src/edge/*.ts', '../../test/support/database.ts'],
];

const ALL_WAYS = { ...WAYS, ...TYPE_WAYS, ...HIDDEN_WAYS };

const paths = FORBIDDEN_PATHS.flatMap(([rule, from, to, ways = ALL_WAYS]) =>
  Object.entries(ways).filter(([way]) => from.includes('*') || way !== ONLY_AT_THE_TOP).map(([way, code]): Plant => ({ rule, what: `${to} by ${way}`, file: named(from), code: code(to) })),
);

const LIBRARY_WAYS = ['a side effect', 'named imports', 'a dynamic import', 'import type', 'type modifiers', 'an import of a type only', 're-export of all', 'require', 'require of its own making'];
const FORBIDDEN_LIBRARIES: [rule: string, from: string, library: string][] = [
  ['tables-in-repositories', 'src/modules/coupon/*-service.ts', 'knex'],
  ['tables-in-repositories', 'src/modules/coupon/*-routes.ts', 'pg'],
  ['tables-in-repositories', 'src/edge/*.ts', 'pg-boss'],
  ['tables-in-repositories', 'src/cli/*.ts', 'knex/knex.js'],
  ['http-at-the-edge', 'src/modules/coupon/*-routes.ts', 'express'],
  ['http-at-the-edge', 'src/setup/*.ts', 'express'],
  ['http-at-the-edge', 'src/shared/*.ts', 'helmet'],
  ['wiring-in-one-place', 'src/modules/coupon/*-service.ts', 'inversify'],
  ['wiring-in-one-place', 'src/edge/*.ts', 'inversify'],
  ['wiring-in-one-place', 'src/shared/*.ts', 'inversify'],
  ['wiring-in-one-place', 'src/modules/coupon/deep/module.ts', 'inversify'],
  ['wiring-in-one-place', 'test/modules/coupon/*.ts', 'inversify'],
  ['contract-is-plain', 'src/modules/coupon/contract.ts', 'jose'],
  ['domain-is-pure', 'src/modules/coupon/*.ts', 'zod'],
  ['domain-is-pure', 'src/modules/coupon/*.ts', 'node:crypto'],
];

const libraries = FORBIDDEN_LIBRARIES.flatMap(([rule, from, library]) =>
  LIBRARY_WAYS.map((way): Plant => ({ rule, what: `${library} by ${way}`, file: named(from), code: ALL_WAYS[way]!(library) })),
);

const EXTENSIONS = ['ts', 'mts', 'cts', 'tsx', 'js', 'mjs', 'cjs', 'jsx', 'd.ts'];
const extensions = EXTENSIONS.flatMap((extension): Plant[] => [
  { rule: 'modules-by-contract', what: `an inside, from a .${extension} file`, file: named(`src/modules/coupon/*-service.${extension}`), code: "export * from «'../order/order-service.ts';" },
  { rule: 'modules-by-contract', what: `an inside with the extension .${extension}`, file: named('src/modules/coupon/*-service.ts'), code: `import «'../order/other-${extension}.${extension}';`, beside: { [`src/modules/order/other-${extension}.${extension}`]: 'export const a = 1;\n' } },
  { rule: 'domain-is-pure', what: `a library, from a .${extension} file`, file: named(`src/modules/coupon/*.${extension}`), code: "import «'zod';" },
  { rule: 'tests-of-a-module', what: `an inside, from a .${extension} file`, file: named(`test/modules/coupon/*.${extension}`), code: "import «'../../../src/modules/order/order-service.ts';" },
]);

/** Other names for `../order/order-service.ts`; where one leads nowhere, that is refused. */
const names: Plant[] = [
  ['modules-by-contract', '../order/order-service.js'],
  ['modules-by-contract', '../order/order-service.mjs'],
  ['modules-by-contract', '../order/order-service'],
  ['modules-by-contract', '#order/order-service.ts'],
  ['modules-by-contract', 'shop-again/src/modules/order/order-service.ts'],
  ['resolvable', '../order/order-service.tsx'],
  ['resolvable', '../Order/order-service.ts'],
  ['resolvable', '../order/Order-Service.ts'],
  ['resolvable', '../order/order-service.TS'],
  ['resolvable', '../order'],
  ['resolvable', 'src/modules/order/order-service.ts'],
  ['resolvable', '../%6frder/order-service.ts'],
  ['resolvable', '#unknown/order-service.ts'],
  ['resolvable', './nothing.ts'],
  ['resolvable', 'no-such-library'],
].map(([rule = '', name]) => ({
  rule,
  what: `written as ${name}`,
  file: named('src/modules/coupon/*-service.ts'),
  code: `import «'${name}';`,
  beside: { 'src/modules/node_modules/shop-again': { linkTo: '../../..' } },
}));

const settings: Plant[] = [
  'export const port = «process.env.PORT;',
  "export const port = «process.env['PORT'];",
  "export const port = «process['env'].PORT;",
  'export const port = «process?.env?.PORT;',
  'export const port = («process).env.PORT;',
  'export const port = («process as any).env.PORT;',
  'export const port = «process!.env.PORT;',
  'export const { env } = «process;',
  'export const { env: { PORT } } = «process;',
  'const own = «process; export const port = own.env.PORT;',
  "const name = 'env'; export const port = «process[name].PORT;",
  "export const env = Reflect.get(«process, 'env');",
  'export const all = { «process };',
  'export const port = «globalThis.process.env.PORT;',
  "export const port = «globalThis['process'].env.PORT;",
  'export const port = «global.process.env.PORT;',
  'export const { process } = «globalThis;',
  'const world = «globalThis; export const port = world.process.env.PORT;',
  'export const mode = «import.meta.env.MODE;',
  'export const load = () => «process.loadEnvFile();',
  "export const port = «pro\\u0063ess['\\u0065nv'].PORT;",
  "const name = 'process'; export const port = «globalThis[name].env.PORT;",
  "export const port = «globalThis['pro' + 'cess'].env.PORT;",
  'export const all = «process.report.getReport();',
  'declare const process: any; export const port = «process.env.PORT;',
  'export { «process };',
  "import { env } from «'node:process';",
  "import { env as own } from «'process';",
  "import own from «'node:process';",
  "export const own = () => import(«'node:process');",
  "export { env } from «'node:process';",
  "export const own = process.getBuiltinModule(«'node:process');",
].map((code, index) => ({ rule: 'settings-from-config', what: code.replace('«', ''), file: named(['src/modules/coupon/*-service.ts', 'src/setup/*.ts', 'src/shared/*.ts'][index % 3]!), code }));

const COMPUTING = ['src/modules/coupon/*-service.ts', 'test/modules/coupon/*.ts', 'src/shared/*.ts', 'test/support/*.ts', 'src/setup/*.ts', 'src/edge/*.ts', 'src/cli/*.ts', 'src/placement/*.ts', 'test/shared/*.ts', 'bin/*.js'];
const computed: Plant[] = [
  'export const load = (name) => import(«`../${name}/order-service.ts`);',
  'export const load = (name) => «import(name);',
  "export const load = () => «import('../or' + 'der/order-service.ts');",
  'export const load = (name) => «require(name);',
  'const get = «require;',
  "export const at = «require.resolve('zod');",
  "import { createRequire } from «'node:module';",
  "export const { createRequire } = process.getBuiltinModule(«'module');",
  "export const { createRequire } = «process.getBuiltinModule('module');",
  'export const at = (name) => «import.meta.resolve(name);',
  "export const all = «import.meta.glob([pattern]);",
  'export const worker = (name) => new Worker(«new URL(name, import.meta.url));',
  '«vi.mock(name);',
  'export const it = «vi.importActual(name);',
  'export const run = (text) => «eval(text);',
  'export const run = (text) => new «Function(text)();',
  'export const run = (text) => «globalThis.eval(text);',
  "export const run = (text) => new «globalThis['Function'](text)();",
  "import vm from «'node:vm';",
].map((code, index) => ({
  rule: 'imports-in-sight',
  what: code.replace('«', ''),
  file: named(COMPUTING[index % COMPUTING.length]!),
  code: code.includes('import(«`') ? code.replace('import(«', '«import(') : code,
}));

const texts: Plant[] = [
  { rule: 'modules-by-contract', what: 'files of another module by a pattern', file: named('src/modules/coupon/*-service.ts'), code: "export const all = import.meta.glob(«'../order/*.ts');" },
  { rule: 'modules-by-contract', what: 'files of every module by a pattern', file: named('src/modules/coupon/*-service.ts'), code: "export const all = import.meta.glob(«'../*/contract.ts');" },
  { rule: 'modules-by-contract', what: 'the folder of another module', file: named('src/modules/coupon/*-service.ts'), code: "export const files = readdirSync(join(root, «'src/modules/order'));" },
  { rule: 'modules-by-contract', what: 'a page of another module', file: named('src/modules/coupon/*-service.ts'), code: 'export const page = readFileSync(`${root«}/src/modules/order/README.md`);' },
  { rule: 'tests-of-a-module', what: 'files of another module’s tests', file: named('test/modules/coupon/*.ts'), code: "export const data = readFileSync(«'test/modules/order/data.json');" },
  { rule: 'migrations-of-a-module', what: 'another module’s tables, in a test', file: named('test/modules/coupon/*.ts'), code: "export const sql = readFileSync(join(import.meta.dirname, «'../../../migrations/order/0001_start.sql'));" },
  { rule: 'migrations-of-a-module', what: 'another module’s tables, in a service', file: named('src/modules/coupon/*-service.ts'), code: "export const sql = readFileSync(«join(root, 'migrations', 'order'));" },
];

texts.push(
  ...[
    "export const at = «join(dirname(import.meta.dirname), 'order', 'order-service.ts');",
    "export const at = join(SRC, «'modules/order/order-service.ts');",
    'export const at = `${SRC«}/modules/order/order-service.ts`;',
  ].map((code) => ({ rule: 'modules-by-contract', what: code.replace('«', ''), file: named('src/modules/coupon/*-service.ts'), code })),
  { rule: 'modules-from-outside', what: 'statements of a module', file: named('src/setup/*.ts'), code: "export const sql = readFileSync(«'src/modules/order/order.sql');" },
  { rule: 'tests-of-a-module', what: 'an inside after a folder', file: named('test/modules/coupon/*.ts'), code: "export const at = join(SRC, «'modules/order/order-service.ts');" },
);

/** What others than repositories do with the database, who leaves a transaction, and what a fake gives out. */
const TAKEN_FROM_DATABASE = ['import { «rows } from PATH;', 'import { «rows as transaction } from PATH;', 'import «* as database from PATH;', '«export * from PATH;', 'export const load = () => «import(PATH);', 'export { «rows } from PATH;'];
const queries: Plant[] = [
  ...TAKEN_FROM_DATABASE.map((code) => code.replace('PATH', "'../../shared/database.ts'")),
  "export const load = (db) => «db('orders');",
  "export const load = (trx) => «trx('orders');",
  "export const load = (trx) => «trx.select('id');",
  "export const load = () => «this.db('orders');",
  "export const load = (connection) => «connection.raw('select 1');",
].map((code, index) => ({ rule: 'queries-in-repositories', what: code.replace('«', ''), file: named(['src/modules/coupon/*-service.ts', 'src/modules/coupon/*-flow.ts', 'src/modules/coupon/deep/*.ts'][code.includes('shared') ? index % 2 : index % 3]!), code }));
const leaving: Plant[] = ['import { «outsideTransaction } from PATH;', 'import { «outsideTransaction as go } from PATH;', 'import «* as database from PATH;'].map((code, index) => ({
  rule: 'transactions-stay-open',
  what: code.replace('«', ''),
  file: named(index === 0 ? 'src/modules/coupon/*-repository.ts' : 'src/edge/*.ts'),
  code: code.replace('PATH', index === 0 ? "'../../shared/database.ts'" : "'../shared/database.ts'"),
}));
const fakes: Plant[] = [
  { rule: 'fakes-keep-the-inside', what: 're-export of all', file: 'src/modules/order/fake.ts', code: "«export * from './order.ts';" },
  { rule: 'fakes-keep-the-inside', what: 're-export by name', file: 'src/modules/order/fake.ts', code: "«export { a } from './order.ts';" },
  { rule: 'fakes-keep-the-inside', what: 'import, then export', file: 'src/modules/coupon/fake.ts', code: "import { a } from './coupon.ts'; export { «a };" },
  { rule: 'fakes-keep-the-inside', what: 'import, then export of a namespace', file: 'src/modules/coupon/fake.ts', code: "import * as inside from './coupon.ts'; export const own = «inside;" },
  { rule: 'fakes-keep-the-inside', what: 'import, then export of a type', file: 'src/modules/catalog/fake.ts', code: "import type { Of } from './catalog.ts'; export type { «Of };" },
  { rule: 'fakes-keep-the-inside', what: 'import, then export by default', file: 'src/modules/catalog/fake.ts', code: "import { a as b } from './catalog.ts'; export default «b;" },
  { rule: 'fake-of-the-domain', what: 'a repository', file: 'src/modules/order/fake.ts', code: "import «'./order-repository.ts';" },
  { rule: 'fake-of-the-domain', what: 'the wiring', file: 'src/modules/order/fake.ts', code: "import «'./module.ts';" },
  { rule: 'fakes-for-tests', what: "a module's own", file: named('src/modules/order/*-service.ts'), code: "import «'./fake.ts';" },
  { rule: 'fakes-for-tests', what: 'from start-up', file: named('src/setup/*.ts'), code: "import «'../modules/order/fake.ts';" },
];

const tests: Plant[] = [
  { rule: 'tests-in-a-room', what: 'an inside, between the folders of modules', file: 'test/modules/between.test.ts', code: "import «'../../src/modules/order/order-service.ts';" },
  { rule: 'tests-in-a-room', what: 'an inside, in an unknown folder', file: named('test/elsewhere/*.test.ts'), code: "import «'../../src/modules/order/order-service.ts';" },
  { rule: 'tests-in-a-room', what: 'an inside, in no folder', file: 'test/planted.ts', code: "import «'../src/modules/order/order-service.ts';" },
  { rule: 'tests-by-a-helper', what: 'an inside that a helper mocks', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../support/mocking.ts';", beside: { 'test/support/mocking.ts': "export const it = vi.importActual('../../src/modules/order/order-service.ts');" } },
  { rule: 'tables-in-repositories', what: 'from a test', file: named('test/modules/coupon/*.test.ts'), code: "import «'pg';" },
  { rule: 'tests-as-the-module', what: 'the administrator', file: named('test/modules/coupon/*.test.ts'), code: 'export const url = context.«adminUrl;' },
  { rule: 'tests-as-the-module', what: 'the administrator as it is provided', file: named('test/modules/coupon/*.test.ts'), code: "export const url = inject(«'adminUrl');" },
  { rule: 'code-in-a-room', what: 'a new folder', file: 'tools/new.ts', code: '«import "../src/modules/order/order-service.ts";' },
  { rule: 'code-in-a-room', what: 'a script', file: 'tools/run', code: '«#!/usr/bin/env node' },
  { rule: 'code-in-a-room', what: 'a file in the root', file: 'reach.ts', code: '«import "./src/modules/order/order-service.ts";' },
  { rule: 'code-in-a-room', what: 'code between the tables', file: 'migrations/order/0002_fill.js', code: '«import "../../src/modules/order/order-service.ts";' },
];

const PUBLIC = 'src/modules/order/contract.ts';
const beyondEvents: Plant[] = [
  "import { contract as orders } from '../order/contract.ts'; export const token = «orders.token;",
  "import { contract as orders } from '../order/contract.ts'; export const { token } = «orders;",
  "import { contract as orders } from '../order/contract.ts'; export const { events, ...rest } = «orders;",
  "import { contract as orders } from '../order/contract.ts'; export const token = «orders['token'];",
  "import { contract as orders } from '../order/contract.ts'; export { «orders };",
  "import { contract as orders } from '../order/contract.ts'; export const all = { orders: «orders };",
  "import * as «orders from '../order/contract.ts';".replace('* as «orders', '«* as orders'),
  "export { contract } from «'../order/contract.ts';",
  "export const load = () => import(«'../order/contract.ts');",
].map((code, index) => ({ rule: 'events-only', what: `${PUBLIC}: ${code.replace('«', '')}`, file: index % 2 === 0 ? named('src/modules/coupon/*-subscriptions.ts') : 'src/modules/coupon/module.ts', code }));

const others: Plant[] = [
  { rule: 'no-cycles', what: 'two files', file: 'src/edge/circle-a.ts', code: "import «'./circle-b.ts';", beside: { 'src/edge/circle-b.ts': "import './circle-a.ts';" } },
  { rule: 'no-cycles', what: 'two files by types', file: 'src/edge/ring-a.ts', code: "import type { B } from «'./ring-b.ts';", beside: { 'src/edge/ring-b.ts': "export type A = import('./ring-a.ts').A;" } },
  { rule: 'no-cycles', what: 'three files by re-export and dynamic import', file: 'src/edge/wheel-a.ts', code: "export * from «'./wheel-b.ts';", beside: { 'src/edge/wheel-b.ts': "export const load = () => import('./wheel-c.ts');", 'src/edge/wheel-c.ts': "import './wheel-a.ts';" } },
  { rule: 'no-cycles', what: 'a file and itself', file: 'src/edge/self.ts', code: "import «'./self.ts';" },
  { rule: 'src-stands-alone', what: 'code that is neither in src nor in bin', file: named('src/setup/*.ts'), code: "import «'../../tools/reach.ts';", beside: { 'tools/reach.ts': 'export const a = 1;\n' } },
  { rule: 'src-stands-alone', what: 'a bench, from bin', file: 'bin/planted', code: "#!/usr/bin/env node\nimport «'../bench/speed.ts';" },
  { rule: 'modules-from-outside', what: 'an inside, from bin', file: 'bin/planted.js', code: "import «'../src/modules/order/order-service.ts';" },
  { rule: 'modules-from-outside', what: 'an inside, from a bench', file: named('bench/*.ts'), code: "import «'../src/modules/order/order-service.ts';" },
  { rule: 'kernel-knows-no-module', what: 're-export of an inside for everybody', file: named('src/shared/*.ts'), code: "export * from «'../modules/order/order-service.ts';" },
  { rule: 'modules-on-the-kernel', what: 'an inside by a file that re-exports it', file: named('src/modules/coupon/*-service.ts'), code: "import «'../../setup/re-export.ts';", beside: { 'src/setup/re-export.ts': "export * from '../modules/order/order-service.ts';" } },
  { rule: 'modules-by-contract', what: 'an inside by a re-export of its own', file: named('src/modules/coupon/*-service.ts'), code: "export * from «'../order/order-service.ts';" },
  { rule: 'modules-by-contract', what: 'JSDoc in JavaScript', file: named('src/modules/coupon/*-service.js'), code: "/** @import { A } from '«../order/order-service.ts' */ export const a = 1;" },
  { rule: 'modules-by-contract', what: 'the type of a JSDoc comment', file: named('src/modules/coupon/*-service.js'), code: "/** @type {import('«../order/order-service.ts').A} */ export const a = 1;" },
  { rule: 'modules-by-contract', what: 'a file by a link to it', file: named('src/modules/coupon/*-service.ts'), code: "import «'./borrowed.ts';", beside: { 'src/modules/coupon/borrowed.ts': { linkTo: '../order/order-service.ts' } } },
  { rule: 'modules-by-contract', what: 'a file by a linked folder', file: named('src/modules/coupon/*-service.ts'), code: "import «'./borrowed/order-service.ts';", beside: { 'src/modules/coupon/borrowed': { linkTo: '../order' } } },
  { rule: 'no-links', what: 'a linked file', file: 'src/modules/catalog/linked.ts', code: '«', beside: { 'src/modules/catalog/linked.ts': { linkTo: '../order/order-service.ts' } } },
  { rule: 'no-links', what: 'a linked folder', file: 'test/modules/catalog/linked', code: '«', beside: { 'test/modules/catalog/linked': { linkTo: '../order' } } },
  { rule: 'no-links', what: 'a folder that holds itself', file: 'src/edge/round', code: '«', beside: { 'src/edge/round': { linkTo: '..' } } },
  { rule: 'tests-by-a-helper', what: 'the composition', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../support/shop.ts';" },
  { rule: 'tests-by-a-helper', what: 'the composition, by its type', file: named('test/modules/coupon/*.test.ts'), code: "import type { Shop } from «'../../support/shop.ts';" },
  { rule: 'tests-by-a-helper', what: 'an inside, two helpers away', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../support/near.ts';", beside: { 'test/support/near.ts': "export * from './far.ts';", 'test/support/far.ts': "import '../../src/modules/order/order-service.ts';" } },
  { rule: 'tests-by-a-helper', what: 'the composition by start-up', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../support/start.ts';", beside: { 'test/support/start.ts': "import '../../src/main.ts';" } },
  { rule: 'tests-by-a-helper', what: 'another module’s tests', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../support/cases.ts';", beside: { 'test/support/cases.ts': "import '../modules/order/order.test.ts';" } },
  { rule: 'tests-by-a-helper', what: 'an inside by a tool outside of everything', file: named('test/modules/coupon/*.test.ts'), code: "import «'../../../tools/inside.ts';", beside: { 'tools/inside.ts': "import '../src/modules/order/order-service.ts';" } },
];

export const planted: readonly Plant[] = [...paths, ...libraries, ...extensions, ...names, ...settings, ...computed, ...texts, ...beyondEvents, ...queries, ...leaving, ...fakes, ...tests, ...others];
