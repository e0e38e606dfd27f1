import { createHash } from 'node:crypto';
import { type Database, deleteInBatches, rows } from '../shared/database.ts';
import { conflict, invalid } from '../shared/errors.ts';
import type { IdempotencyClaim, Principal } from '../shared/http.ts';
import { newId } from '../shared/ids.ts';

export interface StoredAnswer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** One try at an operation. Each that takes it over holds it alone from then on. */
export interface Run {
  operationId: string;
  holder: string;
}

/** What a client was told, and by which operation. */
export interface ToldAnswer {
  operation: string;
  body: string;
}

/** A process that lives renews it: who repeats a request whose process died has its answer within half a minute. */
const LEASE_SECONDS = 15;
const RENEWED_SECONDS = 5;
const KEPT_HOURS = 24;

/**
 * The claim that a request's Idempotency-Key makes. Keys belong to an account; to a guest by `guestScope`, so that the
 * weak key of one is not the answer of another.
 */
export function claimOf(
  key: string | undefined,
  principal: Principal,
  { guestScope, ...request }: { method: string; path: string; body: Buffer; guestScope: string },
): IdempotencyClaim | undefined {
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid('idempotency_key_invalid', 'Idempotency-Key must be 1 to 255 visible ASCII characters.');
  }
  const fingerprint = createHash('sha256').update(`${request.method} ${request.path}\n`).update(request.body).digest('hex');
  return { scope: principal.kind === 'user' ? `user:${principal.userId}` : guestScope, key, fingerprint };
}

export type IdempotencyStore = ReturnType<typeof createIdempotencyStore>;

/**
 * Answers kept by the edge. A run that died is taken over, after its lease, by the next request with the key, under the
 * same operation id: effects are idempotent by that id, so record and effect cannot part.
 */
export function createIdempotencyStore(db: Database, now: () => Date) {
  const heldBy = ({ operationId, holder }: Run) => db('idempotency_records').where({ id: operationId, holder, state: 'running' });
  return {
    /** The operation to run, or the answer it had. Throws `idempotency_key_in_use` or `idempotency_key_reused`. */
    async begin(claim: IdempotencyClaim): Promise<Run | { answer: StoredAnswer }> {
      const at = now();
      const [mine] = await rows<Run>(
        db,
        `insert into idempotency_records as r (id, holder, scope, key, fingerprint, state, lease_until, created_at)
         values (:id, :id, :scope, :key, :fingerprint, 'running', :lease, :at)
         on conflict (scope, key) do update set
           id = case when r.created_at < :oldest then excluded.id else r.id end,
           holder = excluded.holder, fingerprint = excluded.fingerprint, state = 'running', lease_until = excluded.lease_until,
           status = null, body = null, headers = null,
           created_at = case when r.created_at < :oldest then excluded.created_at else r.created_at end
         where r.created_at < :oldest
            or (r.state = 'running' and r.lease_until < :at and r.fingerprint = excluded.fingerprint)
         returning r.id as "operationId", r.holder`,
        { ...claim, id: newId(), at, lease: inSeconds(at, LEASE_SECONDS), oldest: inSeconds(at, -KEPT_HOURS * 3_600) },
      );
      if (mine) return mine;
      const [known] = await rows<StoredAnswer & { fingerprint: string; state: string }>(
        db,
        'select fingerprint, state, status, body, headers from idempotency_records where scope = :scope and key = :key',
        { scope: claim.scope, key: claim.key },
      );
      if (known && known.fingerprint !== claim.fingerprint) throw keyReused();
      if (known?.state !== 'done') throw keyInUse();
      return { answer: { status: known.status, body: known.body, headers: known.headers } };
    },

    /** Runs what was begun, which nobody takes over for as long as it runs here. */
    async hold<T>(run: Run, work: () => Promise<T>): Promise<T> {
      const renew = () => heldBy(run).update({ lease_until: inSeconds(now(), LEASE_SECONDS) });
      // A renewal that fails is made up for by the next one.
      const renewal = setInterval(() => void renew().catch(() => undefined), RENEWED_SECONDS * 1_000);
      return work().finally(() => clearInterval(renewal));
    },

    /** What to answer: when another run took over and kept an answer first, that one. `operation`: by its name in the API. */
    async finish(run: Run, answer: StoredAnswer, operation: string): Promise<StoredAnswer> {
      const kept = await heldBy(run).update({ state: 'done', status: answer.status, body: answer.body, headers: JSON.stringify(answer.headers), operation });
      if (kept > 0) return answer;
      const other = await db('idempotency_records').where({ id: run.operationId, state: 'done' }).first('status', 'body', 'headers');
      return other ?? answer;
    },

    /** The newest answers that told of an effect to these operations, and how many there are. For whoever reads back what was told. */
    async told(operations: readonly string[], limit: number): Promise<{ newest: ToldAnswer[]; all: number }> {
      const kept = `from idempotency_records where operation = any(:operations) and status between 200 and 299 and created_at >= :oldest`;
      const bindings = { operations: [...operations], oldest: inSeconds(now(), -KEPT_HOURS * 3_600), limit };
      const newest = await rows<ToldAnswer>(db, `select operation, body ${kept} order by created_at desc limit :limit`, bindings);
      const [counted] = await rows<{ all: string }>(db, `select count(*) as "all" ${kept}`, bindings);
      return { newest, all: Number(counted!.all) };
    },

    /** The run failed on our side: the next request with the key may take it over at once. */
    async abandon(run: Run): Promise<void> {
      await heldBy(run).update({ lease_until: inSeconds(now(), -1) });
    },

    /** Deletes what is older than a day. */
    async tidy(): Promise<void> {
      const old = (table: string, condition: string) =>
        `delete from ${table} where ctid in (select ctid from ${table} where ${condition} limit :limit for update skip locked)`;
      await deleteInBatches(db, old('idempotency_records', 'created_at < :before'), { before: inSeconds(now(), -KEPT_HOURS * 3_600) });
      await deleteInBatches(db, old('rate_limits', 'expire < :before'), { before: now().getTime() - 3_600_000 });
    },
  };
}

export const keyInUse = () => conflict('idempotency_key_in_use', 'The first request with this Idempotency-Key is still running.');
export const keyReused = () => conflict('idempotency_key_reused', 'This Idempotency-Key was used for a different request.');

const inSeconds = (from: Date, seconds: number) => new Date(from.getTime() + seconds * 1_000);
