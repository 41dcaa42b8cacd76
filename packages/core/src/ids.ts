import { encodeBase62 } from './base62.ts';

export type RandomBytes = (count: number) => Uint8Array;
export type IdKind = 'sub' | 'cfg' | 'srv' | 'evt' | 'dep' | 'jt' | 'tok' | 'req' | 'fet' | 'usr' | 'ses';
/** A new id of a kind: `srv_` and 16 letters and digits; 95 random bits. */
export type NewId = (kind: IdKind) => string;

export const createNewId =
  (randomBytes: RandomBytes): NewId =>
  (kind) =>
    `${kind}_${encodeBase62(randomBytes(12)).slice(-16)}`;
