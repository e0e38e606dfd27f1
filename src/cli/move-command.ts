import { Command, InvalidArgumentError } from 'commander';
import { MODULES } from '../calls.ts';
import { type Config, isDatabaseAddress, isPeerAddress, ownEnvironment, readConfig } from '../config.ts';
import { diff, end, endDue, look, move, pause, type Wishes } from '../move/command.ts';
import type { ComparedTable } from '../move/compare.ts';
import { type Direction, type Figures, keptUntil, type Move, openMoves, UNTIL_FLIP } from '../move/journal.ts';
import type { Progress } from '../move/running.ts';
import { closeSite, openSite } from '../move/site.ts';
import { byHand, endApart, freeAddress, startApart } from '../setup/apart.ts';
import { readinessOf, refusalAt } from './before-a-move.ts';
import type { ShadowReport } from '../shared/seam/mirror.ts';
import { ConfigError } from '../setup/config-error.ts';
import { type Installation, openInstallation } from '../setup/database.ts';
import { dataDirectory } from '../setup/paths.ts';
import { readSplitShop, splitShopFile } from '../setup/split-shop.ts';

interface Options {
  /** extract, fold, and what ends either: the database apart, by the name that is plain there */
  to?: string;
  from?: string;
  database?: string;
  at?: string;
  dryRun?: boolean;
  keepReverse?: number;
  due?: boolean;
  shadowPercent?: number;
  shadowFor?: number;
  json: boolean;
}

const APART = 'KERF_APART_DATABASE_URL';
const say = (line: string) => void process.stdout.write(`${line}\n`);

const peer = (text: string) => {
  if (!isPeerAddress(text)) throw new InvalidArgumentError('It must look like http://host:3001, https://host:3001 or unix:/path/to/socket.');
  return text;
};
const database = (text: string) => {
  if (!isDatabaseAddress(text)) throw new InvalidArgumentError('It must look like postgres://user:password@host:5432/database, with neither user nor password behind a question mark.');
  return text;
};
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const duration = (text: string) => {
  const [, number, unit] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? [];
  if (number === undefined || (unit === '' && number !== '0')) throw new InvalidArgumentError('It must look like 0, 30m, 24h or 7d.');
  return Number(number) * UNITS[(unit || 's') as keyof typeof UNITS];
};
const percent = (text: string) => {
  if (!/^\d{1,3}(\.\d+)?$/.test(text) || Number(text) > 100) throw new InvalidArgumentError('It must be a number from 0 to 100.');
  return Number(text);
};

const moving = (direction: Direction, option: string, description: string) =>
  new Command(direction)
    .description(description)
    .argument('<module>', `one of ${MODULES.join(', ')}`)
    .option(option, `administrator connection to the database apart; default: ${APART}, which no list of processes shows`, database)
    .option('--dry-run', 'only say what is in the way', false)
    .option('--keep-reverse <duration>', 'keep the way back, and the data at the source, for 30m, 24h or 7d; 0: not at all; default: until "kerf move complete"', duration)
    .option('--json', 'print a line of JSON for each step, and the report as the last', false)
    .action((module: string, options: Options) =>
      withWishes(module, options, async (wishes) => {
        if (options.dryRun) return sayPlan(await look(wishes, direction), options.json);
        sayReport(await move(wishes, direction), options.json);
      }),
    );

/** Exit codes: 0 done, 1 something is in the way (--dry-run), 2 it stopped: the sentence says what to do, and the same command goes on. */
export const extractCommand = moving('extract', '--to <database-url>', 'move a module, while the shop runs, to a database and a process of its own')
  .option('--at <address>', 'internal address of the process apart, which runs already; default: this command starts one on this machine', peer)
  .option('--shadow-percent <n>', 'before anything depends on it, have n of a hundred reads answered by the process apart too, and stop if an answer differs; default: as an earlier command said, or 0', percent)
  .option('--shadow-for <duration>', 'for so long, like 30s or 10m; default: as an earlier command said, or 30s', duration);
export const foldCommand = moving('fold', '--from <database-url>', 'bring a module back that was extracted, while the shop runs');

export const moveCommand = new Command('move').description('moves that are under way, or whose way back is there');

moveCommand
  .command('status')
  .description('say how far the moves are that have not ended')
  .argument('[module]', `one of ${MODULES.join(', ')}; default: all`)
  .option('--json', 'print { moves }', false)
  .action((module: string | undefined, { json }: Options) =>
    withInstallation(module, async ({ administratorUrl }) => {
      const home = await openSite(administratorUrl('placement'), module ?? 'placement');
      const moves = (await openMoves(home).finally(() => closeSite(home))).filter((one) => module === undefined || one.module === module);
      say(json ? JSON.stringify({ moves: moves.map(reportOf) }, undefined, 2) : moves.map(statusOf).join('\n') || 'No module is on its way.');
    }),
  );

