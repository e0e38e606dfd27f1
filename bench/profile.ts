import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setInterval } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Shopping, startWorker } from './driver.ts';
import { fill } from './goods.ts';
import { table } from './report.ts';
import { onInterrupt, openPostgres, type Postgres, ROOT, startKerf } from './shop.ts';

/*
 * Where the time of an order goes, before anybody changes anything: `node bench/profile.ts [seconds] [clients]`. Orders by one
 * POST; Kerf's processor time by function and by part, Postgres's by statement with its planning, and what backends wait for.
 */
const SECONDS = Number(process.argv[2] ?? 10);
const CLIENTS = Number(process.argv[3] ?? 16);
const MOST = 15;

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  /** microseconds */
  timeDeltas: number[];
}

const postgres = await openPostgres({ 'pg_stat_statements.track_planning': 'on' });
const ends: (() => unknown)[] = [() => postgres.stop()];
onInterrupt(ends);
try {
  const first = await startKerf(postgres);
  const { goods } = await fill(postgres, 100, 1_000).finally(() => first.stop());
  const kerf = await startKerf(postgres, ['--cpu-prof', `--cpu-prof-dir=${postgres.directory}`]);
  ends.unshift(() => kerf.stop());
  const driver = await startWorker(join(import.meta.dirname, 'driver.ts'), { url: kerf.url, goods } satisfies Shopping);
  ends.unshift(() => driver.stop());
  const place = (seconds: number) => driver.run({ what: 'order', clients: CLIENTS, seconds });
  await place(SECONDS / 2);
  await postgres.quiet();
  await postgres.admin.query('select pg_stat_statements_reset()');
  const [cpu, since] = [kerf.cpuSeconds(), performance.now()];
  const [slice, waits] = await Promise.all([place(SECONDS), waiting(postgres, SECONDS)]);
  await postgres.quiet();
  const orders = slice.took.length;
  const [milliseconds, used] = [performance.now() - since, kerf.cpuSeconds() - cpu];
  const statements = await statementsOf(postgres, orders);
  await kerf.stop();
  const profile = JSON.parse(readFileSync(join(postgres.directory, readdirSync(postgres.directory).find((name) => name.endsWith('.cpuprofile'))!), 'utf8')) as Profile;
  const { functions, parts } = timesOf(profile, milliseconds);
  const perOrder = (time: number) => time / 1_000 / orders;
  const top = (times: Map<string, number>) => [...times].toSorted(([, a], [, b]) => b - a).slice(0, MOST).map(([name, time]) => [name, perOrder(time)] as const);
  console.log(`${orders} orders in ${(slice.seconds).toFixed(1)} s by ${CLIENTS} clients; Kerf used ${((1_000 * used) / orders).toFixed(2)} ms of processor time for each.\n`);
  console.log(`${table(['', 'ms an order, by part'], top(parts))}\n\n${table(['', 'ms an order, by function itself'], top(functions))}\n`);
  console.log(`${table(['', 'calls an order', 'ms an order', 'of it planning', 'rows a call'], statements)}\n`);
  console.log(table(['', 'backends at a time'], waits));
} finally {
  for (const end of ends) await end();
}

/** Microseconds of the last `milliseconds`, by what was on top of the stack. */
function timesOf({ nodes, samples, timeDeltas }: Profile, milliseconds: number) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const [functions, parts] = [new Map<string, number>(), new Map<string, number>()];
  const add = (times: Map<string, number>, name: string, time: number) => void times.set(name, (times.get(name) ?? 0) + time);
  let left = milliseconds * 1_000;
  for (let index = samples.length - 1; index >= 0 && left > 0; index -= 1) {
    const time = timeDeltas[index]!;
    left -= time;
    const { functionName, url, lineNumber } = frames.get(samples[index]!)!;
    if (functionName === '(idle)') continue;
    const place = placeOf(url);
    add(functions, url ? `${functionName || '(anonymous)'} ${place}:${lineNumber + 1}` : functionName || '(anonymous)', time);
    add(parts, url ? partOf(place) : '(native)', time);
  }
  return { functions, parts };
}

function placeOf(url: string): string {
  return url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : url;
}

function partOf(place: string): string {
  return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1] ?? /^src\/(?:modules\/)?[^/]+/.exec(place)?.[0] ?? /^node:(?:internal\/)?[^/]+/.exec(place)?.[0] ?? place;
}

async function statementsOf({ admin }: Postgres, orders: number) {
  const { rows } = await admin.query<{ role: string; query: string; calls: number; ms: number; planning: number; rows: number }>(`
    select r.rolname as role, s.query, s.calls::float8, (s.total_exec_time + s.total_plan_time) as ms, s.total_plan_time as planning, s.rows::float8
    from pg_stat_statements s join pg_roles r on r.oid = s.userid where r.rolname like 'kerf\\_%' and r.rolname <> current_user order by ms desc limit ${MOST}`);
  return rows.map((row) => [`${row.role.replace('kerf_', '')}: \`${row.query.replaceAll(/\s+/g, ' ').trim().slice(0, 90).replaceAll('|', '\\|')}\``, row.calls / orders, row.ms / orders, row.planning / orders, row.rows / row.calls]);
}

/** How many of the shop's backends are in a statement or a transaction at a time, by what they wait for. */
async function waiting({ admin }: Postgres, seconds: number) {
  const seen = new Map<string, number>();
  let looks = 0;
  const until = performance.now() + seconds * 1_000;
  for await (const _ of setInterval(20)) {
    if (performance.now() > until) break;
    looks += 1;
    const { rows } = await admin.query<{ what: string; backends: number }>(`
      select state || coalesce(': ' || wait_event_type || ' ' || wait_event, '') as what, count(*)::integer as backends
      from pg_stat_activity where usename like 'kerf\\_%' and usename <> current_user and state <> 'idle' group by what`);
    for (const { what, backends } of rows) seen.set(what, (seen.get(what) ?? 0) + backends);
  }
  return [...seen].toSorted(([, a], [, b]) => b - a).slice(0, MOST).map(([what, backends]) => [what, backends / looks]);
}
