import { calls, MODULES } from './src/calls.ts';

/**
 * Who may import whom, for `npm run lint:boundaries`, for `depcruise` and for editors. Each rule says what to do instead.
 * What an import cannot show (a path in a string, process.env, a test helper's helpers) is in src/boundaries.
 */

const NODE_MODULES = '(^|/)node_modules/';
const CODE = '\\.[cm]?[jt]sx?$';
const OWN = '^src/modules/$1/';
const CONTRACT = '^src/modules/[^/]+/contract\\.ts$';
const FAKE = '^src/modules/[^/]+/fake\\.ts$';
/** where tests are: a module's in a folder of its own, all others by what they are about */
const TEST_ROOM = '^test/(modules/[^/]+|journey|architecture|placement|placements|setup|edge|shared|support|cli|alone|faults|verify|operations|kit|foreign|move)/';
/** what is looked for at run time by need: the rules of a checkout, the place of a package, whether a word is a name */
const LOADERS = '^(bin/kerf|src/(boundaries/lint/lint|cli/new-module/names|edge/reference|setup/postgres-binaries)\\.ts)$';
const WIRING = '^src/(composition|part|modules/[^/]+/module|shared/module)\\.ts$';
/** files of a module that are not its domain, by the end of their names */
const ROLES = '-(service|repository|routes|subscriptions|jobs|flow|provider|webhooks|page)';
const DOMAIN = { path: '^src/modules/([^/]+)/', pathNot: [`${ROLES}${CODE}`, '^src/modules/[^/]+/(contract|module|fake)\\.[^/]+$'] };
const library = (...names) => `${NODE_MODULES}(@types/)?(${names.join('|')})/`;

/**
 * Whose contract a module may import in order to call: one rule for all that call nobody, one for each of the others.
 * Events are another matter (`events-only`): module.ts and subscriptions listen to anybody's.
 */
const agreedCalls = [
  ...MODULES.filter((name) => calls[name].length > 0).map((name) => callsOf([name], calls[name])),
  callsOf(MODULES.filter((name) => calls[name].length === 0), []),
];

function callsOf(callers, callees) {
  const from = callers.join('|');
  return {
    name: callees.length > 0 ? `calls-of-${from}` : 'calls-of-none',
    severity: 'error',
    comment: `By src/calls.ts this module may call ${callees.join(', ') || 'nobody'}: keep what you need to read yourself, fed by events, or agree on the call there.`,
    from: { path: `^src/modules/(${from})/`, pathNot: '^src/modules/[^/]+/(module|[^/]+-subscriptions)\\.ts$' },
    to: { path: CONTRACT, pathNot: [OWN, ...callees.map((callee) => `^src/modules/${callee}/`)] },
  };
}

