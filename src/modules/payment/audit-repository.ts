import { type AuditRange, MOST_VIOLATIONS } from '../../shared/audit.ts';
import { type Database, rows } from '../../shared/database.ts';
import { type Check, published } from '../../shared/violations.ts';
import type { PaymentSums } from './contract.ts';
import type { Fact } from './money-facts.ts';
import { MOST_REFUSALS } from './payment.ts';

interface SumsRow {
  order_id: string;
  state: PaymentSums['state'];
  amount: string | null;
  currency: NonNullable<PaymentSums['amount']>['currency'];
  authorized: string;
  captured: string;
  refunded: string;
  refund_pending: string;
  overdue_at: Date | null;
  since: Date;
}

/** One order more than asked for, when there is one. */
export async function findPaymentSums(db: Database, { from, limit }: AuditRange): Promise<PaymentSums[]> {
  const found = await rows<SumsRow>(
    db,
    `select order_id, state, amount, currency, authorized, captured, refunded, refund_pending, overdue_at,
       coalesce((select max(recorded_at) from money_events where payment_id = p.id), created_at) as since
     from payments p where (:from::uuid is null or order_id >= :from) order by order_id limit :limit`,
    { from, limit: limit + 1 },
  );
  return found.map((row) => ({
    orderId: row.order_id,
    state: row.state,
    amount: row.amount === null ? null : { amount: Number(row.amount), currency: row.currency },
    authorized: Number(row.authorized),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    refundPending: Number(row.refund_pending),
    overdueAt: row.overdue_at?.toISOString() ?? null,
    since: row.since.toISOString(),
  }));
}

export interface DoubtfulPayment {
  orderId: string;
  authorized: number;
  captured: number;
  refunded: number;
  facts: Fact[];
}

interface DoubtfulRow {
  order_id: string;
  authorized: string;
  captured: string;
  refunded: string;
  facts: (Omit<Fact, 'at'> & { at: string })[];
}

/** Payments whose sums are not simply those of the successes told of them: what the facts mean, the domain knows. */
export async function findDoubtfulPayments(db: Database): Promise<DoubtfulPayment[]> {
  const found = await rows<DoubtfulRow>(
    db,
    `select p.order_id, p.authorized, p.captured, p.refunded,
       (select coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'outcome', outcome, 'amount', amount, 'reference', reference,
          'operationId', operation_id, 'reason', reason, 'at', at)), '[]') from money_events where payment_id = p.id) as facts
     from payments p left join (
       select payment_id,
         sum(case kind when 'authorization' then amount when 'void' then -amount else 0 end) as authorized,
         sum(amount) filter (where kind = 'capture') as captured,
         sum(amount) filter (where kind = 'refund') as refunded
       from money_events where outcome = 'succeeded' group by payment_id
     ) as told on told.payment_id = p.id
     where p.authorized <> greatest(0, coalesce(told.authorized, 0))
       or p.captured <> coalesce(told.captured, 0) or p.refunded <> coalesce(told.refunded, 0)
     order by p.id limit :most`,
    { most: MOST_VIOLATIONS },
  );
  return found.map((row) => ({
    orderId: row.order_id,
    authorized: Number(row.authorized),
    captured: Number(row.captured),
    refunded: Number(row.refunded),
    facts: row.facts.map((fact) => ({ ...fact, at: new Date(fact.at) })),
  }));
}

export const PAYMENT_CHECKS: readonly Check[] = [
  {
    invariant: 'money',
    sql: `select order_id as "orderId", format('For order %s %s were taken, and %s were asked for.', order_id, captured, amount) as message
      from payments where captured > amount`,
  },
  {
    invariant: 'money',
    sql: `select order_id as "orderId", format('Of the payment of order %s %s were given back, and %s taken.', order_id, refunded, captured) as message
      from payments where refunded > captured`,
  },
  {
    invariant: 'once',
    sql: `select p.order_id as "orderId", format('Order %s was charged %s times: %s.', p.order_id, count(distinct e.reference), string_agg(distinct e.reference, ', ')) as message
      from payments p join money_events e on e.payment_id = p.id
      where e.kind = 'authorization' and e.outcome = 'succeeded' group by p.order_id having count(distinct e.reference) > 1`,
  },
  {
    invariant: 'history',
    sql: `select order_id as "orderId", format('The payment of order %s is %s with %s held, %s taken and %s given back.', order_id, state, authorized, captured, refunded) as message
      from payments
      where (state = 'captured' and captured = 0 and amount <> 0) or (state = 'authorized' and authorized <= captured)
        or (state in ('declined', 'cancelled') and (captured > refunded or authorized > captured))
        or (state = 'requires_action' and (captured > 0 or authorized > 0))
        or (state in ('declined', 'cancelled') and closed_as is distinct from state)`,
  },
  {
    invariant: 'ending',
    sql: `select order_id as "orderId", format('The payment of order %s is undecided, and nobody is to ask the provider again.', order_id) as message
      from payments where overdue_at is null and (state = 'processing' or refund_pending > 0)`,
  },
  {
    invariant: 'ending',
    sql: `select p.order_id as "orderId", format('The provider refused %s times to give back what it holds for order %s, at last because: %s. Give it back there by hand; it is looked for every five minutes.', refused.times, p.order_id, refused.reason) as message
      from payments p cross join lateral (
        select count(distinct reference) as times, (array_agg(reason order by at desc))[1] as reason
        from money_events where payment_id = p.id and kind in ('refund', 'void') and outcome = 'failed'
      ) as refused
      where p.closed_as is not null and p.state = 'processing' and refused.times >= :mostRefusals`,
    bindings: { mostRefusals: MOST_REFUSALS },
  },
  {
    invariant: 'events',
    sql: `select subject as "orderId", format('%s was published for order %s, and nothing of the kind happened to its payment.', type, subject) as message
      from ${published('payment')} join (values
        ('payment.authorized', 'authorization', 'succeeded'), ('payment.captured', 'capture', 'succeeded'),
        ('payment.declined', 'authorization', 'failed'), ('payment.refunded', 'refund', 'succeeded')
      ) as meaning (type, kind, outcome) using (type)
      where not exists (
        select from payments p join money_events e on e.payment_id = p.id
        where p.order_id = subject and e.kind = meaning.kind and e.outcome = meaning.outcome
      )`,
  },
];
