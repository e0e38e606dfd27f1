import type { Logger } from 'pino';
import { currentContext, timeLeft, withDeadline } from '../context.ts';
import { type Contract, type ContractDescription, contractHash, describeContract, errorFromWire, type Service, WireError } from '../contract.ts';
import { HTTP_STATUS, unavailable } from '../errors.ts';
import type { Deliver } from '../events.ts';
import { CONTRACT, CONTRACT_HEADER, EVENTS, pathOf, PROTOCOL_STATUS, type ProtocolReason, TIMEOUT_HEADER } from './protocol.ts';
import { openPool, roundTrip } from './round-trip.ts';
import { backOff, createBreaker, createBulkhead, createRetryBudget, DEFAULT_POLICY, type EdgePolicy, LostCall, RefusedCall } from './resilience.ts';
import type { ServiceTokens } from './service-token.ts';

export interface Remote<C extends Contract> {
  /** the calling module, or `edge` */
  from: string;
  contract: C;
  address: string;
  /** refusals come with the reason the module gave; whatever the network breaks is `unavailable` */
  service: Service<C>;
  /** hands an event to the module's inbox; throws until it is kept there */
  deliver: Deliver;
  /** compares contracts, again each time; throws ContractMismatch, or `unavailable` when nobody answers */
  check(): Promise<void>;
  /** whether its contract was seen to fit and it has not gone quiet since; asks nobody */
  answers(): boolean;
  /** why the peer took none of our calls, by the protocol; undefined once it takes one, or is lost */
  refusal(): ProtocolReason | undefined;
  /** of the breaker, and how many calls stand in line */
  state(): { breaker: 'closed' | 'open' | 'half-open'; waiting: number };
  close(): Promise<void>;
}

export interface RemoteOptions {
  /** the calling module, or `edge` */
  from: string;
  /** `http://host:port`, `https://host:port` or `unix:/path/to/socket` */
  address: string;
  /** below which of the module's own resources methods are called; default: of none */
  below?: string;
  /** for https: the certificate to show with its key, and whose to believe, in PEM */
  tls?: { cert: string; key: string; ca: string };
  tokens: ServiceTokens;
  /** what of theirs a caller with our contract cannot talk to, in sentences; none: it fits */
  misfits: (ours: ContractDescription, theirs: ContractDescription) => string[];
  log: Logger;
  policy?: Partial<EdgePolicy>;
}

interface Message {
  method: 'GET' | 'POST';
  /** below the module's own: a method's name, or one of its resources */
  path: string;
  body?: string;
  type?: string;
}

/** Milliseconds: a handler may do as much as a job. */
const EVENT_TIMEOUT = 30_000;

/** It is not this call that is refused: none of this process would be taken. */
const REFUSES_ALL: ReadonlySet<ProtocolReason> = new Set(['unknown_module', 'caller_unknown']);

/** The other side speaks a contract that ours cannot talk to. */
export class ContractMismatch extends Error {}

