import { type Database, rows, type Transaction } from '../../shared/database.ts';
import { newId } from '../../shared/ids.ts';
import type { Currency } from '../../shared/money.ts';
import type { PaymentState } from './contract.ts';
import type { Fact } from './money-facts.ts';
import type { PaymentRecord, Terms } from './payment.ts';

/** A fact as it was recorded. */
export type MoneyEventRow = Fact & { id: string };

interface PaymentRow {
  id: string;
  order_id: string;
  provider: string;
  amount: string;
  currency: Currency;
  capture: Terms['capture'];
  state: PaymentState;
  closed_as: PaymentRecord['closedAs'];
  reference: string | null;
  read_at: Date | null;
  next_action_url: string | null;
  decline_reason: string | null;
  authorized: string;
  captured: string;
  refunded: string;
  refund_pending: string;
  sealed_token: string | null;
  checks: number;
  overdue_at: Date | null;
  version: number;
  created_at: Date;
}

export type NewPayment = Terms & Pick<PaymentRecord, 'id' | 'orderId' | 'state' | 'sealedToken' | 'overdueAt' | 'createdAt'>;

/**
 * The order's payment when this is its first; undefined when it has one. On a tombstone it fills in the terms and leaves
 * it cancelled. One statement, so that of two at once one waits for the other.
 */
export async function insertPayment(trx: Transaction, payment: NewPayment): Promise<PaymentRecord | undefined> {
  const [row] = await rows<PaymentRow>(
    trx,
    `insert into payments (id, order_id, provider, amount, currency, capture, state, sealed_token, overdue_at, created_at)
     values (:id, :orderId, :provider, :sum, :currency, :capture, :state, :sealedToken, :overdueAt, :createdAt)
     on conflict (order_id) do update
       set provider = excluded.provider, amount = excluded.amount, currency = excluded.currency, capture = excluded.capture,
           version = payments.version + 1
       where payments.amount is null
     returning *`,
    { ...payment, sum: payment.amount.amount, currency: payment.amount.currency },
  );
  return row && toRecord(row);
}

/**
 * Marks the order's payment as cancelled, or leaves a tombstone where there is none. Answers what there is to undo:
 * nothing when there was no payment, or it was closed before.
 */
export async function closePayment(
  trx: Transaction,
  { orderId, overdueAt, now }: { orderId: string; overdueAt: Date; now: Date },
): Promise<{ id: string; checks: number } | undefined> {
  const [row] = await rows<{ id: string; checks: number; has_terms: boolean }>(
    trx,
    `insert into payments (id, order_id, state, closed_as, created_at)
     values (:id, :orderId, 'cancelled', 'cancelled', :now)
     on conflict (order_id) do update
       set state = 'processing', closed_as = 'cancelled', checks = payments.checks + 1, overdue_at = :overdueAt,
           version = payments.version + 1
       where payments.closed_as is null
     returning id, checks, amount is not null as has_terms`,
    { id: newId(), orderId, overdueAt, now },
  );
  return row?.has_terms ? { id: row.id, checks: row.checks } : undefined;
}

export const findPayment = (db: Database, id: string) => findOne(db, 'id = ?', id);
export const findPaymentOfOrder = (db: Database | Transaction, orderId: string) => findOne(db, 'order_id = ?', orderId);
export const lockPayment = (trx: Transaction, id: string) => findOne(trx, 'id = ?', id, 'for update');

export async function findPaymentByReference(db: Database, provider: string, reference: string): Promise<PaymentRecord | undefined> {
  const [row] = await rows<PaymentRow>(db, 'select * from payments where provider = ? and reference = ?', [provider, reference]);
  return row && toRecord(row);
}

async function findOne(db: Database | Transaction, where: string, key: string, lock = ''): Promise<PaymentRecord | undefined> {
  const [row] = await rows<PaymentRow>(db, `select * from payments where ${where} and amount is not null ${lock}`, [key]);
  return row && toRecord(row);
}

