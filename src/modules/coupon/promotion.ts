import { invalid } from '../../shared/errors.ts';
import type { PromotionDraft } from './contract.ts';
import { startOfDay } from './shop-days.ts';

/** When a promotion is on: `[startsAt, endsAt)`, null: always was, always will be. */
export interface Window {
  startsAt: Date | null;
  endsAt: Date | null;
}

/** A promotion as it is applied: what staff wrote, with its window as instants. */
export type Terms = Omit<PromotionDraft, 'startsAt' | 'endsAt' | 'codes'> & Window & { id: string };

/** What two spellings of a code are compared by: NFKC, trimmed, upper case. */
export const normalizeCode = (code: string): string => code.normalize('NFKC').trim().toUpperCase().normalize('NFKC');

/** A day starts at its beginning in the shop's zone and ends at its end; an instant is what it is. */
export function windowOf({ startsAt, endsAt }: Pick<PromotionDraft, 'startsAt' | 'endsAt'>, timeZone: string): Window {
  return {
    startsAt: startsAt === null ? null : isDay(startsAt) ? startOfDay(startsAt, timeZone) : new Date(startsAt),
    endsAt: endsAt === null ? null : isDay(endsAt) ? startOfDay(endsAt, timeZone, 1) : new Date(endsAt),
  };
}

const isDay = (moment: string) => !moment.includes('T');

interface Contradiction {
  path: string;
  message: string;
}

/** Throws `promotion_inconsistent`, naming every contradiction, for a draft that cannot mean anything. */
export function assertConsistent(draft: PromotionDraft, window: Window): void {
  const errors = [...contradictions(draft, window)];
  if (errors.length > 0) throw invalid('promotion_inconsistent', errors[0]!.message, { errors });
}

/** Taking the last code off would give the promotion to everybody at once: that is another promotion, or a pause. */
export function assertStillBrought(before: Pick<PromotionDraft, 'codes'>, { codes, active }: PromotionDraft): void {
  if (before.codes.length > 0 && codes.length === 0 && active) {
    const message = 'Without its last code it would apply to every basket: pause it, or make an automatic one.';
    throw invalid('promotion_inconsistent', message, { errors: [{ path: 'codes', message }] });
  }
}

function* contradictions(draft: PromotionDraft, { startsAt, endsAt }: Window): Generator<Contradiction> {
  const { benefit } = draft;
  if ((draft.class === 'shipping') !== (benefit.kind === 'free_shipping')) {
    yield { path: 'class', message: 'Free shipping goes with class shipping, and class shipping with nothing else.' };
  }
  if (draft.currency === null) {
    if (benefit.kind === 'fixed') yield { path: 'currency', message: 'A fixed sum needs a currency.' };
    if (benefit.kind === 'percent' && benefit.cap !== null) yield { path: 'currency', message: 'A cap needs a currency.' };
    if (draft.minimumSpend > 0) yield { path: 'currency', message: 'A minimum spend needs a currency.' };
  }
  if (startsAt && endsAt && startsAt >= endsAt) yield { path: 'endsAt', message: 'It must end after it starts.' };
  const seen = new Set<string>();
  for (const [index, code] of draft.codes.entries()) {
    const normalized = normalizeCode(code);
    if (seen.has(normalized)) yield { path: `codes.${index}`, message: `The code ${code} is there twice.` };
    seen.add(normalized);
  }
}
