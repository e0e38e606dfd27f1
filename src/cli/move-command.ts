import { Command, InvalidArgumentError } from 'commander';
import { MODULES } from '../calls.ts';
import { isPeerAddress, ownEnvironment, readConfig } from '../config.ts';
import { end, look, move, type Wishes } from '../move/command.ts';
import { type Direction, type Move, openMoves } from '../move/journal.ts';
import type { Progress } from '../move/running.ts';
import { closeSite, openSite } from '../move/site.ts';
import { byHand, endApart, freeAddress, isRunning, startApart } from '../setup/apart.ts';
import { ConfigError } from '../setup/config-error.ts';
import { type Installation, openInstallation } from '../setup/database.ts';
import { dataDirectory } from '../setup/paths.ts';

interface Options {
  /** extract, fold, and what ends either: the database apart, by the name that is plain there */
  to?: string;
  from?: string;
  database?: string;
  at?: string;
  dryRun?: boolean;
  keepReverse?: string;
  json: boolean;
}

const APART = 'KERF_APART_DATABASE_URL';
const say = (line: string) => void process.stdout.write(`${line}\n`);

const peer = (text: string) => {
  if (!isPeerAddress(text)) throw new InvalidArgumentError('It must look like http://host:3001, https://host:3001 or unix:/path/to/socket.');
  return text;
};
const database = (text: string) => {
  if (!/^postgres(ql)?:\/\/.+/.test(text) || !URL.canParse(text)) throw new InvalidArgumentError('It must look like postgres://user:password@host:5432/database.');
  return text;
};
const nothing = (text: string) => {
  if (!/^0[smhd]?$/.test(text)) throw new InvalidArgumentError('It is 0, or left out: then the way back stays until "kerf move complete".');
  return text;
};

const moving = (direction: Direction, option: string, description: string) =>
  new Command(direction)
    .description(description)
    .argument('<module>', `one of ${MODULES.join(', ')}`)
    .option(option, `administrator connection to the database apart; default: ${APART}, which no list of processes shows`, database)
    .option('--dry-run', 'only say what is in the way', false)
    .option('--keep-reverse <duration>', '0: give up the way back, and the data at the source, as soon as it is done', nothing)
    .option('--json', 'print a line of JSON for each step, and the report as the last', false)
    .action((module: string, options: Options) =>
      withWishes(module, options, async (wishes) => {
        if (options.dryRun) return sayPlan(await look(wishes, direction), options.json);
        const done = await move(wishes, direction);
        sayReport(options.keepReverse && done.phase === 'settle' ? await end(wishes, 'complete') : done, options.json);
      }),
    );

/** Exit codes: 0 done, 1 something is in the way (--dry-run), 2 it stopped: the sentence says what to do, and the same command goes on. */
export const extractCommand = moving('extract', '--to <database-url>', 'move a module, while the shop runs, to a database and a process of its own').option(
  '--at <address>',
  'internal address of the process apart, which runs already; default: this command starts one on this machine',
  peer,
);
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

for (const [how, description] of [['cancel', 'take back a move that has not flipped yet'], ['complete', 'give up the way back of a move that is done, and the data at its source']] as const) {
  moveCommand
    .command(how)
    .description(description)
    .argument('<module>', `one of ${MODULES.join(', ')}`)
    .option('--database <database-url>', `administrator connection to the database apart; default: ${APART}`, database)
    .option('--json', 'print a line of JSON for each step, and the report as the last', false)
    .action((module: string, options: Options) => withWishes(module, options, async (wishes) => sayReport(await end(wishes, how), options.json)));
}

async function withInstallation(module: string | undefined, work: (installation: Installation) => Promise<void>): Promise<void> {
  if (module !== undefined && !MODULES.includes(module)) throw new ConfigError(`There is no module "${module}": it is one of ${MODULES.join(', ')}.`);
  const installation = await openInstallation(readConfig(), { attach: true, existing: true, onProgress: (sentence) => void process.stderr.write(`${sentence}\n`) });
  try {
    if (!installation.placementUrl) throw new ConfigError("A move is written down in the shop's own database: set DATABASE_URL to it.");
    await work(installation);
  } catch (error) {
    throw explained(error);
  } finally {
    await installation.close();
  }
}

