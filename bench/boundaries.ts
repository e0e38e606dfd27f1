/**
 * How long the boundary check takes for this tree and for one of 5,000 files of the same shape, and whether it finds the
 * few violations in there: `node bench/boundaries.ts [files]`.
 */
import { appendFileSync, cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { lintBoundaries } from '../src/boundaries/lint/lint.ts';
import { calls, MODULES } from '../src/calls.ts';

const ROOT = join(import.meta.dirname, '..');
const RUNS = 3;
const wanted = Number(process.argv[2] ?? 5_000);

const planted = {
  'modules-by-contract src/modules/coupon2/coupon-service.ts': "import '../order2/order-service.ts';",
  'calls-of-none src/modules/payment3/payment-service.ts': "export const load = () => import('../order3/contract.ts');",
  'tables-in-repositories src/modules/order2/order-service.ts': "import type { Knex } from 'knex';",
  'domain-is-pure src/modules/user2/user.ts': "import { z } from 'zod';",
  'settings-from-config src/modules/catalog2/catalog-service.ts': 'export const { env } = process;',
  'tests-by-a-helper test/modules/inventory2/service.test.ts': "import '../../support/kerf.ts';",
  'no-cycles src/modules/coupon3/coupon.ts': "import './coupon.ts';",
};

/** Copies of the real modules and their tests, each set of them calling and hearing its own. */
function generate(root: string, copies: number): void {
  for (const part of ['src', 'test', 'bin', 'package.json', 'tsconfig.json', '.dependency-cruiser.js']) cpSync(join(ROOT, part), join(root, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const names = new RegExp(`((?:/modules/|'\\.\\./)(?:${MODULES.join('|')}))(?=/)`, 'g');
  const originals = globSync('{src,test}/modules/*/**/*.ts', { cwd: ROOT }).map((path) => ({ path, content: readFileSync(join(ROOT, path), 'utf8') }));
  const table = { ...calls };
  for (let copy = 2; copy <= copies; copy += 1) {
    for (const { path, content } of originals) {
      const to = join(root, path.replace(/(\/modules\/[^/]+)/, `$1${copy}`));
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, content.replaceAll(names, `$1${copy}`));
    }
    for (const name of MODULES) table[`${name}${copy}`] = (calls[name] ?? []).map((callee) => `${callee}${copy}`);
    appendFileSync(join(root, 'src/composition.ts'), MODULES.map((name) => `import './modules/${name}${copy}/module.ts';\n`).join(''));
  }
  writeFileSync(join(root, 'src/calls.ts'), `export const calls = ${JSON.stringify(table)};\nexport const MODULES = Object.keys(calls);\n`);
  for (const [place, code] of Object.entries(planted)) appendFileSync(join(root, place.split(' ')[1]!), `${code}\n`);
}

async function measure(root: string) {
  const reports = [];
  for (let run = 0; run < RUNS; run += 1) reports.push(await lintBoundaries(root));
  const times = reports.map(({ milliseconds }) => milliseconds);
  return { ...reports[0]!, first: times[0]!, best: Math.min(...times) };
}

const root = mkdtempSync(join(tmpdir(), 'kerf-boundaries-'));
try {
  const real = await measure(ROOT);
  const perCopy = globSync('{src,test}/modules/*/**/*.ts', { cwd: ROOT }).length;
  generate(root, 1 + Math.ceil((wanted - real.files) / perCopy));
  const large = await measure(root);
  for (const [name, { modules, files, edges, first, best }] of Object.entries({ 'this tree': real, generated: large })) {
    console.log(`${name.padEnd(10)} ${modules} modules, ${files} files, ${edges} imports: ${first} ms at first, ${best} ms at best of ${RUNS}, ${(best / files).toFixed(2)} ms per file`);
  }
  console.log(`A file of the generated tree takes ${(large.best / large.files / (real.best / real.files)).toFixed(2)} times as long as one of this tree.`);
  const found = large.violations.map(({ rule, file }) => `${rule} ${file}`);
  const missed = Object.keys(planted).filter((place) => !found.includes(place));
  const wrong = found.filter((place) => !(place in planted));
  console.log(`Found ${found.length - wrong.length} of ${Object.keys(planted).length} planted violations, and ${wrong.length} others.`);
  for (const place of [...missed.map((one) => `missed: ${one}`), ...wrong.map((one) => `not planted: ${one}`)]) console.log(place);
  if (missed.length + wrong.length > 0) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
