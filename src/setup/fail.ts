import { ContractError } from '../shared/contract-schema.ts';
import { isAppError, isTransient } from '../shared/errors.ts';
import { ConfigError } from './config-error.ts';

/** What a person can act on is one sentence; anything else comes with its stack. */
export function fail(error: unknown): never {
  const sentence = sentenceOf(error);
  process.stderr.write(`${sentence ?? (error instanceof Error ? error.stack : String(error))}\n`);
  process.exit(sentence ? 2 : 1);
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof ContractError || isAppError(error)) return error.message;
  return isTransient(error) ? 'The database does not answer, or not in time: try again in a moment.' : undefined;
}
