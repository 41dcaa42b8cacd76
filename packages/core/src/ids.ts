import { encodeBase62 } from './base62.ts';

export type RandomBytes = (count: number) => Uint8Array;
export type IdKind =
  'sub' | 'cfg' | 'cli' | 'srv' | 'evt' | 'dep' | 'asg' | 'jt' | 'tok' | 'req' | 'fet' | 'usr' | 'ses' | 'ovr';
/** A new id of a kind: `srv_` and 16 letters and digits; 95 random bits. */
export type NewId = (kind: IdKind) => string;

export const createNewId =
  (randomBytes: RandomBytes): NewId =>
  (kind) =>
    `${kind}_${encodeBase62(randomBytes(12)).slice(-16)}`;
