import { decodeBase62, encodeBase62 } from './base62.ts';
import { crc32 } from './crc32.ts';
import { ProblemError } from './problem.ts';

/** `sbox_join_<id>_<secret>_<pin>_<crc>`: lets one server join, and tells it which manager is the right one. */
export interface JoinToken {
  readonly id: string;
  /** 32 bytes, base62. The manager keeps only its SHA-256. */
  readonly secret: string;
  /** SHA-256 of the root key's SPKI, 32 bytes. */
  readonly pin: Uint8Array;
}

/** `sbox_<kind>_<id>_<secret>_<crc>`: a bearer token of a person (`pat`) or of a program (`svc`). */
export interface AccessToken {
  readonly kind: 'pat' | 'svc';
  readonly id: string;
  readonly secret: string;
}

const bytes = new TextEncoder();
const checksum = (text: string): string => {
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, crc32(bytes.encode(text)));
  return encodeBase62(value);
};
const withChecksum = (text: string): string => `${text}_${checksum(text)}`;

export const formatJoinToken = ({ id, secret, pin }: JoinToken): string =>
  withChecksum(`sbox_join_${id}_${secret}_${encodeBase62(pin)}`);

export const formatAccessToken = ({ kind, id, secret }: AccessToken): string =>
  withChecksum(`sbox_${kind}_${id}_${secret}`);

function parts(text: string, count: number): string[] | undefined {
  const split = text.trim().split('_');
  const sum = split.at(-1);
  return split.length === count && split[0] === 'sbox' && checksum(split.slice(0, -1).join('_')) === sum
    ? split
    : undefined;
}

/** @throws ProblemError `join-token.invalid` when the text was cut or mistyped. */
export function parseJoinToken(text: string): JoinToken {
  const [, kind, id, secret, pinText] = parts(text, 6) ?? [];
  const pin = decodeBase62(pinText ?? '', 32);
  if (kind !== 'join' || !id || !secret || !pin) {
    throw new ProblemError('join-token.invalid', 'the text is not a whole join token: its checksum does not fit');
  }
  return { id, secret, pin };
}

/** Undefined when the text is no token of ours; says nothing about whether the manager knows it. */
export function parseAccessToken(text: string): AccessToken | undefined {
  const [, kind, id, secret] = parts(text, 5) ?? [];
  if ((kind !== 'pat' && kind !== 'svc') || !id || !secret) return undefined;
  return { kind, id, secret };
}
