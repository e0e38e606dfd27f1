import { setTimeout as delay } from 'node:timers/promises';
import { isOfOneMachine } from '../placement/placement.ts';
import { ConfigError } from '../setup/config-error.ts';
import { compareNext, type Comparison } from './compare.ts';
import { type Host, liveHosts } from './journal.ts';
import { note, pace, type Running, stopIfTold, tell } from './running.ts';
import { lookUntil } from './site.ts';
import { copyProgress, follow, lag, publish } from './stream.ts';
import { prepareTarget } from './target.ts';

const HEAR_WITHIN = 15_000;
const START_WITHIN = 60_000;
const SAY_EVERY = 500;

export async function prepare(run: Running): Promise<void> {
  await prepareTarget(run.to, run.secret);
  await apartIsThere(run);
  if (run.move.direction === 'extract') await everybodyCanCall(run);
  await note(run, { place: { next_url: run.move.to } });
  await everybodyReaches(run);
  await publish(run.from);
}

export async function apartIsThere(run: Running): Promise<void> {
  const { direction, address } = run.move;
  if (direction === 'fold') return;
  await untilThere(run);
  const refusal = await run.apart.refusal(address);
  if (refusal) throw new ConfigError(refusal);
}

async function untilThere(run: Running): Promise<void> {
  const { module, address, detail } = run.move;
  const find = async () => (await liveHosts(run.home, module)).find((host) => host.address === address && host.modules.includes(module));
  let found = await find();
  if (!found) {
    if (!detail.startsApart || !run.apart.start) throw new ConfigError(`No process with ${module} shows itself at ${address}: start it there, then run this again.`);
    // One that an earlier command started may be about to answer: then this one finds its port taken, and ends.
    await note(run, { detail: { process: await run.apart.start(address) } });
    found = await lookUntil(START_WITHIN, find);
  }
  if (!found) throw new ConfigError(`The process of ${module} that was started does not show itself at ${address}: look into its log, then run this again.`);
  await adopt(run, found);
}

/** A command may have started it, and died before it wrote that down. */
async function adopt(run: Running, { pid, machine }: Host): Promise<void> {
  const { startsApart, process } = run.move.detail;
  if (startsApart && pid !== null && process?.pid !== pid) await note(run, { detail: { process: { pid, machine } } });
}

/** Hosts will be told that address and no other. */
async function everybodyCanCall({ home, move: { module, address } }: Running): Promise<void> {
  if (!isOfOneMachine(address)) return;
  const hosts = await liveHosts(home, module);
  const apart = hosts.find((host) => host.address === address && host.modules.includes(module));
  const far = hosts.find(({ machine }) => machine !== apart?.machine);
  if (far) throw new ConfigError(`The process at ${far.address} runs on ${far.machine}, where ${address} does not lead to ${module}: start the process of ${module} with a KERF_INTERNAL_URL that all others reach, cancel this move and begin again with --at.`);
}

/** Asked again before the hold: some have started since. */
export async function everybodyReaches({ home, move }: Running): Promise<void> {
  let unable: string[] = [];
  const all = await lookUntil(HEAR_WITHIN, async () => {
    unable = (await liveHosts(home, move.module)).flatMap(({ reaches, address }) => (reaches === move.to ? [] : [address]));
    return unable.length === 0 || undefined;
  });
  if (!all) throw new ConfigError(`The process at ${unable.join(', ')} cannot reach ${move.to} as kerf_${move.module}: see that it can, then run this again.`);
}

export async function copy(run: Running): Promise<void> {
  const { from, to } = run;
  await follow({ from, to }, { copy: true });
  const first = await copyProgress({ from, to });
  for (let now = first; ; now = await copyProgress({ from, to })) {
    const { lost = false, bytes = 0 } = (await lag({ from, to })) ?? {};
    await tell(run, { phase: 'copy', ...pace(now.rows - first.rows, now.at - first.at, now), lag: bytes });
    if (now.done) break;
    await stopIfTold(run);
    if (lost) throw new ConfigError('The source threw away what the target had not read yet: raise its max_slot_wal_keep_size, cancel this move and begin again.');
    await delay(SAY_EVERY);
  }
  await publish(to);
  await follow({ from: to, to: from }, { copy: false });
}

export async function compare(run: Running): Promise<void> {
  const { from, to, move } = run;
  const { ofRows } = await copyProgress({ from, to });
  let comparison: Comparison | undefined = move.detail.comparison;
  while (!comparison?.done) {
    await stopIfTold(run);
    comparison = await compareNext({ from, to }, comparison);
    await note(run, { detail: { comparison } });
    await tell(run, { phase: 'compare', ...pace(comparison.rows, comparison.milliseconds, { rows: comparison.rows, ofRows: Math.max(ofRows, comparison.rows) }) });
  }
  const different = comparison.tables.find((table) => table.different.length > 0);
  if (different) throw new ConfigError(`${different.name} is not the same on both sides, as with the key ${different.different[0]!.join()}: cancel this move, find out who wrote there, and begin again.`);
}
