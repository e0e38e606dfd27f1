import { rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from './config-error.ts';

export interface Listening {
  /** 0 for a unix socket */
  port: number;
  /** `http://host:port` or `unix:/path` */
  address: string;
  /** answers requests with `app` from now on; until then every one is told to come back */
  serve(app: RequestListener): void;
  /** answers what is under way, sends clients away politely, resolves when the last has gone or after `grace` ms */
  close(grace: number): Promise<void>;
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
}

const NOT_YET: RequestListener = (_req, res) => {
  res.writeHead(503, { 'retry-after': '1' }).end();
};

/** Takes a port, so that the address is known before anything is set up behind it. */
export async function listen({ host, port, preferred, variable, hostVariable = 'HOST', socket }: Where): Promise<Listening> {
  let app = NOT_YET;
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 1_000 });
  server.on('request', (req, res) => {
    if (!server.listening) res.setHeader('connection', 'close');
    app(req, res);
  });
  if (socket) {
    await rm(socket, { force: true });
    await takesSocket(server, socket);
    return { port: 0, address: `unix:${socket}`, serve: (next) => void (app = next), close: (grace) => drain(server, grace) };
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
      address: `http://${host}:${taking}`,
      serve: (next) => void (app = next),
      close: (grace) => drain(server, grace),
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

async function drain(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(timer);
  clearInterval(idle);
}