const withWishes = (module: string, { to, from, database: named, at, json }: Options, work: (wishes: Wishes) => Promise<void>) =>
  withInstallation(module, async ({ secret, administratorUrl }) => {
    const config = readConfig();
    const apart = to ?? from ?? named ?? config.apartDatabaseUrl;
    if (!apart) throw new ConfigError(`Which database is ${module} to go to, or to come from? It is kept without its password: name it again, or set ${APART}.`);
    const home = administratorUrl('placement');
    const start: NonNullable<Wishes['host']['start']> = async (address, others) => {
      const directory = dataDirectory(config.dataDir);
      const started = await startApart({ environment: ownEnvironment(), module, address, others, databaseUrl: home, secret, directory });
      if (!json) say(`Started a process for ${module} (${started.pid}); to start it again: ${byHand(module, address, others)}, with DATABASE_URL and KERF_SECRET of the shop. What it says is in ${directory}.`);
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
      signal: stop.signal,
      host: { ...(!at && { start }), isRunning, end: endApart },
      say: (progress) => say(json ? JSON.stringify(progress) : lineOf(progress)),
    });
  });

function lineOf({ module, phase, over, rows, ofRows, lag, rate }: Progress): string {
  if (over) return `${module}: ${phase}, done`;
  const figures = [
    rows !== undefined && `${Math.round(rows)}${ofRows === undefined ? '' : ` of about ${Math.round(ofRows)}`} rows`,
    rate !== undefined && `${rate} rows/s`,
    lag !== undefined && `${lag} bytes behind`,
  ].filter(Boolean);
  return `${module}: ${phase}, ${figures.join(', ')}`;
}

function sayPlan({ blockers, notes }: Awaited<ReturnType<typeof look>>, json: boolean): void {
  if (json) say(JSON.stringify({ blockers, notes }, undefined, 2));
  else for (const sentence of [...blockers, ...notes, ...(blockers.length === 0 ? ['Nothing is in the way.'] : [])]) say(sentence);
  if (blockers.length > 0) process.exitCode = 1;
}

const reportOf = ({ module, direction, from, to, address, phase, detail, error, startedAt, endedAt }: Move) => ({
  module, direction, from, to, address, phase, error, startedAt, endedAt,
  pause: detail.pause, tries: detail.tries, rows: detail.comparison?.rows, ended: detail.ended, process: detail.process,
});

const statusOf = ({ module, direction, from, to, phase, error }: Move) => `${module}: ${direction} from ${from} to ${to}, "${phase}" is over${error === null ? '' : `; it stopped: ${error}`}`;

function sayReport(done: Move, json: boolean): void {
  const { module, direction, phase, to, address, pause, tries, rows, ended, process: apart } = reportOf(done);
  if (json) return say(JSON.stringify(reportOf(done)));
  if (phase === 'cancelled') return say(`The move is cancelled: ${module} is where it was.`);
  say(`${module} is at ${to}${direction === 'extract' ? `, and answers at ${address}` : ''}: ${rows} rows, hosts held for ${pause} ms, ${tries} ${tries === 1 ? 'try' : 'tries'}, ${ended} transactions ended.`);
  if (direction === 'fold' && apart) say(`Its process at ${address} (${apart.pid} on ${apart.machine}) was not there to be ended: look whether it still runs.`);
  if (phase === 'settle') say(`The way back stays: "kerf ${direction === 'extract' ? 'fold' : 'extract'} ${module}" takes it, "kerf move complete ${module}" gives it up.`);
}

/** What a person can act on: the server says why, and nothing that was done is lost. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ConfigError) return error;
  if ((error as { code?: string }).code === '42P01' && error.message.includes('placement.')) return new ConfigError('This shop was set up before modules could move: run "npm run migrate", and start it again.');
  if (!('code' in error) && Object.getPrototypeOf(error) !== Error.prototype) return error;
  return new ConfigError(`${error.message.replace(/\.?$/, '.')} Run the same command again: it goes on where this one stopped.`);
}
