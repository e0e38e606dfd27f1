import { MOST_VIOLATIONS, toAuditPage, type Violation } from '../../shared/audit.ts';
import type { ModuleContext } from '../../shared/module.ts';
import { findViolations } from '../../shared/violations.ts';
import { type DoubtfulPayment, findDoubtfulPayments, findPaymentSums, PAYMENT_CHECKS } from './audit-repository.ts';
import type { Payments } from './contract.ts';
import { ledgerOf } from './money-facts.ts';

export const createAuditService = ({ db }: ModuleContext): Pick<Payments, 'audit' | 'auditOwn'> => ({
  audit: async (range) => toAuditPage(await findPaymentSums(db, range), range.limit),

  async auditOwn() {
    const sums = (await findDoubtfulPayments(db)).flatMap(wrongSums);
    return { violations: [...sums, ...(await findViolations(db, PAYMENT_CHECKS))].slice(0, MOST_VIOLATIONS) };
  },
});

function wrongSums({ orderId, authorized, captured, refunded, facts }: DoubtfulPayment): Violation[] {
  const ledger = ledgerOf(facts);
  const held = Math.max(0, ledger.authorized - ledger.voided);
  if (authorized === held && captured === ledger.captured && refunded === ledger.refunded) return [];
  const sentence = (kept: number[]) => `${kept[0]} held, ${kept[1]} taken and ${kept[2]} given back`;
  const message = `The payment of order ${orderId} says ${sentence([authorized, captured, refunded])}, and its money events come to ${sentence([held, ledger.captured, ledger.refunded])}.`;
  return [{ invariant: 'money', orderId, message }];
}
