import { createHash, createHmac, randomBytes, randomUUIDv7, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** A UUIDv7: sorts by time of creation, 74 random bits from the CSPRNG. */
export const newId = (): string => randomUUIDv7();

/** As Postgres writes it: lower case. */
export const Id = z.uuid().toLowerCase().meta({ id: 'Id', description: 'UUID' });

/** An unguessable secret of 256 bits for URLs and headers (43 characters, base64url). Store `hashSecret` of it only. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** SHA-256 as hex; for secrets that are random already. Passwords go through argon2id instead. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Compares two strings in time that tells nothing about where they differ. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

/** A key of its own per purpose, derived from one secret: HMAC-SHA256(secret, purpose) as hex. */
export const deriveKey = (secret: string, purpose: string): string =>
  createHmac('sha256', secret).update(purpose).digest('hex');
