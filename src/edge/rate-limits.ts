import type { RequestHandler } from 'express';
import { RateLimiterMemory, RateLimiterPostgres, type RateLimiterAbstract, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Database } from '../shared/database.ts';
import { AppError } from '../shared/errors.ts';

/** Tries a minute and address against things that can be guessed: passwords, tokens, codes. Counted in the database. */
const GUARDED_PER_MINUTE = 20;

/** Limits per client address; 0 switches them off. The general one counts in memory: it protects this process. */
export function createRateLimits(db: Database, perMinute: number): { general: RequestHandler; guarded: RequestHandler } {
  if (perMinute === 0) return { general: passOn, guarded: passOn };
  const general = new RateLimiterMemory({ points: perMinute, duration: 60 });
  const guarded = new RateLimiterPostgres({
    storeClient: db,
    storeType: 'knex',
    tableName: 'rate_limits',
    tableCreated: true,
    clearExpiredByTimeout: false,
    keyPrefix: 'guarded',
    points: GUARDED_PER_MINUTE,
    duration: 60,
  });
  return { general: limit(general, 'default', perMinute), guarded: limit(guarded, 'guarded', GUARDED_PER_MINUTE) };
}

const passOn: RequestHandler = (_req, _res, next) => next();

/** RateLimit headers as in draft-ietf-httpapi-ratelimit-headers-10. */
const limit = (limiter: RateLimiterAbstract, policy: string, quota: number): RequestHandler => async (req, res, next) => {
  const state = await limiter.consume(req.ip ?? 'unknown').catch((refusal: unknown) => refusal as RateLimiterRes | Error);
  if (state instanceof Error) throw state;
  const seconds = Math.ceil(state.msBeforeNext / 1_000);
  res.setHeader('ratelimit-policy', `"${policy}";q=${quota};w=60`);
  res.setHeader('ratelimit', `"${policy}";r=${Math.max(0, state.remainingPoints)};t=${seconds}`);
  if (state.consumedPoints > quota) {
    res.setHeader('retry-after', String(seconds));
    throw new AppError('rate_limited', 'too_many_requests', `Too many requests; try again in ${seconds} s.`);
  }
  next();
};
