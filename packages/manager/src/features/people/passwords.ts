import { scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { fromBase64, ProblemError, toBase64, type RandomBytes } from '@sbox/core';

/** What a hash costs: 2^ln blocks of r * 128 bytes, p times. */
export interface PasswordCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** As much work as OWASP's 2^17 with p=1, in a quarter of its memory: 32 MiB each. */
export const defaultPasswordCost: PasswordCost = { ln: 15, r: 8, p: 3 };
/** Of a stored hash, which only this program writes: more is not computed. */
const maxLn = 18;
const hashBytes = 32;
/** Two at once leave the other threads of the pool to files and to DNS. */
const atOnce = 2;
const maxWaiting = 32;

export interface Passwords {
  /** `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, base64. */
  hash(password: string): Promise<string>;
  /** False without a hash as well, after the same time: a name that is unknown does not show. */
  verify(password: string, stored: string | undefined): Promise<boolean>;
}

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

/** Passwords of people, as scrypt hashes (RFC 7914). @throws ProblemError `internal.unavailable` when too many wait */
export function createPasswords(randomBytes: RandomBytes, cost: PasswordCost = defaultPasswordCost): Passwords {
  const queue = createQueue();
  const compute = async (password: string, salt: Uint8Array, { ln, r, p }: PasswordCost): Promise<Buffer> => {
    const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
    // What looks the same on a screen is the same password, whichever keyboard it comes from.
    return await queue(async () => await derive(password.normalize('NFKC'), salt, hashBytes, options));
  };
  const unknown = { cost, salt: randomBytes(16), hash: undefined };
  return {
    async hash(password) {
      const salt = randomBytes(16);
      const hash = await compute(password, salt, cost);
      return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${toBase64(salt)}$${toBase64(hash)}`;
    },
    async verify(password, stored) {
      const known = stored === undefined ? unknown : readHash(stored);
      const given = await compute(password, known.salt, known.cost);
      return timingSafeEqual(given, known.hash ?? Buffer.alloc(hashBytes)) && known.hash !== undefined;
    },
  };
}

function readHash(stored: string) {
  const [, ln, r, p, salt, hash] = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(stored) ?? [];
  const [saltBytes, known] = [fromBase64(salt ?? ''), fromBase64(hash ?? '')];
  if (!saltBytes || known?.length !== hashBytes || Number(ln) > maxLn || Number(r) > 32 || Number(p) > 16)
    throw new Error('the database holds a password hash that this version did not write');
  return { cost: { ln: Number(ln), r: Number(r), p: Number(p) }, salt: saltBytes, hash: known };
}

/** Runs a few at once and lets some wait; who comes then is sent away. */
function createQueue() {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(run: () => Promise<T>): Promise<T> => {
    if (running < atOnce) running += 1;
    else {
      if (waiting.length >= maxWaiting)
        throw new ProblemError('internal.unavailable', 'too many people are logging in at this moment');
      // The place is handed over, so that nobody who comes in between takes it.
      await new Promise<void>((resolve) => void waiting.push(resolve));
    }
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
