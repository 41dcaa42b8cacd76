import path from 'node:path';
import { readIfExists, writeAtomic } from '@sbox/daemon/files';
import { linkProblem, noHash, type AuditFault } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import { hashText } from './append-entry.ts';

/** The last signed head, outside of the database: who can write only that cannot take it away. */
export interface KeptHead {
  keep(head: Head): Promise<void>;
  /** What is wrong with the log, as far as the head that was kept shows it: it was cut, or another one stands there. */
  compare(audit: Store['audit']): Promise<{ readonly seq: number; readonly fault: AuditFault } | undefined>;
}

export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Kept in `audit-head.json` of the data directory. After an old database was restored on purpose it has to be removed. */
export function createKeptHead(directory: string): KeptHead {
  const file = path.join(directory, 'audit-head.json');
  return {
    keep: async ({ seq, hash }) => await writeAtomic(file, `${JSON.stringify({ seq, hash })}\n`),
    async compare(audit) {
      const text = (await readIfExists(file))?.toString();
      const head = text === undefined ? undefined : readHead(text);
      if (!head) return undefined;
      const { seq } = head;
      const entry = await audit.find(seq);
      if (!entry) return { seq, fault: 'cut-off' };
      if (entry.hash !== head.hash) return { seq, fault: 'rewritten' };
      // The hash may be written beside words that it is not of.
      const before = seq === 1 ? { seq: 0, hash: noHash } : await audit.find(seq - 1);
      const fault = before ? linkProblem(entry, before, hashText) : 'missing';
      return fault ? { seq, fault } : undefined;
    },
  };
}

/** Whoever can write the file can remove it too; one that is no head is none. */
function readHead(text: string): Head | undefined {
  try {
    const { seq, hash } = JSON.parse(text) as Partial<Record<'seq' | 'hash', unknown>>;
    return Number.isSafeInteger(seq) && typeof hash === 'string' ? { seq: seq as number, hash } : undefined;
  } catch {
    return undefined;
  }
}
