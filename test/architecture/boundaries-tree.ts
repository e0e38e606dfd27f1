import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const MODULES = ['order', 'coupon', 'catalog'];

/** A small shop of the shape of Kerf, with the real rules, in which everybody leans on what is theirs. */
const SHOP: Record<string, string> = {
  'package.json': '{ "name": "shop", "type": "module" }',
  'tsconfig.json': '{ "compilerOptions": { "module": "nodenext" } }',
  'bin/shop': "#!/usr/bin/env node\nawait import('../src/main.ts');\n",
  'bench/speed.ts': "import '../src/composition.ts';\n",
  'src/calls.ts': "export const calls = {\n  order: ['coupon'],\n  coupon: [],\n  catalog: [],\n};\nexport const MODULES = Object.keys(calls);\n",
  'src/config.ts': 'export const config = { port: process.env.PORT };\n',
  'src/main.ts': "import './setup/shop.ts';\nimport './edge/app.ts';\nimport './config.ts';\nprocess.exitCode = 0;\n",
  'src/composition.ts': `import 'inversify';\n${MODULES.map((name) => `import './modules/${name}/module.ts';\n`).join('')}`,
  'src/setup/shop.ts': "import '../composition.ts';\nimport 'pg';\n",
  'src/edge/app.ts': "import 'express';\nimport '../modules/catalog/contract.ts';\n",
  'src/shared/errors.ts': 'export const errors = 1;\n',
  'src/shared/contract.ts': "import 'zod';\nexport interface Contract { events: object }\n",
  'src/shared/database.ts': "import type { Knex } from 'knex';\nexport type Database = Knex;\n",
  'test/support/database.ts': "import '../../src/shared/database.ts';\n",
  'test/support/shop.ts': "import '../../src/composition.ts';\n",
  'test/journey/purchase.test.ts': "import '../support/shop.ts';\nimport '../../src/modules/order/order-service.ts';\n",
};

const moduleNamed = (name: string): Record<string, string> => ({
  [`migrations/${name}/0001_start.sql`]: 'create table things ();\n',
  [`src/modules/${name}/contract.ts`]: "import 'zod';\nimport '../../shared/contract.ts';\nexport const contract = { token: 1, events: { happened: 1 } };\nexport type Service = object;\n",
  [`src/modules/${name}/module.ts`]: `import 'inversify';\nimport './${name}-service.ts';\nimport './${name}-routes.ts';\nimport './${name}-subscriptions.ts';\n`,
  [`src/modules/${name}/${name}.ts`]: "import '../../shared/errors.ts';\nimport type { Service } from './contract.ts';\nexport type Of = Service;\n",
  [`src/modules/${name}/${name}-service.ts`]: `import './${name}.ts';\nimport './${name}-repository.ts';\n${name === 'order' ? "import '../coupon/contract.ts';\n" : ''}export const serve = 1;\nexport type Served = 1;\n`,
  [`src/modules/${name}/${name}-repository.ts`]: "import '../../shared/database.ts';\nimport 'knex';\nexport const rows = 1;\n",
  [`src/modules/${name}/${name}-routes.ts`]: "import './contract.ts';\n",
  [`src/modules/${name}/${name}-subscriptions.ts`]: "import { contract } from '../order/contract.ts';\nexport const listens = [contract.events.happened];\n",
  [`src/modules/${name}/fake.ts`]: `import './contract.ts';\nimport './${name}.ts';\nexport const fake = 1;\n`,
  [`test/modules/${name}/${name}.test.ts`]: `import '../../support/database.ts';\nimport '../../../src/modules/${name}/${name}-service.ts';\nimport '../../../src/modules/coupon/fake.ts';\n`,
});

export interface Shop {
  root: string;
  /** writes a file of it, where ROOT stands for its folder, or makes a symbolic link */
  write(path: string, content: string | { linkTo: string }): void;
  /** the content of a file of it, '' when there is none */
  read(path: string): string;
  remove(): void;
}

/** The shop in a temporary folder, with `changed` files on top. */
export function createShop(changed: Record<string, string | { linkTo: string }> = {}): Shop {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'kerf-boundaries-')));
  const write: Shop['write'] = (path, content) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (typeof content === 'string') writeFileSync(join(root, path), content.replaceAll('ROOT', root));
    else symlinkSync(content.linkTo, join(root, path));
  };
  for (const copy of ['.dependency-cruiser.js', 'rules.config.js']) copyFileSync(join(ROOT, '.dependency-cruiser.js'), join(root, copy));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  const files: Record<string, string | { linkTo: string }> = Object.assign({}, SHOP, ...MODULES.map(moduleNamed), changed);
  for (const [path, content] of Object.entries(files)) write(path, content);
  const read = (path: string) => (existsSync(join(root, path)) && statSync(join(root, path)).isFile() ? readFileSync(join(root, path), 'utf8') : '');
  return { root, write, read, remove: () => rmSync(root, { recursive: true, force: true }) };
}
