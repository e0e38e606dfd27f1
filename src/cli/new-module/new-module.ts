import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { snapshotPath } from '../../boundaries/contracts/contract-snapshots.ts';
import { ROOT } from '../../setup/paths.ts';
import { derive } from './derivation.ts';
import { assertNewEntry, assertNewModule } from './free.ts';
import { assertModuleName, namesOf } from './names.ts';
import { filesOf, readTemplate, wordsOf } from './template.ts';
import { allOrNothing } from './tree.ts';
import { withModule, withRow } from './wiring.ts';

export interface NewModule {
  module: string;
  /** what one of those is called that it keeps; default: like the module */
  of: string | undefined;
  dryRun: boolean;
  onProgress(line: string): void;
}

/** Paths in the tree. `derived`: made from the others, as `kerf contracts accept` and `kerf map` make them. */
export interface Written {
  /** where what it keeps is in the public API */
  routes: string;
  added: string[];
  wired: string[];
  derived: string[];
}

/** Adds a module to this tree: everything is checked before anything is written, and what fails leaves nothing behind. */
export async function addModule({ module, of, dryRun, onProgress }: NewModule): Promise<Written> {
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
  const written = { routes: `/v1/admin/${names.entries}`, added: [...added.keys()], wired: [...wired.keys()], derived: [] };
  return dryRun ? written : { ...written, derived: await write(module, new Map([...added, ...wired]), onProgress) };
}

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

/** Writes the module, and what is derived from the tree that has it. */
const write = (module: string, files: ReadonlyMap<string, string>, onProgress: (line: string) => void) =>
  allOrNothing(ROOT, async (write, stopped) => {
    await write(files);
    onProgress('Drawing the map with it.');
    const map = await derive(module, stopped);
    await write(map);
    return [snapshotPath(module), ...map.keys()];
  });
