import { type KeyObject, sign } from 'node:crypto';
import { Pool } from 'undici';
import type { z } from 'zod';
import { type Contract, errorFromWire, type EventType, type Service, WireError } from '../shared/contract.ts';
import { type ErrorCode, HTTP_STATUS } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { CONTRACT_HEADER, EVENTS, LARGEST_ANSWER, pathOf, type ProtocolReason, PROTOCOL_STATUS, TIMEOUT_HEADER } from '../shared/seam/protocol.ts';
import type { ServiceKeys } from '../shared/seam/service-token.ts';
import { Finding } from './expectation.ts';

/** The implementation that is checked: where it answers, and who has to do with it. */
export interface Subject<C extends Contract = Contract> {
  contract: C;
  /** `http://host:port`, `https://host:port` or `unix:/path/to/socket` */
  address: string;
  /** who may call its methods, `edge` included */
  callers: readonly string[];
  /** the modules whose events it takes in */
  publishers: readonly string[];
  listens: readonly EventType[];
  keys: Pick<ServiceKeys, 'privateKey'>;
  /** what we show and believe where the address is https: mutual TLS */
  tls?: { cert: string; key: string; ca: string } | undefined;
}

export interface Request {
  /** below the module's own: a method's name, or one of its resources */
  path: string;
  /** default: the one that is checked */
  module?: string;
  method?: 'GET' | 'POST';
  body?: string;
  type?: string;
  /** default: a good one of a caller; null: none */
  token?: string | null;
  /** milliseconds that it is told we wait, or what is none */
  timeout?: number | string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** undefined: not JSON */
  body: unknown;
}

/** One case's way to the implementation: remembers what was sent last and what came back. */
export interface Wire<C extends Contract = Contract> {
  subject: Subject<C>;
  /** as its first caller holds it: every answer and every refusal is measured by the contract */
  service: Service<C>;
  /** delivers an event in its publisher's name; the same `id` is the same event */
  tell<T extends EventType>(type: T, data: z.input<T['data']>, id?: string): Promise<void>;
  send(request: Request): Promise<Answer>;
  /** sends what has to be refused before it reaches the module */
  expectRefused(request: Request, reason: ProtocolReason): Promise<void>;
  last: { sent?: Request; answered?: Answer };
  /** ends when the case's time is over */
  signal: AbortSignal;
}

export interface Line {
  wire(signal: AbortSignal): Wire;
  close(): Promise<void>;
}

export function openLine(subject: Subject): Line {
  const pool = openPool(subject);
  return { wire: (signal) => createWire(subject, pool, signal), close: () => pool.destroy() };
}

/** A pool for the address; with `connections: 1` every call goes through the same one. */
export function openPool({ address, tls }: Pick<Subject, 'address' | 'tls'>, connections = 32): Pool {
  const socketPath = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined;
  return new Pool(socketPath ? 'http://localhost' : address, {
    connections,
    connect: { timeout: 2_000, ...(socketPath ? { socketPath } : tls) },
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: LARGEST_ANSWER,
  });
}

