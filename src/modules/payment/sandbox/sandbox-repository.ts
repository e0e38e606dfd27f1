import { type Database, rows, type Transaction } from '../../../shared/database.ts';
import type { Currency } from '../../../shared/money.ts';
import type { SandboxCharge, SandboxOperation } from './sandbox-charge.ts';

export type StoredCharge = SandboxCharge & { currency: Currency };

interface ChargeRow {
  reference: string;
  payment_id: string;
  operation_id: string;
  amount: string;
  currency: Currency;
  capture: boolean;
  verdict: SandboxCharge['verdict'];
  reason: string;
  decided_at: Date | null;
}

interface OperationRow extends Omit<SandboxOperation, 'amount' | 'operationId'> {
  operation_id: string;
  amount: string;
}

/** The charge, when this is the first request with the key. */
export async function insertCharge(
  db: Database | Transaction,
  charge: StoredCharge & { idempotencyKey: string; createdAt: Date },
): Promise<StoredCharge | undefined> {
  const [row] = await rows<ChargeRow>(
    db,
    `insert into sandbox_charges (reference, idempotency_key, payment_id, operation_id, amount, currency, capture, verdict, reason, decided_at, created_at)
     values (:reference, :idempotencyKey, :paymentId, :operationId, :amount, :currency, :capture, :verdict, :reason, :decidedAt, :createdAt)
     on conflict (idempotency_key) do nothing returning *`,
    { ...charge },
  );
  return row && toCharge(row);
}

export const findCharge = (db: Database | Transaction, reference: string) => findOne(db, 'reference = ?', reference);
export const lockCharge = (trx: Transaction, reference: string) => findOne(trx, 'reference = ? for update', reference);
export const findChargeOfKey = (db: Database | Transaction, idempotencyKey: string) => findOne(db, 'idempotency_key = ?', idempotencyKey);
export const findChargeOfPayment = (db: Database, paymentId: string) => findOne(db, 'payment_id = ?', paymentId);

async function findOne(db: Database | Transaction, where: string, key: string): Promise<StoredCharge | undefined> {
  const [row] = await rows<ChargeRow>(db, `select * from sandbox_charges where ${where}`, [key]);
  return row && toCharge(row);
}

export async function decideCharge(trx: Transaction, reference: string, verdict: Pick<SandboxCharge, 'verdict' | 'reason' | 'decidedAt'>): Promise<void> {
  await trx('sandbox_charges')
    .where({ reference })
    .update({ verdict: verdict.verdict, reason: verdict.reason, decided_at: verdict.decidedAt });
}

export async function findOperations(db: Database | Transaction, charge: string): Promise<(SandboxOperation & { idempotencyKey: string })[]> {
  const found = await rows<OperationRow & { idempotency_key: string }>(
    db,
    'select reference, idempotency_key, kind, operation_id, outcome, amount, reason, at from sandbox_operations where charge = ?',
    [charge],
  );
  return found.map(({ operation_id, idempotency_key, amount, ...row }) => ({
    ...row,
    operationId: operation_id,
    idempotencyKey: idempotency_key,
    amount: Number(amount),
  }));
}

export async function insertOperation(
  trx: Transaction,
  { operationId, idempotencyKey, ...operation }: SandboxOperation & { charge: string; idempotencyKey: string },
): Promise<void> {
  await trx('sandbox_operations').insert({ ...operation, operation_id: operationId, idempotency_key: idempotencyKey });
}

function toCharge(row: ChargeRow): StoredCharge {
  return {
    reference: row.reference,
    paymentId: row.payment_id,
    operationId: row.operation_id,
    amount: Number(row.amount),
    currency: row.currency,
    capture: row.capture,
    verdict: row.verdict,
    reason: row.reason,
    decidedAt: row.decided_at,
  };
}
