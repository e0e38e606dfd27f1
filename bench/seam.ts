import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { z } from 'zod';
import { withTrace } from '../src/shared/context.ts';
import { defineContract, overWire, read, type Service } from '../src/shared/contract.ts';
import { newId } from '../src/shared/ids.ts';
import { createObservation } from '../src/shared/observation.ts';
import { client } from '../src/shared/seam/client.ts';
import { callEdge } from '../src/shared/seam/edge.ts';
import { serve } from '../src/shared/seam/server.ts';
import { createServiceTokens, derivedKeys } from '../src/shared/seam/service-token.ts';
import { createLogger } from '../src/shared/telemetry.ts';

/**
 * What a call costs on each side of the seam: `node bench/seam.ts [seconds per measurement]`. The called module is another
 * process; the bare rows are an undici request to a plain Node server that parses and answers the same JSON.
 */
const contract = defineContract({
  module: 'bench',
  methods: {
    levels: read({
      input: z.object({ ids: z.array(z.uuid()).max(100) }),
      output: z.object({ levels: z.array(z.object({ id: z.uuid(), onHand: z.int(), reserved: z.int(), backorder: z.boolean() })) }),
    }),
  },
  events: {},
});
type Bench = Service<typeof contract>;

const service: Bench = { levels: async ({ ids }) => ({ levels: ids.map((id) => ({ id, onHand: 12, reserved: 3, backorder: false })) }) };
const tokens = createServiceTokens(derivedKeys('the bench has no secrets, but needs one', ['order']), () => new Date());
const log = createLogger('silent');

const bare: RequestListener = (req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    void service.levels(JSON.parse(Buffer.concat(chunks).toString()) as { ids: string[] }).then((answer) => {
      const text = JSON.stringify(answer);
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
    });
  });
};

async function serveAll(sockets: { seam: string; bare: string }): Promise<void> {
  const seam = serve({ served: () => [{ contract, service, deliver: async () => undefined, callers: ['order'], publishers: [] }], tokens, log, refused: () => undefined });
  const ports = await Promise.all(
    [seam, bare].flatMap((listener, index) =>
      [0, Object.values(sockets)[index]!].map(async (where) => {
        const server = createServer({ keepAliveTimeout: 65_000 }, listener).listen(where === 0 ? { port: 0, host: '127.0.0.1' } : { path: String(where) });
        await once(server, 'listening');
        return (server.address() as { port?: number }).port;
      }),
    ),
  );
  process.send!({ seam: ports[0], bare: ports[2] });
}

type Run = () => Promise<unknown>;
interface Figures {
  p50: number;
  p99: number;
  rate: number;
  /** rate as a share of the bare round trip's, slice by slice */
  toBare: number;
}

const ROUNDS = 20;

/** Calls one after another by each of `callers`, for a time; latencies in microseconds. */
async function measure(run: Run, callers: number, milliseconds: number): Promise<{ took: number[]; rate: number }> {
  const took: number[] = [];
  const begun = performance.now();
  const until = begun + milliseconds;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < until) {
        const at = performance.now();
        await run();
        took.push((performance.now() - at) * 1_000);
      }
    }),
  );
  return { took, rate: took.length / ((performance.now() - begun) / 1_000) };
}

/** All rows in turn, again and again in short slices: what else the machine does meanwhile falls on each alike. */
async function compare(rows: readonly (readonly [string, Run])[], callers: number, seconds: number): Promise<Map<string, Figures>> {
  const slices = new Map(rows.map(([name]) => [name, [] as Awaited<ReturnType<typeof measure>>[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of rows) slices.get(name)!.push(await measure(run, callers, (seconds * 1_000) / ROUNDS));
  }
  return new Map(
    [...slices].map(([name, own]) => {
      const sorted = Float64Array.from(own.flatMap(({ took }) => took)).toSorted();
      const bare = slices.get(name.replace('seam', 'bare'))!;
      return [name, { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), rate: median(own.map(({ rate }) => rate)), toBare: median(own.map(({ rate }, round) => rate / bare[round]!.rate)) }];
    }),
  );
}

const quantile = (sorted: Float64Array, share: number) => sorted[Math.floor((sorted.length - 1) * share)]!;
const median = (figures: readonly number[]) => quantile(Float64Array.from(figures).toSorted(), 0.5);

async function main(seconds: number): Promise<void> {
  const sockets = { seam: join(tmpdir(), `kerf-bench-${process.pid}.sock`), bare: join(tmpdir(), `bare-bench-${process.pid}.sock`) };
  const child = fork(import.meta.filename, ['--serve', sockets.seam, sockets.bare]);
  const [ports] = (await once(child, 'message')) as [{ seam: number; bare: number }];

  const input = { ids: [newId(), newId(), newId()] };
  const at = (address: string) => client(contract, { from: 'order', address, tokens, log, misfits: () => [] }).service;
  const observation = createObservation(() => new Date());
  const edge = (target: Bench) => callEdge(contract, 'order', observation, (call) => call(target));
  const plain = (pool: Pool): Run => async () => {
    const { body } = await pool.request({ method: 'POST', path: '/', headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) });
    return body.json();
  };
  const local = edge(service);
  const wire = edge(overWire(contract, service));
  const unix = edge(at(`unix:${sockets.seam}`));
  const tcp = edge(at(`http://127.0.0.1:${ports.seam}`));
  const rows: [string, Run][] = [
    ['function call', () => service.levels(input)],
    ['local', () => local.levels(input)],
    ['forced wire', () => wire.levels(input)],
    ['bare, unix socket', plain(new Pool('http://localhost', { connections: 64, connect: { socketPath: sockets.bare } }))],
    ['seam, unix socket', () => unix.levels(input)],
    ['bare, TCP', plain(new Pool(`http://127.0.0.1:${ports.bare}`, { connections: 64 }))],
    ['seam, TCP', () => tcp.levels(input)],
  ];
  for (const [, run] of rows) await measure(run, 16, seconds * 500);
  process.stdout.write('| callers | | p50 µs | p99 µs | calls/s | p50 over local µs | p50 over bare µs | rate to bare |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n');
  for (const callers of [1, 16, 64]) {
    const found = await withTrace(undefined, () => compare(rows, callers, seconds));
    for (const [name, { p50, p99, rate, toBare }] of found) {
      const over = (other: string) => (p50 - found.get(other)!.p50).toFixed(0);
      const beside = name.startsWith('seam') ? [over('local'), over(name.replace('seam', 'bare')), `${Math.round(toBare * 100)} %`] : [name.startsWith('bare') ? over('local') : '', '', ''];
      process.stdout.write(`| ${[callers, name, p50.toFixed(1), p99.toFixed(0), Math.round(rate), ...beside].join(' | ')} |\n`);
    }
  }
  child.kill();
  await Promise.all(Object.values(sockets).map((path) => rm(path, { force: true })));
  process.exit(0);
}

const [first, seam, bareSocket] = process.argv.slice(2);
if (first === '--serve') await serveAll({ seam: seam!, bare: bareSocket! });
else await main(Number(first ?? 2));
