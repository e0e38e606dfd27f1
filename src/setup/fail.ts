import { ContractError } from '../shared/contract-schema.ts';
import { isAppError } from '../shared/errors.ts';
import { ConfigError } from './config-error.ts';

/** What a person can act on is one sentence; anything else comes with its stack. */
export function fail(error: unknown): never {
  const known = error instanceof ConfigError || error instanceof ContractError || isAppError(error);
  process.stderr.write(known ? `${(error as Error).message}\n` : `${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(known ? 2 : 1);
}
