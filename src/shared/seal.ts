import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deriveKey } from './ids.ts';

const CIPHER = 'aes-256-gcm';
const [IV, TAG] = [12, 16];

export type Seal = ReturnType<typeof createSeal>;

/**
 * Keeps text unreadable at rest (AES-256-GCM, a key of its own per purpose) and bound to what it belongs to: sealed for
 * one id it does not open for another. Opening throws when the secret, the purpose, the id or the text is not the same.
 */
export function createSeal(secret: string, purpose: string) {
  const key = Buffer.from(deriveKey(secret, purpose), 'hex');
  return {
    seal(text: string, id: string): string {
      const iv = randomBytes(IV);
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG }).setAAD(Buffer.from(id));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    open(sealed: string, id: string): string {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV), { authTagLength: TAG }).setAAD(Buffer.from(id));
      decipher.setAuthTag(bytes.subarray(IV, IV + TAG));
      return decipher.update(bytes.subarray(IV + TAG), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
