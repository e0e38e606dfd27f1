import { Client } from 'pg';
import { MODULES } from '../../src/calls.ts';
import type { Processes } from './processes.ts';
import { createNeutral, type Transcript } from './transcript.ts';

export interface Sent {
  /** what a reader of the transcript is told about it */
  as: string;
  token?: string | undefined;
  headers?: Record<string, string>;
  body?: object;
  /** waited for before anything goes on; how it came about depends on clocks, so that no spans are written down */
  later?: ((answer: Answer) => Promise<boolean>) | undefined;
}

/** What a script reads of bodies, each where there is one. */
export interface Body {
  id: string;
  secret: string;
  state: string;
  paymentStatus: string;
  accessToken: string;
  refreshToken: string;
  nextAction: { url: string };
  variants: { id: string; sku: string }[];
  items: { id: string }[];
}

/** An answer of the public API. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Body;
}

export interface Recorder {
  /** one request, whose answer and whose spans of all processes are written down */
  send(method: string, path: string, sent: Sent): Promise<Answer>;
  /** asks until it is so, and writes nothing down */
  until(seen: () => Promise<boolean>): Promise<void>;
  /** milliseconds that the shop's clock is ahead of ours from now on */
  setClock(ahead: number): Promise<void>;
  read(path: string, headers?: Record<string, string>): Promise<Body>;
  /** what was written down so far */
  transcript: Transcript;
  /** adds the calls and events that were seen */
  finish(): Promise<void>;
}

/** Headers that tell a client something. A weak ETag is a digest of the body, which stands there itself. */
const HEADERS = ['content-type', 'location', 'etag', 'retry-after', 'www-authenticate', 'idempotent-replayed', 'cache-control'];
const MOST_TRIES = 600;
const PAUSE = 50;

/** Writes a run against a shop down. Before the next request everything is done that the last one left to events and jobs. */
export async function createRecorder(processes: Processes, databases: Readonly<Record<string, string>>): Promise<Recorder & { close(): Promise<void> }> {
  const admins = new Map([...new Set(Object.values(databases))].map((connectionString) => [connectionString, new Client({ connectionString })]));
  await Promise.all([...admins.values()].map((admin) => admin.connect()));
  const lines: Transcript = [];
  const clock = { ahead: 0, stepBegan: 0 };
  const neutral = createNeutral(processes.url, () => clock.stepBegan);
  let step = 0;

  const request = async (method: string, path: string, { token, headers, body }: Omit<Sent, 'as' | 'later'>): Promise<Answer> => {
    const answer = await fetch(path.startsWith('http') ? path : `${processes.url}/v1${path}`, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: (text && JSON.parse(text)) as Body };
  };
  const until = async (seen: () => Promise<boolean>) => {
    for (let tries = 0; !(await Promise.race([seen(), processes.died])); tries += 1) {
      if (tries === MOST_TRIES) throw new Error(`What was waited for after step ${step} did not come.`);
      await new Promise((resume) => setTimeout(resume, PAUSE));
    }
  };
  /** rows of every module's queue */
  const queued = async <Row extends object>(what: string): Promise<Row[]> => {
    const modulesIn = Map.groupBy(MODULES, (module) => databases[module]!);
    const found = await Promise.all([...modulesIn].map(([url, modules]) => admins.get(url)!.query<Row>(modules.map((module) => what.replace('queue', `${module}_jobs.job`)).join(' union all '))));
    return found.flatMap(({ rows }) => rows);
  };
  const idle = async () =>
    (await queued(`select 1 from queue where name in ('events', 'jobs') and (state in ('retry', 'active') or (state = 'created' and start_after <= now()))`)).length === 0;

  return {
    async send(method, path, sent) {
      step += 1;
      clock.stepBegan = Date.now() + clock.ahead;
      const traceId = String(step).padStart(32, '0');
      const answer = await Promise.race([request(method, path, { ...sent, headers: { ...sent.headers, traceparent: `00-${traceId}-${'1'.padStart(16, '0')}-01` } }), processes.died]);
      if (sent.later) await until(() => sent.later!(answer));
      await until(idle);
      const spans = sent.later ? [] : (await processes.askAll('spansOf', traceId)).flat().toSorted();
      const told = HEADERS.flatMap((name) => (answer.headers.get(name)?.startsWith('W/') === false ? [`${name}: ${answer.headers.get(name)}`] : []));
      const text = [
        `# ${step}. ${method} ${path} ${sent.as}`,
        `${answer.status}`,
        ...told,
        ...(answer.body ? JSON.stringify(answer.body, null, 1).split('\n') : []),
        ...counted(spans).map((span) => `span ${span}`),
      ];
      lines.push(...text.map(neutral));
      return answer;
    },
    until,
    async setClock(ahead) {
      await processes.askAll('setClock', ahead);
      clock.ahead = ahead;
    },
    transcript: lines,
    read: async (path, headers = {}) => (await request('GET', path, { headers })).body,
    async finish() {
      const observed = await processes.askAll('observed');
      const seen = (title: string, entries: string[]) => lines.push(`# ${title}`, ...entries.toSorted());
      seen('calls between modules', [...new Set(observed.flatMap(({ calls }) => calls.map(({ from, to, method }) => `${from} → ${to}.${method}`)))]);
      seen('events delivered', counted(observed.flatMap(({ events }) => events.flatMap(({ type, from, to, count }) => Array.from({ length: count }, () => `${type} from ${from} to ${to}`))).toSorted()));
      const kept = await queued<{ type: string; to: string; state: string }>(`select data->'event'->>'type' as type, data->>'to' as to, state::text from queue where name = 'events'`);
      seen('events in the queues of their publishers', counted(kept.map(({ type, to, state }) => `${type} for ${to}: ${state}`).toSorted()));
      seen('statements that name a schema of another module', observed.flatMap(({ foreignStatements }) => foreignStatements.map(({ module, statement }) => `${module}: ${statement}`)));
    },
    close: async () => void (await Promise.all([...admins.values()].map((admin) => admin.end()))),
  };
}

const counted = (entries: readonly string[]): string[] => [...Map.groupBy(entries, (entry) => entry)].map(([entry, { length }]) => `${length} × ${entry}`);
