import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { Client } from 'pg';
import { compose, type Kerf } from '../../src/composition.ts';
import { startEmbeddedPostgres } from '../../src/setup/embedded-postgres.ts';
import { moduleUrl } from '../../src/setup/provision.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import type { createProcesses, Process } from '../setup/processes.ts';
import { TEST_SECRET } from '../support/constants.ts';

/** A Postgres that is not Kerf's own: whoever runs it stops it, loses it, and starts it again on its port. */
export async function openPostgres(folder: string) {
  const dataDir = join(folder, 'postgres');
  // No fsync: it is the server that dies here, not the machine.
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300', port: `${await freePort()}` };
  // Who is as busy as this may be too late for the first connection to it, and then it is stopped again.
  const start = async () => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await startEmbeddedPostgres({ dataDir, settings });
      } catch (error) {
        if (tries === 5) throw error;
      }
    }
  };
  let running = await start();
  const signalAll = async (signal: NodeJS.Signals) => {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
    const server = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const own = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number)).filter(([pid, parent]) => pid === server || parent === server);
    // A backend may have gone by now.
    for (const [pid] of own) try { process.kill(pid!, signal); } catch { continue; }
  };
  return {
    adminUrl: running.adminUrl,
    stop: () => running.stop(),
    /** without a word to its clients, or to its disk */
    async kill(): Promise<void> {
      process.kill(Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGKILL');
      await running.stop();
    },
    async start(): Promise<void> {
      running = await start();
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
  };
}

export type ChaosPostgres = Awaited<ReturnType<typeof openPostgres>>;

/** A process of the shop at an address that it keeps, started again by a supervisor whenever it did not start. */
export interface Place {
  url: string;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** Places with these settings. What nobody did to them, or what they say that is no sentence, is `wrong`. */
export async function openPlaces(settings: readonly Record<string, string>[], start: ReturnType<typeof createProcesses>['start'], wrong: (sentence: string) => void): Promise<Place[]> {
  return Promise.all(settings.map(async (own) => {
    const port = own['PORT'] ?? `${await freePort()}`;
    let process: Process | undefined;
    let isToEnd = false;
    const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
      isToEnd = true;
      const code = await process!.stop(signal);
      if (signal === 'SIGTERM' && code !== 0) wrong(`A process that was told to end did so with ${code}: ${process!.output()}`);
    };
    const begin = async (): Promise<void> => {
      isToEnd = false;
      const one = start({ ...own, PORT: port });
      process = one;
      let isServing = false;
      const ended = new Promise<false>((resolve) => one.child.once('close', (code, signal) => {
        if (!isToEnd && (isServing || code !== 2)) wrong(`A process died by itself with ${code ?? signal}: ${one.output()}`);
        resolve(false);
      }));
      const serves = new Promise<true>((resolve) => one.child.stdout!.on('data', () => /Kerf is running/.test(one.output()) && resolve(true)));
      isServing = await Promise.race([serves, ended]);
      if (!isServing) await begin();
    };
    await begin();
    return { url: `http://127.0.0.1:${port}`, end, start: begin, freeze: () => void process!.child.kill('SIGSTOP'), thaw: () => void process!.child.kill('SIGCONT') };
  }));
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  return new Promise((resolve) => probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address() as AddressInfo;
    probe.close(() => resolve(port));
  }));
}

/** In which ways each of the two goes, and how it comes back after so many milliseconds. */
type Fault = (milliseconds: number) => Promise<void>;

export const faultsOf = ({ stop, kill, start, freeze, thaw }: ChaosPostgres): Record<string, Fault> => ({
  'Postgres stopped': async (away) => {
    await stop();
    await pass(away);
    await start();
  },
  'Postgres killed': async (away) => {
    await kill();
    await pass(away);
    await start();
  },
  'Postgres frozen': async (away) => {
    await freeze();
    await pass(away);
    await thaw();
  },
});

/** Each time at the next place. */
export function faultsAt(places: readonly Place[]): Record<string, Fault> {
  let turn = 0;
  const next = () => places[turn++ % places.length]!;
  const endedBy = (signal: 'SIGKILL' | 'SIGTERM'): Fault => async (away) => {
    const { end, start } = next();
    await end(signal);
    await pass(away);
    await start();
  };
  return {
    'a process killed': endedBy('SIGKILL'),
    'a process told to end': endedBy('SIGTERM'),
    async 'a process frozen'(away) {
      const { freeze, thaw } = next();
      freeze();
      await pass(2 * away);
      thaw();
    },
  };
}

interface Rhythm {
  seed: number;
  /** how many faults */
  times: number;
  /** milliseconds between two of them, at least and at most */
  every: readonly [number, number];
  say: (what: string) => void;
}

/** One fault after the other, each before any comes again, in an order and with pauses of this seed. */
export async function strike(faults: Record<string, Fault>, { seed, times, every: [min, max], say }: Rhythm): Promise<void> {
  const names = Object.keys(faults);
  const order = fc.sample(fc.shuffledSubarray(names, { minLength: names.length }), { seed, numRuns: Math.ceil(times / names.length) }).flat().slice(0, times);
  const pauses = fc.sample(fc.noBias(fc.record({ before: fc.integer({ min, max }), away: fc.integer({ min: 0, max: 2_000 }) })), { seed, numRuns: times });
  for (const [index, name] of order.entries()) {
    const { before, away } = pauses[index]!;
    await pass(before);
    say(`${name}, ${away} ms`);
    await faults[name]!(away);
  }
}

/** The modules of the shop on this database, to be asked beside it. */
export function openBeside(adminUrl: string): Kerf {
  return compose({
    settings: { publicUrl: 'http://localhost', secret: TEST_SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async () => undefined },
    log: createLogger('silent'),
    databaseUrl: (module) => moduleUrl(adminUrl, module, TEST_SECRET),
    poolSize: 4,
  });
}

/** Orders for which the provider's own books have another sum than they are due, or more than one charge. */
export async function wrongInTheBooks(adminUrl: string): Promise<string[]> {
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  try {
    const { rows } = await admin.query<{ id: string; state: string; charges: number; kept: number; due: number }>(
      `select p.order_id as id, coalesce(o.state, 'no order') as state, count(*)::int as charges,
         sum(case when c.verdict = 'approved' then c.amount - coalesce((select sum(s.amount) from payment.sandbox_operations s where s.charge = c.reference and s.kind in ('void', 'refund') and s.outcome = 'succeeded'), 0) else 0 end)::int as kept,
         case when o.state = 'placed' then o.total else 0 end::int as due
       from payment.sandbox_charges c join payment.payments p on p.id = c.payment_id left join "order".orders o on o.id = p.order_id
       group by p.order_id, o.state, o.total`,
    );
    return rows.filter(({ charges, kept, due }) => charges !== 1 || kept !== due).map(({ id, state, charges, kept, due }) => `The provider has ${charges} charges for order ${id} (${state}) and keeps ${kept} of ${due}.`);
  } finally {
    await admin.end();
  }
}
