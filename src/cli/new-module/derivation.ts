import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { ConfigError } from '../../setup/config-error.ts';

/**
 * Accepts the contract of a module that was just written, in its folder, and answers the files of the map as they have to
 * be with it. A worker does it: this thread has loaded the tree as it was before.
 */
export async function derive(module: string, stopped: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const worker = new Worker(new URL('./derive.ts', import.meta.url), { workerData: module, execArgv: [] });
  try {
    const [files] = await once(worker, 'message', { signal: stopped });
    return files as ReadonlyMap<string, string>;
  } catch (cause) {
    throw new ConfigError(`Contract and map cannot be generated with the module (${(cause as Error).message.replace(/\.$/, '')})`, { cause });
  } finally {
    await worker.terminate();
  }
}
