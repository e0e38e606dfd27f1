import { conflict } from '../../shared/errors.ts';

/** Refuses `version_mismatch` unless the caller has seen the newest version. */
export function assertVersion(held: { version: number }, version: number): void {
  if (held.version !== version) {
    throw conflict('version_mismatch', 'Somebody changed it since you read it; read it again.', { version: held.version });
  }
}
