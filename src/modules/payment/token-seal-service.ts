import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deriveKey } from '../../shared/ids.ts';

const CIPHER = 'aes-256-gcm';
const [IV, TAG] = [12, 16];

export type TokenSeal = ReturnType<typeof createTokenSeal>;

/** Keeps a shopper's means of payment unreadable at rest (AES-256-GCM), and bound to the payment it was given for. */
export function createTokenSeal(secret: string) {
  const key = Buffer.from(deriveKey(secret, 'payment tokens'), 'hex');
  return {
    seal(token: string, paymentId: string): string {
      const iv = randomBytes(IV);
      const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG }).setAAD(Buffer.from(paymentId));
      const text = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(sealed: string, paymentId: string): string {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV), { authTagLength: TAG }).setAAD(Buffer.from(paymentId));
      decipher.setAuthTag(bytes.subarray(IV, IV + TAG));
      return decipher.update(bytes.subarray(IV + TAG), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}
