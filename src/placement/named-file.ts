import { readFileSync } from 'node:fs';
import { ConfigError } from '../setup/config-error.ts';

/** The text of the file that an environment variable names; throws a ConfigError that says which. */
export function contentOf(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${variable} names a file that cannot be read: ${path} (${(error as NodeJS.ErrnoException).code}).`);
  }
}
