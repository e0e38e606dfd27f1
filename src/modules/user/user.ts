import { conflict, invalid } from '../../shared/errors.ts';
import { COMMON_PASSWORDS } from './common-passwords.ts';
import type { Profile } from './contract.ts';

export interface Account {
  id: string;
  email: string;
  emailVerifiedAt: Date | null;
  name: string;
  role: Profile['role'];
  passwordHash: string;
  epoch: number;
  createdAt: Date;
}

/** An account together with the wrong passwords lately tried on it. */
export type Credentials = Account & { failures: number; failingSince: Date | null };

const MOST_FAILURES = 10;
const FAILURE_WINDOW_MINUTES = 15;

/** The one way an e-mail is stored and looked up. */
export const normalizeEmail = (typed: string): string => typed.trim().normalize('NFKC').toLowerCase();

export const profileOf = ({ id, email, emailVerifiedAt, name, role, createdAt }: Account): Profile => ({
  id,
  email,
  emailVerified: emailVerifiedAt !== null,
  name,
  role,
  createdAt: createdAt.toISOString(),
});

/** Refuses what is guessed first: well-known passwords, one repeated character, and the account's own address. */
export function assertHardToGuess(password: string, email: string): void {
  const plain = password.normalize('NFKC').toLowerCase();
  const own = [email, email.slice(0, email.lastIndexOf('@'))];
  if (COMMON_PASSWORDS.has(plain) || own.includes(plain) || /^(.)\1*$/u.test(plain)) {
    throw invalid('password_too_common', 'This password is among the first that are guessed; choose another one.');
  }
}

/** Failures before this instant are forgotten. */
export const failureWindowStart = (now: Date): Date => new Date(now.getTime() - FAILURE_WINDOW_MINUTES * 60_000);

/** True while so many wrong passwords were tried that not even the right one counts. */
export const isThrottled = ({ failures, failingSince }: Credentials, now: Date): boolean =>
  failures >= MOST_FAILURES && failingSince !== null && failingSince > failureWindowStart(now);

/** `administrators`: all there are. */
export function assertAdministratorLeft(administrators: readonly Account[], target: Account, role: Profile['role']): void {
  const others = administrators.filter(({ id }) => id !== target.id);
  if (target.role === 'admin' && role !== 'admin' && others.length === 0) {
    throw conflict('last_admin', 'This is the last administrator; make somebody else one first.');
  }
}
