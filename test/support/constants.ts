import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export const TEMPLATE = 'kerf_template';
export const TEST_SECRET = 'a secret that only the tests know, and everybody reads';
/** Every schema that this tree has migrations for. */
export const SCHEMAS: readonly string[] = readdirSync(join(import.meta.dirname, '../../migrations'));