export function createWire(subject: Subject, pool: Pool, signal: AbortSignal, last: Wire['last'] = {}): Wire {
  const { module } = subject.contract;

  async function send(request: Request): Promise<Answer> {
    const token = request.token === undefined ? goodToken(subject, subject.callers[0]!) : request.token;
    Object.assign(last, { sent: request, answered: undefined });
    const response = await pool.request({
      method: request.method ?? 'POST',
      path: pathOf(request.module ?? module, request.path),
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(request.body !== undefined && { 'content-type': request.type ?? 'application/json' }),
        [TIMEOUT_HEADER]: String(request.timeout ?? 30_000),
      },
      body: request.body ?? null,
      signal,
    });
    const text = await response.body.text();
    const answer = { status: response.statusCode, headers: response.headers, text, body: parsed(text) };
    Object.assign(last, { sent: request, answered: answer });
    if (token && text.includes(token)) throw new Finding('An answer repeats the token it was asked with.', 'no secret in any answer', text);
    return answer;
  }

  async function call(name: string, input: unknown): Promise<unknown> {
    return meaningOf(subject.contract, name, await send({ path: name, body: JSON.stringify(input) }));
  }

  const methods = Object.keys(subject.contract.methods).map((name) => [name, (input: unknown) => call(name, input)]);
  return {
    subject,
    last,
    signal,
    send,
    service: Object.fromEntries(methods) as Wire['service'],
    async tell({ type, data: schema, orderedBy }, data, id = newId()) {
      const [publisher] = type.split('.') as [string];
      const body = schema.parse(data) as Record<string, unknown>;
      const event = { specversion: '1.0', id, source: `kerf/${publisher}`, type, subject: String(body[orderedBy]), time: new Date().toISOString(), datacontenttype: 'application/json', data: body };
      const answer = await send({ path: EVENTS, body: JSON.stringify(event), type: 'application/cloudevents+json', token: goodToken(subject, publisher) });
      if (answer.status !== 200) throw new Finding('An event that it listens to has to be kept.', { status: 200, body: {} }, seen(answer));
    },
    async expectRefused(request, reason) {
      const answer = await send(request);
      const error = WireError.safeParse(answer.body);
      if (answer.status === PROTOCOL_STATUS[reason] && error.success && error.data.code === 'protocol' && error.data.reason === reason) return;
      throw new Finding(`This has to be refused as ${reason}.`, { status: PROTOCOL_STATUS[reason], body: { code: 'protocol', reason } }, seen(answer));
    },
  };
}

/** What the answer of a method means to its caller; a Finding when the contract does not know it. */
export function meaningOf(contract: Contract, name: string, answer: Answer): unknown {
  const { output, reasons } = contract.methods[name]!;
  if (answer.status === 200) {
    if (typeof answer.headers[CONTRACT_HEADER] !== 'string') throw new Finding('An answer names the contract that is served.', { headers: { [CONTRACT_HEADER]: 'the hash' } }, answer.headers);
    const result = output.safeParse(answer.body);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new Finding(`The answer of ${name} does not fit its contract, at ${issue?.path.join('.') || 'the whole'}: ${issue?.message}.`, 'the output of the contract', seen(answer));
  }
  const error = WireError.safeParse(answer.body);
  if (!error.success) throw new Finding('A refusal says code, reason and message.', { code: 'conflict', reason: reasons[0] ?? 'unavailable', message: 'One sentence for people.' }, seen(answer));
  const { code } = error.data;
  if (code === 'protocol') throw new Finding(`${name} has to take this call.`, 'an answer, or a refusal of the contract', seen(answer));
  if (answer.status !== HTTP_STATUS[code as ErrorCode]) throw new Finding(`A refusal of code ${code} has another status.`, HTTP_STATUS[code as ErrorCode] ?? `a code of ${Object.keys(HTTP_STATUS).join(', ')}`, seen(answer));
  throw errorFromWire(answer.body, reasons) ?? new Finding(`The contract of ${name} does not know this reason.`, [...reasons, 'unavailable', 'internal'], seen(answer));
}

export const seen = ({ status, body, text }: Answer) => ({ status, body: body ?? text });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Seconds; times count from now. */
interface Claims {
  issuer: string;
  keyId?: string;
  audience: string;
  type?: string;
  issuedAt?: number;
  expires?: number;
}

export const goodToken = ({ contract, keys }: Subject, issuer: string): string => tokenOf({ issuer, audience: contract.module }, keys.privateKey(issuer));

/** By hand, so that it can be as wrong as a case needs it; without a key it is not signed. */
export function tokenOf({ issuer, keyId = issuer, audience, type = 'kerf-service+jwt', issuedAt = 0, expires = 60 }: Claims, key?: KeyObject): string {
  const now = Math.floor(Date.now() / 1_000);
  const header = { alg: key ? 'EdDSA' : 'none', kid: keyId, typ: type };
  const parts = [header, { iss: issuer, aud: audience, iat: now + issuedAt, exp: now + expires }];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${key ? sign(null, Buffer.from(signed), key).toString('base64url') : ''}`;
}
