import { createHmac, timingSafeEqual } from 'node:crypto';
import { sha256 } from '@sbox/daemon/keys';
import type { RandomBytes } from '@sbox/core';
import type { User } from './users-repository.ts';

/** RFC 6238 with what every authenticator takes: SHA-1, six digits, thirty seconds. */
const stepMs = 30_000;
const digits = 6;
/** Of RFC 4226: as long as the hash. */
const secretBytes = 20;
const recoveryCodes = 10;
/** 80 bits: the stored digests cannot be searched through. */
const recoveryBytes = 10;

/** RFC 4648, 6. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Without padding; `bytes` come in fives or fours of them. */
export function encodeBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[parseInt(five.padEnd(5, '0'), 2)] ?? '').join('');
}

export function decodeBase32(text: string): Uint8Array {
  const bits = Array.from(text, (letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).map((eight) => parseInt(eight, 2)));
}

/** The code of a step (RFC 4226, 5.3). */
export function codeOfStep(key: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** digits).padStart(digits, '0');
}

/** The step that a code is of, at most one away from now and later than the one that was used last. */
export function stepOfCode(secret: string, code: string, nowMs: number, lastStep: number | null): number | undefined {
  const key = decodeBase32(secret);
  const now = Math.floor(nowMs / stepMs);
  return [now, now - 1, now + 1].find((step) => step > (lastStep ?? -1) && isSame(codeOfStep(key, step), code));
}

function isSame(right: string, given: string): boolean {
  const [a, b] = [Buffer.from(right), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

export interface NewSecret {
  readonly secret: string;
  /** For the QR code of an authenticator. */
  readonly uri: string;
}

export function makeSecret(name: string, randomBytes: RandomBytes): NewSecret {
  const secret = encodeBase32(randomBytes(secretBytes));
  return { secret, uri: `otpauth://totp/sbox:${encodeURIComponent(name)}?secret=${secret}&issuer=sbox` };
}

/** Codes for the day when the authenticator is lost; each opens once. */
export function makeRecoveryCodes(randomBytes: RandomBytes): { readonly codes: string[]; readonly stored: string } {
  const codes = Array.from({ length: recoveryCodes }, () =>
    (encodeBase32(randomBytes(recoveryBytes)).match(/.{4}/g) ?? []).join('-'),
  );
  return { codes, stored: JSON.stringify(codes.map(digestOfRecovery)) };
}

const digestOfRecovery = (code: string): string => {
  const letters = code.toUpperCase().replace(/[^A-Z2-7]/g, '');
  return Buffer.from(sha256(Buffer.from(letters))).toString('hex');
};

type Factor = Pick<User, 'totp_secret' | 'totp_last_step' | 'totp_recovery'>;

/** A secret counts once a code of it was shown; recovery codes come with that. */
export const hasTotp = ({ totp_secret, totp_recovery }: Factor): boolean =>
  totp_secret !== null && totp_recovery !== null;

/** What a good code, of the authenticator or for recovery, leaves to be stored; undefined for a wrong one. */
export function useCode(user: Factor, code: string, nowMs: number): Partial<Factor> | undefined {
  const typed = code.replaceAll(/\s/g, '');
  const step = stepOfCode(user.totp_secret ?? '', typed, nowMs, user.totp_last_step);
  if (step !== undefined) return { totp_last_step: step };
  const left = JSON.parse(user.totp_recovery ?? '[]') as readonly string[];
  const used = digestOfRecovery(typed);
  return left.includes(used) ? { totp_recovery: JSON.stringify(left.filter((one) => one !== used)) } : undefined;
}
