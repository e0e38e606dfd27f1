/** A login with all the refresh tokens that grew from it, as far as a refresh asks. */
export interface PresentedToken {
  id: string;
  sessionId: string;
  userId: string;
  epoch: number;
  usedAt: Date | null;
  /** the device that used it */
  usedBy: string | null;
  sessionEndedAt: Date | null;
  sessionExpiresAt: Date;
}

/**
 * - `repeat`: the same device asks again for an answer it may not have got, or for a second window: it gets a new token
 * - `reuse`: somebody has a copy: the session ends
 * - `over`: nothing to refresh any more
 */
export type Verdict = 'repeat' | 'reuse' | 'over';

const GRACE_SECONDS = 30;
const IDLE_DAYS = 30;
const LONGEST_DAYS = 90;

/** What a refresh token means that could not be used (again). */
export function judge(token: PresentedToken, device: string, now: Date): Verdict {
  if (token.sessionEndedAt !== null || token.sessionExpiresAt <= now || token.usedAt === null) return 'over';
  const age = now.getTime() - token.usedAt.getTime();
  return age <= GRACE_SECONDS * 1_000 && token.usedBy === device ? 'repeat' : 'reuse';
}

export const sessionEnd = (now: Date): Date => daysAfter(now, LONGEST_DAYS);

/** A refresh token ends when it is not used for a month, and with its session. */
export function refreshTokenEnd(now: Date, sessionExpiresAt: Date): Date {
  const idle = daysAfter(now, IDLE_DAYS);
  return idle < sessionExpiresAt ? idle : sessionExpiresAt;
}

const daysAfter = (from: Date, days: number) => new Date(from.getTime() + days * 86_400_000);
