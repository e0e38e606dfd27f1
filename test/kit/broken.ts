import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { request } from 'undici';

export interface Asked {
  method: string;
  /** `/quote` */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** One thing that an implementation does wrong: to what it is asked, to what it answers, or in place of both. */
export interface Break {
  asked?(asked: Asked): Partial<Asked>;
  answered?(answered: Answered, asked: Asked): Partial<Answered>;
  instead?(asked: Asked): Promise<Answered | undefined> | Answered | undefined;
}

/** Stands in front of an implementation and breaks it, as if it were written so. */
export async function startBroken(address: string, module: string, broken: Break): Promise<{ address: string; stop(): Promise<void> }> {
  const prefix = `/seam/v1/${module}`;
  const server = createServer(async (req, res) => {
    const original = { method: req.method!, path: req.url!.replace(prefix, ''), headers: req.headers, body: await text(req) };
    const asked = { ...original, ...broken.asked?.(original) };
    const answer = (await broken.instead?.(original)) ?? (await pass(asked));
    const { status, headers, body } = { ...answer, ...broken.answered?.(answer, asked) };
    res.writeHead(status, headers).end(body);
  });
  const pass = async ({ method, path, headers: all, body }: Asked): Promise<Answered> => {
    const headers = less('host', 'connection', 'content-length', 'transfer-encoding')(all);
    const url = `${address}${path.startsWith('/seam/') ? path : `${prefix}${path}`}`;
    const response = await request(url, { method: method as 'POST', headers, ...(method === 'POST' && { body }) });
    const hash = response.headers['kerf-contract'];
    return { status: response.statusCode, headers: { 'content-type': 'application/json', ...(hash && { 'kerf-contract': String(hash) }) }, body: await response.body.text() };
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => closed(server),
  };
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Changes the JSON that is asked on one path. */
export const askedOn = (path: string, change: (body: never) => unknown): Break => ({
  asked: (asked) => (asked.path === path ? { body: JSON.stringify(change(JSON.parse(asked.body) as never)) } : {}),
});

/** Changes the JSON that is answered on one path. */
export const answeredOn = (path: string, change: (body: never) => unknown): Break => ({
  answered: ({ body }, asked) => (asked.path === path ? { body: JSON.stringify(change(JSON.parse(body) as never)) } : {}),
});

/** The same without these fields. */
export const less = (...names: string[]) => <Body extends object>(body: Body) => Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name))) as Body;

export const json = (status: number, body: unknown) => ({ status, headers: { 'content-type': 'application/json', 'kerf-contract': 'x' }, body: JSON.stringify(body) });

/** Says that it did what was asked on this path, where the body has this in it. */
export const nothingHappens = (path: string, type = ''): Break => ({
  instead: (asked) => (asked.path === path && asked.body.includes(type) ? { status: 200, headers: { 'kerf-contract': 'x' }, body: '{}' } : undefined),
});

export const reasonInstead = (from: string, to: string): Break => ({ answered: ({ body }) => ({ body: body.replaceAll(`"reason":"${from}"`, `"reason":"${to}"`) }) });

/** A repeat by the same order is taken for what it said at first. */
export function keepsFirst(path: string): Break {
  const said = new Map<string, unknown>();
  return askedOn(path, (body: { orderId: string }) => said.get(body.orderId) ?? (said.set(body.orderId, body), body));
}
