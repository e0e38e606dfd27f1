import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';

/** The installation's secret: made once, kept in the data directory for its owner's eyes only. */
export async function readOrMakeSecret(directory: string): Promise<string> {
  const file = join(directory, 'secret');
  await mkdir(directory, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError(`KERF_DATA_DIR names a folder that cannot be used: ${directory} (${error.code}).`);
  });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, randomBytes(32).toString('hex'), { mode: 0o600 });
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return readFile(file, 'utf8');
}
