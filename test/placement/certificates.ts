import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of a certificate, its private key, and the authority that signed it. */
export interface Certificate {
  cert: string;
  key: string;
  ca: string;
}

/** Certificate authorities of a day, in a folder of their own; needs the program `openssl` 3. */
export function createAuthorities() {
  const folder = mkdtempSync(join(tmpdir(), 'kerf-tls-'));
  const at = (name: string) => join(folder, name);
  const make = (name: string, ...more: string[]) =>
    openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', `/CN=${name}`, '-keyout', at(`${name}.key`), '-out', at(`${name}.pem`), ...more]);
  return {
    at,
    /** `signs(name)`: a certificate of this authority for 127.0.0.1 */
    authority(ca: string): { signs(name: string): Certificate } {
      make(ca);
      return {
        signs(name) {
          make(name, '-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`), '-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE');
          return { cert: at(`${name}.pem`), key: at(`${name}.key`), ca: at(`${ca}.pem`) };
        },
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function openssl(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`The tests of certificates need the program openssl, version 3: ${error?.message ?? stderr}`);
}
