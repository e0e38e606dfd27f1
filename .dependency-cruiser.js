import { calls, MODULES } from './src/calls.ts';

const OWN = '^src/modules/$1/';
const CONTRACT = '^src/modules/[^/]+/contract\\.ts$';
const FAKE = '^src/modules/[^/]+/fake\\.ts$';
const library = (...names) => `^node_modules/(@types/)?(${names.join('|')})/`;

/** One rule per module: whose contract it may call. Events are another matter: subscriptions listen to anybody's. */
const agreedCalls = MODULES.map((name) => ({
  name: `calls-of-${name}`,
  severity: 'error',
  comment: `${name} may call ${calls[name].join(', ') || 'nobody'}: keep what you need to read yourself, fed by events, or agree on the edge in src/calls.ts.`,
  from: { path: `^src/modules/${name}/`, pathNot: `^src/modules/${name}/(module|${name}-subscriptions)\\.ts$` },
  to: { path: CONTRACT, pathNot: `^src/modules/(${[name, ...calls[name]].join('|')})/` },
}));

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
      name: 'modules-from-outside',
      severity: 'error',
      comment: "Outside of modules only contract.ts may be imported (and module.ts by composition.ts): go through the contract.",
      from: { path: '^(src|bench)/', pathNot: ['^src/modules/', '^src/composition\\.ts$'] },
      to: { path: '^src/modules/', pathNot: CONTRACT },
    },
    {
      name: 'composition-wires-modules',
      severity: 'error',
      comment: 'composition.ts wires modules by their module.ts and knows nothing else of them.',
      from: { path: '^src/composition\\.ts$' },
      to: { path: '^src/modules/', pathNot: '^src/modules/[^/]+/(module|contract)\\.ts$' },
    },
    ...agreedCalls,
    {
      name: 'contract-is-plain',
      severity: 'error',
      comment: 'A contract imports zod and the kernel only, so that anybody can import it.',
      from: { path: CONTRACT },
      to: { pathNot: ['^src/shared/(address|contract|http|ids|money)\\.ts$', library('zod')] },
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
      from: { path: '^src/modules/([^/]+)/[^/]+\\.ts$', pathNot: '/(contract|module|fake|[^/]+-(service|repository|routes|subscriptions|jobs|flow))\\.ts$' },
      to: { pathNot: [OWN, '^src/shared/(money|errors)\\.ts$'] },
    },
    {
      name: 'tables-in-repositories',
      severity: 'error',
      comment: 'Only repositories, the kernel and setup speak SQL: call the repository.',
      from: { path: '^(src|bench)/', pathNot: ['^src/(shared|setup)/', '-repository\\.ts$', '^bench/'] },
      to: { path: library('knex', 'pg', 'pg-boss'), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'http-at-the-edge',
      severity: 'error',
      comment: 'Routes are definitions (shared/http.ts); Express itself belongs to the edge and to start-up.',
      from: { path: '^src/', pathNot: ['^src/edge/', '^src/main\\.ts$', '^src/setup/'] },
      to: { path: library('express', 'helmet') },
    },
    {
      name: 'wiring-in-one-place',
      severity: 'error',
      comment: 'inversify is for module.ts and composition.ts: everything else takes its dependencies as arguments.',
      from: { path: '^(src|test|bench)/', pathNot: ['/module\\.ts$', '^src/composition\\.ts$'] },
      to: { path: library('inversify') },
    },
    {
      name: 'tests-of-a-module',
      severity: 'error',
      comment: "A module's tests see that module and others' contracts and fakes: a test that needs more is a journey.",
      from: { path: '^test/modules/([^/]+)/' },
      to: { path: ['^src/modules/', '^test/(modules|journey)/', '^src/composition\\.ts$'], pathNot: [OWN, '^test/modules/$1/', CONTRACT, FAKE] },
    },
    {
      name: 'src-without-tests',
      severity: 'error',
      comment: 'Production code must not lean on tests or on development dependencies.',
      from: { path: '^src/' },
      to: { path: '^(test|bench)/' },
    },
    { name: 'no-cycles', severity: 'error', comment: 'Two files that need each other are one file, or a third is missing.', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', comment: 'This import leads nowhere.', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
