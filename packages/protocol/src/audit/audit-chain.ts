import { preAuthEncoding } from '@sbox/core';
import { canonicalJson } from './canonical-json.ts';

/** What one entry of the audit log says; all of it is hashed. */
export interface AuditContent {
  readonly v: 1;
  /** Counts up from 1 without a gap. */
  readonly seq: number;
  readonly ts: string;
  readonly actor_type: string;
  readonly actor_id: string;
  readonly actor_name: string;
  /** The token or the session that the actor came with. */
  readonly token_id: string | null;
  readonly ip: string;
  readonly request_id: string;
  /** The id of the route; `system` for what the manager does by itself, `*` for refusals that are only counted. */
  readonly action: string;
  /** What was acted upon: the parameters of the path. */
  readonly object: Readonly<Record<string, unknown>>;
  readonly result: string;
  /** Of the problem, when it was denied or failed. */
  readonly code: string | null;
  /** The events of the transaction. */
  readonly change: readonly AuditChange[];
}

export interface AuditChange {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface AuditEntry extends AuditContent {
  /** The hash of the entry before. */
  readonly prev: string;
  readonly hash: string;
}

/** A head of the chain under the manager's online key. */
export interface AuditCheckpoint {
  readonly seq: number;
  readonly hash: string;
  readonly ts: string;
  readonly keyid: string;
  /** Base64. */
  readonly signature: string;
}

/** SHA-256 of a text's UTF-8 as 64 hex digits, handed in so that this package runs in a browser too. */
export type HashText = (text: string) => string;

/** What the first entry has before it. */
export const noHash = '0'.repeat(64);

/** SHA-256 over the hash of the entry before (as hex) and the canonical JSON of what this one says. */
export const hashAuditEntry = (prev: string, content: AuditContent, hashText: HashText): string =>
  hashText(prev + canonicalJson(content));

/** An entry that follows another. */
export const chainAuditEntry = (prev: string, content: AuditContent, hashText: HashText): AuditEntry => ({
  ...content,
  prev,
  hash: hashAuditEntry(prev, content, hashText),
});

const checkpointType = 'application/vnd.sbox.audit-checkpoint+json';
const encoder = new TextEncoder();

/** The bytes that a checkpoint's signature is over: the pre-authentication encoding of DSSE. */
export const checkpointMessage = ({ seq, hash, ts }: Pick<AuditCheckpoint, 'seq' | 'hash' | 'ts'>): Uint8Array =>
  preAuthEncoding(checkpointType, encoder.encode(canonicalJson({ seq, hash, ts })));

/** What stands between an entry and the one before it; undefined when it follows. */
export function linkProblem(
  { prev, hash, ...content }: AuditEntry,
  before: { readonly seq: number; readonly hash: string },
  hashText: HashText,
): AuditFault | undefined {
  if (content.seq > before.seq + 1) return 'missing';
  if (content.seq <= before.seq) return 'out-of-order';
  if (hashAuditEntry(prev, content, hashText) !== hash) return 'changed';
  return prev === before.hash ? undefined : 'not-linked';
}

/** Ways in which a chain is broken, in words for people. */
export const auditFaults = {
  missing: 'it is not there, but later ones are',
  'out-of-order': 'it stands at another place than its number says',
  changed: 'it does not say what it said when it was written: its hash is another one',
  'not-linked': 'it does not follow the entry before it',
  'no-start': 'the log does not begin with its first entry',
  rewritten: 'another entry of this number was signed, or was kept, before',
  'cut-off': 'a checkpoint was signed for it, but the log ends before it',
  'bad-signature': 'the signature of its checkpoint is wrong',
  malformed: 'what stands there is no entry, no checkpoint and no key of an audit log',
} as const;
export type AuditFault = keyof typeof auditFaults;
