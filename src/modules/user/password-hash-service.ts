import { argon2, type Argon2Parameters, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { unavailable } from '../../shared/errors.ts';

/** Each call is exactly one argon2 computation. */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** `hash` undefined, because there is no account or it may not be tried: the same work, and always false. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

/** OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two passes, one lane. */
const PARAMETERS = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
const SALT_LENGTH = 16;
const AT_ONCE = 2;
/** as many as get their turn within a request's time */
const MOST_WAITING = 1_000;
const HASH = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

const derive = promisify(argon2);

/** Hashes in the PHC string format, two computations at once: each takes 19 MiB and a thread of the pool. */
export function createPasswordHasher(): PasswordHasher {
  const inTurn = createTurnstile(AT_ONCE, MOST_WAITING);
  const nobody = encode(PARAMETERS, randomBytes(SALT_LENGTH), randomBytes(PARAMETERS.tagLength));
  const compute = (password: string, nonce: Buffer, parameters: Omit<Argon2Parameters, 'message' | 'nonce'>) =>
    inTurn(() => derive('argon2id', { message: password.normalize('NFKC'), nonce, ...parameters }));

  return {
    async hash(password) {
      const salt = randomBytes(SALT_LENGTH);
      return encode(PARAMETERS, salt, await compute(password, salt, PARAMETERS));
    },
    async verify(password, hash) {
      const { parameters, salt, tag } = decode(hash ?? nobody);
      const same = timingSafeEqual(await compute(password, salt, parameters), tag);
      return same && hash !== undefined;
    },
  };
}

function encode({ memory, passes, parallelism }: typeof PARAMETERS, salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

function decode(hash: string) {
  const parts = HASH.exec(hash);
  if (!parts) throw new Error('A stored password hash cannot be read.');
  const [memory, passes, parallelism] = parts.slice(1, 4).map(Number) as [number, number, number];
  const tag = Buffer.from(parts[5]!, 'base64');
  return { parameters: { memory, passes, parallelism, tagLength: tag.length }, salt: Buffer.from(parts[4]!, 'base64'), tag };
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');

/** Lets `limit` run at once and `mostWaiting` wait; whoever comes then is told to come back. */
export function createTurnstile(limit: number, mostWaiting: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < limit) running += 1;
    else if (waiting.length >= mostWaiting) throw unavailable();
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
