import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config.ts';

export interface Listening {
  port: number;
  /** answers what is under way, sends clients away politely, and resolves when the last one has gone or after `grace` ms */
  close(grace: number): Promise<void>;
}

/**
 * Listens on `port`, or with none given on `preferred` or the next free one. A port that was asked for and is taken is
 * a sentence. `openServer` has the timeouts of QUALITY.md.
 */
export async function listen(app: RequestListener, where: { host: string; port: number | undefined; preferred: number; variable: string }): Promise<Listening> {
  const server = openServer(app);
  const wanted = where.port === undefined ? [...Array(20).keys()].map((step) => where.preferred + step) : [where.port];
  for (const port of wanted) {
    if (await takes(server, port, where.host)) return { port: (server.address() as AddressInfo).port, close: (grace) => drain(server, grace) };
  }
  throw new ConfigError(`${where.variable} names a port that is taken: ${wanted[0]}.`);
}

function openServer(app: RequestListener): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000 });
  server.on('request', (req, res) => {
    if (!server.listening) res.setHeader('connection', 'close');
    app(req, res);
  });
  return server;
}

const takes = (server: Server, port: number, host: string) =>
  new Promise<boolean>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(explained(error, host)));
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve(true);
    });
  });

const explained = (error: NodeJS.ErrnoException, host: string) => {
  if (error.code === 'EACCES') return new ConfigError('PORT names a port that only the system administrator may open.');
  if (error.code === 'EADDRNOTAVAIL') return new ConfigError(`HOST names an address that this machine does not have: ${host}.`);
  return error;
};

async function drain(server: Server, grace: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), grace);
  await closed;
  clearTimeout(timer);
}
