import { decodeJwt, decodeProtectedHeader } from 'jose';
import { AppError } from '../shared/errors.ts';
import { pathOf } from '../shared/seam/protocol.ts';
import { Finding } from './expectation.ts';
import type { Case } from './suite.ts';
import { openLine, openPool, type Subject, type Wire } from './wire.ts';

/** What came of one case. */
export interface Result extends Pick<Case, 'about' | 'name'> {
  milliseconds: number;
  /** absent: it does what it has to */
  failure?: Failure;
}

export interface Failure {
  sentence: string;
  expected?: unknown;
  answered?: unknown;
  /** the last request of the case, on one line */
  sent?: string;
  /** header and claims of its token, where the case chose it; never the signature */
  token?: unknown;
}

/** Milliseconds for one case: who takes longer is reported and not waited for. */
const PATIENCE = 20_000;

/** Whether anybody takes connections at the address. */
export async function answers(subject: Subject): Promise<boolean> {
  const pool = openPool(subject, 1);
  try {
    return await pool.request({ method: 'GET', path: '/', signal: AbortSignal.timeout(PATIENCE) }).then(() => true, ({ code }: { code?: string }) => !NOBODY.has(code ?? ''));
  } finally {
    await pool.destroy();
  }
}

const NOBODY = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** Runs the cases one after the other; `report` hears of each as it ends. */
export async function runCases(subject: Subject, cases: readonly Case[], { report, patience = PATIENCE }: { report(result: Result): void; patience?: number }): Promise<Result[]> {
  const line = openLine(subject);
  const results: Result[] = [];
  try {
    for (const { about, name, run } of cases) {
      const begun = performance.now();
      const signal = AbortSignal.timeout(patience);
      const wire = line.wire(signal);
      const failure = await run(wire).then(() => undefined, (error: unknown) => failureOf(error, wire, signal, patience));
      const result = { about, name, milliseconds: Math.round(performance.now() - begun), ...(failure && { failure }) };
      results.push(result);
      report(result);
    }
  } finally {
    await line.close();
  }
  return results;
}

function failureOf(error: unknown, wire: Wire, signal: AbortSignal, patience: number): Failure {
  const { sent } = wire.last;
  const request = sent && {
    sent: `${sent.method ?? 'POST'} ${pathOf(sent.module ?? wire.subject.contract.module, sent.path)} ${sent.body ?? ''}`.trim(),
    ...(sent.token !== undefined && { token: readable(sent.token) }),
  };
  if (signal.aborted) return { sentence: `It took longer than ${patience / 1_000} seconds.`, ...request };
  if (error instanceof Finding) return { sentence: error.message, expected: error.expected, answered: error.answered, ...request };
  if (error instanceof AppError) return { sentence: `The call was refused as ${error.reason}: ${error.message}`, expected: 'an answer', answered: { code: error.code, reason: error.reason, details: error.details }, ...request };
  const { code, message } = error as { code?: string; message?: string };
  return { sentence: code ? `The connection broke before the answer came (${code}).` : `The kit itself broke: ${message}`, ...request };
}

function readable(token: string | null): unknown {
  if (token === null) return 'none';
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    return 'one that cannot be read';
  }
}
