import { existsSync } from 'node:fs';
import { lstat, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Tls } from '../placement/tls.ts';
import { PROTOCOL_STATUS, type ProtocolReason } from '../shared/seam/protocol.ts';
import { ConfigError } from './config-error.ts';

export interface Listening {
  /** 0 for a unix socket */
  port: number;
  /** `http://host:port`, `https://host:port` or `unix:/path` */
  address: string;
  /** answers requests with `app` from now on; until then every one is told to come back */
  serve(app: RequestListener): void;
  /** answers what is under way, sends clients away politely, resolves when the last has gone or `grace` ms after `farewell` */
  close(grace: number, farewell?: number): Promise<void>;
}

interface Where {
  host: string;
  /** undefined: `preferred` or the next free one */
  port: number | undefined;
  preferred: number;
  /** the variables that name port and host, for the sentence when one is not usable */
  variable: string;
  hostVariable?: string;
  /** unix socket to use instead */
  socket?: string | undefined;
  /** on a port: https for those who show a certificate of this authority */
  tls?: Tls | undefined;
  /** milliseconds for the headers of a request, and for all of it, before the connection is cut */
  patience?: { headers: number; request: number };
}

/** Milliseconds in which connections are still taken and answered, each for the last time: who asks next finds out in an answer, not by a reset. */
const FAREWELL = 500;
const LOOK_EVERY = 25;

/** In the words of docs/seam-protocol.md, so that another process with the module may be asked meanwhile. */
const NOT_YET: RequestListener = (_req, res) => {
  const body = JSON.stringify({ code: 'protocol', reason: 'starting' satisfies ProtocolReason, message: 'This process is starting.' });
  res.writeHead(PROTOCOL_STATUS.starting, { 'retry-after': '1', 'content-type': 'application/json', 'content-length': body.length }).end(body);
};

/** Takes a port, so that the address is known before anything is set up behind it. */
export async function listen({ host, port, preferred, variable, hostVariable = 'HOST', socket, tls, patience = { headers: 10_000, request: 30_000 } }: Where): Promise<Listening> {
  let app = NOT_YET;
  const times = { headersTimeout: patience.headers, requestTimeout: patience.request, keepAliveTimeout: 65_000, connectionsCheckingInterval: Math.min(1_000, patience.headers) };
  const isTls = tls !== undefined && socket === undefined;
  const server = isTls ? createTlsServer({ ...times, ...tls, requestCert: true, rejectUnauthorized: true }) : createServer(times);
  const underWay = new Set<ServerResponse>();
  let leaving = false;
  server.on('request', (req, res) => {
    if (leaving) res.setHeader('connection', 'close');
    underWay.add(res);
    res.once('close', () => underWay.delete(res));
    app(req, res);
  });
  const close = async (grace: number, goodbye = FAREWELL) => {
    leaving = true;
    for (const res of underWay) if (!res.headersSent) res.setHeader('connection', 'close');
    await farewell(server, goodbye);
    await drain(server, grace);
  };
  if (socket) {
    await removeStale(socket);
    await takesSocket(server, socket);
    return { port: 0, address: `unix:${socket}`, serve: (next) => void (app = next), close };
  }
  const wanted = port === undefined ? Array.from({ length: 20 }, (_, step) => preferred + step) : [port];
  for (const candidate of wanted) {
    const taken = await takes(server, candidate, host).catch((error: unknown) => {
      throw explained(error as NodeJS.ErrnoException, { host, variable, hostVariable });
    });
    if (!taken) continue;
    const taking = (server.address() as AddressInfo).port;
    return {
      port: taking,
      // A zone is one machine's own word for a network, and has no place in an address.
      address: `${isTls ? 'https' : 'http'}://${host.includes(':') ? `[${host.split('%')[0]}]` : host}:${taking}`,
      serve: (next) => void (app = next),
      close,
    };
  }
  throw new ConfigError(`${variable} names a port that is taken: ${wanted[0]}.`);
}

const takes = (server: Server, port: number, host: string) =>
  new Promise<boolean>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error));
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve(true);
    });
  });

/** Of a process that was killed. One on which somebody answers is not ours to take, and neither is what is no socket. */
async function removeStale(path: string): Promise<void> {
  if (!existsSync(dirname(path))) throw new ConfigError(`KERF_INTERNAL_SOCKET names a socket in a folder that does not exist: ${path}.`);
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) throw new ConfigError(`KERF_INTERNAL_SOCKET names something that is no socket: ${path}.`);
  if (await somebodyAnswers(path)) throw new ConfigError(`KERF_INTERNAL_SOCKET names a socket on which another process answers: ${path}.`);
  await rm(path, { force: true });
}

const somebodyAnswers = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });

const takesSocket = (server: Server, path: string) =>
  new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new ConfigError(`KERF_INTERNAL_SOCKET names a path that cannot be used: ${path} (${error.code}).`)));
    server.listen(path, resolve);
  });

const explained = (error: NodeJS.ErrnoException, { host, variable, hostVariable }: { host: string; variable: string; hostVariable: string }) => {
  if (error.code === 'EACCES') return new ConfigError(`${variable} names a port that only the system administrator may open.`);
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') return new ConfigError(`${hostVariable} names an address that this machine does not have: ${host}.`);
  return error;
};

async function farewell(server: Server, milliseconds: number): Promise<void> {
  const connections = () => promisify(server.getConnections.bind(server))();
  for (const until = performance.now() + milliseconds; performance.now() < until && (await connections()) > 0; ) await delay(LOOK_EVERY);
}

async function drain(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(timer);
  clearInterval(idle);
}
