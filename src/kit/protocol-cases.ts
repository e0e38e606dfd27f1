import { generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';
import { misfits } from '../boundaries/contracts/contract-changes.ts';
import { MODULES } from '../calls.ts';
import { type ContractDescription, describeContract, WireError } from '../shared/contract.ts';
import { CONTRACT, CONTRACT_HEADER, EVENTS, LARGEST_REQUEST } from '../shared/seam/protocol.ts';
import { AppError } from '../shared/errors.ts';
import { newId } from '../shared/ids.ts';
import { expectMatch, Finding, outcomeOf } from './expectation.ts';
import { sampleOf, wrongInputs } from './sample.ts';
import { type Case, reading, writing } from './suite.ts';
import { type Answer, createWire, goodToken, meaningOf, openPool, type Request, seen, type Subject, tokenOf, type Wire } from './wire.ts';

/**
 * What docs/seam-protocol.md asks of every module, whatever its contract says. A wrong input may slip through and be acted on,
 * so those of writes are left to `--writes`: without it a write is sent nothing that anybody could take for an input.
 */
export const protocolCases = (subject: Subject): Case[] => [
  ...reading('the handshake', HANDSHAKE),
  ...reading('who calls', whoCalls(subject)),
  ...reading('the protocol', PROTOCOL),
  ...Object.keys(subject.contract.methods).flatMap((name) => inputCases(name, subject)),
  ...eventCases(subject),
];

const Handshake = z.object({
  hash: z.string().min(1),
  module: z.string(),
  methods: z.record(z.string(), z.looseObject({ kind: z.string(), reasons: z.array(z.string()), input: z.looseObject({}), output: z.looseObject({}) })),
  events: z.record(z.string(), z.looseObject({})),
  $defs: z.looseObject({}).default({ input: {}, output: {} }),
});

const HANDSHAKE: Record<string, Case['run']> = {
  'says which contract it serves, and under which hash': async (wire) => {
    const { contract, answer } = await handshake(wire);
    expectMatch(contract.module, wire.subject.contract.module, 'The name of the module');
    if (answer.headers[CONTRACT_HEADER] !== undefined) expectMatch(answer.headers[CONTRACT_HEADER], contract.hash, `The header ${CONTRACT_HEADER}`);
  },
  'serves a contract that callers with ours can talk to': async (wire) => {
    const { contract } = await handshake(wire);
    const [misfit] = misfits(describeContract(wire.subject.contract), contract as unknown as ContractDescription);
    if (misfit) throw new Finding(`${[misfit.method ?? misfit.event, misfit.part, misfit.field].filter(Boolean).join(' ')} ${misfit.change}. ${misfit.why}`, 'a contract that fits', misfit);
  },
};

async function handshake(wire: Wire) {
  const answer = await wire.send({ method: 'GET', path: CONTRACT });
  const contract = Handshake.safeParse(answer.body);
  if (answer.status !== 200 || !contract.success) {
    const [issue] = contract.error?.issues ?? [];
    throw new Finding(`The contract has to be answered${issue ? `, with its ${issue.path.join('.')}` : ''}.`, { status: 200, body: { hash: '…', module: wire.subject.contract.module, methods: {}, events: {} } }, seen(answer));
  }
  return { contract: contract.data, answer };
}

/** Bad tokens, tried on every path. The body is none that a method takes, so that one that slips through changes nothing. */
function whoCalls(subject: Subject): Record<string, Case['run']> {
  const { contract: { module }, keys, callers, publishers } = subject;
  const stranger = generateKeyPairSync('ed25519').privateKey;
  const hour = 3_600;
  const unknown: Record<string, (issuer: string) => string | null> = {
    'no token': () => null,
    'a token that is none': () => 'x.y.z',
    'a token that nobody signed': (issuer) => tokenOf({ issuer, audience: module }),
    'a token signed with a key that nobody knows': (issuer) => tokenOf({ issuer, audience: module }, stranger),
    'a token that has ended': (issuer) => tokenOf({ issuer, audience: module, issuedAt: -200, expires: -140 }, keys.privateKey(issuer)),
    'a token from the future': (issuer) => tokenOf({ issuer, audience: module, issuedAt: hour, expires: hour + 60 }, keys.privateKey(issuer)),
    'a token that is older than a minute, whatever end it names,': (issuer) => tokenOf({ issuer, audience: module, issuedAt: -200, expires: hour }, keys.privateKey(issuer)),
    'a token for another module': (issuer) => tokenOf({ issuer, audience: 'another' }, keys.privateKey(issuer)),
    'a token of another type': (issuer) => tokenOf({ issuer, audience: module, type: 'JWT' }, keys.privateKey(issuer)),
    'a token whose issuer is not whose key it names': (issuer) => tokenOf({ issuer: 'somebody', keyId: issuer, audience: module }, keys.privateKey(issuer)),
    'a token that one module signed in the name of another': (issuer) => {
      const keyId = [...callers, ...publishers, ...MODULES].find((name) => name !== issuer)!;
      return tokenOf({ issuer, keyId, audience: module }, keys.privateKey(keyId));
    },
  };
  const everywhere = (reason: 'caller_unknown' | 'caller_refused', tokenFor: (allowed: readonly string[]) => string | null) => async (wire: Wire) => {
    for (const { allowed, ...path } of pathsOf(subject)) await wire.expectRefused({ ...path, token: tokenFor(allowed) }, reason);
  };
  return {
    ...Object.fromEntries(Object.entries(unknown).map(([name, tokenFor]) => [`${name} is caller_unknown`, everywhere('caller_unknown', ([issuer = callers[0]!]) => tokenFor(issuer))])),
    'a module that may not call is caller_refused': everywhere('caller_refused', (allowed) => goodToken(subject, others(module, allowed)[0]!)),
    "another module's event is caller_refused": async (wire) => {
      for (const publisher of publishers) {
        const type = `${others(module, [publisher])[0]!}.happened`;
        const event = { specversion: '1.0', id: newId(), source: `kerf/${publisher}`, type, subject: 'x', time: new Date().toISOString(), datacontenttype: 'application/json', data: {} };
        await wire.expectRefused({ path: EVENTS, body: JSON.stringify(event), type: 'application/cloudevents+json', token: goodToken(subject, publisher) }, 'caller_refused');
      }
    },
    'every module that may call is let in': async (wire) => {
      for (const issuer of new Set([...callers, ...publishers])) await letIn(wire, issuer);
    },
  };
}

const others = (module: string, allowed: readonly string[]) => [...MODULES, 'edge'].filter((name) => name !== module && !allowed.includes(name));

async function letIn(wire: Wire, issuer: string): Promise<void> {
  const answer = await wire.send({ method: 'GET', path: CONTRACT, token: goodToken(wire.subject, issuer) });
  if (answer.status !== 200) throw new Finding(`${issuer} has to do with ${wire.subject.contract.module} and may ask for its contract.`, { status: 200 }, seen(answer));
}

function pathsOf({ contract, callers, publishers }: Subject): (Request & { allowed: readonly string[] })[] {
  return [
    ...Object.keys(contract.methods).map((path) => ({ path, body: '[]', allowed: callers })),
    { path: EVENTS, body: '[]', type: 'application/cloudevents+json', allowed: publishers },
    { path: CONTRACT, method: 'GET', allowed: [...callers, ...publishers] },
  ];
}

/** What is the same for every method is tried on every method. */
const onEvery = (request: Omit<Request, 'path'>, reason: Parameters<Wire['expectRefused']>[1]) => async (wire: Wire) => {
  for (const path of Object.keys(wire.subject.contract.methods)) await wire.expectRefused({ body: '[]', ...request, path }, reason);
};

/** Methods that ask for no more room than the protocol gives to all. */
const ordinary = ({ contract }: Subject) => Object.entries(contract.methods).filter(([, { largestRequest }]) => largestRequest === undefined).map(([name]) => name);

const PROTOCOL: Record<string, Case['run']> = {
  'GET of a method is method_not_allowed': async (wire) => {
    for (const path of Object.keys(wire.subject.contract.methods)) await wire.expectRefused({ method: 'GET', path }, 'method_not_allowed');
  },
  'a body that is not said to be JSON is unsupported_media_type': onEvery({ type: 'text/plain' }, 'unsupported_media_type'),
  'broken JSON is contract_violation': onEvery({ body: '{"broken": ' }, 'contract_violation'),
  'more than 1 MiB is too_large': async (wire) => {
    for (const path of ordinary(wire.subject)) await wire.expectRefused({ path, body: `"${'x'.repeat(LARGEST_REQUEST - 1)}"` }, 'too_large');
  },
  'exactly 1 MiB is not too large': async (wire) => {
    const [path = ''] = ordinary(wire.subject);
    await wire.expectRefused({ path, body: `"${'x'.repeat(LARGEST_REQUEST - 2)}"` }, 'contract_violation');
  },
  'a path that is none is unknown_method, and its answer repeats nothing of it': async (wire) => {
    for (const path of ['constructor', '-/nothing', 'nothing?secret=do-not-repeat-me', `${Object.keys(wire.subject.contract.methods)[0]}/more`]) {
      await wire.expectRefused({ path, body: '{"secret":"do-not-repeat-me"}' }, 'unknown_method');
      if (wire.last.answered?.text.includes('do-not-repeat-me')) throw new Finding('An answer repeats what it was asked with.', 'nothing of the request in it', wire.last.answered.text);
    }
  },
  'a module that is not there is unknown_module': (wire) => wire.expectRefused({ module: 'nobody', path: 'nothing', body: '{}' }, 'unknown_module'),
  'calls one after the other share a connection': async ({ subject, signal, last }) => {
    const pool = openPool(subject, 1);
    let connections = 0;
    pool.on('connect', () => (connections += 1));
    try {
      for (let calls = 0; calls < 3; calls += 1) await letIn(createWire(subject, pool, signal, last), subject.callers[0]!);
    } finally {
      await pool.destroy();
    }
    if (connections > 1) throw new Finding('The connection was closed after an answer: keep it alive.', '3 calls over 1 connection', `3 calls over ${connections} connections`);
  },
  'many calls at once are all answered': async (wire) => {
    await Promise.all(Array.from({ length: 20 }, () => letIn(wire, wire.subject.callers[0]!)));
  },
};

function inputCases(name: string, { contract }: Subject): Case[] {
  const method = contract.methods[name]!;
  const wrong: Record<string, Case['run']> = {
    'wrong inputs are contract_violation': async (wire) => {
      for (const { wrong: what, input } of wrongInputs(method)) {
        await wire.expectRefused({ path: name, body: JSON.stringify(input) }, 'contract_violation').catch((error: unknown) => {
          if (error instanceof Finding) throw new Finding(`An input ${what} has to be refused as contract_violation.`, error.expected, error.answered);
          throw error;
        });
      }
    },
  };
  if (method.kind === 'write') return writing(name, wrong);
  return reading(name, {
    ...wrong,
    'answers or refuses as its contract says': (wire) => ask(wire, name, sampleOf(method)),
    'a field that it does not know is ignored': (wire) => ask(wire, name, { ...(sampleOf(method) as object), addedLater: { by: 'a newer caller' } }),
    'is not begun when the caller has no time left, or says a time that is none': async (wire) => {
      for (const timeout of [0, -1, 'abc']) await wire.expectRefused({ path: name, body: JSON.stringify(sampleOf(method)), timeout }, 'deadline_exceeded');
    },
  });
}

/** An answer or a refusal, both measured by the contract. Who is not there however often one asks does neither. */
async function ask(wire: Wire, name: string, input: unknown): Promise<void> {
  const outcome = await outcomeOf(async () => meaningOf(wire.subject.contract, name, await wire.send({ path: name, body: JSON.stringify(input) })));
  if (outcome instanceof AppError && ['internal', 'unavailable'].includes(outcome.reason)) throw outcome;
}

const eventCases = ({ listens }: Subject): Case[] => [
  ...reading('events', {
    'broken JSON is contract_violation': async (wire) => {
      const [publisher] = wire.subject.publishers;
      if (publisher) await wire.expectRefused({ path: EVENTS, body: '{', type: 'application/cloudevents+json', token: goodToken(wire.subject, publisher) }, 'contract_violation');
    },
  }),
  ...listens.flatMap((event) =>
    writing('events', {
      [`${event.type} about what it does not know is answered alike each time it comes`]: async (wire) => {
        const [id, data] = [newId(), sampleOf({ input: event.data })];
        const tell = () => wire.tell(event, data, id).catch(() => expectRefusalOfModule(wire.last.answered));
        await tell();
        const first = wire.last.answered;
        for (let repeats = 0; repeats < 2; repeats += 1) {
          await tell();
          expectMatch(wire.last.answered?.status, first?.status, 'The status of a repeat');
        }
      },
    }),
  ),
];

/** Not kept, by the module's own decision: it comes again. */
function expectRefusalOfModule(answer: Answer | undefined): void {
  const error = WireError.safeParse(answer?.body);
  if (!error.success || ['protocol', 'internal', 'unavailable'].includes(error.data.code)) throw new Finding('An event is kept, or refused by the module.', { status: 200 }, answer && seen(answer));
}
