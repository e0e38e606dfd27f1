import { type Kerf, compose } from '../../src/composition.ts';
import { createApp } from '../../src/edge/app.ts';
import { userContract } from '../../src/modules/user/contract.ts';
import type { Placement } from '../../src/placement/placement.ts';
import { listen } from '../../src/setup/listen.ts';
import { moduleUrl } from '../../src/setup/provision.ts';
import { connect } from '../../src/shared/database.ts';
import type { Role } from '../../src/shared/http.ts';
import { createLogger, createMetrics } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { looks, recordSpans } from '../support/spans.ts';
import { guardStatements } from '../support/statement-guard.ts';

/* One process of a shop under test. It hosts what it is told to, and whoever forked it asks it over IPC. */

export interface Told {
  hosts: readonly string[];
  /** whether the public API is served here */
  edge: boolean;
  /** where the others find it; default: a port */
  socket?: string;
  /** administrator's address of the database that has the schema of a module, and of the edge */
  databases: Readonly<Record<string, string>>;
}
export interface Opened {
  publicUrl: string;
  /** where each module answers */
  addresses: Placement['addresses'];
}
export interface Mail {
  to: string;
  subject: string;
  text: string;
}
export type Questions = typeof questions;

const POOL_SIZE = 4;
/** A slow machine is no difference: milliseconds for a call, and tries before a peer is left alone. */
const PATIENT = { timeout: 30_000, failures: 1_000, patience: 60_000 };
const { hosts, edge, socket, databases } = JSON.parse(process.argv[2]!) as Told;
const databaseUrl = (module: string) => moduleUrl(databases[module]!, module, TEST_SECRET);
const log = createLogger('warn');
const clock = { ahead: 0 };
const now = () => new Date(Date.now() + clock.ahead);
const mails: Mail[] = [];
const spans = recordSpans();
const front = edge ? await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'PORT' }) : undefined;
const inside = await listen({ host: '127.0.0.1', port: 0, preferred: 0, variable: 'KERF_INTERNAL_PORT', socket });
let kerf: Kerf;
let stop: () => Promise<void>;

const questions = {
  /** where its public API is, if it has one, and where the modules in it answer */
  addresses: async () => ({ front: front?.address, inside: inside.address }),
  open: async ({ publicUrl, addresses }: Opened) => {
    const elsewhere = Object.fromEntries(Object.entries(addresses).filter(([module]) => !hosts.includes(module)));
    kerf = compose({
      settings: { publicUrl, secret: TEST_SECRET, timeZone: 'Asia/Seoul', paymentWindowMinutes: 30, sandboxPayments: true, sendMail: async (mail) => void mails.push(mail) },
      log, databaseUrl, poolSize: POOL_SIZE, placement: { hosts, addresses: elsewhere, edge }, now, policy: PATIENT,
    });
    inside.serve(kerf.seam);
    const edgeDb = connect({ url: databaseUrl('edge'), applicationName: 'test edge', poolSize: POOL_SIZE });
    const guards = [...kerf.databases, ['edge', edgeDb] as const].map(([module, db]) => guardStatements(db, module));
    await kerf.prepare();
    front?.serve(createApp({
      routes: kerf.routes, users: kerf.service(userContract), db: edgeDb, log, metrics: createMetrics(), issuer: publicUrl, now, rateLimit: 0, trustProxy: 0, ready: async () => undefined,
    }));
    stop = async () => {
      await front?.close(1_000);
      await kerf.stop();
      await inside.close(1_000);
      await edgeDb.destroy();
      for (const checkRefusals of guards) checkRefusals();
    };
  },
  /** once every other process has its modules ready */
  work: () => kerf.startWork(),
  observed: async () => kerf.observed(),
  mails: async () => mails,
  /** milliseconds that the shop's clock is ahead of ours from now on */
  setClock: async (ahead: number) => void (clock.ahead = ahead),
  ensureAccount: (account: { email: string; password: string; name: string; role: Role }) => kerf.service(userContract).ensureUser(account),
  /** how those of one trace look that ended so far */
  spansOf: async (traceId: string) => spans.spans().filter((span) => span.traceId === traceId).map(looks),
  stop: () => stop(),
};

process.on('message', ({ id, name, input }: { id: number; name: keyof Questions; input: never }) => {
  const answers = (questions[name] as (input: never) => Promise<unknown>)(input);
  answers.then((answer) => process.send!({ id, answer }), (error: Error) => process.send!({ id, error: error.stack }));
});
// A Ctrl-C at the terminal is for whoever forked it, and asks it to stop; if that one is gone, nobody needs it.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
