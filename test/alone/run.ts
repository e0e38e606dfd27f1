import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { relocate } from './imports.ts';
import { planTree, type Tree } from './tree.ts';

export interface Verdict {
  module: string;
  files: number;
  tests: number;
  seconds: number;
  /** why it is not green, each in a few words */
  failures: string[];
}

export interface AloneOptions {
  /** the checkout */
  root: string;
  /** parts of names of test files; none: all tests of the module */
  filters: string[];
  /** leave the tree and say where */
  keep: boolean;
  say(line: string): void;
  /** ends what runs; the tree goes all the same */
  signal: AbortSignal;
}

const TYPES = 'tsconfig.alone.json';
const REPORT = 'vitest-report.json';

/** Builds the tree of one module, and runs its type check and its tests there. */
export async function runAlone(module: string, { root, filters, keep, say, signal }: AloneOptions): Promise<Verdict> {
  const started = performance.now();
  const tree = planTree(root, module);
  const verdict: Verdict = { module, files: tree.files.size, tests: 0, seconds: 0, failures: [] };
  say(`\n${module} alone: ${tree.files.size} files, of other modules only contracts and fakes${madeOf(tree.parts)}; without ${tree.left.length} files that lean on more.`);
  for (const leak of tree.leaks) say(leak);
  if (tree.leaks.length > 0) verdict.failures.push(`${tree.leaks.length === 1 ? '1 file leans' : `${tree.leaks.length} files lean`} on others`);
  if (!hasTests(tree, module)) verdict.failures.push(`no *.test.ts in test/modules/${module}`);
  if (verdict.failures.length > 0) return verdict;

  const place = realpathSync(mkdtempSync(join(tmpdir(), `kerf-alone-${module}-`)));
  try {
    build(place, root, module, tree);
    const run = (tool: string, ...words: string[]) => runTool(place, tool, words, signal);
    if ((await run('tsc', '--project', TYPES)) !== 0) verdict.failures.push('types fail');
    const code = await run('vitest', 'run', ...filters, '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`);
    const { ran, failedFiles } = readReport(place);
    verdict.tests = ran;
    if (failedFiles > 0) verdict.failures.push(failedFiles === 1 ? '1 test file fails' : `${failedFiles} test files fail`);
    else if (ran === 0) verdict.failures.push('no test ran');
    else if (code !== 0) verdict.failures.push(`vitest ended with ${code}`);
  } finally {
    if (keep) say(`The tree of ${module} stays in ${place}.`);
    else rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  }
  if (signal.aborted) verdict.failures = ['interrupted'];
  verdict.seconds = (performance.now() - started) / 1_000;
  return verdict;
}

const madeOf = (parts: number) => (parts === 0 ? '' : ` and ${parts} domain ${parts === 1 ? 'file' : 'files'} that those fakes are made of`);

const hasTests = ({ files }: Tree, module: string) => [...files.keys()].some((path) => path.startsWith(`test/modules/${module}/`) && path.endsWith('.test.ts'));

function build(place: string, root: string, module: string, { files, importsOf }: Tree): void {
  // Tests run as root start Postgres as another user, who has to pass.
  chmodSync(place, 0o755);
  const placeOf = new Map([...files].map(([to, from]) => [from, to]));
  for (const [to, from] of files) {
    const imports = importsOf(from);
    const [source, target] = [join(root, from), join(place, to)];
    mkdirSync(dirname(target), { recursive: true });
    if (imports.every((one) => placeOf.get(one.target) === one.target) && to === from) copyFileSync(source, target);
    else writeFileSync(target, relocate(readFileSync(source, 'utf8'), imports, to, (path) => placeOf.get(path) ?? path));
  }
  // Of the kernel, of contracts and of fakes the compiler reads what the module needs.
  const include = [`src/modules/${module}`, `test/modules/${module}`, 'test/support', 'vitest.config.ts'];
  writeFileSync(join(place, TYPES), JSON.stringify({ extends: './tsconfig.json', include }));
  linkPackages(join(root, 'node_modules'), join(place, 'node_modules'));
}

/** Each package by a link of its own, so that what tools write into node_modules stays with the tree. */
function linkPackages(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name === '.bin' || !name.startsWith('.')) symlinkSync(realpathSync(join(from, name)), join(to, name));
  }
}

/** Answers the exit code. The tool is asked to end once, whatever the terminal tells this process: a second time would cut its tidying short. */
function runTool(place: string, tool: string, words: string[], signal: AbortSignal): Promise<number> {
  if (signal.aborted) return Promise.resolve(1);
  const script = realpathSync(join(place, 'node_modules/.bin', tool));
  const child = spawn(process.execPath, [script, ...words], { cwd: place, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const end = () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGTERM');
  };
  signal.addEventListener('abort', end, { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      signal.removeEventListener('abort', end);
      resolve(code ?? 1);
    });
  });
}

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string }[];
}

function readReport(place: string): { ran: number; failedFiles: number } {
  const path = join(place, REPORT);
  if (!existsSync(path)) return { ran: 0, failedFiles: 0 };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(path, 'utf8')) as Report;
  return { ran: numPassedTests + numFailedTests, failedFiles: testResults.filter(({ status }) => status === 'failed').length };
}
