import type { Money } from '../../shared/money.ts';
import type { Fact } from './money-facts.ts';

/** A provider's account of one charge: all that happened to its money, in provider time. Read it again, it has grown. */
export interface Charge {
  /** the provider's name for it */
  reference: string;
  /** provider time of this reading */
  at: Date;
  /** where the shopper has to go before it can be decided; null when nothing is asked of them */
  nextActionUrl: string | null;
  /** without an authorization among them, it is not decided; `at` and `reference` of a fact never change */
  facts: readonly Fact[];
}

/**
 * What a call to a provider came to.
 *
 * - `known`: it did what it did, and `charge` says what that was; a decline is a failed fact
 * - `declined`: refused for good, and nothing to be read about it at the provider
 * - `unknown`: no answer within the time, or none that can be trusted: it may have taken effect. Never `declined`
 */
export type Answer = { outcome: 'known'; charge: Charge } | { outcome: 'declined'; reason: string } | { outcome: 'unknown' };

/** `absent`: the provider has never heard of it. A request that is still on its way may change that. */
export type Reading = { outcome: 'known'; charge: Charge } | { outcome: 'absent' } | { outcome: 'unknown' };

export interface CallOptions {
  /** gives up at the deadline */
  signal: AbortSignal;
  /** the same in every repeat of one operation, and of no other: a repeat answers the first outcome and does nothing */
  idempotencyKey: string;
}

export interface Authorization {
  paymentId: string;
  operationId: string;
  amount: Money;
  /** the shopper's means of payment; not to be stored or logged */
  token: string;
  /** take the money at once */
  capture: boolean;
}

export interface ChargeOperation {
  /** of the charge */
  reference: string;
  /** kept by the provider and told again with the facts that it caused */
  operationId: string;
  amount: Money;
}

/** One company that moves money. An adapter may throw: that is taken for `unknown`. */
export interface PaymentProvider {
  name: string;
  description: string;
  testTokens: readonly { token: string; effect: string }[];
  authorize(request: Authorization, options: CallOptions): Promise<Answer>;
  capture(request: ChargeOperation, options: CallOptions): Promise<Answer>;
  /** lets go what is held, or stops a charge that waits for the shopper */
  void(request: ChargeOperation, options: CallOptions): Promise<Answer>;
  refund(request: ChargeOperation, options: CallOptions): Promise<Answer>;
  /** by our payment's id, so that it works before the reference is known */
  readState(request: { paymentId: string }, options: Pick<CallOptions, 'signal'>): Promise<Reading>;
  /** undefined when the provider did not sign this, or not recently */
  verifyWebhook(request: { headers: Readonly<Record<string, string>>; rawBody: string }): { eventId: string; reference: string } | undefined;
}
