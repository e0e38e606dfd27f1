import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { listen } from './listen.ts';
import { ROOT } from './paths.ts';

/** A process with one module that goes on when the command that started it has ended. */
export interface ApartProcess {
  environment: NodeJS.ProcessEnv;
  module: string;
  /** where it answers */
  address: string;
  /** administrator connection to the shop's own database */
  databaseUrl: string;
  secret: string;
  /** where what it says is kept */
  directory: string;
}

const MAIN = join(ROOT, 'src/main.ts');

/** The same build, with this module alone. */
export async function startApart({ environment, module, address, databaseUrl, secret, directory }: ApartProcess): Promise<Started> {
  await mkdir(directory, { recursive: true });
  const log = openSync(join(directory, `${module}-apart.log`), 'a');
  const own = { ...settings(module, address), DATABASE_URL: databaseUrl, KERF_SECRET: secret };
  const child = spawn(process.execPath, [MAIN], { env: { ...environment, ...own }, detached: true, stdio: ['ignore', log, log] });
  child.unref();
  if (!child.pid) throw new Error(`A process for ${module} could not be started.`);
  return { pid: child.pid, machine: hostname() };
}

/** What to type to start it again; what is secret or the shop's own is inherited. */
export const byHand = (module: string, address: string): string =>
  `${Object.entries(settings(module, address)).filter(([, value]) => value !== '').map(([name, value]) => `${name}=${value}`).join(' ')} npm start`;

const settings = (module: string, address: string): Record<string, string> => ({
  KERF_MODULES: module,
  KERF_EDGE: 'false',
  KERF_INTERNAL_PORT: new URL(address).port,
  KERF_INTERNAL_SOCKET: '',
  KERF_INTERNAL_URL: '',
  KERF_INTERNAL_HOST: new URL(address).hostname,
  [`KERF_${module.toUpperCase()}_URL`]: '',
});

/** An address on this machine where nobody answers yet. */
export async function freeAddress(scheme: 'http' | 'https'): Promise<string> {
  const taken = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' });
  await taken.close(0);
  return `${scheme}://127.0.0.1:${taken.port}`;
}

interface Started {
  pid: number;
  machine: string;
}

/** Whether it was told. It may be on another machine, or gone. */
export function endApart({ pid, machine }: Started): boolean {
  if (machine !== hostname()) return false;
  try {
    return process.kill(pid, 'SIGTERM');
  } catch {
    return false;
  }
}
