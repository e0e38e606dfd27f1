import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError } from '../../setup/config-error.ts';

/** Takes back what was written: files that were there say what they said, others and their folders are gone. */
export type Undo = () => Promise<void>;

/** Writes files below `root`, all or none: what cannot be written takes with it what was. */
export async function writeTree(root: string, files: ReadonlyMap<string, string>): Promise<Undo> {
  const steps: Undo[] = [];
  const undo = async () => {
    for (const step of steps.splice(0).toReversed()) await step();
  };
  try {
    for (const [path, content] of files) {
      const file = join(root, path);
      const before = await readFile(file).catch(whenAbsent);
      const folder = await mkdir(dirname(file), { recursive: true });
      if (folder) steps.push(() => rm(folder, { recursive: true }));
      steps.push(() => (before ? writeFile(file, before) : rm(file, { force: true })));
      await writeFile(file, content);
    }
  } catch (error) {
    await undo();
    const { code, path } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${path} cannot be written (${code}): everything is as it was.`);
  }
  return undo;
}

function whenAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
