import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { z } from 'zod';
import { withDeadline, withTrace } from '../context.ts';
import { type Contract, contractHash, describeContract, errorToWire } from '../contract.ts';
import { type ErrorCode, HTTP_STATUS } from '../errors.ts';
import type { Deliver, Event } from '../events.ts';
import { CONTRACT, CONTRACT_HEADER, EVENTS, LARGEST_REQUEST, PREFIX, PROTOCOL_STATUS, type ProtocolReason, SHADOW, TIMEOUT_HEADER } from './protocol.ts';
import type { ServiceTokens } from './service-token.ts';

/** A module as it is served to other processes. */
export interface Served {
  contract: Contract;
  /** the contract's service; which one cannot be said here, where every module's is served alike */
  service: object;
  /** the same where it is about to move to, if this process is to answer reads there */
  shadow?: () => object | undefined;
  /** takes in an event that the module listens to */
  deliver: Deliver;
  /** modules that may call its methods, by the table of calls; `edge` is every public front */
  callers: readonly string[];
  /** modules whose events it listens to */
  publishers: readonly string[];
}

interface SeamServer {
  /** the modules here; one that comes later is there from the next call on */
  served: () => readonly Served[];
  tokens: ServiceTokens;
  log: Logger;
  /** hears of each call that was not handed on; `nobody` is asked for a module that is not here */
  refused: (module: string, reason: ProtocolReason) => void;
}

/** A method as its service has it. */
type Method = (input: unknown) => Promise<unknown>;
type Operation = (input: unknown, caller: string) => Promise<unknown>;

/** What a path stands for: whose it is, who may use it, and what it does. */
interface Resource {
  method: 'GET' | 'POST';
  module: string;
  hash: string;
  allowed: readonly string[];
  /** bytes of its body */
  largest: number;
  run: Operation;
}

/** Milliseconds for a call whose sender did not say how long it waits. */
const DEFAULT_TIMEOUT = 10_000;
/** No method promises to take longer; what a timer cannot count would end at once. */
const LONGEST_TIMEOUT = 60_000;
/** Milliseconds in which a module's strangers are worth one line of the log: it must not be theirs to fill. */
const WARN_EVERY = 60_000;

/** What is read of every event; its `data` is its listener's to check. */
const Envelope = z.looseObject({ specversion: z.literal('1.0'), id: z.uuid(), type: z.string(), data: z.looseObject({}) });

/** The internal listener's answer to calls of contract methods and deliveries of events, by docs/seam-protocol.md. */
export function serve({ served, tokens, log, refused }: SeamServer): RequestListener {
  /** Made at the first call: a process whose modules are all together is never asked. */
  let resources: ReadonlyMap<string, Resource> = new Map();
  let modules: ReadonlySet<string> = new Set();
  const warned = new Map<string, number>();

  return (req, res) => {
    void withTrace(req.headers.traceparent as string | undefined, () => answer(req, res)).catch((error: unknown) => {
      log.warn({ err: error }, 'a call over the seam was not answered');
      res.destroy();
    });
  };

  function getToKnow(all: readonly Served[]): void {
    if (all.length === modules.size) return;
    resources = new Map(all.flatMap((one) => resourcesOf(one)));
    modules = new Set(all.map(({ contract }) => contract.module));
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!resources.has(req.url ?? '')) getToKnow(served());
    const resource = resources.get(req.url ?? '');
    const module = resource?.module ?? moduleIn(req.url);
    const refuse = (reason: ProtocolReason, caller?: string) => {
      req.resume();
      if (reason === 'caller_unknown' || reason === 'caller_refused') warn(module, { reason, caller, address: req.socket.remoteAddress });
      notHandedOn(res, module, reason);
    };
    if (!resource) return refuse(modules.has(module) ? 'unknown_method' : 'unknown_module');
    res.setHeader(CONTRACT_HEADER, resource.hash);
    if (req.method !== resource.method) return refuse('method_not_allowed');
    const caller = await tokens.callerOf(/^Bearer (\S+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? '', module);
    if (!caller) return refuse('caller_unknown');
    if (!resource.allowed.includes(caller)) return refuse('caller_refused', caller);
    const timeout = req.headers[TIMEOUT_HEADER] === undefined ? DEFAULT_TIMEOUT : Math.min(Number(req.headers[TIMEOUT_HEADER]), LONGEST_TIMEOUT);
    if (!(timeout > 0)) return refuse('deadline_exceeded');
    if (req.method === 'POST' && !/^application\/(cloudevents\+)?json\b/i.test(req.headers['content-type'] ?? '')) return refuse('unsupported_media_type');
    const body = await readBody(req, resource.largest);
    if (body === undefined) return refuse('too_large');
    await run(resource, body, caller, timeout, res);
  }

  async function run(resource: Resource, body: string, caller: string, timeout: number, res: ServerResponse): Promise<void> {
    const late = setTimeout(() => notHandedOn(res, resource.module, 'deadline_exceeded'), timeout);
    try {
      const output = await withDeadline(timeout, () => resource.run(resource.method === 'GET' ? undefined : parsed(body), caller));
      end(res, 200, output ?? {});
    } catch (error) {
      if (error instanceof Forged) warn(resource.module, { reason: 'caller_refused', caller, detail: error.message });
      if (error instanceof Violation) return notHandedOn(res, resource.module, error.reason, error.message);
      const wire = errorToWire(error);
      if (wire.code === 'internal') log.error({ err: error, module: resource.module }, 'a call over the seam failed');
      end(res, HTTP_STATUS[wire.code as ErrorCode], wire);
    } finally {
      clearTimeout(late);
    }
  }

  function notHandedOn(res: ServerResponse, module: string, reason: ProtocolReason, message = `The call could not be handed on: ${reason}.`): void {
    if (res.writableEnded) return;
    refused(modules.has(module) ? module : 'nobody', reason);
    end(res, PROTOCOL_STATUS[reason], { code: 'protocol', reason, message });
  }

  function warn(module: string, stranger: object): void {
    const now = performance.now();
    if (now - (warned.get(module) ?? -Infinity) < WARN_EVERY) return;
    warned.set(module, now);
    log.warn({ module, ...stranger }, 'a call over the seam came from somebody who may not make it; more of them within a minute are only counted');
  }
}