moveCommand
  .command('pause')
  .description('have a move that has not flipped yet stop where nobody waits for it; the streams go on, and the command that began it goes on from there')
  .argument('<module>', `one of ${MODULES.join(', ')}`)
  .option('--json', 'print the report', false)
  .action((module: string, { json }: Options) =>
    withInstallation(module, async ({ administratorUrl }) => {
      const paused = await pause(administratorUrl('placement'), module);
      say(json ? JSON.stringify(reportOf(paused)) : statusOf(paused));
    }),
  );

moveCommand
  .command('diff')
  .description('compare both sides of a move row by row while the shop runs; exit code 1: they are not alike')
  .argument('<module>', `one of ${MODULES.join(', ')}`)
  .option('--database <database-url>', `administrator connection to the database apart; default: ${APART}`, database)
  .option('--json', 'print a line of JSON for each step, and { rows, tables } as the last', false)
  .action((module: string, options: Options) =>
    withWishes(module, options, async (wishes) => {
      const { rows, tables } = await diff(wishes);
      say(options.json ? JSON.stringify({ rows, tables }) : tables.map(differenceOf).join('\n'));
      if (tables.some(({ different }) => different.length > 0)) process.exitCode = 1;
    }),
  );

const ending = (how: 'cancel' | 'complete', description: string) =>
  moveCommand
    .command(how)
    .description(description)
    .argument('<module>', `one of ${MODULES.join(', ')}`)
    .option('--database <database-url>', `administrator connection to the database apart; default: ${APART}`, database)
    .option('--json', 'print a line of JSON for each step, and the report as the last', false)
    .action((module: string, options: Options) =>
      withWishes(module, options, async (wishes) => {
        const ended = await (options.due ? endDue(wishes) : end(wishes, how));
        return ended ? sayReport(ended, options.json) : say(options.json ? 'null' : 'Nothing is due.');
      }),
    );

ending('cancel', 'take back a move that has not flipped yet; a fold loses the way back that it took, and the copy at home');
ending('complete', 'give up the way back of a move that is done, and the data at its source').option('--due', 'only if the time of --keep-reverse is over, as a clock may ask every hour', false);

async function withInstallation(module: string | undefined, work: (installation: Installation) => Promise<void>): Promise<void> {
  if (module !== undefined && !MODULES.includes(module)) throw new ConfigError(`There is no module "${module}": it is one of ${MODULES.join(', ')}.`);
  const config = readConfig();
  assertWhole(config);
  const installation = await openInstallation(config, { attach: true, existing: true, onProgress: (sentence) => void process.stderr.write(`${sentence}\n`) });
  try {
    if (!installation.placementUrl) throw new ConfigError("A move is written down in the shop's own database: set DATABASE_URL to it.");
    await work(installation);
  } catch (error) {
    throw explained(error);
  } finally {
    await installation.close();
  }
}

/** Parts of a split shop know only their own databases, and so not where modules have moved. */
function assertWhole({ databaseUrl, dataDir }: Config): void {
  const directory = dataDirectory(dataDir);
  if (databaseUrl || !readSplitShop(directory)) return;
  throw new ConfigError(`The modules of this shop are apart already, as "npm run start:split" made it, each in a database of its own that no move follows: remove ${splitShopFile(directory)} to go back to the shop of "npm start", or name another one with DATABASE_URL.`);
}

const withWishes = (module: string, { to, from, database: named, at, keepReverse, shadowPercent, shadowFor, json }: Options, work: (wishes: Wishes) => Promise<void>) =>
  withInstallation(module, async (installation) => {
    const { secret, administratorUrl } = installation;
    if (shadowFor !== undefined && shadowPercent === undefined) throw new ConfigError('--shadow-for says how long reads are answered twice: say with --shadow-percent how many of a hundred.');
    const config = readConfig();
    const apart = to ?? from ?? named ?? config.apartDatabaseUrl;
    if (!apart) throw new ConfigError(`Which database is ${module} to go to, or to come from? It is kept without its password: name it again, or set ${APART}.`);
    const home = administratorUrl('placement');
    const start: NonNullable<Wishes['host']['start']> = async (address) => {
      const directory = dataDirectory(config.dataDir);
      const started = await startApart({ environment: ownEnvironment(), module, address, databaseUrl: home, secret, directory });
      if (!json) say(`Started a process for ${module} (${started.pid}); to start it again: ${byHand(module, address)}, with DATABASE_URL and KERF_SECRET of the shop. What it says is in ${directory}.`);
      return started;
    };
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    await work({
      module,
      home,
      here: administratorUrl(module),
      apart,
      secret,
      address: async () => at ?? freeAddress(config.placement.tls ? 'https' : 'http'),
      readiness: (internal) => readinessOf(module, installation, internal),
      keepReverse,
      ...(shadowPercent !== undefined && { shadow: { percent: shadowPercent, ...(shadowFor !== undefined && { milliseconds: shadowFor }) } }),
      signal: stop.signal,
      host: { ...(!at && { start }), end: endApart, refusal: (address) => refusalAt(address, module, secret, config) },
      say: (progress) => say(json ? JSON.stringify(progress) : lineOf(progress)),
    });
  });

