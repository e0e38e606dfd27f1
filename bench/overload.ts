import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { questionsFor, startDriver, type Told } from '../test/faults/overload-driver.ts';

/*
 * What a shop does with more than it can answer: `node bench/overload.ts [seconds per row] [limits]`. The knee is the rate
 * at which more clients get no more answers, found first; then questions come at once, twice and three times that rate and
 * wait for nothing. Shop, its own Postgres and the driver share the machine. `limits` are values of KERF_SHED_FROM to compare.
 */
const SECONDS = Number(process.argv[2] ?? 10);
const LIMITS = (process.argv[3] ?? '30,0').split(',');

for (const limit of LIMITS) {
  const shop = await open(limit);
  const driver = startDriver();
  try {
    const questions = await questionsFor(shop.url, shop.administrator);
    await compare(limit, (load) => driver.load({ url: shop.url, questions, seconds: SECONDS, ...load }));
  } finally {
    driver.stop();
    await shop.close();
  }
}

async function compare(limit: string, run: (load: { clients: number } | { rate: number }) => Promise<Told[]>): Promise<void> {
  await run({ clients: 16 });
  let knee = 0;
  for (let clients = 1, more = true; more && clients <= 64; clients *= 2) {
    const rate = (await run({ clients })).length / SECONDS;
    more = rate > knee * 1.05;
    knee = Math.max(knee, rate);
  }
  console.log(`\nKERF_SHED_FROM=${limit}, knee ${knee.toFixed(0)} a second\n\n| times the knee | | a second | answered | refused | failed | p50 ms | p99 ms | refused: p50 ms | p99 ms |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`);
  for (const times of [1, 2, 3]) {
    const told = await run({ rate: knee * times });
    for (const kind of ['reading', 'changing', 'buying', 'health'] as const) console.log(row(times, kind, told.filter((one) => one.kind === kind)));
  }
}

function row(times: number, kind: string, told: readonly Told[]): string {
  const answered = told.filter(({ status }) => status > 0 && status < 500);
  const refused = told.filter(({ reason }) => reason === 'overloaded');
  const others = told.filter((one) => !answered.includes(one) && !refused.includes(one));
  const figures = [told, answered, refused, others].map(({ length }) => Math.round(length / SECONDS));
  return `| ${[times, kind, ...figures, ...quantiles(answered), ...quantiles(refused)].join(' | ')} |`;
}

function quantiles(told: readonly Told[]): string[] {
  const sorted = told.map(({ milliseconds }) => milliseconds).toSorted((a, b) => a - b);
  return [0.5, 0.99].map((share) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(0) ?? '');
}

async function open(limit: string) {
  const directory = await mkdtemp(join(tmpdir(), 'kerf-bench-'));
  await chmod(directory, 0o755);
  const env = { ...process.env, KERF_DATA_DIR: directory, KERF_SEED: 'true', KERF_RATE_LIMIT: '0', KERF_SHED_FROM: limit, PORT: '0', KERF_INTERNAL_PORT: '0', KERF_LOG_LEVEL: 'silent' };
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const chunk of child.stdout!.iterator({ destroyOnReturn: false })) {
    output += String(chunk);
    if (/Kerf is running/.test(output)) break;
  }
  child.stdout!.resume();
  return {
    url: /API (\S+)\/v1/.exec(output)![1]!,
    administrator: /admin@example\.com \/ (\S+)/.exec(output)![1]!,
    async close() {
      child.kill();
      await once(child, 'exit');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
