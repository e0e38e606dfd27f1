import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ImportsOf, readImports } from './imports.ts';

/** The tree in which a module stands alone: what is in it, and who cannot do without what is not. */
export interface Tree {
  /** each file of the tree by its place there, with its place in the checkout; the two differ for the parts of fakes only */
  files: ReadonlyMap<string, string>;
  /** how many of them are the domain of other modules, for their fakes */
  parts: number;
  /** files that go with what they lean on: the composition, the commands … */
  left: readonly string[];
  /** one sentence for each file that has to stay and leans on what is absent */
  leaks: readonly string[];
  importsOf: ImportsOf;
}

const PUBLIC = /^src\/modules\/[^/]+\/(contract\.ts|contract\.json|fake\.ts)$/;
const FAKE = /^src\/modules\/[^/]+\/fake\.ts$/;
/** Everything in a module that is not named after another task is its domain (docs/architecture.md). */
const DOMAIN = /^src\/modules\/(?!.*\/(contract|module|fake|[^/]+-(service|repository|routes|subscriptions|jobs|flow|provider|webhooks|page))\.ts$).+\.ts$/;

const moduleOf = (path: string) => /^(?:src|test)\/modules\/([^/]+)\//.exec(path)?.[1];
/** What a module alone must have whole. All else may go when it leans on others: the kernel does not, the composition does. */
const mustStay = (path: string) => moduleOf(path) !== undefined;

/**
 * Of other modules stay the contracts, and for tests the fakes that they import. A fake may share its module's domain; those
 * files stay for the fake alone, in a folder where nothing else finds them.
 */
export function planTree(root: string, module: string): Tree {
  const importsOf = readImports(root);
  const targetsOf = (path: string) => importsOf(path).map(({ target }) => target);
  const all = candidates(root, module);
  const isForeignFake = (path: string) => isForeign(path, module) && FAKE.test(path);
  const fakes = new Set(all.filter(isTest).flatMap((path) => targetsOf(path).filter(isForeignFake)));
  const present = new Set(all.filter((path) => !isForeign(path, module) || fakes.has(path) || (PUBLIC.test(path) && !isForeignFake(path))));
  const parts = new Set([...fakes].flatMap((fake) => partsOf(fake, targetsOf)));

  const sees = (from: string, target: string) =>
    (present.has(target) && (!isForeignFake(target) || isTest(from))) || (parts.has(target) && moduleOf(from) === moduleOf(target) && (FAKE.test(from) || parts.has(from)));
  const missing = findMissing([...present, ...parts], targetsOf, sees);

  const lost = [...missing.keys()];
  const rest = [...present, ...parts].filter((path) => !missing.has(path));
  return {
    files: new Map(rest.map((path) => [parts.has(path) ? placeOfPart(path) : path, path])),
    parts: rest.filter((path) => parts.has(path)).length,
    left: lost.filter((path) => !mustStay(path)),
    leaks: lost.map((path) => chainFrom(path, missing)).filter(startsTheLeak).map(sayLeak),
    importsOf,
  };
}

/** Where a file of another module's domain stands for its fake. */
const placeOfPart = (path: string) => path.replace(/^(src\/modules\/[^/]+)\//, '$1/parts-of-the-fake/');

function candidates(root: string, module: string): string[] {
  const folders = ['src', 'test/support', `test/modules/${module}`, `migrations/${module}`, 'migrations/edge'];
  const configuration = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isFile() && /\.(json|[jt]s)$/.test(entry.name));
  return [...folders.filter((folder) => existsSync(join(root, folder))).flatMap((folder) => filesIn(root, folder)), ...configuration.map(({ name }) => name)];
}

const filesIn = (root: string, folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));

const isTest = (path: string) => path.startsWith('test/');
const isForeign = (path: string, module: string) => ![undefined, module].includes(moduleOf(path));

function partsOf(fake: string, targetsOf: (path: string) => string[]): string[] {
  const parts = new Set<string>();
  const collect = (from: string) => {
    for (const target of targetsOf(from)) {
      if (parts.has(target) || moduleOf(target) !== moduleOf(fake) || !DOMAIN.test(target)) continue;
      parts.add(target);
      collect(target);
    }
  };
  collect(fake);
  return [...parts];
}

/** For each file that cannot be loaded, the import that it lacks: it is absent, or cannot be loaded either. */
function findMissing(paths: string[], targetsOf: (path: string) => string[], sees: (from: string, target: string) => boolean): Map<string, string> {
  const missing = new Map<string, string>();
  for (let known = -1; known < missing.size; ) {
    known = missing.size;
    for (const path of paths.filter((one) => !missing.has(one))) {
      const target = targetsOf(path).find((one) => missing.has(one) || !sees(path, one));
      if (target !== undefined) missing.set(path, target);
    }
  }
  return missing;
}

/** From a file that is lost over what it imports to what is absent. */
function chainFrom(path: string, missing: ReadonlyMap<string, string>): string[] {
  const next = missing.get(path);
  return next === undefined ? [path] : [path, ...chainFrom(next, missing)];
}

/** Whoever imports a file of the module that is lost is lost with it, and need not be named. */
const startsTheLeak = ([path, ...others]: string[]) => mustStay(path!) && !others.slice(0, -1).some(mustStay);

function sayLeak(chain: string[]): string {
  const [path, absent] = [chain[0]!, chain.at(-1)!];
  const owner = moduleOf(absent);
  if (owner === moduleOf(path)) return `${chain.join(' → ')}: a fake is made of its contract and its module's domain, so that it works without the rest of the module.`;
  if (FAKE.test(absent)) return `${chain.join(' → ')}: a fake is for tests. Take the service as an argument, by its contract.`;
  const what = owner ? `the inside of ${owner}` : 'what no module has when it stands alone';
  return `${chain.join(' → ')}: that is ${what}. ${
    path.startsWith('test/')
      ? `A module's tests see that module and others' contracts and fakes; one that needs more belongs to test/journey or test/setup.`
      : `Import the contract, and add to it what is missing there.`
  }`;
}
