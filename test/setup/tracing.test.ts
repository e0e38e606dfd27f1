import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTracing } from '../../src/setup/tracing.ts';
import { inSpan } from '../../src/shared/spans.ts';
import { createLogger } from '../../src/shared/telemetry.ts';
import { TEST_SECRET } from '../support/constants.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** What came in over OTLP, as JSON. */
interface Traces {
  resourceSpans: { resource: { attributes: { key: string; value: { stringValue?: string } }[] }; scopeSpans: { spans: { name: string }[] }[] }[];
}

let receiver: Server;
let endpoint: string;
const received: Traces['resourceSpans'] = [];
beforeAll(async () => {
  receiver = createServer(async (req, res) => {
    if (req.url === '/v1/traces') received.push(...((await json(req)) as Traces).resourceSpans);
    res.setHeader('content-type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const names = () => received.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans).map(({ name }) => name);

describe('a process that is told where traces go', () => {
  let database: TestDatabase;
  let dataDir: string;
  beforeAll(async () => {
    [database, dataDir] = await Promise.all([createTestDatabase(), mkdtemp(join(tmpdir(), 'kerf-tracing-'))]);
  });
  afterAll(() => Promise.all([database.drop(), rm(dataDir, { recursive: true, force: true })]));

  const stopped = async (child: ChildProcess) => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    return ((await exit) as [number | null])[0];
  };

  it('hands them over, the last ones when it stops', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/main.ts')], {
      env: { PATH: process.env['PATH'], DATABASE_URL: database.adminUrl, KERF_SECRET: TEST_SECRET, KERF_DATA_DIR: dataDir, KERF_SEED: 'false', PORT: '0', KERF_INTERNAL_PORT: '0', OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    try {
      await vi.waitFor(() => expect(output, output).toMatch(/API \S+\/v1/), 15_000);
      const url = /API (\S+)\/v1/.exec(output)![1]!;
      expect((await fetch(`${url}/v1/products`)).status).toBe(200);
      expect(await stopped(child)).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
    expect(names()).toEqual(expect.arrayContaining(['GET /v1/products', 'catalog.listProducts']));
    for (const { resource } of received) {
      expect(Object.fromEntries(resource.attributes.map(({ key, value }) => [key, value.stringValue]))).toEqual({ 'service.name': 'kerf', 'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/) });
    }
  });
});

describe('tracing', () => {
  const silent = createLogger('silent');

  it('records the share of traces that it is told to', async () => {
    const none = await startTracing({ endpoint, share: 0 }, silent);
    await inSpan('unwanted', {}, async () => undefined);
    await none.stop();
    expect(names()).not.toContain('unwanted');
  });

  it('says in the log that nobody takes the spans, and stops all the same', async () => {
    const lines: string[] = [];
    const log = createLogger('warn', new Writable({
      write(line, _encoding, done) {
        lines.push(String(line));
        done();
      },
    }));
    const tracing = await startTracing({ endpoint: 'http://127.0.0.1:1', share: 1 }, log);
    await inSpan('lost', {}, async () => undefined);
    await tracing.stop();
    expect(lines.join('')).toContain('OTEL_EXPORTER_OTLP_ENDPOINT');
  });
});
