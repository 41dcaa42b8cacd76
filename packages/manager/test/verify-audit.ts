import { readPublicKey } from '@sbox/daemon/keys';
import {
  auditLineSchema,
  createAuditVerifier,
  type AuditEntry,
  type AuditVerdict,
  type Client,
  type OperatorContract,
} from '@sbox/protocol';
import * as z from 'zod/mini';
import { hashText } from '../src/features/audit/append-entry.ts';

export type AuditReport = AuditVerdict & { readonly entries: readonly AuditEntry[] };

/** What the export of a manager says, and what it is worth by the keys that come with it. */
export async function verifyAudit({ audit }: Pick<Client<OperatorContract>, 'audit'>): Promise<AuditReport> {
  const entries: AuditEntry[] = [];
  const keys = new Map<string, ReturnType<typeof readPublicKey>>();
  const verifier = createAuditVerifier({
    hashText,
    isTrusted: (keyid) => keys.has(keyid),
    verify: (keyid, message, signature) => keys.get(keyid)?.verify(message, Buffer.from(signature, 'base64')) === true,
  });
  const { bytes = new Uint8Array() } = await audit.export();
  for (const text of Buffer.from(bytes).toString().trimEnd().split('\n')) {
    const line = z.parse(auditLineSchema, JSON.parse(text));
    if (line.kind === 'key') keys.set(line.key.keyid, readPublicKey(Buffer.from(line.key.public_key, 'base64')));
    else if (line.kind === 'checkpoint') verifier.checkpoint(line.checkpoint);
    else {
      entries.push(line.entry);
      verifier.entry(line.entry);
    }
  }
  return { ...verifier.verdict(), entries };
}
