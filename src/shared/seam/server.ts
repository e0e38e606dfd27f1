import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { withDeadline, withTrace } from '../context.ts';
import { type Contract, contractHash, describeContract, errorToWire } from '../contract.ts';
import { type ErrorCode, HTTP_STATUS } from '../errors.ts';
import type { Deliver, Event } from '../events.ts';
import { CONTRACT, CONTRACT_HEADER, EVENTS, LARGEST_REQUEST, PREFIX, PROTOCOL_STATUS, type ProtocolReason, TIMEOUT_HEADER } from './protocol.ts';
import type { ServiceTokens } from './service-token.ts';

/** A module as it is served to other processes. */
export interface Served {
  contract: Contract;
  /** the contract's service; which one cannot be said here, where every module's is served alike */
  service: object;
  /** takes in an event that the module listens to */
  deliver: Deliver;
  /** modules that may call its methods, by the table of calls; `edge` is every public front */
  callers: readonly string[];
  /** modules whose events it listens to */
  publishers: readonly string[];
}

interface SeamServer {
  served: readonly Served[];
  tokens: ServiceTokens;
  log: Logger;
}

type Operation = (input: unknown) => Promise<unknown>;

/** What a path stands for: whose it is, who may use it, and what it does. */
interface Resource {
  method: 'GET' | 'POST';
  module: string;
  hash: string;
  allowed: readonly string[];
  run: Operation;
}

/** Milliseconds for a call whose sender did not say how long it waits. */
const DEFAULT_TIMEOUT = 10_000;

/** The internal listener's answer to calls of contract methods and deliveries of events, by docs/seam-protocol.md. */
export function serve({ served, tokens, log }: SeamServer): RequestListener {
  /** Made at the first call: a process whose modules are all together is never asked. */
  let resources: ReadonlyMap<string, Resource> | undefined;
  const modules = new Set(served.map(({ contract }) => contract.module));

  return (req, res) => {
    void withTrace(req.headers.traceparent as string | undefined, () => answer(req, res)).catch((error: unknown) => {
      log.warn({ err: error }, 'a call over the seam was not answered');
      res.destroy();
    });
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    resources ??= new Map(served.flatMap((one) => resourcesOf(one)));
    const resource = resources.get(req.url ?? '');
    if (!resource) return refuse(req, res, modules.has(moduleIn(req.url)) ? 'unknown_method' : 'unknown_module');
    res.setHeader(CONTRACT_HEADER, resource.hash);
    if (req.method !== resource.method) return refuse(req, res, 'method_not_allowed');
    const caller = await tokens.callerOf(/^Bearer (\S+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? '', resource.module);
    if (!caller) return refuse(req, res, 'caller_unknown');
    if (!resource.allowed.includes(caller)) return refuse(req, res, 'caller_refused');
    const timeout = req.headers[TIMEOUT_HEADER] === undefined ? DEFAULT_TIMEOUT : Number(req.headers[TIMEOUT_HEADER]);
    if (!(timeout > 0)) return refuse(req, res, 'deadline_exceeded');
    if (req.method === 'POST' && !/^application\/(cloudevents\+)?json\b/i.test(req.headers['content-type'] ?? '')) return refuse(req, res, 'unsupported_media_type');
    const body = await readBody(req);
    if (body === undefined) return refuse(req, res, 'too_large');
    await run(resource, body, timeout, res);
  }

  async function run(resource: Resource, body: string, timeout: number, res: ServerResponse): Promise<void> {
    const late = setTimeout(() => end(res, 504, protocolError('deadline_exceeded')), timeout);
    try {
      const output = await withDeadline(timeout, () => resource.run(resource.method === 'GET' ? undefined : parsed(body)));
      end(res, 200, output ?? {});
    } catch (error) {
      if (error instanceof Violation) return end(res, PROTOCOL_STATUS.contract_violation, protocolError('contract_violation', error.message));
      const wire = errorToWire(error);
      if (wire.code === 'internal') log.error({ err: error, module: resource.module }, 'a call over the seam failed');
      end(res, HTTP_STATUS[wire.code as ErrorCode], wire);
    } finally {
      clearTimeout(late);
    }
  }
}

/** The caller sent what the contract does not know: a mistake of programming or of versions, not a refusal. */
class Violation extends Error {}

function resourcesOf({ contract, service, deliver, callers, publishers }: Served): [string, Resource][] {
  const { module } = contract;
  const hash = contractHash(contract);
  const at = (method: 'GET' | 'POST', path: string, allowed: readonly string[], run: Operation): [string, Resource] => [
    `${PREFIX}/${module}/${path}`,
    { method, module, hash, allowed, run },
  ];
  const methods = Object.entries(contract.methods).map(([name, { input }]) =>
    at('POST', name, callers, (received) => {
      const result = input.safeParse(received);
      if (!result.success) throw new Violation(`${module}.${name}: ${result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`);
      return (service as Record<string, Operation>)[name]!(result.data);
    }),
  );
  return [
    ...methods,
    at('POST', EVENTS, publishers, (event) => deliver(event as Event)),
    at('GET', CONTRACT, [...callers, ...publishers], async () => ({ hash, ...describeContract(contract) })),
  ];
}

const moduleIn = (url = '') => url.slice(PREFIX.length + 1).split('/')[0]!;

/** The body as text, or undefined when it is larger than allowed. By events: an async iterator costs several times as much. */
const readBody = (req: IncomingMessage) =>
  new Promise<string | undefined>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    req.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > LARGEST_REQUEST) resolve(undefined);
      else chunks.push(chunk);
    });
    req.on('end', () => resolve((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8')));
    req.on('error', reject);
  });

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Violation('The body is not JSON.');
  }
}

const protocolError = (reason: ProtocolReason, message = `The call could not be handed on: ${reason}.`) => ({ code: 'protocol', reason, message });

function refuse(req: IncomingMessage, res: ServerResponse, reason: ProtocolReason): void {
  req.resume();
  end(res, PROTOCOL_STATUS[reason], protocolError(reason));
}

/** Once: what comes after the deadline was answered is for nobody. */
function end(res: ServerResponse, status: number, body: unknown): void {
  if (res.writableEnded || res.destroyed) return;
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}
