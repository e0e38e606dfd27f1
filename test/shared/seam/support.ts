import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Logger } from 'pino';
import { z } from 'zod';
import { defineContract, event, read, type Service, write } from '../../../src/shared/contract.ts';
import { conflict } from '../../../src/shared/errors.ts';
import { client } from '../../../src/shared/seam/client.ts';
import type { EdgePolicy } from '../../../src/shared/seam/resilience.ts';
import { serve, type Served } from '../../../src/shared/seam/server.ts';
import { createServiceTokens, derivedKeys, type ServiceTokens } from '../../../src/shared/seam/service-token.ts';
import { createLogger } from '../../../src/shared/telemetry.ts';

export const lampContract = defineContract({
  module: 'lamp',
  methods: {
    look: read({ input: z.object({ id: z.string() }), output: z.object({ lit: z.boolean() }) }),
    light: write({ input: z.object({ id: z.string(), size: z.int().default(1) }), output: z.object({ size: z.int() }), reasons: ['no_oil'], idempotentBy: 'id' }),
    /** may not be repeated */
    flicker: write({ input: z.object({}), output: z.object({ times: z.int() }) }),
  },
  events: { lit: event('lamp.lit', 'id', z.object({ id: z.string() })) },
});
export type Lamp = Service<typeof lampContract>;

export const log = createLogger('silent');
export const keys = derivedKeys('a secret for both sides of these tests', ['order', 'coupon', 'catalog']);
export const tokens = createServiceTokens(keys, () => new Date());

/** A lamp that works, and counts what it is asked for. */
export function createLamp(over: Partial<Lamp> = {}) {
  const asked: string[] = [];
  const service: Lamp = {
    look: async ({ id }) => ({ lit: id === 'lit' }),
    light: async ({ id, size = 0 }) => {
      if (id === 'dry') throw conflict('no_oil', 'The lamp is empty.', { left: 0 });
      return { size };
    },
    flicker: async () => ({ times: 3 }),
    ...over,
  };
  const counted = Object.fromEntries(Object.entries(service).map(([name, run]) => [name, (input: never) => (asked.push(name), (run as (input: never) => Promise<unknown>)(input))]));
  return { service: counted as Lamp, asked };
}

export const lampServer = (over: Partial<Served> = {}, how: Partial<Parameters<typeof serve>[0]> = {}) =>
  serve({ served: () => [{ contract: lampContract, service: createLamp().service, deliver: async () => undefined, callers: ['order'], publishers: ['catalog'], ...over }], tokens, log, refused: () => undefined, ...how });

const opened: (() => Promise<void>)[] = [];
export const closeAll = async () => {
  for (const close of opened.splice(0)) await close();
};

/** Listens on a port of its own; `http` may be any behaviour of an HTTP server. */
export async function listenTo(http: RequestListener): Promise<{ address: string; port: number; server: Server }> {
  return listenWith(createServer({ keepAliveTimeout: 60_000 }, http));
}

export async function listenWith(server: Server, port = 0): Promise<{ address: string; port: number; server: Server }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  opened.push(async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const taken = (server.address() as AddressInfo).port;
  return { address: `http://127.0.0.1:${taken}`, port: taken, server };
}

/** A client of the lamp, as `order` would hold it. */
export function lampAt(address: string, policy: Partial<EdgePolicy> = {}, from = 'order', how: { tokens?: ServiceTokens; log?: Logger } = {}) {
  const remote = client(lampContract, { from, address, tokens, log, policy, misfits: (ours, theirs) => Object.keys(ours.methods).filter((name) => !theirs.methods[name]), ...how });
  opened.push(() => remote.close());
  return remote;
}
