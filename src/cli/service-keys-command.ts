import { Command } from 'commander';
import { MODULES } from '../calls.ts';
import { readConfig } from '../config.ts';
import { serviceKeySet } from '../placement/service-keys.ts';
import { ConfigError } from '../setup/config-error.ts';
import { dataDirectory } from '../setup/paths.ts';
import { readOrMakeSecret } from '../setup/secret.ts';

const SPEAKERS: readonly string[] = [...MODULES, 'edge'];

/** `kerf keys service --for coupon > keys.json` */
export const serviceKeysCommand = new Command('service')
  .description('print the file for KERF_SERVICE_KEYS of a process with these modules: their private keys, the public ones of all others')
  .requiredOption('--for <modules>', 'modules that run there, separated by commas, and "edge" where it serves the public API', (text: string) => text.split(',').map((name) => name.trim()))
  .action(async ({ for: hosts }: { for: string[] }) => {
    const stranger = hosts.find((name) => !SPEAKERS.includes(name));
    if (stranger !== undefined) throw new ConfigError(`--for must name modules separated by commas, of ${SPEAKERS.join(', ')}, and "${stranger}" is none.`);
    const config = readConfig();
    const secret = config.secret ?? (await readOrMakeSecret(dataDirectory(config.dataDir)));
    process.stdout.write(`${JSON.stringify(serviceKeySet(secret, { hosts, everybody: SPEAKERS }), undefined, 2)}\n`);
  });
