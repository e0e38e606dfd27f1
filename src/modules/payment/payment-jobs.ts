import { newId } from '../../shared/ids.ts';
import type { Background, ModuleContext } from '../../shared/module.ts';
import { type Ledger, ledgerOf, type Operation } from './money-facts.ts';
import { isStale, isStuck, overdueFrom, type PaymentRecord, toGiveBack } from './payment.ts';
import { findEvents, findPayment, takeOverdue } from './payment-repository.ts';
import type { OperationFlow } from './operation-flow.ts';
import type { ProviderFlow } from './provider-flow.ts';
import { failed, heardBy, NOTHING_HEARD, type Heard, type SettleFlow } from './settle-flow.ts';
import { deleteProcessed } from './webhook-repository.ts';

/** Most payments that one turn of the sweep takes on. */
const SWEPT_AT_ONCE = 20;
const WEBHOOKS_KEPT_DAYS = 30;
/** Most webhooks that one turn of the sweep deletes; the next one goes on. */
const DELETED_AT_ONCE = 500;

/** `checks`: the round this was planned in; a later one has its own job. */
export interface Check {
  paymentId: string;
  checks: number;
}

type Parts = { providers: ProviderFlow; operations: OperationFlow } & SettleFlow;

/**
 * What goes on with a payment after its caller has gone: asks until it is decided, repeats under the same key what was
 * not answered, and gives back what a closed one holds; where the provider refuses that for good, it only looks on until
 * a person has put it right there. Settling plans the next round, if there has to be one; the sweep
 * finds payments whose round never came, because its process died.
 */
export function createPaymentJobs({ db, now, log }: ModuleContext, { providers, operations, settle }: Parts): Pick<Required<Background>, 'jobs' | 'sweeps'> {
  return {
    jobs: { 'check-payment': checkPlanned, 'undo-payment': checkPlanned },
    sweeps: [{ name: 'overdue payments', every: 5, run: sweep }],
  };

  async function checkPlanned({ paymentId, checks }: Check): Promise<void> {
    const payment = await findPayment(db, paymentId);
    if (payment?.checks === checks) await check(payment);
  }

  async function sweep(): Promise<void> {
    await checkOverdue();
    const processedBefore = new Date(now().getTime() - WEBHOOKS_KEPT_DAYS * 86_400_000);
    await deleteProcessed(db, { processedBefore, limit: DELETED_AT_ONCE });
  }

  async function checkOverdue(): Promise<void> {
    const taken = await takeOverdue(db, { now: now(), until: overdueFrom(now()), limit: SWEPT_AT_ONCE });
    await Promise.all(taken.map((id) => checkOne(id).catch((error: unknown) => log.warn({ err: error, payment: id }, 'a payment could not be checked; it is tried again'))));
  }

  async function checkOne(paymentId: string): Promise<void> {
    const payment = await findPayment(db, paymentId);
    if (payment) await check(payment);
  }

  async function check(known: PaymentRecord): Promise<void> {
    if (known.overdueAt === null) return;
    const before = ledgerOf(await findEvents(db, known.id));
    const authorization = before.pending.find(({ kind }) => kind === 'authorization');
    const heard = authorization && (await settle(known.id, await askAgain(known, authorization)));
    const { payment, ledger } = heard ?? { payment: known, ledger: before };
    const unanswered = ledger.pending.filter((operation) => operation.kind !== 'authorization' && isStale(operation, now()));
    const owed = await giveBack(payment, ledger);
    for (const operation of [...unanswered, ...owed]) await operations.run(payment, operation);
    if (heard || unanswered.length + owed.length > 0) return;
    const reading = isStuck(payment, ledger) ? await providers.read(payment) : undefined;
    await settle(payment.id, reading?.outcome === 'known' ? { charge: reading.charge, facts: reading.charge.facts } : NOTHING_HEARD);
  }

  /** A provider that never heard of it is asked once more, unless the first request may still be on its way to it. */
  async function askAgain(payment: PaymentRecord, authorization: Operation): Promise<Heard> {
    const reading = await providers.read(payment);
    if (reading.outcome !== 'absent') return heardBy(reading, authorization, now());
    if (!isStale(authorization, now())) return NOTHING_HEARD;
    if (payment.closedAs) return failed(authorization, 'never_charged', now());
    return heardBy(await providers.perform(payment, authorization), authorization, now());
  }

  async function giveBack(payment: PaymentRecord, ledger: Ledger): Promise<Operation[]> {
    if (toGiveBack(payment, ledger).length === 0) return [];
    const asked = await operations.ask(payment.id, (current, sums) =>
      toGiveBack(current, sums).map((wanted) => ({ ...wanted, operationId: newId(), reason: current.closedAs ?? '' })),
    );
    return asked.operations;
  }
}
