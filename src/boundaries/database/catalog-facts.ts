import { readDependencies } from './catalog-dependencies.ts';
import { readRights } from './catalog-rights.ts';
import { readStorage } from './catalog-storage.ts';
import type { Ask, Finding } from './catalog-world.ts';

/**
 * Everything in a migrated database that crosses the line between modules, gives a role more than it needs, or would
 * stay behind when a module moves. `modules` names those that live in this database, `edge` with them; `allModules` those
 * that exist. Reads catalogs only: an administrator sees everything, another role nearly so.
 */
export async function readCatalog(ask: Ask, modules: readonly string[], allModules: readonly string[] = modules): Promise<Finding[]> {
  const readers = [() => readDependencies(ask, modules, allModules), () => readRights(ask, modules), () => readStorage(ask, modules)];
  const findings: Finding[] = [];
  for (const read of readers) findings.push(...(await read()));
  return findings;
}
