import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { snapshotPath } from '../../boundaries/contracts/contract-snapshots.ts';
import { ROOT } from '../../setup/paths.ts';
import { derive } from './derivation.ts';
import { assertNewEntry, assertNewModule } from './free.ts';
import { assertModuleName, namesOf } from './names.ts';
import { filesOf, readTemplate, wordsOf } from './template.ts';
import { writeTree } from './tree.ts';
import { withModule, withRow } from './wiring.ts';

export interface NewModule {
  module: string;
  /** what one of those is called that it keeps; default: like the module */
  of: string | undefined;
  dryRun: boolean;
}

/** Paths in the tree. `derived`: made from the others, as `kerf contracts accept` and `kerf map` make them. */
export interface Written {
  added: string[];
  wired: string[];
  derived: string[];
}

/** Adds a module to this tree: everything is checked before anything is written, and what fails leaves nothing behind. */
export async function addModule({ module, of, dryRun }: NewModule): Promise<Written> {
  assertModuleName(module);
  assertNewModule(module);
  const names = namesOf(module, of);
  const template = await readTemplate();
  await assertNewEntry(names, wordsOf(template));
  const added = filesOf(names, template);
  const wired = new Map([
    ['src/calls.ts', withRow(await read('src/calls.ts'), module)],
    ['src/composition.ts', withModule(await read('src/composition.ts'), module)],
  ]);
  const written = { added: [...added.keys()], wired: [...wired.keys()], derived: [] };
  return dryRun ? written : { ...written, derived: await write(module, new Map([...added, ...wired])) };
}

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

/** Writes the module, and what is derived from the tree that has it. */
async function write(module: string, files: ReadonlyMap<string, string>): Promise<string[]> {
  const undo = await writeTree(ROOT, files);
  try {
    const map = await derive(module);
    await writeTree(ROOT, map);
    return [snapshotPath(module), ...map.keys()];
  } catch (error) {
    await undo();
    throw error;
  }
}
