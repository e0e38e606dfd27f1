import { z } from 'zod';
import type { Observed } from '../../shared/observation.ts';
import type { Looked } from './readiness.ts';

const count = z.int().min(1);
const Answer = z.object({
  since: z.iso.datetime(),
  calls: z.array(z.object({ from: z.string(), to: z.string(), method: z.string(), count })),
  events: z.array(z.object({ type: z.string(), from: z.string(), to: z.string(), count })),
  foreignStatements: z.array(z.object({ module: z.string(), schema: z.string(), statement: z.string(), count })),
});

/** Milliseconds. */
const PATIENCE = 3_000;

/** Asks a running Kerf at its internal address what crossed the boundaries between its modules. */
export async function readObserved(internal: string): Promise<Looked<Observed>> {
  const url = new URL('/observed', internal).toString();
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined);
  if (!response) return { notLooked: `nobody answers at ${url}: start Kerf and use it, then ask again.` };
  const answer = Answer.safeParse(await response.json().catch(() => undefined));
  if (!response.ok || !answer.success) return { notLooked: `what answers at ${url} is not the internal port of this version of Kerf; --internal names another.` };
  return { facts: answer.data };
}