/** A module in another process, behind its own contract. */
export function client<C extends Contract>(contract: C, { from, address, below, tls, tokens, misfits, log, policy: given = {} }: RemoteOptions): Remote<C> {
  const policy = { ...DEFAULT_POLICY, ...given };
  const { module } = contract;
  const pool = openPool(address, tls, policy.concurrency);
  const through = createBulkhead(policy);
  const breaker = createBreaker(policy, () => performance.now());
  const budget = createRetryBudget(policy);
  const fitting = new Set([contractHash(contract)]);
  let checked: Promise<void> | undefined;
  let fits = false;
  let comparing = false;
  let refused: { refusal: ProtocolReason; told: string } | undefined;

  /** Before the first call, and again after an answer from a version that nobody compared yet. */
  const check = () =>
    (checked ??= compare().catch((error: unknown) => {
      checked = undefined;
      throw error;
    }));

  async function compare(): Promise<void> {
    comparing = true;
    const answer = await withDeadline(policy.timeout, () => attempt({ method: 'GET', path: CONTRACT })).finally(() => (comparing = false));
    const { hash, ...theirs } = (answer ?? {}) as { hash: string } & ContractDescription;
    const problems = fitting.has(hash) ? [] : misfitsWith(theirs);
    fits = problems.length === 0;
    if (!fits) throw new ContractMismatch(`The ${module} module at ${address} speaks a contract that this process cannot: ${problems.join(' ')}`);
    fitting.add(hash);
  }

  function misfitsWith(theirs: ContractDescription): string[] {
    try {
      return misfits(describeContract(contract), theirs);
    } catch {
      return ['What it says of itself is no description of a contract.'];
    }
  }

  /** One comparison serves all who wait for it, each for no longer than it has time. */
  async function assertFits(): Promise<void> {
    const result = comparing ? withinTime(check(), timeLeft()) : check();
    await result.catch((error: unknown) => {
      // What was lost is the comparison: the call behind it has not been sent.
      if (error instanceof LostCall) throw new LostCall(error.why, false);
      if (!(error instanceof ContractMismatch)) throw error;
      log.error({ err: error, module }, 'calls are refused until the contracts fit');
      throw unavailable();
    });
  }

  async function call(name: string, input: unknown): Promise<unknown> {
    const { kind, output, idempotentBy } = contract.methods[name]!;
    const repeatable = kind === 'read' || idempotentBy !== undefined;
    const answer = await repeated(repeatable, async () => {
      if (!fits || !checked || comparing) await assertFits();
      return attempt({ method: 'POST', path: name, body: JSON.stringify(input) });
    });
    const result = output.safeParse(answer);
    if (result.success) return result.data;
    log.error({ module, method: name, issues: result.error.issues.slice(0, 5) }, 'an answer over the seam does not fit the contract');
    throw unavailable();
  }

  /** Again after a lost answer where the contract allows it, or where the call has certainly not arrived. */
  async function repeated<T>(repeatable: boolean, run: () => Promise<T>): Promise<T> {
    budget.earn();
    for (let repeat = 0; ; repeat += 1) {
      try {
        return await run();
      } catch (error) {
        const again = error instanceof LostCall && (repeatable || !error.reached) && repeat < policy.retries;
        const pause = backOff(repeat);
        if (!again || pause >= timeLeft() || !budget.spend()) throw error;
        await new Promise((resume) => setTimeout(resume, pause));
      }
    }
  }

  /** Within the deadline around it, which covers the line and all that was tried before. */
  async function attempt(message: Message): Promise<unknown> {
    if (timeLeft() <= 0) throw unavailable();
    return through(timeLeft(), async () => {
      breaker.assertClosed();
      const begun = performance.now();
      const answer = await exchange(message, timeLeft()).catch((error: unknown) => {
        if (!(error instanceof RefusedCall)) refused = undefined;
        if (error instanceof RefusedCall && !REFUSES_ALL.has(error.refusal)) breaker.succeeded();
        else breaker.failed(begun);
        throw error;
      });
      refused = undefined;
      breaker.succeeded();
      return answer();
    });
  }

  /** One request and its answer. What the answer means is found out by the caller, once the breaker has heard of it. */
  async function exchange({ method, path, body, type = 'application/json' }: Message, patience: number): Promise<() => unknown> {
    const traceparent = currentContext()?.traceparent;
    const { status, headers, text } = await roundTrip(
      pool,
      {
        method,
        path: pathOf(module, below && Object.hasOwn(contract.methods, path) ? `${below}/${path}` : path),
        headers: {
          authorization: `Bearer ${await tokens.tokenFor(from, module)}`,
          [TIMEOUT_HEADER]: String(Math.ceil(patience)),
          ...(body !== undefined && { 'content-type': type }),
          ...(traceparent && { traceparent }),
        },
        body: body ?? null,
      },
      patience,
    );
    const hash = headers[CONTRACT_HEADER];
    // Without it the answer is somebody else's: many a server says 200 and `{}` to anything.
    if (status === 200 && typeof hash !== 'string') throw new LostCall(`${module} answered without saying what contract it serves.`, true);
    if (typeof hash === 'string' && !fitting.has(hash)) checked = undefined;
    return meaningOf(path, status, text);
  }

  function meaningOf(path: string, status: number, text: string): () => unknown {
    const answer = parsed(text);
    if (status === 200) return () => answer;
    const error = WireError.safeParse(answer).data;
    if (!error || !(error.code === 'protocol' ? Object.hasOwn(PROTOCOL_STATUS, error.reason) : Object.hasOwn(HTTP_STATUS, error.code))) {
      throw new LostCall(`${module} answered ${status} with something else than an error of Kerf.`, true);
    }
    if (error.code === 'protocol') throw lostOrRefused(path, error.reason as ProtocolReason, error.message);
    return () => {
      const refusal = errorFromWire(answer, contract.methods[path]?.reasons ?? []);
      if (!refusal) log.error({ module, path, reason: error.reason, detail: error.message }, 'a refusal over the seam has a reason that the contract does not list');
      throw refusal ?? unavailable();
    };
  }

  /** The log hears of it when it changes, not at every try. */
  function lostOrRefused(path: string, refusal: ProtocolReason, detail: string): LostCall | RefusedCall {
    if (refusal === 'deadline_exceeded' || refusal === 'starting') return new LostCall(`${module} answered ${refusal}.`, refusal !== 'starting');
    const told = `${path} ${refusal} ${detail}`;
    if (refused?.told !== told) log.error({ module, address, path, reason: refusal, detail }, 'the other side does not take calls of this process');
    refused = { refusal, told };
    return new RefusedCall(refusal);
  }

  const methods = Object.entries(contract.methods).map(([name, { timeout = policy.timeout }]) => [name, (input: unknown) => withDeadline(timeout, () => call(name, input))]);
  return {
    from,
    contract,
    address,
    service: Object.fromEntries(methods) as Service<C>,
    async deliver(event) {
      await withDeadline(EVENT_TIMEOUT, () => attempt({ method: 'POST', path: EVENTS, body: JSON.stringify(event), type: 'application/cloudevents+json' }));
    },
    check() {
      checked = undefined;
      return check();
    },
    refusal: () => refused?.refusal,
    answers: () => fits && breaker.state() === 'closed',
    state: () => ({ breaker: breaker.state(), waiting: through.waiting() }),
    close: () => pool.close(),
  };
}

/** What somebody else has begun, or a LostCall once it took too long for this one. */
const withinTime = <T>(begun: Promise<T>, milliseconds: number) =>
  new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new LostCall('The call was lost: no comparison of contracts in time.', false)), milliseconds);
    void begun.then(resolve, reject).finally(() => clearTimeout(timer));
  });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new LostCall('The answer is not JSON.', true);
  }
}
