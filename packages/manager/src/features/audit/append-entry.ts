import { hash } from 'node:crypto';
import { isoTime, type Clock } from '@sbox/core';
import { chainAuditEntry, noHash, type AuditContent, type HashText } from '@sbox/protocol';
import type { AuditRepository } from './audit-repository.ts';

export type AuditSaid = Omit<AuditContent, 'v' | 'seq' | 'ts'>;

export const hashText: HashText = (text) => hash('sha256', text);

/**
 * Adds an entry to the end of the chain. Only inside a transaction: nobody else may add one between the look at the head
 * and the row.
 */
export async function appendEntry(
  audit: Pick<AuditRepository, 'head' | 'insert'>,
  clock: Clock,
  said: AuditSaid,
): Promise<void> {
  const head = (await audit.head()) ?? { seq: 0, hash: noHash };
  const content: AuditContent = { v: 1, seq: head.seq + 1, ts: isoTime(clock.now()), ...said };
  await audit.insert(chainAuditEntry(head.hash, content, hashText));
}
