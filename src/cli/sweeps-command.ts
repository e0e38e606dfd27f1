import { Command } from 'commander';
import { z } from 'zod';
import { type Config, readConfig } from '../config.ts';
import { ConfigError } from '../setup/config-error.ts';
import { openInstallation } from '../setup/database.ts';
import { lateSeconds } from '../shared/sweep.ts';

const Answer = z.object({
  sweeps: z.array(
    z.object({
      module: z.string(), name: z.string(), every: z.number(), running: z.boolean(), lastEndedAt: z.iso.datetime().nullable(),
      error: z.string().nullable(), failedInARow: z.number(), nextAt: z.iso.datetime(),
    }),
  ),
});
type Answer = z.infer<typeof Answer>['sweeps'][number];

/** Milliseconds. */
const PATIENCE = 3_000;
/** Seconds after which a run that does not end is something to look at. */
const LATE = 60;

/**
 * Asks running processes at their internal addresses. Exit codes: 0 all went well at last, 1 one failed or does not end,
 * 2 nobody answers.
 */
export const sweepsCommand = new Command('sweeps')
  .description('list what the modules of running processes do again and again: how it went, and when it comes next')
  .option('--internal <urls...>', 'internal addresses to ask; default: http://127.0.0.1:<KERF_INTERNAL_PORT or 3001> the KERF_<MODULE>_URLs, and those of modules that have moved')
  .option('--json', 'print { sweeps, notLooked }', false)
  .action(async ({ internal, json }: { internal?: string[]; json: boolean }) => {
    const config = readConfig();
    const addresses = new Set(internal ?? [`http://127.0.0.1:${config.internalPort || 3001}`, ...Object.values(config.placement.addresses), ...(await addressesOfMoved(config))]);
    const asked = await Promise.all([...addresses].map(async (address) => ({ address, found: await sweepsAt(address) })));
    const notLooked = asked.flatMap(({ address, found }) => (found ? [] : [address]));
    if (notLooked.length === asked.length) throw new ConfigError(`Nobody tells of sweeps at ${notLooked.join(', ')}: start Kerf, or name its internal address with --internal.`);
    const sweeps = asked.flatMap(({ found }) => found ?? []);
    const lines = [...sweeps.map((one) => lineOf(one, new Date())), ...(notLooked.length > 0 ? [`Not looked at: ${notLooked.join(', ')}.`] : [])];
    process.stdout.write(`${json ? JSON.stringify({ sweeps, notLooked }, undefined, 2) : lines.join('\n')}\n`);
    if (sweeps.some((one) => one.error !== null || lateSeconds(one, new Date()) > LATE)) process.exitCode = 1;
  });

/** A shop that cannot be asked where its modules are is asked for what is known. */
async function addressesOfMoved(config: Config): Promise<string[]> {
  const installation = await openInstallation(config, { attach: true, existing: true, onProgress: () => undefined }).catch(() => undefined);
  const moved = await installation?.moved().catch(() => undefined).finally(() => installation.close());
  return [...(moved?.values() ?? [])].flatMap(({ address }) => address ?? []);
}

async function sweepsAt(address: string): Promise<Answer[] | undefined> {
  if (!/^https?:/.test(address)) return undefined;
  const answer = await fetch(new URL('/sweeps', address), { signal: AbortSignal.timeout(PATIENCE) })
    .then((response) => response.json())
    .catch(() => undefined);
  return Answer.safeParse(answer).data?.sweeps;
}

function lineOf(sweep: Answer, now: Date): string {
  const { module, name, every, running, lastEndedAt, error, failedInARow, nextAt } = sweep;
  const last = lastEndedAt === null ? 'has not run yet' : `${error === null ? 'ok' : `failed ${failedInARow} times in a row`} at ${lastEndedAt}`;
  const next = running ? `running for ${Math.round(lateSeconds(sweep, now))} s` : `next at ${nextAt}`;
  return [module.padEnd(9), name.padEnd(27), `every ${every} s`.padEnd(13), last, next, ...(error === null ? [] : [error])].join('  ').trimEnd();
}
