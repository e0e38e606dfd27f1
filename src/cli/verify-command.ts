import { Command, InvalidArgumentError } from 'commander';
import { MODULES } from '../calls.ts';
import { readConfig } from '../config.ts';
import { ConfigError } from '../setup/config-error.ts';
import { openKerf } from '../setup/kerf.ts';
import { connect, ping } from '../shared/database.ts';
import { createIdempotencyStore } from '../edge/idempotency.ts';
import { formatReport } from '../verify/report.ts';
import { INVARIANTS, type Promised, sourcesOf, verify } from '../verify/verify.ts';
import { readKept } from '../verify/verify-kept.ts';
import { lookInto, readable } from './module-databases.ts';

const progress = (sentence: string) => void process.stderr.write(`${sentence}\n`);

const seconds = (text: string) => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
};

const invariants = (text: string) => {
  const names = text.split(',').map((name) => INVARIANTS.find((invariant) => invariant === name.trim()));
  if (names.includes(undefined)) throw new InvalidArgumentError(`They are ${INVARIANTS.join(', ')}.`);
  return names as Promised[];
};

/**
 * Exit codes: 0 everything holds, 1 something does not, 2 it, or a part of it, could not be looked at. Changes nothing, and may run beside a
 * busy shop. With --json the report as `Report` in src/verify/verify.ts describes it.
 */
export const verifyCommand = new Command('verify')
  .description('show that stock, coupons, money, histories and events add up, in whatever places the modules run')
  .option('--only <names>', `some of ${INVARIANTS.join(',')}; default: all`, invariants)
  .option('--grace <seconds>', 'how long modules may tell an order differently: events are on their way, interrupted flows recover', seconds, 60)
  .option('--json', 'print { holds, orders, unconfirmed, findings: [{ invariant, looked, violations, settling, told }], events, eventsNotLooked, ownerNotLooked, kept }', false)
  .action(async ({ only, grace, json }: { only?: Promised[]; grace: number; json: boolean }) => {
    const config = readConfig();
    const { kerf, installation, close } = await openKerf(config, { attach: true, existing: true, onProgress: progress, publicUrl: config.publicUrl ?? 'http://localhost:3000' });
    const now = () => new Date();
    const edge = config.placement.edge ? connect({ url: installation.url('edge'), applicationName: 'kerf operator', poolSize: 1 }) : undefined;
    const answers = edge && createIdempotencyStore(edge, now);
    const looking = lookInto(MODULES, { config, installation }, async ({ looked }) => {
      const databases = new Map(looked.map(({ module, db }) => [module, db]));
      await Promise.all([...databases, ...(edge ? [['edge', edge] as const] : [])].map(([module, db]) => readable(module, ping(db))));
      return verify(sourcesOf(kerf), {
        ...(only && { only }),
        ...(answers && { readKept: () => readable('edge', readKept(answers, kerf)) }),
        databases,
        places: await installation.places(),
        now,
        grace: grace * 1_000,
        onProgress: progress,
      });
    });
    const report = await looking
      .catch((error: unknown) => {
        throw error instanceof ConfigError ? error : new ConfigError(`The shop could not be verified: ${error instanceof Error ? error.message : String(error)}`);
      })
      .finally(() => Promise.all([close(), edge?.destroy()]));
    process.stdout.write(`${json ? JSON.stringify(report, undefined, 2) : formatReport(report)}\n`);
    if (!report.holds) process.exitCode = 1;
    else if (report.findings.some(({ looked }) => !looked)) process.exitCode = 2;
  });
