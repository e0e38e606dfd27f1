import { join } from 'node:path';

/** The folder with package.json. */
export const ROOT = join(import.meta.dirname, '../..');

/** Where this installation keeps what is its own: secret, development mail, and the database unless it must be elsewhere. */
export const dataDirectory = (configured: string | undefined): string => configured ?? join(ROOT, '.kerf');
