import { type Currency, formatAmount } from '../../shared/money.ts';
import type { CodeReason } from './contract.ts';

/** Why a promotion takes nothing off: for machines, and in one sentence for the shopper who entered its code. */
export interface Refusal {
  reason: CodeReason;
  message: string;
}

const SENTENCES = {
  unknown_code: 'There is no such code.',
  not_started: 'This code is not valid yet.',
  ended: 'This code has ended.',
  paused: 'This code cannot be used at the moment.',
  no_eligible_items: 'Nothing in the basket takes part in this offer.',
  limit_reached: 'This code has been used up.',
  customer_limit_reached: 'You have used this code as often as it allows.',
  customer_required: 'Sign in or give your e-mail address to use this code.',
  not_combinable: 'This code does not combine with the better discount that the basket has.',
  nothing_to_discount: 'There is nothing left that this code could take off.',
} as const;

export const refused = (reason: keyof typeof SENTENCES): Refusal => ({ reason, message: SENTENCES[reason] });

export const currencyMismatch = (currency: Currency): Refusal => ({
  reason: 'currency_mismatch',
  message: `This code is for baskets in ${currency}.`,
});

export const minimumNotReached = (missing: number, currency: Currency): Refusal => ({
  reason: 'minimum_not_reached',
  message: `Add goods for ${formatAmount(missing, currency)} ${currency} more to use this code.`,
});
