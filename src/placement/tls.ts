import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { ConfigError } from '../setup/config-error.ts';
import { contentOf } from './named-file.ts';

/** Mutual TLS between processes, all in PEM: what this one shows, and whose certificates it believes. */
export interface Tls {
  cert: string;
  key: string;
  ca: string;
}

/** Reads the three files; throws a ConfigError for one that is not what it should be. */
export function readTls(paths: Readonly<Record<keyof Tls, string>>): Tls {
  const [cert, certificate] = read('KERF_TLS_CERT', paths.cert, 'a certificate', (text) => new X509Certificate(text));
  const [key, privateKey] = read<KeyObject>('KERF_TLS_KEY', paths.key, 'a private key without passphrase', (text) => createPrivateKey(text));
  const [ca] = read('KERF_TLS_CA', paths.ca, 'a certificate', (text) => new X509Certificate(text));
  if (!certificate.checkPrivateKey(privateKey)) throw new ConfigError('KERF_TLS_KEY is not the private key of the certificate in KERF_TLS_CERT.');
  return { cert, key, ca };
}

function read<T>(variable: string, path: string, what: string, parse: (text: string) => T): [string, T] {
  const text = contentOf(variable, path);
  try {
    return [text, parse(text)];
  } catch {
    throw new ConfigError(`${variable} names a file that does not hold ${what} in PEM: ${path}.`);
  }
}
