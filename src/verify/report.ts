import type { Finding, Promised, Report } from './verify.ts';
import { KEPT_OPERATIONS } from './verify-kept.ts';

const PROMISES: Record<Promised, string> = {
  stock: 'what is on hand, held and sold is what the ledger and the orders say',
  coupon: 'uses are within their limits, and each belongs to the order that shows it',
  money: 'sums agree: lines with totals, payments with orders, refunds with what was taken',
  once: 'one live order per cart, one charge per order',
  history: 'states follow each other as the machines allow',
  ending: 'nothing is left halfway',
  events: 'deliveries are worked on, or seen where they failed, and tell of what happened',
  kept: 'what clients were told within a day under an Idempotency-Key is there',
  owner: 'the data of a module can be written in one place, by nobody else',
};

const SHOWN = 20;
const count = (number: number) => number.toLocaleString('en');

/** One line per invariant, then every kind of violation in sentences. */
export function formatReport({ orders, unconfirmed, findings, events, eventsNotLooked, ownerNotLooked, kept }: Report): string {
  const lines = findings.map(({ invariant, looked, violations, settling }) => {
    const verdict = violations === 0 ? (looked ? 'holds' : 'not looked at') : `${count(violations)} ${violations === 1 ? 'violation' : 'violations'}`;
    return `${invariant.padEnd(8)} ${verdict.padEnd(14)} ${PROMISES[invariant]}${settling > 0 ? ` (${count(settling)} settling)` : ''}`;
  });
  const [waiting, dead] = [sum(events.map((one) => one.waiting + one.retrying)), sum(events.map((one) => one.dead))];
  return [
    ...lines,
    ...findings.filter(({ violations }) => violations > 0).flatMap(sentences),
    '',
    ...(waiting > 0 ? [`${count(waiting)} deliveries of events are on their way.`] : []),
    ...(dead > 0 ? [`${count(dead)} deliveries failed for good: kerf events list --state dead.`] : []),
    ...(eventsNotLooked.length > 0 ? [`Events of ${eventsNotLooked.join(', ')} were not looked at: the database is not known here.`] : []),
    ...(findings.some(({ invariant, looked }) => invariant === 'owner' && !looked) ? [ownersNotIn(ownerNotLooked)] : []),
    ...(findings.some(({ invariant }) => invariant === 'kept') ? [keptIn(kept)] : []),
    ...(unconfirmed > 0 ? [`${count(unconfirmed)} more orders did not add up at first sight and were not looked at again.`] : []),
    orders === 0 ? 'No order was looked at: this shop has none.' : `${count(orders)} ${orders === 1 ? 'order was' : 'orders were'} looked at.`,
  ].join('\n');
}

const ownersNotIn = (away: string[]) =>
  away.length > 0 ? `Who may write in ${away.join(', ')} was not looked at: it does not answer.` : 'Who may write where was not looked at: the databases are not known here.';

const keptIn = (kept: Report['kept']) =>
  kept
    ? `${count(kept.looked)} of ${count(kept.answers)} answers under an Idempotency-Key of the last 24 h were read back, of these operations: ${KEPT_OPERATIONS.join(', ')}.`
    : 'What clients were told was not read back: the database of the public API is not known here.';

function sentences({ invariant, violations, told }: Finding): string[] {
  const more = violations - Math.min(SHOWN, told.length);
  return ['', `${invariant}:`, ...told.slice(0, SHOWN).map(({ message }) => `  ${message}`), ...(more > 0 ? [`  … and ${count(more)} more`] : [])];
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
