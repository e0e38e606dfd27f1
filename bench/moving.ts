import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readConfig } from '../src/config.ts';
import { inventoryContract } from '../src/modules/inventory/contract.ts';
import { internal } from '../src/setup/internal.ts';
import { openKerf } from '../src/setup/kerf.ts';
import { listen } from '../src/setup/listen.ts';
import { environmentOf, type Postgres, ROOT } from './shop.ts';

/* A shop in this process whose inventory moves to another Postgres and back, by the commands that a person would use. */

/** Of those there is stock; any other number of rows is about these. */
export const VARIANTS = Array.from({ length: 500 }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
/** Milliseconds after which a command is taken to hang. */
const PATIENCE = 300_000;

export type Shop = Awaited<ReturnType<typeof openShop>>;

/** As by `npm start`, but in this process and without its public API. */
export async function openShop(home: Postgres, say: (sentence: string) => void) {
  const inside = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT' });
  const opened = await openKerf(readConfig({ ...environmentOf(home), KERF_LOG_LEVEL: 'error' }), { attach: false, address: inside.address, publicUrl: 'http://localhost', onProgress: say });
  const { kerf, follower } = opened;
  inside.serve(internal({ kerf, metrics: kerf.metrics, sweeps: kerf.sweeps, ready: async () => undefined }));
  follower?.appear();
  await kerf.startWork();
  return {
    inventory: kerf.service(inventoryContract),
    async close() {
      await follower?.leave();
      await inside.close(1_000);
      await opened.close();
    },
  };
}

/** The process apart outlives the command that started it; a fold that is done has ended it. */
export async function endApart({ admin }: Postgres): Promise<void> {
  const { rows } = await admin.query<{ pid: number }>(`select (detail #>> '{process,pid}')::int as pid from placement.moves where ended_at is null and detail #>> '{process,pid}' is not null`);
  for (const { pid } of rows) process.kill(pid);
}

/** Stock of a shop, at home, each piece received by itself; what was there before goes. */
export async function fill({ admin }: Postgres, rows: number): Promise<void> {
  await admin.query('truncate inventory.stock_items, inventory.stock_movements, inventory.adjustments, inventory_jobs.job');
  await admin.query(
    `insert into inventory.stock_movements
     select gen_random_uuid(), ($1::uuid[])[n % ${VARIANTS.length} + 1], 'received', 1, 'before ' || n, '', n / ${VARIANTS.length} + 1, now() from generate_series(1, $2::int) as n`,
    [VARIANTS, rows],
  );
  await admin.query('insert into inventory.stock_items (variant_id, on_hand, version) select variant_id, count(*), max(version) from inventory.stock_movements group by variant_id');
  await admin.query('vacuum (analyze) inventory.stock_items, inventory.stock_movements');
}

export async function onHand({ admin }: Postgres): Promise<number> {
  const { rows: [stock] } = await admin.query<{ pieces: number }>('select coalesce(sum(on_hand), 0)::float8 as pieces from inventory.stock_items');
  return stock!.pieces;
}

/** The target takes no mark of its source, and nothing that comes behind it. */
export async function stall({ admin }: Postgres, milliseconds: number): Promise<void> {
  await admin.query(`begin; lock table inventory_jobs.kerf_mark in exclusive mode; select pg_sleep(${milliseconds / 1_000}); commit`);
}

interface Moved {
  pause: number;
  tries: number;
  met: { held: number; again: number; failed: number; pause: number };
}

/** Runs a command of Kerf as a person would; answers what it reports at last. `upon`: hears of each phase that is over. */
export function commands(home: Postgres, apart: Postgres, say: (sentence: string) => void) {
  const env = { ...environmentOf(home), KERF_APART_DATABASE_URL: apart.adminUrl, KERF_LOG_LEVEL: 'error' };
  return async <Told = Moved>(command: string[], upon: (phase: string) => void = () => undefined): Promise<Told> => {
    const child = spawn(process.execPath, [join(ROOT, 'src/cli/kerf.ts'), ...command, '--json'], { env, stdio: ['ignore', 'pipe', 'inherit'], timeout: PATIENCE });
    const since = performance.now();
    let last = '';
    createInterface(child.stdout).on('line', (line) => {
      last = line;
      const { phase, over } = JSON.parse(line) as { phase?: string; over?: boolean };
      if (over && phase) upon(phase);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    // A diff that found something answers with 1, and says what.
    if (code !== 0 && !(code === 1 && command[1] === 'diff')) throw new Error(`"kerf ${command.join(' ')}" ended with ${code}; its own words are above.`);
    say(`"kerf ${command.join(' ')}" took ${((performance.now() - since) / 1_000).toFixed(1)} s.`);
    return JSON.parse(last) as Told;
  };
}
