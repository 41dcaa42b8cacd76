import { scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';
import { fromBase64, toBase64, type RandomBytes } from '@sbox/core';
import { createFairQueue, type Turn } from './fair-queue.ts';

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
const limits = { atOnce: 2, waitingOfPlace: 2, waiting: 128 };
/** From where the right password came: these go first. Forgotten at a start. */
const placesRemembered = 10_000;
/** Passwords that are set, by people who are in; what they may ask is limited elsewhere. */
const inside: Turn = { place: '', isKnown: true };

export interface Passwords {
  /** `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`, base64. */
  hash(password: string): Promise<string>;
  /** False without a hash as well, after the same time: a name that is unknown does not show. */
  verify(password: string, stored: string | undefined, place: string): Promise<boolean>;
  /** The next from there do not wait behind strangers. */
  remember(place: string): void;
}

interface Work {
  readonly cost: PasswordCost;
  readonly salt: Uint8Array;
}

const derive = promisify<string, Uint8Array, number, ScryptOptions, Buffer>(scrypt);

/** Passwords of people, as scrypt hashes (RFC 7914). @throws ProblemError `internal.unavailable` when too many wait */
export function createPasswords(randomBytes: RandomBytes, cost: PasswordCost = defaultPasswordCost): Passwords {
  const queue = createFairQueue(limits);
  const known = new Set<string>();
  const compute = async (turn: Turn, password: string, { cost: { ln, r, p }, salt }: Work): Promise<Buffer> => {
    const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
    // What looks the same on a screen is the same password, whichever keyboard it comes from.
    return await queue(turn, async () => await derive(password.normalize('NFKC'), salt, hashBytes, options));
  };
  const unknown = { cost, salt: randomBytes(16), hash: undefined };
  return {
    async hash(password) {
      const salt = randomBytes(16);
      const hash = await compute({ ...inside, place: toBase64(salt) }, password, { cost, salt });
      return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${toBase64(salt)}$${toBase64(hash)}`;
    },
    async verify(password, stored, place) {
      const right = stored === undefined ? unknown : readHash(stored);
      const given = await compute({ place, isKnown: known.has(place) }, password, right);
      return timingSafeEqual(given, right.hash ?? Buffer.alloc(hashBytes)) && right.hash !== undefined;
    },
    remember(place) {
      known.delete(place);
      known.add(place);
      const [oldest = ''] = known;
      if (known.size > placesRemembered) known.delete(oldest);
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
