import { setTimeout as delay } from 'node:timers/promises';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { ConfigError } from '../setup/config-error.ts';
import { moduleUrl } from '../setup/provision.ts';
import { newId } from '../shared/ids.ts';
import type { Latency, Seen, ShadowReport } from '../shared/seam/mirror.ts';
import { liveHosts, placeOf, type ShadowWish } from './journal.ts';
import { apartIsThere } from './prepare.ts';
import { note, type Running, stopIfTold, tell } from './running.ts';
import { atOnce, lookUntil, rows, type Site } from './site.ts';

const HEAR_WITHIN = 15_000;
/** Longer than a read that does not agree is asked for again, and what is found is told. */
const SETTLE_WITHIN = 20_000;
const LOOK_EVERY = 500;
/** Of a hundred reads. */
const MOST_FAILED = 1;

/**
 * Has a share of the reads answered by the process apart too, from the target and as a role that can only read, and goes on
 * if it answers what the owner does. Not in a fold: that goes to where the module has been, and to every process of the shop.
 */
export async function shadow(run: Running): Promise<void> {
  await endShadow(run);
  const { direction, detail } = run.move;
  if (direction === 'fold' || !detail.shadow?.percent) return;
  await apartIsThere(run);
  await letRead(run.to, run.secret);
  try {
    judge(run, await observe(run, detail.shadow));
  } catch (error) {
    await endShadow(run).catch(() => undefined);
    throw error;
  }
  await endShadow(run);
}

/** Nobody asks the target any more, nor could. What is under way fails there, which nobody waits for. */
export async function endShadow(run: Running): Promise<void> {
  if ((await placeOf(run.home, run.move.module)).shadow) await note(run, { place: { shadow: null } });
  await letNobodyRead(run.to);
}

async function observe(run: Running, { percent, milliseconds }: ShadowWish): Promise<ShadowReport> {
  const id = newId();
  const { module, to: database, address } = run.move;
  const share = (share: number) => note(run, { place: { shadow: { id, percent: share, database, address } } });
  const look = async () => {
    const report = sumOf(await seenOf(run, id));
    await note(run, { detail: { shadowed: report } });
    await tell(run, { phase: 'shadow', reads: report.mirrored, different: report.different });
    return report;
  };

  await share(0);
  const heard = await lookUntil(HEAR_WITHIN, async () => (await liveHosts(run.home, module)).every(({ epoch }) => epoch >= run.move.epoch) || undefined);
  if (!heard) throw new ConfigError(`Not every process has heard that reads of ${module} are to be answered twice: look at placement.hosts for the one that has not, then run this again.`);
  await share(percent);
  for (const until = performance.now() + milliseconds; performance.now() < until && (await look()).different === 0; ) {
    await stopIfTold(run);
    await delay(LOOK_EVERY);
  }
  await share(0);
  await lookUntil(SETTLE_WITHIN, async () => (await seenOf(run, id)).every((seen) => seen.percent === 0 && seen.underWay === 0) || undefined);
  return look();
}

function judge({ move: { module, address } }: Running, { different, failed, mirrored, fields }: ShadowReport): void {
  const further = `look into it, then cancel this move and begin again, or go on without with --shadow-percent 0.`;
  const where = Object.entries(fields).map(([method, names]) => `${method} in ${names.join(', ')}`).join('; ');
  if (different > 0) throw new ConfigError(`${different} of ${mirrored} reads of ${module} are answered otherwise from the target (${where}): ${further}`);
  if (failed * 100 > mirrored * MOST_FAILED) throw new ConfigError(`${failed} of ${mirrored} reads of ${module} got no answer from the process at ${address}: ${further}`);
}

const seenOf = async ({ home, move: { module } }: Running, id: string): Promise<Seen[]> =>
  (await rows<{ seen: Seen }>(home, `select shadowed -> $1 as seen from placement.hosts where shadowed -> $1 ->> 'id' = $2`, [module, id])).map(({ seen }) => seen);

function sumOf(all: readonly Seen[]): ShadowReport {
  const sum = (figure: 'mirrored' | 'skipped' | 'alike' | 'unsettled' | 'different' | 'failed') => all.reduce((total, seen) => total + seen[figure], 0);
  const union = (lists: string[][]) => [...new Set(lists.flat())].toSorted();
  const methods = union(all.map(({ fields }) => Object.keys(fields)));
  return {
    mirrored: sum('mirrored'), skipped: sum('skipped'), alike: sum('alike'), unsettled: sum('unsettled'), different: sum('different'), failed: sum('failed'),
    methods: union(all.map((seen) => seen.methods)),
    writing: union(all.map(({ writing }) => writing)),
    fields: Object.fromEntries(methods.map((method) => [method, union(all.map(({ fields }) => fields[method] ?? []))])),
    owner: latencyOf(all.map(({ owner }) => owner)),
    target: latencyOf(all.map(({ target }) => target)),
  };
}

function latencyOf(times: readonly Record<string, number>[]): Latency {
  const counted = times.flatMap((one) => Object.entries(one)).map(([time, count]) => ({ time: Number(time), count })).toSorted((a, b) => a.time - b.time);
  const total = counted.reduce((sum, { count }) => sum + count, 0);
  const at = (share: number) => {
    let below = 0;
    return counted.find(({ count }) => (below += count) >= total * share)?.time ?? null;
  };
  return { p50: at(0.5), p99: at(0.99) };
}

const readingRole = ({ module }: Site) => `${module}_shadow`;

/** A role of its own: the module's has rights in one database at a time. */
async function letRead(site: Site, secret: string): Promise<void> {
  const { username, password } = new URL(moduleUrl(site.url, readingRole(site), secret));
  const [role, space] = [escapeIdentifier(username), escapeIdentifier(site.module)];
  const [here] = await rows<{ database: string }>(site, 'select quote_ident(current_database()) as database');
  await site.client.query(`
    do $$ begin create role ${role}; exception when duplicate_object or unique_violation then null; end $$;
    alter role ${role} login password ${escapeLiteral(password)};
    alter role ${role} set search_path = ${space};
    alter role ${role} set default_transaction_read_only = on;
    alter role ${role} set statement_timeout = '5s';
    grant connect on database ${here!.database} to ${role};
    grant usage on schema ${space} to ${role};
    grant select on all tables in schema ${space} to ${role};`);
}

/** The role stays, as the module's does, and may do nothing. */
async function letNobodyRead(site: Site): Promise<void> {
  const name = `kerf_${readingRole(site)}`;
  const [role, space] = [escapeIdentifier(name), escapeIdentifier(site.module)];
  const [there] = await rows<{ role: boolean; space: boolean; database: string }>(
    site,
    'select to_regrole($1) is not null as role, to_regnamespace($2) is not null as space, quote_ident(current_database()) as database',
    [role, space],
  );
  if (!there!.role) return;
  await atOnce(site, () =>
    site.client.query(`
      ${there!.space ? `revoke all on all tables in schema ${space} from ${role}; revoke all on schema ${space} from ${role};` : ''}
      revoke connect on database ${there!.database} from ${role};
      alter role ${role} nologin;`),
  );
}
