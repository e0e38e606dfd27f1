import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError } from '../../setup/config-error.ts';

/** Writes files below the root. */
export type Write = (files: ReadonlyMap<string, string>) => Promise<void>;

/** Somebody stopped the work, with Ctrl-C say; the message tells how it left the tree. */
export class Interrupted extends Error {}

interface Step {
  path: string;
  undo(): Promise<void>;
}

/**
 * Does `work`, all of it or nothing: when it fails, or a signal stops it, files that were there say what they said, others
 * and their folders are gone. What cannot be taken back is named, and keeps nothing else from being taken back.
 */
export async function allOrNothing<T>(root: string, work: (write: Write, stopped: AbortSignal) => Promise<T>): Promise<T> {
  const steps: Step[] = [];
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    const done = await work((files) => write(root, files, steps, stop.signal), stop.signal);
    stop.signal.throwIfAborted();
    return done;
  } catch (error) {
    const outcome = outcomeOf(await takenBack(steps));
    if (stop.signal.aborted) throw new Interrupted(`Stopped: ${outcome}.`);
    if (error instanceof ConfigError) throw new ConfigError(`${error.message}: ${outcome}.`, { cause: error });
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

async function write(root: string, files: ReadonlyMap<string, string>, steps: Step[], stopped: AbortSignal): Promise<void> {
  for (const [path, content] of files) {
    stopped.throwIfAborted();
    const file = join(root, path);
    try {
      const before = await readFile(file).catch(whenAbsent);
      const folder = await mkdir(dirname(file), { recursive: true });
      if (folder) steps.push({ path: dirname(path), undo: () => rm(folder, { recursive: true }) });
      steps.push({ path, undo: () => (before ? restore(file, before) : rm(file, { force: true })) });
      await writeFile(file, content);
    } catch (error) {
      throw new ConfigError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code})`, { cause: error });
    }
  }
}

/** A file that refused to be written would refuse this, too, and needs none of it. */
async function restore(file: string, before: Buffer): Promise<void> {
  if (!before.equals(await readFile(file))) await writeFile(file, before);
}

/** Takes the last step back first; answers the paths of those that cannot be. */
async function takenBack(steps: readonly Step[]): Promise<string[]> {
  const left: string[] = [];
  for (const { path, undo } of steps.toReversed()) await undo().catch(() => left.push(path));
  return left;
}

const outcomeOf = (left: readonly string[]) => (left.length === 0 ? 'everything is as it was' : `everything is as it was but ${left.join(', ')}, which cannot be restored`);

function whenAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
