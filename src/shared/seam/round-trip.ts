import { type Dispatcher, Pool } from 'undici';
import { IDLE, LARGEST_ANSWER } from './protocol.ts';
import { LostCall } from './resilience.ts';

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  text: string;
}

/**
 * One request and the whole of its answer, or a LostCall. On undici's `dispatch`: the stream and the abort signal that its
 * `request` makes for each call cost more than all else on this side of the seam.
 */
export const roundTrip = (pool: Dispatcher, options: Dispatcher.DispatchOptions, milliseconds: number): Promise<Answer> =>
  new Promise((resolve, reject) => {
    let sending: Dispatcher.DispatchController | undefined;
    let answer: Omit<Answer, 'text'> | undefined;
    let length = 0;
    let lost: LostCall | undefined;
    const chunks: Buffer[] = [];
    const giveUp = (why: string) => {
      lost ??= new LostCall(why, sending !== undefined);
      reject(lost);
      sending?.abort(lost);
    };
    const timer = setTimeout(() => giveUp('The call was lost: no answer in time.'), milliseconds);
    const finish = (end: () => void) => {
      clearTimeout(timer);
      end();
    };
    pool.dispatch(options, {
      onRequestStart(controller) {
        if (lost) return controller.abort(lost);
        sending = controller;
      },
      onResponseStart: (_, status, headers) => void (answer = { status, headers }),
      onResponseData(_, chunk) {
        length += chunk.length;
        if (length > LARGEST_ANSWER) return giveUp('The answer is larger than allowed.');
        chunks.push(chunk);
      },
      onResponseEnd: () => finish(() => resolve({ ...answer!, text: (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8') })),
      onResponseError: (_, error) => finish(() => reject(lost ?? lostTo(error))),
    });
  });

/** The last two: a pool that is closed, as what was under way finishes there, and one that has finished. */
const NEVER_ARRIVED = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED']);

function lostTo({ code = '', message }: NodeJS.ErrnoException): LostCall {
  return new LostCall(`The call was lost (${code || message}).`, !NEVER_ARRIVED.has(code));
}

/** Connections to where a module answers. */
export function openPool(address: string, tls: { cert: string; key: string; ca: string } | undefined, concurrency: number): Pool {
  const socketPath = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined;
  return new Pool(socketPath ? 'http://localhost' : address, {
    connections: concurrency,
    connect: { timeout: 2_000, ...(socketPath ? { socketPath } : tls) },
    // Whatever the other side promises: one that ends waits so long, and cuts nobody off.
    keepAliveTimeout: IDLE,
    keepAliveMaxTimeout: IDLE,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
