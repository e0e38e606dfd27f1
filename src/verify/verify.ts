import { MODULES } from '../calls.ts';
import { type Coupon, couponContract } from '../modules/coupon/contract.ts';
import { type Inventory, inventoryContract } from '../modules/inventory/contract.ts';
import { orderContract, type Orders } from '../modules/order/contract.ts';
import { paymentContract, type Payments } from '../modules/payment/contract.ts';
import { Invariant, type Violation as Told } from '../shared/audit.ts';
import type { Contract, Service } from '../shared/contract.ts';
import type { Database } from '../shared/database.ts';
import { findForeignWriters, type Place } from '../shared/ownership.ts';
import { type Disagreement, disagreements, type OrderTruth } from './order-truth.ts';
import { joined, streamOf } from './ordered-streams.ts';
import { type EventsOf, neglected, readEvents } from './verify-events.ts';
import type { Kept } from './verify-kept.ts';

/** What modules look after themselves, and two things that show only from outside of them. */
export const INVARIANTS = [...Invariant.options, 'kept', 'owner'] as const;
export type Promised = (typeof INVARIANTS)[number];
export type Violation = Omit<Told, 'invariant'> & { invariant: Promised };

type Audited<Service extends { audit: unknown; auditOwn: unknown }> = Pick<Service, 'audit' | 'auditOwn'>;