const lineOf = ({ module, over, ...figures }: Progress) => (over ? `${module}: ${figures.phase}, done` : `${module}: ${figuresOf(figures)}`);

const differenceOf = ({ name, rows, different }: ComparedTable) => `${name}: ${rows} rows, ${different.length === 0 ? 'alike' : `not alike in ${different.map((key) => key.join()).join(' and ')}`}`;

const figuresOf = ({ phase, rows, ofRows, rate, left, lag, reads, different }: Figures) =>
  [
    phase,
    rows !== undefined && `${rows} ${ofRows === undefined ? '' : `of about ${ofRows} `}rows`,
    rate !== undefined && `${rate} rows/s`,
    left !== undefined && `${left} s left`,
    lag !== undefined && `${lag} bytes behind`,
    reads !== undefined && `${reads} reads answered twice, ${different} of them otherwise`,
  ].filter((figure) => figure !== false).join(', ');

function sayPlan({ blockers, notes }: Awaited<ReturnType<typeof look>>, json: boolean): void {
  if (json) say(JSON.stringify({ blockers, notes }, undefined, 2));
  else for (const sentence of [...blockers, ...notes, ...(blockers.length === 0 ? ['Nothing is in the way.'] : [])]) say(sentence);
  if (blockers.length > 0) process.exitCode = 1;
}

const reportOf = (move: Move) => {
  const { module, direction, from, to, address, phase, detail, error, startedAt, endedAt } = move;
  return {
    module, direction, from, to, address, phase, held: move.held, progress: detail.progress, error, startedAt, endedAt, keptUntil: keptUntil(move),
    pause: detail.pause, met: detail.met, tries: detail.tries, rows: detail.comparison?.rows, ended: detail.ended, process: detail.process, shadowed: detail.shadowed,
  };
};

function statusOf(move: Move): string {
  const { module, direction, from, to, phase, held, detail, error } = move;
  const until = keptUntil(move);
  return [
    `${module}: ${direction} from ${from} to ${to}, "${phase}" is over`,
    detail.progress && `${figuresOf(detail.progress)}, ${Math.round((Date.now() - detail.progress.at) / 1_000)} s ago`,
    detail.paused && UNTIL_FLIP.includes(phase) && 'it is paused',
    held && `processes hold: if no command is at it, run "kerf ${direction} ${module}" at once`,
    error !== null && `it stopped: ${error}`,
    until && `the way back is kept until ${until.toISOString()}${until.getTime() < Date.now() ? `, so it is time for "kerf move complete ${module} --due"` : ''}`,
  ].filter(Boolean).join('; ');
}

function sayReport(done: Move, json: boolean): void {
  const { module, direction, phase, to, address, keptUntil: until, pause, met, tries, rows, ended, process: apart, shadowed } = reportOf(done);
  if (json) return say(JSON.stringify(reportOf(done)));
  if (phase === 'cancelled') return say(`The move is cancelled: ${module} is where it was.`);
  say(`${module} is at ${to}${direction === 'extract' ? `, and answers at ${address}` : ''}: ${rows} rows are alike, the pause was ${Math.max(met?.pause ?? 0, pause ?? 0)} ms (${pause} ms by this command's clock), ${tries} ${tries === 1 ? 'try' : 'tries'}.`);
  if (met) say(`Statements and transactions: ${met.held} held, ${met.again} run again, ${met.failed} failed, ${ended} ended.`);
  if (phase === 'settle') say(`"kerf move diff ${module}" compares both sides again, "kerf verify" the books.`);
  if (shadowed) say(shadowOf(shadowed));
  if (direction === 'fold' && apart) say(`Its process at ${address} (${apart.pid} on ${apart.machine}) was not there to be ended: look whether it still runs.`);
  if (phase === 'settle') say(`The way back stays${until ? ` until ${until.toISOString()}, when "kerf move complete ${module} --due" is to be run` : ''}: "kerf ${direction === 'extract' ? 'fold' : 'extract'} ${module}" takes it, "kerf move complete ${module}" gives it up.`);
}
const shadowOf = ({ mirrored, alike, unsettled, skipped, methods, owner, target }: ShadowReport) =>
  mirrored === 0
    ? 'No read came that could have been answered twice.'
    : `${mirrored} reads (${methods.join(', ')}) were answered twice, ${alike} of them alike and ${unsettled} changing too often to tell, ${skipped} passed over: half of them within ${owner.p50} ms here and ${target.p50} ms there, 99 of a hundred within ${owner.p99} and ${target.p99} ms.`;

/** What a person can act on: the server says why, and nothing that was done is lost. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ConfigError) return error;
  if ((error as { code?: string }).code === '42P01' && error.message.includes('placement.')) return new ConfigError('This shop was set up before modules could move: run "npm run migrate", and start it again.');
  if (!('code' in error) && Object.getPrototypeOf(error) !== Error.prototype) return error;
  return new ConfigError(`${error.message.replace(/\.?$/, '.')} Run the same command again: it goes on where this one stopped.`);
}
