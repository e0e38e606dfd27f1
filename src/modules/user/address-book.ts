import { conflict, notFound } from '../../shared/errors.ts';
import type { SavedAddress } from './contract.ts';

const MOST_ADDRESSES = 50;

/** Whether an address that comes in becomes the default: when it is wanted, and always when it is the first. */
export function decideNewDefault(present: number, wanted: boolean): boolean {
  if (present >= MOST_ADDRESSES) {
    throw conflict('too_many_addresses', `An account has at most ${MOST_ADDRESSES} addresses; delete one first.`);
  }
  return wanted || present === 0;
}

/** Whether a changed address is the default. It stops being that only when another one becomes it, so that there is always one. */
export function decideChangedDefault(known: SavedAddress | undefined, version: number, wanted: boolean): boolean {
  if (!known) throw notFound('address');
  if (known.version !== version) {
    throw conflict('version_mismatch', 'The address was changed in the meantime; read it again.', { version: known.version });
  }
  return wanted || known.isDefault;
}
