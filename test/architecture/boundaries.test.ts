import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

let tree: string;
beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'kerf-boundaries-'));
  for (const part of ['src', 'test', 'bin', '.dependency-cruiser.js', 'tsconfig.json', 'package.json']) await cp(join(ROOT, part), join(tree, part), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
});
afterAll(() => rm(tree, { recursive: true, force: true }));

interface Report {
  totalCruised: number;
  violations: { rule: { name: string }; from: string }[];
}

async function cruise(): Promise<Report> {
  const words = ['src', 'test', 'bin', '--preserve-symlinks', '--output-type', 'json'];
  const { stdout } = await run(join(ROOT, 'node_modules/.bin/depcruise'), words, { cwd: tree, maxBuffer: 1e9 }).catch((error: { stdout: string }) => error);
  return (JSON.parse(stdout) as { summary: Report }).summary;
}

/** What is put where, and the rule that must see it. */
const planted: [string, string, string, string][] = [
  ['another module’s service', 'src/modules/coupon/planted1.ts', `import '../order/order-service.ts';`, 'modules-by-contract'],
  ['the same by dynamic import', 'src/modules/coupon/planted2-service.ts', `export const x = () => import('../order/order-service.ts');`, 'modules-by-contract'],
  ['the same for its types only', 'src/modules/coupon/planted3-service.ts', `import type { Callees } from '../order/order-service.ts'; export type X = Callees;`, 'modules-by-contract'],
  ['the same by re-export', 'src/modules/coupon/planted4-service.ts', `export * from '../order/order-repository.ts';`, 'modules-by-contract'],
  ['another module’s fake in production code', 'src/modules/order/planted5-service.ts', `import '../coupon/fake.ts';`, 'modules-by-contract'],
  ['a module’s inside from the edge', 'src/edge/planted6.ts', `import '../modules/user/user-service.ts';`, 'modules-from-outside'],
  ['a module’s inside from the composition', 'src/composition.ts', `import './modules/user/user-service.ts';`, 'composition-wires-modules'],
  ['a call that nobody agreed to', 'src/modules/coupon/planted7-service.ts', `import '../catalog/contract.ts';`, 'calls-of-coupon'],
  ['a module from the kernel', 'src/shared/planted8.ts', `import '../modules/user/contract.ts';`, 'kernel-knows-no-module'],
  ['a library in the domain', 'src/modules/coupon/planted9.ts', `import 'zod';`, 'domain-is-pure'],
  ['a library in a contract', 'src/modules/coupon/contract.ts', `import 'jose';`, 'contract-is-plain'],
  ['SQL in a service', 'src/modules/coupon/planted10-service.ts', `import 'knex';`, 'tables-in-repositories'],
  ['Express in routes', 'src/modules/coupon/planted11-routes.ts', `import 'express';`, 'http-at-the-edge'],
  ['inversify in a service', 'src/modules/coupon/planted12-service.ts', `import 'inversify';`, 'wiring-in-one-place'],
  ['another module’s inside in a test', 'test/modules/coupon/planted13.ts', `import '../../../src/modules/order/order-service.ts';`, 'tests-of-a-module'],
  ['a test helper in production code', 'src/edge/planted14.ts', `import '../../test/support/constants.ts';`, 'src-without-tests'],
  ['two files that need each other', 'src/edge/cycle-a.ts', `export { b } from './cycle-b.ts'; export const a = 1;`, 'no-cycles'],
  ['an import that leads nowhere', 'src/edge/planted15.ts', `import './nothing.ts';`, 'resolvable'],
];

describe('the boundary check', () => {
  it('has read every file and finds nothing', async () => {
    const { totalCruised, violations } = await cruise();
    const files = await readdir(join(tree, 'src'), { recursive: true });
    expect(totalCruised).toBeGreaterThan(files.filter((file) => file.endsWith('.ts')).length);
    expect(violations).toEqual([]);
  });

  describe('turns red for', () => {
    let found: string[];
    beforeAll(async () => {
      for (const [, path, content] of planted) await appendFile(join(tree, path), `${content}\n`);
      await appendFile(join(tree, 'src/edge/cycle-b.ts'), `export { a } from './cycle-a.ts'; export const b = 2;\n`);
      found = (await cruise()).violations.map(({ rule: { name }, from }) => `${name}: ${from}`);
    });

    it.each(planted)('%s', (_what, path, _content, rule) => expect(found).toContain(`${rule}: ${path}`));
  });
});