/** The modules of a shop as its edge and its commands call them; who cannot be asked is named. */
export function sourcesOf({ service }: { service<C extends Contract>(contract: C): Service<C> }): Sources {
  const named = <Range, Page, Own>(module: string, { audit, auditOwn }: { audit(range: Range): Promise<Page>; auditOwn(nothing: object): Promise<Own> }) => {
    const naming = (error: unknown): never => {
      throw new Error(`The module ${module} could not be asked: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    };
    return { audit: (range: Range) => audit(range).catch(naming), auditOwn: (nothing: object) => auditOwn(nothing).catch(naming) };
  };
  return {
    order: named('order', service(orderContract)),
    payment: named('payment', service(paymentContract)),
    reservation: named('inventory', service(inventoryContract)),
    redemptions: named('coupon', service(couponContract)),
  };
}

/** The modules that hold a part of an order's truth, wherever they run. */
export interface Sources {
  order: Audited<Orders>;
  payment: Audited<Payments>;
  reservation: Audited<Inventory>;
  redemptions: Audited<Coupon>;
}

export interface Verification {
  /** default: all */
  only?: readonly Promised[];
  /** databases whose queues of events can be read here */
  databases: ReadonlyMap<string, Database>;
  /** reads back what clients were told; absent: the database of the public API is not known here */
  readKept?: () => Promise<Kept>;
  /** the databases that the configuration or a move names, in which a module's data may be */
  places?: readonly Place[];
  now: () => Date;
  /** milliseconds that a disagreement may last: events are delivered, and interrupted flows recover within this time */
  grace: number;
  onProgress?: (sentence: string) => void;
}

export interface Finding {
  invariant: Promised;
  /** false: what it is about is, at least in part, in databases that are not known here */
  looked: boolean;
  /** how many do not hold */
  violations: number;
  /** how many do not agree yet, and have time to */
  settling: number;
  /** the violations themselves, at most `MOST_TOLD` */
  told: Violation[];
}

export interface Report {
  /** nothing that was looked at is violated */
  holds: boolean;
  /** every order that any module names */
  orders: number;
  /** orders that did not add up at first sight and were not looked at again, for there are so many that do not */
  unconfirmed: number;
  /** in order of INVARIANTS */
  findings: Finding[];
  events: EventsOf[];
  /** modules whose database is not known here */
  eventsNotLooked: string[];
  /** databases in which a module's data may be, and that do not answer */
  ownerNotLooked: string[];
  /** how many of the answers of the last day were read back; null: none, their database is not known here */
  kept: Omit<Kept, 'sentences'> | null;
}

export const MOST_TOLD = 1_000;
const AT_ONCE = 8;
const TOLD_EVERY = 10_000;

/**
 * Reads what the modules know and judges it. Nothing stands still meanwhile: an order that does not add up is read again
 * by itself, after the others have answered the order's own state, from which all else follows. What then still differs,
 * and does so for longer than the grace, is a violation. Throws what a module throws that cannot be asked.
 */
export async function verify(sources: Sources, { only = INVARIANTS, databases, readKept, places = [], now, grace, onProgress = () => undefined }: Verification): Promise<Report> {
  const tally = createTally(only);
  const isOld = ({ since }: Disagreement) => now().getTime() - since.getTime() > grace;
  const judge = (truth: OrderTruth) => {
    const all = [...disagreements(truth, now())].filter(({ invariant }) => only.includes(invariant));
    return { settling: all.filter((one) => !isOld(one)), violations: all.filter(isOld) };
  };

  for (const source of Object.values(sources)) for (const violation of (await source.auditOwn({})).violations) tally.violation(violation);

  const doubtful: string[] = [];
  let orders = 0;
  for await (const truth of joined(streamsOf(sources))) {
    const { settling, violations } = judge(truth);
    if (violations.length > 0) doubtful.push(truth.orderId);
    else settling.forEach(tally.settling);
    orders += 1;
    if (orders % TOLD_EVERY === 0) onProgress(`${orders.toLocaleString('en')} orders are read.`);
  }

  if (doubtful.length > 0) onProgress(`${doubtful.length.toLocaleString('en')} orders are looked at again.`);
  let looked = 0;
  for (let broken = 0; looked < doubtful.length && broken < MOST_TOLD; looked += AT_ONCE) {
    const again = await Promise.all(doubtful.slice(looked, looked + AT_ONCE).map((orderId) => readAgain(sources, orderId)));
    for (const truth of again) {
      const { settling, violations } = judge(truth);
      settling.forEach(tally.settling);
      for (const { invariant, message } of violations) tally.violation({ invariant, orderId: truth.orderId, message });
      if (violations.length > 0) broken += 1;
    }
  }
  const events = only.includes('events') ? await readEvents(databases) : [];
  if (only.includes('events')) (await neglected(databases, grace)).forEach(tally.violation);
  const kept = (only.includes('kept') && (await readKept?.())) || null;
  kept?.sentences.forEach((message) => tally.violation({ invariant: 'kept', orderId: null, message }));
  const away = new Set<string>();
  if (only.includes('owner')) {
    const sentences = (await Promise.all(MODULES.map((module) => findForeignWriters(module, places, (name) => away.add(name))))).flat();
    sentences.forEach((message) => tally.violation({ invariant: 'owner', orderId: null, message }));
  }
  const eventsNotLooked = only.includes('events') ? MODULES.filter((module) => !databases.has(module)) : [];
  if (eventsNotLooked.length > 0) tally.notLooked('events');
  if (!kept) tally.notLooked('kept');
  if (places.length === 0 || away.size > 0) tally.notLooked('owner');
  const findings = tally.findings();
  const unconfirmed = Math.max(0, doubtful.length - looked);
  return { holds: findings.every(({ violations }) => violations === 0), orders, unconfirmed, findings, events, eventsNotLooked, ownerNotLooked: [...away], kept: kept && { looked: kept.looked, answers: kept.answers } };
}

const streamsOf = ({ order, payment, reservation, redemptions }: Sources) => ({
  order: streamOf('order', order.audit),
  payment: streamOf('payment', payment.audit),
  reservation: streamOf('inventory', reservation.audit),
  redemptions: streamOf('coupon', redemptions.audit),
});

/** The order itself last: whatever the others did is then the consequence of a state that it has or had, or is too young to judge. */
async function readAgain({ order, ...others }: Sources, orderId: string): Promise<OrderTruth> {
  const own = async <T extends { orderId: string }>(answer: Promise<{ items: T[] }>) => (await answer).items.find((item) => item.orderId === orderId);
  const range = { from: orderId, limit: 1 };
  const [payment, reservation, redemptions] = await Promise.all([
    own(others.payment.audit(range)), own(others.reservation.audit(range)), own(others.redemptions.audit(range)),
  ]);
  return { orderId, payment, reservation, redemptions, order: await own(order.audit(range)) };
}

function createTally(only: readonly Promised[]) {
  const byInvariant = new Map(only.map((invariant): [Promised, Finding] => [invariant, { invariant, looked: true, violations: 0, settling: 0, told: [] }]));
  return {
    violation(found: Violation): void {
      const finding = byInvariant.get(found.invariant);
      if (!finding) return;
      finding.violations += 1;
      if (finding.told.length < MOST_TOLD) finding.told.push(found);
    },
    settling({ invariant }: Disagreement): void {
      byInvariant.get(invariant)!.settling += 1;
    },
    notLooked(invariant: Promised): void {
      const finding = byInvariant.get(invariant);
      if (finding) finding.looked = false;
    },
    findings: () => [...byInvariant.values()],
  };
}
