import type { Fact } from '../money-facts.ts';

export const TEST_TOKENS = [
  { token: 'sandbox_ok', effect: 'the sum is taken' },
  { token: 'sandbox_declined', effect: 'declined: card_declined' },
  { token: 'sandbox_insufficient_funds', effect: 'declined: insufficient_funds' },
  { token: 'sandbox_action', effect: 'the shopper has to approve it at nextAction.url first' },
  { token: 'sandbox_timeout', effect: 'the sum is taken, but the answer is lost: the state is known a moment later' },
  { token: 'sandbox_late', effect: 'undecided for about two seconds, then taken and told by a webhook' },
  { token: 'sandbox_late_decline', effect: 'undecided for about two seconds, then declined and told by a webhook' },
] as const;

export interface SandboxCharge {
  reference: string;
  paymentId: string;
  operationId: string;
  amount: number;
  /** taken as soon as it is approved */
  capture: boolean;
  /** null while it waits for the shopper */
  verdict: 'approved' | 'declined' | null;
  reason: string;
  /** in the future when the verdict comes late */
  decidedAt: Date | null;
}

export interface SandboxOperation {
  reference: string;
  kind: 'capture' | 'void' | 'refund';
  operationId: string;
  outcome: 'succeeded' | 'failed';
  amount: number;
  reason: string;
  at: Date;
}

type Verdict = Pick<SandboxCharge, 'verdict' | 'reason' | 'decidedAt'>;

export const approved = (decidedAt: Date): Verdict => ({ verdict: 'approved', reason: '', decidedAt });
export const declined = (reason: string, decidedAt: Date): Verdict => ({ verdict: 'declined', reason, decidedAt });

/** How a test token is judged. Unknown ones are declined, as a company would. */
export function verdictOn(token: string, now: Date, lateAt: Date): Verdict {
  switch (token) {
    case 'sandbox_ok':
    case 'sandbox_timeout':
      return approved(now);
    case 'sandbox_action':
      return { verdict: null, reason: '', decidedAt: null };
    case 'sandbox_late':
      return approved(lateAt);
    case 'sandbox_late_decline':
      return declined('card_declined', lateAt);
    case 'sandbox_declined':
      return declined('card_declined', now);
    case 'sandbox_insufficient_funds':
      return declined('insufficient_funds', now);
    default:
      return declined('unknown_token', now);
  }
}

export type Phase = 'requires_action' | 'processing' | 'approved' | 'declined';

export function phaseOf({ verdict, decidedAt }: SandboxCharge, now: Date): Phase {
  if (verdict === null || decidedAt === null) return 'requires_action';
  return decidedAt > now ? 'processing' : verdict;
}

/** What an operation on a charge comes to. A void releases all that is held; stopping an undecided charge moves nothing. */
export function judge(
  charge: SandboxCharge,
  operations: readonly SandboxOperation[],
  { kind, amount }: Pick<SandboxOperation, 'kind' | 'amount'>,
  now: Date,
): Pick<SandboxOperation, 'outcome' | 'amount' | 'reason'> {
  const refused = (reason: string) => ({ outcome: 'failed' as const, amount, reason });
  const done = (sum: number) => ({ outcome: 'succeeded' as const, amount: sum, reason: '' });
  const phase = phaseOf(charge, now);
  if (phase === 'requires_action' && kind === 'void') return done(0);
  if (phase !== 'approved') return refused(phase === 'declined' ? 'charge_declined' : 'charge_undecided');
  const { held, kept } = balance(charge, operations);
  if (kind === 'void') return held > 0 ? done(held) : refused('nothing_held');
  return amount <= (kind === 'capture' ? held : kept) ? done(amount) : refused('amount_too_large');
}

/** The charge's history as its merchant reads it. */
export function factsOf(charge: SandboxCharge, operations: readonly SandboxOperation[], now: Date): Fact[] {
  const { reference, operationId, amount, reason, decidedAt } = charge;
  const phase = phaseOf(charge, now);
  const later = operations.map((operation): Fact => ({ ...operation }));
  if (decidedAt === null || phase === 'requires_action' || phase === 'processing') return later;
  const outcome = phase === 'approved' ? 'succeeded' : 'failed';
  const authorization: Fact = { kind: 'authorization', outcome, amount, reference, operationId, reason, at: decidedAt };
  const taken: Fact[] = phase === 'approved' && charge.capture ? [{ ...authorization, kind: 'capture' }] : [];
  return [authorization, ...taken, ...later];
}

function balance(charge: SandboxCharge, operations: readonly SandboxOperation[]): { held: number; kept: number } {
  const sum = (kind: SandboxOperation['kind']) =>
    operations.reduce((all, operation) => all + (operation.kind === kind && operation.outcome === 'succeeded' ? operation.amount : 0), 0);
  const captured = sum('capture') + (charge.capture ? charge.amount : 0);
  return { held: charge.amount - captured - sum('void'), kept: captured - sum('refund') };
}