export default {
  forbidden: [
    {
      name: 'modules-by-contract',
      severity: 'error',
      comment: "This is another module's inside: import its contract.ts, and add to that contract what is missing there.",
      from: { path: '^src/modules/([^/]+)/' },
      to: { path: '^src/modules/', pathNot: [OWN, CONTRACT] },
    },
    {
      name: 'modules-on-the-kernel',
      severity: 'error',
      comment: 'A module stands on the kernel (src/shared) and on contracts, so that it runs anywhere: take what comes from elsewhere as an argument.',
      from: { path: '^src/modules/' },
      to: { path: '^src/', pathNot: '^src/(modules|shared)/' },
    },
    {
      name: 'modules-from-outside',
      severity: 'error',
      comment: "Outside of modules only contract.ts may be imported: go through the contract.",
      from: { path: '^(src|bin|bench)/', pathNot: ['^src/modules/', '^src/composition\\.ts$'] },
      to: { path: '^src/modules/', pathNot: CONTRACT },
    },
    {
      name: 'composition-wires-modules',
      severity: 'error',
      comment: 'composition.ts wires modules by their module.ts and knows nothing else of them.',
      from: { path: '^src/composition\\.ts$' },
      to: { path: '^src/modules/', pathNot: '^src/modules/[^/]+/(module|contract)\\.ts$' },
    },
    {
      name: 'module-is-wired-once',
      severity: 'error',
      comment: 'module.ts is for composition.ts alone: import the file that makes the thing you need.',
      from: { path: '^(src|bin|bench)/', pathNot: '^src/composition\\.ts$' },
      to: { path: '^src/modules/[^/]+/module\\.ts$' },
    },
    {
      name: 'composed-at-start-up',
      severity: 'error',
      comment: 'composition.ts is for start-up, commands and tests: take what you need of it as an argument.',
      from: { path: '^src/', pathNot: '^src/(main\\.ts$|(setup|cli|boundaries)/)' },
      to: { path: '^src/composition\\.ts$' },
    },
    ...agreedCalls,
    {
      name: 'contract-is-plain',
      severity: 'error',
      comment: 'A contract imports zod and the kernel only, so that anybody can import it.',
      from: { path: '^src/modules/[^/]+/contract\\.[^/]+$' },
      to: { pathNot: ['^src/shared/(address|audit|contract|http|ids|money)\\.ts$', library('zod')] },
    },
    {
      name: 'kernel-knows-no-module',
      severity: 'error',
      comment: 'The kernel serves every module and knows none: move this up to the edge, setup or composition.',
      from: { path: '^src/shared/' },
      to: { path: '^src/', pathNot: '^src/shared/' },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'The domain decides without libraries or infrastructure: take what it needs as an argument.',
      from: DOMAIN,
      to: { pathNot: [OWN, '^src/shared/(money|errors)\\.ts$'] },
    },
    {
      name: 'domain-is-a-leaf',
      severity: 'error',
      comment: 'Services use the domain, the domain uses no service: turn the import around, and let the service pass in what it loaded.',
      from: DOMAIN,
      to: { path: [`^src/modules/$1/.*${ROLES}\\.`, '^src/modules/$1/(module|fake)\\.'] },
    },
    {
      name: 'domain-takes-types',
      severity: 'error',
      comment: 'Of its contract the domain takes types only (import type): the schemas are for who reads input.',
      from: DOMAIN,
      to: { path: '^src/modules/$1/contract\\.ts$', dependencyTypesNot: ['type-only', 'type-import'] },
    },
    {
      name: 'fake-of-the-domain',
      severity: 'error',
      comment: 'A fake is made of its contract and its domain, so that it works without the rest of the module: move what it needs to the domain.',
      from: { path: '^src/modules/([^/]+)/fake\\.ts$' },
      to: { path: [`^src/modules/$1/.*${ROLES}\\.`, '^src/modules/$1/module\\.'] },
    },
    {
      name: 'fakes-for-tests',
      severity: 'error',
      comment: 'A fake pretends: only tests may import it, and what runs in production takes the real contract.',
      from: { path: '^(src|bin)/', pathNot: FAKE },
      to: { path: FAKE },
    },
    {
      name: 'routes-see-the-contract',
      severity: 'error',
      comment: 'Routes parse, call the contract and answer: give the contract the method that is missing here.',
      from: { path: `^src/modules/([^/]+)/.*-routes${CODE}` },
      to: { path: OWN, pathNot: ['^src/modules/$1/contract\\.ts$', '-(routes|page)\\.ts$'] },
    },
    {
      name: 'tables-in-repositories',
      severity: 'error',
      comment: 'Only repositories, migrations (src/setup), a move (src/move) and the kernel speak to the database: call the repository, and take its types from src/shared/database.ts.',
      from: { path: '^(src|bin|test/modules)/', pathNot: ['^src/(shared|setup|move)/', '^src/modules/.*-repository\\.ts$'] },
      to: { path: library('knex', 'pg', 'pg-[^/]+') },
    },
    {
      name: 'http-at-the-edge',
      severity: 'error',
      comment: 'Routes are definitions (src/shared/http.ts): Express itself belongs to the edge.',
      from: { path: '^(src|bin)/', pathNot: '^src/edge/' },
      to: { path: library('express', 'express-[^/]+', 'helmet', 'cors') },
    },
    {
      name: 'wiring-in-one-place',
      severity: 'error',
      comment: 'inversify is for module.ts, part.ts and composition.ts: everything else takes its dependencies as arguments.',
      from: { path: '^(src|test|bin|bench)/', pathNot: WIRING },
      to: { path: library('inversify', '@inversifyjs/[^/]+', 'reflect-metadata') },
    },
    {
      name: 'settings-from-config',
      severity: 'error',
      comment: 'Only src/config.ts reads the environment, where each variable is checked and documented: add it there and take the setting as an argument.',
      from: { path: '^(src|bin)/', pathNot: '^src/config\\.ts$' },
      to: { path: '^(node:)?process$' },
    },
    {
      name: 'imports-in-sight',
      severity: 'error',
      comment: 'Write an import with its path: one that is put together at run time hides who leans on whom.',
      from: { path: '^(src|bin|test/(modules|support|shared))/', pathNot: LOADERS },
      to: { path: '^(node:)?(module|vm)$' },
    },
    {
      name: 'tests-of-a-module',
      severity: 'error',
      comment: "A module's tests see that module and others' contracts and fakes: a test that needs more is a journey.",
      from: { path: '^test/modules/([^/]+)/' },
      to: { path: '^(src|test|bin|bench)/', pathNot: [OWN, CONTRACT, FAKE, '^src/shared/', '^test/modules/$1/', '^test/support/'] },
    },
    {
      name: 'tests-in-a-room',
      severity: 'error',
      comment: 'Only tests in a known room see the inside of a module: move this to the tests of that module, or to test/journey.',
      from: { path: '^test/', pathNot: TEST_ROOM },
      to: { path: '^src/modules/', pathNot: [CONTRACT, FAKE] },
    },
    {
      name: 'migrations-of-a-module',
      severity: 'error',
      comment: "These are another module's tables: ask its contract, or listen to its events.",
      from: { path: '^(?:src|test)/modules/([^/]+)/' },
      to: { path: '^migrations/', pathNot: '^migrations/$1/' },
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      comment: 'What runs in production is in src and bin: move the file there, or keep it out of the import.',
      from: { path: '^(src|bin)/' },
      to: { path: CODE, pathNot: ['^(src|bin)/', NODE_MODULES], couldNotResolve: false },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'Two files that need each other are one file, or a third is missing.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'This import leads nowhere: write the path of the file exactly, with its case and its extension.',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    detectJSDocImports: true,
    detectImportsInAmbientModules: true,
    skipAnalysisNotInRules: true,
    doNotFollow: { path: NODE_MODULES },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
