import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MODULES } from '../../src/calls.ts';
import { ROOT } from '../../src/setup/paths.ts';

/* The names are ones that nobody is likely to need for a module of a shop. */

let tree: string;
beforeAll(async () => {
  tree = await realpath(await mkdtemp(join(tmpdir(), 'kerf-new-module-')));
  // Tests run as root start Postgres as another user, who has to pass.
  await chmod(tree, 0o755);
  const parts = (await readdir(ROOT)).filter((part) => !['node_modules', '.git', '.kerf'].includes(part));
  for (const part of parts) await cp(join(ROOT, part), join(tree, part), { recursive: true });
  await mkdir(join(tree, 'node_modules'));
  const packages = (await readdir(join(ROOT, 'node_modules'))).filter((name) => name === '.bin' || !name.startsWith('.'));
  for (const name of packages) await symlink(join(ROOT, 'node_modules', name), join(tree, 'node_modules', name));
});
afterAll(() => rm(tree, { recursive: true, force: true }));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Node in the tree, as from a shell of its own. */
const node = (...words: string[]) =>
  new Promise<Outcome>((resolve) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
    execFile(process.execPath, words, { cwd: tree, env, maxBuffer: 1e9 }, (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }));
  });
const bin = (name: string, ...words: string[]) => node(join('node_modules/.bin', name), ...words);
const kerf = (...words: string[]) => node('src/cli/kerf.ts', ...words);

/** Everything in the tree that people keep, by path. */
async function snapshot(): Promise<Map<string, string>> {
  const found = await readdir(tree, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules')).map((entry) => join(entry.parentPath, entry.name));
  return new Map(await Promise.all(files.map(async (file) => [file.slice(tree.length + 1), await readFile(file, 'utf8')] as const)));
}

const outcome = ({ code, stderr }: Outcome) => ({ code, sentence: stderr.trim() });

describe('kerf new module', { timeout: 120_000 }, () => {
  it('tells what it would write, and writes nothing', async () => {
    const before = await snapshot();
    const { code, stdout } = await kerf('new', 'module', 'quokka', '--dry-run');
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining([
      'The module quokka would be written, in 15 files:',
      '  src/modules/quokka/contract.ts',
      '  migrations/quokka/0001_quokkas.sql',
      '  test/modules/quokka/service.test.ts',
      '  src/calls.ts (a line)',
      'Its routes: /v1/admin/quokkas',
    ]));
    expect(await snapshot()).toEqual(before);
  });

  it('refuses a name that is taken in one sentence', async () => {
    expect(outcome(await kerf('new', 'module', 'coupon'))).toEqual({ code: 2, sentence: 'There is a module coupon already.' });
  });

  it.each([
    ['the table of calls has another form', 'src/calls.ts', /^};$/m, '  ...{},\n};', /^src\/calls\.ts:\d+ is neither a row like .+: nothing was written\.$/],
    ['the composition has another form', 'src/composition.ts', '  userModule,\n', '  userModule, ', /^src\/composition\.ts:\d+ is neither a row like .+: nothing was written\.$/],
    ['the map cannot be drawn', 'src/modules/user/README.md', /^# user$/m, '', /^Contract and map cannot be generated with the module \(src\/modules\/user\/README\.md has to begin .+\): everything is as it was\.$/],
  ])('leaves everything as it was when %s', async (_, path, from, to, sentence) => {
    const intact = await readFile(join(tree, path), 'utf8');
    await writeFile(join(tree, path), intact.replace(from, to));
    const before = await snapshot();
    expect(outcome(await kerf('new', 'module', 'quokka'))).toEqual({ code: 2, sentence: expect.stringMatching(sentence) });
    expect(await snapshot()).toEqual(before);
    await writeFile(join(tree, path), intact);
  });
});

describe('kerf new module, stopped', { timeout: 120_000 }, () => {
  it('leaves everything as it was', async () => {
    const before = await snapshot();
    const run = spawn(process.execPath, ['src/cli/kerf.ts', 'new', 'module', 'quokka'], { cwd: tree, stdio: ['ignore', 'pipe', 'inherit'] });
    run.stdout.once('data', () => run.kill('SIGINT'));
    expect(await once(run, 'exit')).toEqual([130, null]);
    expect(await snapshot()).toEqual(before);
  });
});

describe('a tree with two new modules', { timeout: 300_000 }, () => {
  let written: Outcome[];
  beforeAll(async () => {
    written = [await kerf('new', 'module', 'quokka'), await kerf('new', 'module', 'aviary', '--of', 'heron')];
  }, 120_000);

  const passes = async (run: Promise<Outcome>) => {
    const { code, stdout, stderr } = await run;
    expect(code, stdout + stderr).toBe(0);
    return stdout;
  };

  it('was told what there is now and what to do next', () => {
    expect(written.map(outcome)).toEqual([{ code: 0, sentence: '' }, { code: 0, sentence: '' }]);
    expect(written[0]!.stdout).toMatch(/^Drawing the map with it\.\nThe module quokka is there, in 20 files:\n/);
    for (const line of ['src/modules/quokka/contract.json (generated)', 'docs/modules/quokka.md (generated)', 'npx vitest run test/modules/quokka:']) {
      expect(written[0]!.stdout).toContain(`  ${line}`);
    }
  });

  it('has no word of the template left, and only small files', async () => {
    const files = [...(await snapshot())].filter(([path]) => /\/(quokka|aviary)[/.]/.test(path));
    expect(files).toHaveLength(32);
    expect(files.filter(([path, text]) => /sample|entry|entries/i.test(path + text)).map(([path]) => path)).toEqual([]);
    expect(files.filter(([path, text]) => !path.endsWith('.json') && text.split('\n').length > 100).map(([path]) => path)).toEqual([]);
  });

  it('passes the type check', () => passes(bin('tsc')));
  it('passes the linter', () => passes(bin('oxlint', '--type-aware', 'src', 'test', 'bin')));
  it('passes the boundary check', async () => expect(await passes(kerf('boundaries'))).toContain(`${MODULES.length + 2} modules`));
  it('passes the search for dead code', () => passes(bin('knip')));
  it('has contracts that are as they were accepted', async () => expect(await passes(kerf('contracts'))).toMatch(/^quokka: as accepted\naviary: as accepted$/m));
  it('has a fresh map', () => passes(kerf('map', '--check')));
  it('has a module that is green alone', () => passes(node('test/alone.ts', 'quokka')));

  it('passes the tests of the other, and those that hold for every module', () =>
    passes(bin('vitest', 'run', 'test/modules/aviary', 'test/architecture/database', 'test/journey/every-operation')));
});