export interface PaymentFilter {
  orderId?: string | undefined;
  state?: PaymentState | undefined;
  /** id of the last payment on the page before */
  before?: string | undefined;
  limit: number;
}

/** Newest first. */
export async function listPayments(db: Database, { orderId, state, before, limit }: PaymentFilter): Promise<PaymentRecord[]> {
  const query = db<PaymentRow>('payments').whereNotNull('amount').orderBy('id', 'desc').limit(limit);
  if (orderId) query.where({ order_id: orderId });
  if (state) query.where({ state });
  if (before) query.where('id', '<', before);
  const found: PaymentRow[] = await query;
  return found.map(toRecord);
}

/** Writes what has become of a payment, and the facts it was learnt from: one statement. Terms, order and time of creation never change. */
export async function updatePayment(trx: Transaction, payment: PaymentRecord, fresh?: { facts: readonly Fact[]; recordedAt: Date }): Promise<void> {
  const update = trx('payments').where({ id: payment.id }).update({
    state: payment.state,
    closed_as: payment.closedAs,
    reference: payment.reference,
    read_at: payment.readAt,
    next_action_url: payment.nextActionUrl,
    decline_reason: payment.declineReason,
    authorized: payment.authorized,
    captured: payment.captured,
    refunded: payment.refunded,
    refund_pending: payment.refundPending,
    sealed_token: payment.sealedToken,
    checks: payment.checks,
    overdue_at: payment.overdueAt,
    version: payment.version,
  });
  if (fresh && fresh.facts.length > 0) update.with('facts', insertEvents(trx, payment.id, fresh.facts, fresh.recordedAt));
  await update;
}

/** Payments that were due before `now`, taken by moving their time on to `until`: no two processes get the same. */
export async function takeOverdue(db: Database, { now, until, limit }: { now: Date; until: Date; limit: number }): Promise<string[]> {
  const taken = await rows<{ id: string }>(
    db,
    `update payments set overdue_at = :until
     where id in (select id from payments where overdue_at <= :now order by overdue_at limit :limit for update skip locked)
     returning id`,
    { now, until, limit },
  );
  return taken.map(({ id }) => id);
}

interface FactRow extends Omit<MoneyEventRow, 'amount' | 'operationId'> {
  amount: string;
  operation_id: string | null;
}

/** In the order in which they were recorded; those recorded together, in the order in which they can have happened. */
export async function findEvents(db: Database | Transaction, paymentId: string): Promise<MoneyEventRow[]> {
  const found = await rows<FactRow>(
    db,
    `select id, kind, outcome, amount, reference, operation_id, reason, at from money_events where payment_id = ?
     order by recorded_at, at, (outcome = 'pending') desc, kind, id`,
    [paymentId],
  );
  return found.map(({ operation_id, amount, ...fact }) => ({ ...fact, operationId: operation_id, amount: Number(amount) }));
}

export const insertEvents = (trx: Transaction, paymentId: string, facts: readonly Fact[], recordedAt: Date) =>
  trx('money_events').insert(
    facts.map(({ operationId, ...fact }) => ({
      id: newId(),
      payment_id: paymentId,
      kind: fact.kind,
      outcome: fact.outcome,
      amount: fact.amount,
      reference: fact.reference,
      operation_id: operationId,
      reason: fact.reason,
      at: fact.at,
      recorded_at: recordedAt,
    })),
  );

function toRecord(row: PaymentRow): PaymentRecord {
  return {
    id: row.id,
    orderId: row.order_id,
    provider: row.provider,
    amount: { amount: Number(row.amount), currency: row.currency },
    capture: row.capture,
    state: row.state,
    closedAs: row.closed_as,
    reference: row.reference,
    readAt: row.read_at,
    nextActionUrl: row.next_action_url,
    declineReason: row.decline_reason,
    authorized: Number(row.authorized),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    refundPending: Number(row.refund_pending),
    sealedToken: row.sealed_token,
    checks: row.checks,
    overdueAt: row.overdue_at,
    version: row.version,
    createdAt: row.created_at,
  };
}