/** The caller sent what the contract does not know: a mistake of programming or of versions, not a refusal. */
class Violation extends Error {
  readonly reason: ProtocolReason = 'contract_violation';
}

/** No read is answered here from where the module is about to move. */
class NoShadow extends Violation {
  override readonly reason = 'unknown_module';
}

/** The database refused it, because it would have written. */
class NoRead extends Violation {
  override readonly reason = 'unknown_method';
}

/** An event in the name of another module than the one that sent it. */
class Forged extends Violation {
  override readonly reason = 'caller_refused';
}

function resourcesOf({ contract, service, shadow, deliver, callers, publishers }: Served): [string, Resource][] {
  const { module } = contract;
  const hash = contractHash(contract);
  const at = (method: 'GET' | 'POST', path: string, allowed: readonly string[], run: Operation, largest = LARGEST_REQUEST): [string, Resource] => [
    `${PREFIX}/${module}/${path}`,
    { method, module, hash, allowed, largest, run },
  ];
  const methods = Object.entries(contract.methods).flatMap(([name, { kind, input, largestRequest }]) => {
    const callOf = (chosen: () => object): Operation => (received) => {
      const result = input.safeParse(received);
      if (!result.success) throw new Violation(`${module}.${name}: ${issuesOf(result.error)}`);
      return (chosen() as Record<string, Method>)[name]!(result.data);
    };
    const call = at('POST', name, callers, callOf(() => service), largestRequest);
    return shadow && kind === 'read' ? [call, at('POST', `${SHADOW}/${name}`, [module], reading(callOf(() => shadow() ?? none(module))), largestRequest)] : [call];
  });
  return [
    ...methods,
    at('POST', EVENTS, publishers, (received, caller) => {
      const event = Envelope.safeParse(received);
      if (!event.success) throw new Violation(`The event is none: ${issuesOf(event.error)}`);
      // A contract names its events after its module, and nobody tells another's.
      if (event.data.type.split('.')[0] !== caller) throw new Forged(`${caller} does not publish ${event.data.type}.`);
      return deliver(event.data as unknown as Event);
    }),
    at('GET', CONTRACT, [...callers, ...publishers, module], async () => ({ hash, ...describeContract(contract) })),
  ];
}

const reading = (call: Operation): Operation => async (received, caller) => {
  try {
    return await call(received, caller);
  } catch (error) {
    if ((error as { code?: string }).code === READ_ONLY) throw new NoRead((error as Error).message);
    throw error;
  }
};

/** read_only_sql_transaction */
const READ_ONLY = '25006';

function none(module: string): never {
  throw new NoShadow(`${module} is not about to move here.`);
}

const issuesOf = ({ issues }: z.ZodError) => issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');

const moduleIn = (url = '') => url.slice(PREFIX.length + 1).split('/')[0]!;

/** The body as text, or undefined when it is larger than allowed. By events: an async iterator costs several times as much. */
const readBody = (req: IncomingMessage, largest: number) =>
  new Promise<string | undefined>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    req.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > largest) resolve(undefined);
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

/** What comes after the deadline was answered is for nobody. */
function end(res: ServerResponse, status: number, body: unknown): void {
  if (res.writableEnded || res.destroyed) return;
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}
