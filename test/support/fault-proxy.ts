import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The peer's answer as it came. */
interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** One request at the proxy, and what can be done with it. */
interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  /** hands the request on, each time it is called */
  forward(): Promise<Answer>;
  reply(answer: Answer): void;
}

export interface Fault {
  /** nobody listens */
  dead?: true;
  /** what happens to a new connection; those that are there are cut */
  connection?: (socket: Socket) => void;
  exchange?: (exchange: Exchange) => Promise<void> | void;
}

export interface FaultProxy {
  address: string;
  /** behaves so from now on, to requests whose path fits `only` */
  meet(fault: Fault, only?: RegExp): Promise<void>;
  /** requests that reached the peer's address since the last `meet`, by their path without the prefix */
  requests(): string[];
  /** connections that are open now */
  connections(): number;
  close(): Promise<void>;
}

/** Stands in front of a module's internal address and misbehaves on demand. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let fault: Fault = PASS;
  let affected = /./;
  let requests: string[] = [];
  let server = createServer();
  const sockets = new Set<Socket>();

  const answer: RequestListener = (req, res) => {
    const path = (req.url ?? '').replace('/seam/v1/', '');
    requests.push(path);
    void carry(req, res, affected.test(path) ? fault : PASS).catch(() => req.socket.destroy());
  };
  async function carry(req: IncomingMessage, res: ServerResponse, { exchange = pass }: Fault): Promise<void> {
    const body = Buffer.concat(await req.toArray());
    const reply = ({ status, headers, body: bytes }: Answer) => {
      const { 'transfer-encoding': _, connection: __, ...kept } = headers;
      if (!res.destroyed) res.writeHead(status, { ...kept, 'content-length': bytes.length }).end(bytes);
    };
    await exchange({ req, res, reply, forward: () => handOn(target, req, body) });
  }
  const open = async (port: number) => {
    server = createServer({ keepAliveTimeout: 60_000 }, answer);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      fault.connection?.(socket);
    });
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const shut = async () => {
    cut();
    if (server.listening) await new Promise((closed) => server.close(closed));
  };

  const port = await open(0);
  return {
    address: `http://127.0.0.1:${port}`,
    async meet(next, only = /./) {
      [fault, affected, requests] = [next, only, []];
      if (next.dead) await shut();
      else if (!server.listening) await open(port);
      else if (next.connection) cut();
    },
    requests: () => requests,
    connections: () => sockets.size,
    close: shut,
  };
}

async function handOn(target: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const sent = request(new URL(url ?? '', target), { method, headers, agent: false }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(await response.toArray()) };
}

const pass = async ({ forward, reply }: Exchange) => reply(await forward());
const says = (status: number, type: string, text: string) => ({ reply }: Exchange) => reply({ status, headers: { 'content-type': type }, body: Buffer.from(text) });
const speaks = (raw: string) => ({ req: { socket } }: Exchange) => void socket.end(raw);

const PASS: Fault = { exchange: pass };

/** A peer of another version: `change` is made to its description of itself. */
function version(change: (methods: Record<string, { output: { properties?: Record<string, unknown>; required?: string[] } }>) => void): Fault {
  const hash = 'another version';
  return {
    async exchange({ req, forward, reply }) {
      const answer = await forward();
      const headers = { ...answer.headers, 'kerf-contract': hash };
      if (req.method !== 'GET' || answer.status !== 200) return reply({ ...answer, headers });
      const { hash: _, ...description } = JSON.parse(answer.body.toString()) as { hash: string; methods: Parameters<typeof change>[0] };
      change(description.methods);
      reply({ ...answer, headers, body: Buffer.from(JSON.stringify({ ...description, hash })) });
    },
  };
}

/** What a caller should hardly notice. */
export const faults = {
  none: PASS,
  late: (there: number, back: number): Fault => ({
    async exchange({ forward, reply }) {
      await delay(there);
      const answer = await forward();
      await delay(back);
      reply(answer);
    },
  }),
  doubled: {
    async exchange({ forward, reply }) {
      const [first] = await Promise.all([forward(), forward()]);
      reply(first);
    },
  },
  newerVersion: version(() => undefined),
} satisfies Record<string, Fault | ((...times: number[]) => Fault)>;

/** What keeps a caller from hearing what it asked for: before it had an effect, or after. */
export const LOSING = {
  'silent from the start': { connection: (socket) => socket.pause(), exchange: () => undefined },
  'silent on open connections': { exchange: () => undefined },
  'answer that never comes': {
    async exchange({ forward }) {
      await forward();
    },
  },
  'a byte now and then': {
    async exchange({ res, forward }) {
      const { status, headers, body } = await forward();
      res.writeHead(status, { ...headers, 'content-length': body.length + 10_000 });
      const timer = setInterval(() => res.write(' '), 20);
      res.on('close', () => clearInterval(timer));
    },
  },
  'lost answer': {
    async exchange({ req, forward }) {
      await forward();
      req.socket.resetAndDestroy();
    },
  },
  'reset in mid-answer': {
    async exchange({ req, res, forward }) {
      const { status, headers, body } = await forward();
      res.writeHead(status, { ...headers, 'content-length': body.length + 10 }).write(body, () => req.socket.resetAndDestroy());
    },
  },
  'reset when connected to': { connection: (socket) => socket.resetAndDestroy() },
  'reset in the request': { exchange: ({ req }) => void req.socket.resetAndDestroy() },
  'web page of an error': { exchange: says(500, 'text/html', '<h1>Internal Server Error</h1>') },
  'no JSON': { exchange: says(200, 'text/html', '<h1>It works!</h1>') },
  'JSON of somebody else': { exchange: says(200, 'application/json', '{"status":"ok"}') },
  'half of an answer': {
    async exchange({ forward, reply }) {
      const answer = await forward();
      reply({ ...answer, body: answer.body.subarray(0, answer.body.length / 2) });
    },
  },
  'errors of somebody else': { exchange: says(404, 'application/json', '{"code":"teapot","reason":"short","message":"and stout","details":"none"}') },
  'garbage in chunks': { exchange: speaks('HTTP/1.1 200 OK\r\nkerf-contract: x\r\ntransfer-encoding: chunked\r\n\r\nnot a number\r\n{}\r\n') },
  'no HTTP': { exchange: speaks('SSH-2.0-OpenSSH_9.6\r\n') },
  'an older version': version((methods) => {
    for (const { output } of Object.values(methods)) {
      output.properties = {};
      output.required = [];
    }
  }),
  dead: { dead: true },
} satisfies Record<string, Fault>;
